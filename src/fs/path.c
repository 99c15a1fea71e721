/* SPDX-License-Identifier: MIT */
#include "fs/call.h"

#include "base/alloc.h"
#include "loop/loop.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sysmacros.h>

/* Names and what they lead to. */

int cr__fs_open_at(int folder, const char *path, int flags, mode_t mode, const char *caller)
{
	struct cr__fs_call call = {.op = {.code = CR__OP_OPEN,
	                                  .fd = folder,
	                                  .path = path,
	                                  .flags = (uint32_t)(flags & ~O_NONBLOCK),
	                                  .size = mode}};
	int fd = (int)cr__fs_run(&call, caller, "open");

	return fd < 0 ? fd : cr__fd_opened(call.loop, fd);
}

static struct timespec time_of(const struct statx_timestamp *stamp)
{
	return (struct timespec){.tv_sec = stamp->tv_sec, .tv_nsec = stamp->tv_nsec};
}

int cr__fs_stat_at(int fd, const char *path, int flags, struct stat *ret_info, const char *caller)
{
	struct statx x;
	struct cr__fs_call call = {.op = {.code = CR__OP_STAT,
	                                  .fd = fd,
	                                  .path = path,
	                                  .flags = (uint32_t)flags,
	                                  .second = &x,
	                                  .size = STATX_BASIC_STATS}};
	int r = (int)cr__fs_run(&call, caller, "stat");

	if (r < 0)
		return r;
	*ret_info = (struct stat){
		/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): written by way of .second */
		.st_dev = makedev(x.stx_dev_major, x.stx_dev_minor),
		.st_ino = x.stx_ino,
		.st_mode = x.stx_mode,
		.st_nlink = x.stx_nlink,
		.st_uid = x.stx_uid,
		.st_gid = x.stx_gid,
		.st_rdev = makedev(x.stx_rdev_major, x.stx_rdev_minor),
		.st_size = (off_t)x.stx_size,
		.st_blksize = (blksize_t)x.stx_blksize,
		.st_blocks = (blkcnt_t)x.stx_blocks,
		.st_atim = time_of(&x.stx_atime),
		.st_mtim = time_of(&x.stx_mtime),
		.st_ctim = time_of(&x.stx_ctime),
	};
	return 0;
}

int cr__fs_unlink_at(int folder, const char *path, int flags, bool always)
{
	struct cr__fs_call call = {.op = {.code = CR__OP_UNLINK,
	                                  .fd = folder,
	                                  .path = path,
	                                  .flags = (uint32_t)flags}};

	return (int)(always ? cr__fs_run_always(&call, "unlink")
	                    : cr__fs_run(&call, "cr_fs_unlink", "unlink"));
}

size_t cr__fs_folder_size(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) + 1 : 0;
}

int cr__fs_name_random(cr_buf *path, const char *prefix)
{
	struct cr__loop *loop = cr__task_loop();
	uint64_t number = 0;

	/* Unlikely to be taken is enough: it is created only if it is not there. */
	if (loop->backend->shuffle)
		number = loop->backend->shuffle(loop, UINT64_MAX);
	else if (getrandom(&number, sizeof number, GRND_NONBLOCK) < 0)
		number = (uint64_t)cr__loop_now(loop);
	return cr_buf_printf(path, "%s%016llx", prefix, (unsigned long long)number);
}

int cr_fs_stat(const char *path, struct stat *ret_info)
{
	return cr__fs_stat_at(AT_FDCWD, path, 0, ret_info, __func__);
}

int cr_fs_lstat(const char *path, struct stat *ret_info)
{
	return cr__fs_stat_at(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, ret_info, __func__);
}

int cr_fs_rename(const char *from, const char *to)
{
	struct cr__fs_call call = {.op = {.code = CR__OP_RENAME,
	                                  .fd = AT_FDCWD,
	                                  .path = from,
	                                  .other = AT_FDCWD,
	                                  .second = (void *)(uintptr_t)to}};

	return (int)cr__fs_run(&call, __func__, "rename");
}

int cr_fs_link(const char *path, const char *new_path)
{
	struct cr__fs_call call = {.op = {.code = CR__OP_LINK,
	                                  .fd = AT_FDCWD,
	                                  .path = path,
	                                  .other = AT_FDCWD,
	                                  .second = (void *)(uintptr_t)new_path}};

	return (int)cr__fs_run(&call, __func__, "link");
}

int cr_fs_symlink(const char *text, const char *path)
{
	struct cr__fs_call call = {.op = {.code = CR__OP_SYMLINK,
	                                  .fd = AT_FDCWD,
	                                  .path = path,
	                                  .second = (void *)(uintptr_t)text}};

	return (int)cr__fs_run(&call, __func__, "symlink");
}

int cr_fs_readlink(const char *path, cr_buf *text)
{
	char *room = cr__alloc(PATH_MAX);
	struct cr__fs_call call = {.op = {.code = CR__OP_READLINK,
	                                  .fd = AT_FDCWD,
	                                  .path = path,
	                                  .second = room,
	                                  .size = PATH_MAX}};
	ssize_t n = room ? cr__fs_run(&call, __func__, "readlink") : -ENOMEM;

	if (n >= 0)
		n = cr_buf_append(text, room, (size_t)n);
	cr__free(room);
	return (int)n;
}

int cr_fs_unlink(const char *path)
{
	return cr__fs_unlink_at(AT_FDCWD, path, 0, false);
}

int cr_fs_rmdir(const char *path)
{
	return cr__fs_unlink_at(AT_FDCWD, path, AT_REMOVEDIR, false);
}

int cr_fs_mkdir(const char *path, mode_t mode)
{
	struct cr__fs_call call = {
		.op = {.code = CR__OP_MKDIR, .fd = AT_FDCWD, .path = path, .size = mode}};

	return (int)cr__fs_run(&call, __func__, "mkdir");
}
