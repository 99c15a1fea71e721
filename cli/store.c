/* SPDX-License-Identifier: MIT */

/* Complete files or none. See store.h. */

#include "store.h"

#include <corail/io.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* How often a random name may already be taken before something else must be wrong. */
#define NAME_ATTEMPTS 16

static void random_name(char *name, size_t size)
{
	static unsigned count;
	unsigned long long number = 0;

	if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
		number = (unsigned long long)getpid() << 32 | ++count;
	snprintf(name, size, ".corail-%016llx.part", number);
}

/* Gives a nameless file a name that nobody has yet: see linkat(2), AT_SYMLINK_FOLLOW. */
static int link_as(const struct store *store, int fd, const char *name)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, store->dir, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* Whether a nameless file can be made here, and be given a name (which takes /proc). */
static bool probe_nameless(const struct store *store)
{
	char name[40];
	int fd = openat(store->dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return false;
	random_name(name, sizeof name);
	r = link_as(store, fd, name);
	if (r == 0)
		unlinkat(store->dir, name, 0);
	close(fd);
	return r == 0;
}

static int make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int r;

		*slash = '\0';
		r = mkdir(path, 0777);
		*slash = '/';
		if (r < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

int store_open(struct store *store, const char *path)
{
	char *copy = strdup(path);
	int r;

	*store = (struct store){.dir = -1};
	if (!copy)
		return -ENOMEM;
	r = *copy ? make_parents(copy) : -ENOENT;
	free(copy);
	if (r < 0)
		return r;
	if (mkdir(path, 0777) < 0 && errno != EEXIST)
		return -errno;
	store->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->dir < 0)
		return -errno;
	if (faccessat(store->dir, ".", W_OK | X_OK, AT_EACCESS) < 0) {
		r = -errno;
		store_close(store);
		return r;
	}
	store->nameless = probe_nameless(store);
	return 0;
}

int store_create(const struct store *store, struct store_file *ret_file)
{
	struct store_file file = {.fd = -1};

	if (store->nameless) {
		file.fd = openat(store->dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
		if (file.fd < 0)
			return -errno;
		*ret_file = file;
		return 0;
	}
	for (int i = 0; i < NAME_ATTEMPTS; i++) {
		random_name(file.temporary, sizeof file.temporary);
		file.fd = openat(store->dir, file.temporary,
		                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
		if (file.fd >= 0) {
			*ret_file = file;
			return 0;
		}
		if (errno != EEXIST)
			break;
	}
	return -errno;
}

/* Makes sure that the file has a name, its final one or a temporary one. */
static int give_name(const struct store *store, struct store_file *file, const char *name)
{
	int r;

	if (file->temporary[0])
		return 0;
	/* linkat() never replaces: a file that is there already takes the way by rename(). */
	r = link_as(store, file->fd, name);
	for (int i = 0; r == -EEXIST && i < NAME_ATTEMPTS; i++) {
		random_name(file->temporary, sizeof file->temporary);
		r = link_as(store, file->fd, file->temporary);
	}
	if (r < 0)
		file->temporary[0] = '\0';
	return r;
}

int store_commit(const struct store *store, struct store_file *file, const char *name)
{
	int r = give_name(store, file, name);

	if (r == 0 && file->temporary[0]) {
		if (renameat(store->dir, file->temporary, store->dir, name) < 0)
			r = -errno;
		else
			file->temporary[0] = '\0';
	}
	if (r == 0) {
		/* Some file systems report a lost write only here. */
		r = cr_fd_close(file->fd);
		file->fd = -1;
		if (r < 0)
			unlinkat(store->dir, name, 0);
	}
	store_discard(store, file);
	return r;
}

void store_discard(const struct store *store, struct store_file *file)
{
	if (file->fd >= 0)
		cr_fd_close(file->fd);
	if (file->temporary[0])
		unlinkat(store->dir, file->temporary, 0);
	*file = (struct store_file){.fd = -1};
}

void store_close(struct store *store)
{
	if (store->dir >= 0)
		close(store->dir);
	store->dir = -1;
}
