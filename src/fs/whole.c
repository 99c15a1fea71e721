/* SPDX-License-Identifier: MIT */
#include "fs/file.h"

#include <errno.h>
#include <string.h>

/* Whole files: read, and replaced without ever being half there. */

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

/* ----------------------------------------------------------------------- replaced in one go --- */

static int mode_of(const char *path, mode_t *mode)
{
	struct stat info;
	int r = cr_fs_lstat(path, &info);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (S_ISDIR(info.st_mode))
		return -EISDIR;
	if (S_ISREG(info.st_mode))
		*mode = info.st_mode;
	return 0;
}

static int fill(cr_file *file, const void *data, size_t size, mode_t mode)
{
	struct cr__file_call chmod_call = {.call.op = {.code = CR__OP_CHMOD, .size = mode & 07777}};
	int r = cr_file_write_all(file, data, size);

	if (r == 0)
		r = (int)cr__file_run(file, &chmod_call, "cr_fs_write_atomic", "fchmod");
	return r == 0 ? cr_file_sync(file) : r;
}

/* Once the new name is there it is not left without its sync: that step is not cancelled. */
static int sync_folder(int folder)
{
	struct cr__fs_call call = {.op = {.code = CR__OP_SYNC, .fd = folder}};

	return (int)cr__fs_run_always(&call, "fsync");
}

static int replace(int folder, const char *temporary, const char *name)
{
	struct cr__fs_call call = {.op = {.code = CR__OP_RENAME,
	                                  .fd = folder,
	                                  .path = temporary,
	                                  .other = folder,
	                                  .second = (void *)(uintptr_t)name}};

	return (int)cr__fs_run(&call, "cr_fs_write_atomic", "rename");
}

/* Makes the new file beside the old one. The folder is open, so nobody can swap it underneath. */
static int write_in(int folder, const char *name, const void *data, size_t size, mode_t mode)
{
	cr_buf temporary = {0};
	cr_file *file;
	int fd, r;

	do {
		cr_buf_clear(&temporary);
		r = cr__fs_name_random(&temporary, ".corail-");
		if (r < 0)
			goto out;
		fd = cr__fs_open_at(folder, temporary.data, O_WRONLY | O_CREAT | O_EXCL, 0600,
		                    "cr_fs_write_atomic");
	} while (fd == -EEXIST);
	r = fd < 0 ? fd : cr__file_make(fd, &file);
	if (r == 0) {
		int closed;

		r = fill(file, data, size, mode);
		closed = cr_file_close(file);
		r = r < 0 ? r : closed;
	}
	if (r == 0)
		r = replace(folder, temporary.data, name);
	if (r < 0 && fd >= 0)
		cr__fs_unlink_at(folder, temporary.data, 0, true);
	if (r == 0)
		r = sync_folder(folder);
out:
	cr_buf_free(&temporary);
	return r;
}

int cr_fs_write_atomic(const char *path, const void *data, size_t size, mode_t mode)
{
	const size_t folder_size = cr__fs_folder_size(path);
	cr_buf folder_path = {0};
	int folder = -1, r;

	if (!path[folder_size])
		return -EISDIR;
	r = mode_of(path, &mode);
	if (r == 0)
		r = cr_buf_append(&folder_path, folder_size ? path : ".",
		                  folder_size ? folder_size : 1);
	if (r == 0) {
		folder = cr__fs_open_at(AT_FDCWD, folder_path.data, O_RDONLY | O_DIRECTORY, 0,
		                        __func__);
		r = folder;
	}
	if (r >= 0) {
		r = write_in(folder, path + folder_size, data, size, mode);
		cr__fs_close_fd(folder);
	}
	cr_buf_free(&folder_path);
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
