/* SPDX-License-Identifier: MIT */
#ifndef CR__FS_DIR_H
#define CR__FS_DIR_H

/* A folder that is being listed: a descriptor and what getdents64(2) gave last. */

#include "fs/call.h"

enum { CR__DIR_BYTES = 8192 };

struct cr_dir {
	int fd;
	size_t at, size; /* in `entries` */
	_Alignas(uint64_t) char entries[CR__DIR_BYTES];
};

/* Opens a folder relative to another. `flags` are O_NOFOLLOW or 0. */
int cr__dir_open_at(int folder, const char *path, int flags, cr_dir **ret_dir, const char *caller);

/* What an entry is where its file system did not tell. */
int cr__dir_type(const cr_dir *dir, cr_dir_entry *entry);

#endif
