/* SPDX-License-Identifier: MIT */
#include "fs/call.h"

#include "base/alloc.h"
#include "io/file.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>

/* inotify(7): a descriptor like any other, and the taking apart of what it gives. */

struct cr_fs_watch {
	int fd;
	size_t at, size;
	_Alignas(struct inotify_event) char events[sizeof(struct inotify_event) + NAME_MAX + 1 +
	                                           4096];
};

int cr_fs_watch_open(cr_fs_watch **ret_watch)
{
	cr_fs_watch *watch;

	cr__task_current(__func__);
	watch = cr__alloc(sizeof *watch);
	if (!watch)
		return -ENOMEM;
	watch->at = watch->size = 0;
	watch->fd = cr__io_inotify_open(cr__task_loop());
	if (watch->fd < 0) {
		int r = watch->fd;

		cr__free(watch);
		return r;
	}
	*ret_watch = watch;
	return 0;
}

int cr_fs_watch_add(cr_fs_watch *watch, const char *path, uint32_t mask)
{
	struct cr__fs_call call = {
		.op = {.code = CR__OP_WATCH, .fd = watch->fd, .path = path, .flags = mask}};

	return (int)cr__fs_run(&call, __func__, "inotify");
}

int cr_fs_watch_remove(cr_fs_watch *watch, int id)
{
	return cr__io_inotify_remove(watch->fd, id);
}

int cr_fs_watch_next(cr_fs_watch *watch, cr_fs_event *ret_event)
{
	const struct inotify_event *event;

	if (watch->at == watch->size) {
		ssize_t n = cr_fd_read(watch->fd, watch->events, sizeof watch->events);

		if (n < 0)
			return (int)n;
		watch->at = 0;
		watch->size = (size_t)n;
	} else {
		int r = cr__park_check(__func__);

		if (r < 0)
			return r;
		cr__budget_spend();
	}
	event = (const void *)(watch->events + watch->at);
	watch->at += sizeof *event + event->len;
	*ret_event = (cr_fs_event){.id = event->wd,
	                           .mask = event->mask,
	                           .cookie = event->cookie,
	                           .name = event->len ? event->name : ""};
	return 0;
}

void cr_fs_watch_close(cr_fs_watch *watch)
{
	if (!watch)
		return;
	cr_fd_close(watch->fd);
	cr__free(watch);
}
