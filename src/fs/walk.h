/* SPDX-License-Identifier: MIT */
#ifndef CR__FS_WALK_H
#define CR__FS_WALK_H

/* A walk: one open folder for each level between the start and here. */

#include "fs/dir.h"

enum { CR__WALK_DEPTH = 64 };

struct cr__walk_level {
	struct cr__walk_level *up;
	cr_dir *dir;
	size_t path_size; /* how much of the path names this folder, with its slash */
};

struct cr_walk {
	struct cr__walk_level *level; /* the deepest; NULL: it is over */
	cr_buf path;
	int depth, depth_max;
	bool leaving; /* report folders again */
	bool enter;   /* the next call enters the folder that was reported */
};

/* The folder in which the entry is that was reported last. */
static inline int cr__walk_folder(const cr_walk *walk)
{
	return walk->level->dir->fd;
}

#endif
