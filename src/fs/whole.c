/* SPDX-License-Identifier: MIT */
#include "fs/file.h"

#include <errno.h>

/* Whole files that are read, and temporary ones. */

enum { FIRST_BYTES = 16 * 1024, GROW_BYTES = 1024 * 1024 };

/*
 * Reads to the end. Most files are small: the first read finds them whole, and a second one their
 * end. Only a file that fills the first is asked for its size.
 */
static int read_to_end(cr_file *file, cr_buf *buf)
{
	size_t want = FIRST_BYTES;

	for (;;) {
		size_t room, limit = buf->limit_bytes ? buf->limit_bytes - buf->size : SIZE_MAX;
		char beyond;
		ssize_t n;
		int r;

		if (limit == 0) {
			n = cr_file_read(file, &beyond, 1);
			return n > 0 ? -EMSGSIZE : (int)n;
		}
		r = cr_buf_reserve(buf, want < limit ? want : limit);
		if (r < 0)
			return r;
		buf->data[buf->size] = '\0';
		room = buf->capacity_bytes - buf->size - 1;
		n = cr_file_read(file, buf->data + buf->size, room < limit ? room : limit);
		if (n <= 0)
			return (int)n;
		buf->size += (size_t)n;
		buf->data[buf->size] = '\0';
		if (file->ended)
			return 0;
		if (want == FIRST_BYTES) {
			struct stat info;

			r = cr_file_stat(file, &info);
			if (r < 0)
				return r;
			want = info.st_size > file->position + GROW_BYTES
			               ? (size_t)(info.st_size - file->position) + 1
			               : GROW_BYTES;
		}
	}
}

int cr_fs_read_all(const char *path, cr_buf *buf)
{
	const size_t before = buf->size;
	cr_file *file;
	int r = cr_file_open(path, O_RDONLY, 0, &file);

	if (r < 0)
		return r;
	r = read_to_end(file, buf);
	cr_file_close(file);
	if (r < 0 && buf->data) {
		buf->size = before;
		buf->data[before] = '\0';
	}
	return r;
}

/* ------------------------------------------------------------------------------- temporary --- */

/* Where there is no O_TMPFILE: a name that is gone before anybody else could rely on it. */
static int open_named(const char *folder)
{
	cr_buf path = {0};
	int fd, r;

	do {
		cr_buf_clear(&path);
		r = cr_buf_printf(&path, "%s", folder);
		if (r == 0)
			r = cr__fs_name_random(&path, "/.corail-");
		fd = r < 0 ? r
		           : cr__fs_open_at(AT_FDCWD, path.data, O_RDWR | O_CREAT | O_EXCL, 0600,
		                            "cr_file_open_temp");
	} while (fd == -EEXIST);
	if (fd >= 0)
		cr__fs_unlink_at(AT_FDCWD, path.data, 0, true);
	cr_buf_free(&path);
	return fd;
}

int cr_file_open_temp(const char *folder, cr_file **ret_file)
{
	const char *where = folder ? folder : "/tmp";
	int fd = cr__fs_open_at(AT_FDCWD, where, O_TMPFILE | O_RDWR, 0600, __func__);

	/* EISDIR: a kernel, EOPNOTSUPP: a file system that does not know it (open(2)). */
	if (fd == -EISDIR || fd == -EOPNOTSUPP || fd == -ENOENT)
		fd = open_named(where);
	return fd < 0 ? fd : cr__file_make(fd, ret_file);
}
