/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_TEMP_FOLDER_H
#define CORAIL_TESTS_TEMP_FOLDER_H

/* A folder of a test's own, on whatever disk the backend has. */

#include "test.h"

#include <corail/fs.h>

struct temp_folder {
	cr_buf path, made[4];
	unsigned next;
};

static inline void temp_folder_open(struct temp_folder *folder)
{
	*folder = (struct temp_folder){0};
	CHECK_EQ(cr_fs_temp_dir(NULL, &folder->path), 0);
}

/* A path in it; good for the next three calls. */
static inline const char *temp_path(struct temp_folder *folder, const char *name)
{
	cr_buf *buf = &folder->made[folder->next++ % 4];

	cr_buf_clear(buf);
	CHECK_EQ(cr_buf_printf(buf, "%s/%s", folder->path.data, name), 0);
	return buf->data;
}

/* How many files are in it, and folders. */
static inline int temp_folder_count(const struct temp_folder *folder)
{
	cr_dir_entry entry;
	cr_dir *dir;
	int count = 0;

	CHECK_EQ(cr_dir_open(folder->path.data, &dir), 0);
	while (cr_dir_next(dir, &entry) > 0)
		count++;
	cr_dir_close(dir);
	return count;
}

static inline void temp_folder_close(struct temp_folder *folder)
{
	CHECK_EQ(cr_fs_remove_all(folder->path.data), 0);
	cr_buf_free(&folder->path);
	for (int i = 0; i < 4; i++)
		cr_buf_free(&folder->made[i]);
}

#endif
