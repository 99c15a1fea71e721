/* SPDX-License-Identifier: MIT */
#include "fs/file.h"

#include "base/alloc.h"
#include "io/file.h"

#include <corail/task.h>

#include <errno.h>
#include <sys/file.h>

/* Opening, closing, and what is not reading or writing. */

int cr_file_wrap(int fd, cr_file **ret_file)
{
	cr_file *file;

	cr__task_current(__func__);
	if (fd < 0)
		return -EBADF;
	file = cr__alloc_zero(1, sizeof *file);
	if (!file)
		return -ENOMEM;
	file->fd = fd;
	file->stream = !cr__io_seekable(fd);
	file->direct = cr__io_direct(fd);
	cr__list_init(&file->calls);
	*ret_file = file;
	return 0;
}

int cr__file_make(int fd, cr_file **ret_file)
{
	int r = cr_file_wrap(fd, ret_file);

	if (r < 0 && fd >= 0)
		cr__fs_close_fd(fd);
	return r;
}

int cr_file_open(const char *path, int flags, mode_t mode, cr_file **ret_file)
{
	int fd = cr__fs_open_at(AT_FDCWD, path, flags, mode, __func__);

	return fd < 0 ? fd : cr__file_make(fd, ret_file);
}

int cr_file_fd(const cr_file *file)
{
	return file->fd;
}

int cr__file_enter(cr_file *file, const char *caller)
{
	int r = cr__park_check(caller);

	if (r < 0)
		return r;
	if (file->closing)
		return -ECANCELED;
	file->users++;
	return 0;
}

void cr__file_leave(cr_file *file)
{
	if (--file->users == 0 && file->closer)
		cr__unpark(file->closer->task, 0);
}

ssize_t cr__file_run(cr_file *file, struct cr__file_call *call, const char *caller,
                     const char *reason)
{
	ssize_t n;

	if (file->closing)
		return -ECANCELED;
	call->call.op.fd = file->fd;
	cr__list_push_back(&file->calls, &call->link);
	n = cr__fs_run(&call->call, caller, reason);
	cr__list_remove(&call->link);
	return n;
}

/* Cancels what is in flight. A done() only makes a task runnable: the list stays as it is. */
static void cancel_calls(cr_file *file)
{
	for (struct cr__list *node = file->calls.next; node != &file->calls; node = node->next) {
		struct cr__fs_call *call = &CR__CONTAINER(node, struct cr__file_call, link)->call;

		if (!cr__op_cancel(call->loop, &call->op))
			continue;
		call->op.result = -ECANCELED;
		call->op.done(&call->op);
	}
}

int cr_file_close(cr_file *file)
{
	struct cr__wait wait = {.reason = "close", .fd = -1};
	int r;

	if (!file)
		return 0;
	cr__task_current(__func__);
	if (file->users > 0) {
		file->closing = true;
		cancel_calls(file);
		cr__io_quiesce(cr__task_loop(), file->fd);
	}
	if (file->users > 0) {
		file->closer = &wait;
		cr__park(&wait);
	}
	r = cr_fd_close(file->fd);
	cr__free(file);
	return r;
}

int64_t cr_file_position(const cr_file *file)
{
	return file->position;
}

void cr_file_position_set(cr_file *file, int64_t position)
{
	file->position = position;
}

/* A call of one operation. */
static ssize_t simple(cr_file *file, struct cr__op op, const char *caller, const char *reason)
{
	struct cr__file_call call = {.call.op = op};
	ssize_t r = cr__file_enter(file, caller);

	if (r < 0)
		return r;
	r = cr__file_run(file, &call, caller, reason);
	cr__file_leave(file);
	return r;
}

int cr_file_sync(cr_file *file)
{
	return (int)simple(file, (struct cr__op){.code = CR__OP_SYNC}, __func__, "fsync");
}

int cr_file_sync_data(cr_file *file)
{
	return (int)simple(file, (struct cr__op){.code = CR__OP_SYNC, .flags = 1}, __func__,
	                   "fdatasync");
}

int cr_file_truncate(cr_file *file, int64_t size)
{
	struct cr__op op = {.code = CR__OP_TRUNCATE, .offset = size};

	return size < 0 ? -EINVAL : (int)simple(file, op, __func__, "ftruncate");
}

int cr_file_allocate(cr_file *file, int64_t offset, int64_t size)
{
	struct cr__op op = {.code = CR__OP_ALLOCATE, .offset = offset, .size = (size_t)size};

	if (offset < 0 || size <= 0)
		return -EINVAL;
	return (int)simple(file, op, __func__, "fallocate");
}

int cr_file_stat(cr_file *file, struct stat *ret_info)
{
	int r = cr__file_enter(file, __func__);

	if (r < 0)
		return r;
	r = cr__fs_stat_at(file->fd, "", AT_EMPTY_PATH, ret_info, __func__);
	cr__file_leave(file);
	return r;
}

/* ------------------------------------------------------------------------------------ locks --- */

int cr_file_try_lock(cr_file *file, enum cr_file_lock_kind kind)
{
	struct cr__op op = {.code = CR__OP_LOCK,
	                    .flags = kind == CORAIL_LOCK_SHARED ? LOCK_SH : LOCK_EX};
	int r = (int)simple(file, op, __func__, "flock");

	return r == -EWOULDBLOCK ? -EBUSY : r;
}

/*
 * flock(2) can only block, and a thread that blocks there cannot be had back: a pool of them would
 * be used up by who waits for one another.
 */
int cr_file_lock(cr_file *file, enum cr_file_lock_kind kind)
{
	cr_nsec pause = cr_millis(1);
	int r = cr__file_enter(file, __func__);

	if (r < 0)
		return r;
	while ((r = cr_file_try_lock(file, kind)) == -EBUSY) {
		r = cr_sleep(pause);
		if (r < 0)
			break;
		pause = pause < cr_millis(50) ? 2 * pause : pause;
	}
	cr__file_leave(file);
	return r;
}

int cr_file_unlock(cr_file *file)
{
	struct cr__op op = {.code = CR__OP_LOCK, .flags = LOCK_UN};

	return (int)simple(file, op, __func__, "flock");
}
