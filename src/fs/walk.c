/* SPDX-License-Identifier: MIT */
#include "fs/walk.h"

#include "base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

/*
 * Folders are opened relative to the one above, and never through a symbolic link: whoever moves
 * things about meanwhile can make the walk miss something, but not leave the tree.
 */

static int level_push(cr_walk *walk, int folder, const char *path, int flags)
{
	struct cr__walk_level *level = cr__alloc(sizeof *level);
	int r = level ? cr__dir_open_at(folder, path, flags, &level->dir, "cr_walk_next") : -ENOMEM;

	if (r == 0) {
		r = cr_buf_append(&walk->path, "/", walk->path.data[walk->path.size - 1] != '/');
		if (r < 0)
			cr_dir_close(level->dir);
	}
	if (r < 0) {
		cr__free(level);
		return r;
	}
	level->path_size = walk->path.size;
	level->up = walk->level;
	walk->level = level;
	walk->depth++;
	return 0;
}

static void level_pop(cr_walk *walk)
{
	struct cr__walk_level *level = walk->level;

	walk->level = level->up;
	walk->depth--;
	cr_dir_close(level->dir);
	cr__free(level);
}

int cr_walk_open(const char *path, const cr_walk_options *options, cr_walk **ret_walk)
{
	cr_walk *walk = cr__alloc_zero(1, sizeof *walk);
	int r;

	cr__task_current(__func__);
	if (!walk)
		return -ENOMEM;
	walk->depth_max = options && options->depth_max > 0 ? options->depth_max : CR__WALK_DEPTH;
	walk->leaving = options && options->leaving;
	r = *path ? cr_buf_append(&walk->path, path, strlen(path)) : -ENOENT;
	if (r == 0)
		r = level_push(walk, AT_FDCWD, path, 0);
	if (r < 0) {
		cr_walk_close(walk);
		return r;
	}
	*ret_walk = walk;
	return 0;
}

/* The path up to a level's folder, and a name in it. */
static int path_set(cr_walk *walk, const struct cr__walk_level *level, const char *name)
{
	walk->path.size = level->path_size;
	return cr_buf_append(&walk->path, name, strlen(name));
}

static void report(const cr_walk *walk, int type, cr_walk_entry *ret_entry)
{
	*ret_entry = (cr_walk_entry){.path = walk->path.data,
	                             .name = walk->path.data + walk->level->path_size,
	                             .type = type,
	                             .depth = walk->depth};
}

/* At the end of a folder. Returns 1 when it is reported, 0 when not. */
static int leave(cr_walk *walk, cr_walk_entry *ret_entry)
{
	const size_t size = walk->level->path_size - 1; /* without the slash */

	level_pop(walk);
	if (!walk->level || !walk->leaving)
		return 0;
	walk->path.size = size;
	walk->path.data[size] = '\0';
	report(walk, DT_DIR, ret_entry);
	ret_entry->leaving = 1;
	return 1;
}

/* Enters the folder that was reported: 0, also when it is gone or no folder any more. */
static int enter(cr_walk *walk)
{
	int r;

	walk->enter = false;
	r = level_push(walk, cr__walk_folder(walk), walk->path.data + walk->level->path_size,
	               O_NOFOLLOW);
	walk->enter = r == -ECANCELED;
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP ? 0 : r;
}

int cr_walk_next(cr_walk *walk, cr_walk_entry *ret_entry)
{
	cr_dir_entry entry;
	int r = walk->enter ? enter(walk) : 0;

	if (r < 0)
		return r;
	while (walk->level) {
		r = cr_dir_next(walk->level->dir, &entry);
		if (r < 0 && r != -ECANCELED && r != -ENOMEM) {
			level_pop(walk);
			return r;
		}
		if (r < 0)
			return r;
		if (r == 0) {
			if (leave(walk, ret_entry))
				return 1;
			continue;
		}
		r = cr__dir_type(walk->level->dir, &entry);
		if (r == -ENOENT)
			continue;
		if (r == 0)
			r = path_set(walk, walk->level, entry.name);
		if (r < 0)
			return r;
		report(walk, entry.type, ret_entry);
		walk->enter = entry.type == DT_DIR && walk->depth < walk->depth_max;
		return 1;
	}
	return 0;
}

void cr_walk_skip(cr_walk *walk)
{
	walk->enter = false;
}

void cr_walk_close(cr_walk *walk)
{
	if (!walk)
		return;
	while (walk->level)
		level_pop(walk);
	cr_buf_free(&walk->path);
	cr__free(walk);
}
