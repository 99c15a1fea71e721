/* SPDX-License-Identifier: MIT */
#include "fs/file.h"

#include "base/alloc.h"

#include <errno.h>

/*
 * Copying, the cheapest way that works: sharing blocks (btrfs, XFS), inside the kernel, through our
 * memory. Each falls back to the next when the file systems cannot, or are not the same one.
 */

enum { BLOCK_BYTES = 256 * 1024, PIECE_BYTES = 8 * 1024 * 1024 };

static bool cannot(ssize_t r)
{
	return r == -EOPNOTSUPP || r == -EXDEV || r == -EINVAL || r == -ENOTTY || r == -ENOSYS ||
	       r == -EPERM || r == -EBADF || r == -ETXTBSY;
}

static int clone_file(const cr_file *from, cr_file *to)
{
	struct cr__file_call call = {.call.op = {.code = CR__OP_CLONE, .other = from->fd}};

	return (int)cr__file_run(to, &call, "cr_fs_copy", "reflink");
}

/* Pieces, so that a cancellation has not to wait for a whole large file. Returns how far it got. */
static ssize_t copy_inside(const cr_file *from, cr_file *to, int64_t *offset)
{
	ssize_t n;

	do {
		struct cr__file_call call = {.call.op = {.code = CR__OP_COPY,
		                                         .other = from->fd,
		                                         .offset = *offset,
		                                         .size = PIECE_BYTES}};

		n = cr__file_run(to, &call, "cr_fs_copy", "copy_file_range");
		if (n > 0)
			*offset += n;
	} while (n > 0);
	return n;
}

static int copy_through(cr_file *from, cr_file *to, int64_t offset)
{
	char *block = cr__alloc(BLOCK_BYTES);
	ssize_t n = block ? 1 : -ENOMEM;

	cr_file_position_set(to, offset);
	while (n > 0) {
		n = cr_file_pread(from, block, BLOCK_BYTES, offset);
		if (n > 0) {
			int r = cr_file_write_all(to, block, (size_t)n);

			offset += n;
			n = r < 0 ? r : n;
		}
	}
	cr__free(block);
	return (int)n;
}

static int copy_contents(cr_file *from, cr_file *to)
{
	int64_t offset = 0;
	ssize_t n = clone_file(from, to);

	if (!cannot(n))
		return (int)n;
	n = copy_inside(from, to, &offset);
	if (n < 0 && !cannot(n))
		return (int)n;
	/* Files in /proc have a size of zero there and contents here. */
	return copy_through(from, to, offset);
}

static int set_mode(cr_file *to, mode_t mode)
{
	struct cr__file_call call = {.call.op = {.code = CR__OP_CHMOD, .size = mode & 07777}};

	return (int)cr__file_run(to, &call, "cr_fs_copy", "fchmod");
}

static int copy_to(cr_file *from, const char *path, const struct stat *info)
{
	struct stat there;
	cr_file *to;
	int closed, r = cr_file_open(path, O_WRONLY | O_CREAT, 0600, &to);

	if (r < 0)
		return r;
	/* Truncated only when it is known to be another file. */
	r = cr_file_stat(to, &there);
	if (r == 0 && there.st_dev == info->st_dev && there.st_ino == info->st_ino)
		r = -EINVAL;
	if (r == 0 && there.st_size > 0)
		r = cr_file_truncate(to, 0);
	if (r == 0)
		r = copy_contents(from, to);
	if (r == 0)
		r = set_mode(to, info->st_mode);
	closed = cr_file_close(to);
	return r < 0 ? r : closed;
}

int cr_fs_copy(const char *from, const char *to)
{
	struct stat info;
	cr_file *file;
	int r = cr_file_open(from, O_RDONLY, 0, &file);

	if (r < 0)
		return r;
	r = cr_file_stat(file, &info);
	if (r == 0 && S_ISDIR(info.st_mode))
		r = -EISDIR;
	if (r == 0)
		r = copy_to(file, to, &info);
	cr_file_close(file);
	return r;
}
