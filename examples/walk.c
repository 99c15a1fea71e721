/* SPDX-License-Identifier: MIT */

/*
 * What a folder holds, counted by many tasks at once:
 *
 *	walk /usr/share
 *
 * Each folder is a task: it lists the folder, asks for the size of each file, and leaves the
 * folders below to tasks of their own. A semaphore bounds how many list at once, and so how many
 * are open. Symbolic links are counted and not followed.
 */

#define _DEFAULT_SOURCE /* DT_DIR and its kin */

#include <corail/corail.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define AT_ONCE 32

struct totals {
	cr_scope *scope;
	cr_semaphore turns;
	unsigned long long files, folders, others, bytes, unreadable;
};

struct folder {
	struct totals *totals;
	char path[4096];
};

static int visit(struct folder *folder);

static int count(struct folder *folder, const cr_dir_entry *entry)
{
	struct totals *totals = folder->totals;
	struct folder below = {.totals = totals};
	struct stat info;
	int r, size = snprintf(below.path, sizeof below.path, "%s/%s", folder->path, entry->name);

	if (size < 0 || (size_t)size >= sizeof below.path)
		return -ENAMETOOLONG;
	r = cr_fs_lstat(below.path, &info);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (S_ISDIR(info.st_mode)) {
		cr_spawn_copy(totals->scope, visit, &below);
	} else if (S_ISREG(info.st_mode)) {
		totals->files++;
		totals->bytes += (unsigned long long)info.st_size;
	} else {
		totals->others++;
	}
	return 0;
}

static int list(struct folder *folder)
{
	cr_dir_entry entry;
	cr_dir *dir;
	int r = cr_dir_open(folder->path, &dir);

	if (r == -EACCES || r == -ENOENT) {
		folder->totals->unreadable++;
		return 0;
	}
	if (r < 0)
		return r;
	folder->totals->folders++;
	while ((r = cr_dir_next(dir, &entry)) > 0) {
		r = count(folder, &entry);
		if (r < 0)
			break;
	}
	cr_dir_close(dir);
	return r;
}

static int visit(struct folder *folder)
{
	int r = cr_semaphore_acquire(&folder->totals->turns, 1);

	if (r < 0)
		return r;
	r = list(folder);
	cr_semaphore_release(&folder->totals->turns, 1);
	return r;
}

static int walk(const char **path)
{
	CORAIL_SCOPE(scope);
	struct totals totals = {.scope = &scope, .turns = CORAIL_SEMAPHORE(AT_ONCE)};
	struct folder start = {.totals = &totals};
	int r;

	snprintf(start.path, sizeof start.path, "%s", *path);
	cr_spawn_copy(&scope, visit, &start);
	r = cr_scope_wait(&scope);
	if (r < 0) {
		fprintf(stderr, "walk: %s\n", cr_strerror(r));
		return r;
	}
	printf("%llu files, %llu bytes, %llu folders, %llu others, %llu unreadable\n", totals.files,
	       totals.bytes, totals.folders, totals.others, totals.unreadable);
	return 0;
}

int main(int argc, char **argv)
{
	const char *path = argc == 2 ? argv[1] : ".";

	if (argc > 2) {
		fprintf(stderr, "usage: walk [FOLDER]\n");
		return 2;
	}
	return cr_run(walk, &path) < 0;
}
