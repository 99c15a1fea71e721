/* SPDX-License-Identifier: MIT */
#include "fs/dir.h"

#include "base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

int cr__dir_open_at(int folder, const char *path, int flags, cr_dir **ret_dir, const char *caller)
{
	cr_dir *dir = cr__alloc(sizeof *dir);
	int fd;

	if (!dir)
		return -ENOMEM;
	fd = cr__fs_open_at(folder, path, O_RDONLY | O_DIRECTORY | flags, 0, caller);
	if (fd < 0) {
		cr__free(dir);
		return fd;
	}
	dir->fd = fd;
	dir->at = dir->size = 0;
	*ret_dir = dir;
	return 0;
}

int cr_dir_open(const char *path, cr_dir **ret_dir)
{
	return cr__dir_open_at(AT_FDCWD, path, 0, ret_dir, __func__);
}

static int refill(cr_dir *dir)
{
	struct cr__fs_call call = {.op = {.code = CR__OP_LIST,
	                                  .fd = dir->fd,
	                                  .buffer = dir->entries,
	                                  .size = sizeof dir->entries}};
	ssize_t n = cr__fs_run(&call, "cr_dir_next", "getdents");

	if (n < 0)
		return (int)n;
	dir->at = 0;
	dir->size = (size_t)n;
	return n > 0;
}

int cr_dir_next(cr_dir *dir, cr_dir_entry *ret_entry)
{
	for (;;) {
		const struct dirent64 *entry = (void *)(dir->entries + dir->at);
		int r;

		if (dir->at == dir->size) {
			r = refill(dir);
			if (r <= 0)
				return r;
			continue;
		}
		dir->at += entry->d_reclen;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		*ret_entry = (cr_dir_entry){.name = entry->d_name,
		                            .inode = entry->d_ino,
		                            .type = entry->d_type};
		return 1;
	}
}

int cr__dir_type(const cr_dir *dir, cr_dir_entry *entry)
{
	struct stat info;
	int r;

	if (entry->type != DT_UNKNOWN)
		return 0;
	r = cr__fs_stat_at(dir->fd, entry->name, AT_SYMLINK_NOFOLLOW, &info, "cr_walk_next");
	if (r == 0)
		entry->type = IFTODT(info.st_mode);
	return r;
}

void cr_dir_close(cr_dir *dir)
{
	if (!dir)
		return;
	cr__fs_close_fd(dir->fd);
	cr__free(dir);
}
