/* SPDX-License-Identifier: MIT */
#include "fs/file.h"

#include "base/alloc.h"

#include <errno.h>
#include <unistd.h>

/*
 * Copying, the cheapest way that works: sharing blocks (btrfs, XFS), inside the kernel, through our
 * memory. Each falls back to the next when the file systems cannot, or are not the same one.
 * Holes stay holes: of a file that takes less room than its size, only the data are copied.
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

struct copying {
	cr_file *from, *to;
	int64_t at;   /* how far it got */
	bool through; /* the kernel cannot do it */
};

/* Pieces, so that a cancellation has not to wait for a whole large file. */
static ssize_t copy_inside(struct copying *copying, int64_t end)
{
	ssize_t n = 1;

	while (n > 0 && copying->at < end) {
		int64_t left = end - copying->at;
		struct cr__file_call call = {
			.call.op = {.code = CR__OP_COPY,
		                    .other = copying->from->fd,
		                    .offset = copying->at,
		                    .size = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES}};

		n = cr__file_run(copying->to, &call, "cr_fs_copy", "copy_file_range");
		if (n > 0)
			copying->at += n;
	}
	return n;
}

static ssize_t copy_through(struct copying *copying, int64_t end)
{
	char *block = cr__alloc(BLOCK_BYTES);
	ssize_t n = block ? 1 : -ENOMEM;

	cr_file_position_set(copying->to, copying->at);
	while (n > 0 && copying->at < end) {
		int64_t left = end - copying->at;

		n = cr_file_pread(copying->from, block,
		                  left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES, copying->at);
		if (n > 0) {
			int r = cr_file_write_all(copying->to, block, (size_t)n);

			copying->at += n;
			n = r < 0 ? r : n;
		}
	}
	cr__free(block);
	return n;
}

/* What lies before `end`, or the end of the file. */
static int copy_until(struct copying *copying, int64_t end)
{
	ssize_t n = 0;

	if (!copying->through) {
		n = copy_inside(copying, end);
		if (n < 0 && !cannot(n))
			return (int)n;
		/* Files in /proc have a size of zero there and contents here. */
		copying->through = n <= 0;
	}
	if (copying->at < end)
		n = copy_through(copying, end);
	return n < 0 ? (int)n : 0;
}

/* Where the next data are, or the next hole. -ENXIO: nowhere (lseek(2)). */
static ssize_t seek(cr_file *file, int64_t offset, int whence)
{
	struct cr__file_call call = {
		.call.op = {.code = CR__OP_SEEK, .offset = offset, .flags = (uint32_t)whence}};

	return cr__file_run(file, &call, "cr_fs_copy", "lseek");
}

static int copy_data(struct copying *copying, int64_t size)
{
	int r = 0;

	while (r == 0 && copying->at < size) {
		ssize_t data = seek(copying->from, copying->at, SEEK_DATA), hole;

		if (data == -ENXIO)
			break;
		hole = data < 0 ? data : seek(copying->from, data, SEEK_HOLE);
		if (hole < 0)
			return (int)hole;
		copying->at = data;
		r = copy_until(copying, hole);
		copying->at = hole;
	}
	return r < 0 ? r : cr_file_truncate(copying->to, size);
}

static int copy_contents(cr_file *from, cr_file *to, const struct stat *info)
{
	struct copying copying = {.from = from, .to = to};
	int r = clone_file(from, to);

	if (!cannot(r))
		return r;
	if ((int64_t)info->st_blocks * 512 < info->st_size)
		r = copy_data(&copying, info->st_size);
	if (cannot(r) && copying.at == 0)
		r = copy_until(&copying, INT64_MAX);
	return r;
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
		r = copy_contents(from, to, info);
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
