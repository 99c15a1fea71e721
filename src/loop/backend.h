/* SPDX-License-Identifier: MIT */
#ifndef CR__LOOP_BACKEND_H
#define CR__LOOP_BACKEND_H

/*
 * A backend: what drives a loop. Three of them (uring, epoll, sim), one table of functions, the
 * same observable behaviour. All functions run on the loop's thread, except wake().
 */

#include "loop/op.h"

struct cr__loop;

struct cr__backend {
	const char *name;

	/*
	 * Whether it could be used here: 0, or a negative error and a sentence in `why`. Leaves
	 * nothing behind.
	 */
	int (*probe)(char *why, size_t size);

	/*
	 * Life. open() sets loop->backend_state; it needs no probe() before, and returns -ENOSYS
	 * when the backend does not work here. close() ends all that is in flight, without done().
	 */
	int (*open)(struct cr__loop *loop);
	void (*close)(struct cr__loop *loop);

	/*
	 * One poll: submits what was queued, waits until something completes, wake() was called or
	 * the point of time `until` (0: do not wait; CORAIL_NEVER), then calls done() for each
	 * completion. sim moves its clock instead of waiting. Returns how many completed, or a
	 * negative error that ends the loop. Rounds waits up: it never returns before `until`
	 * without a reason.
	 */
	int (*poll)(struct cr__loop *loop, cr_nsec until);

	/* From any thread: makes poll() return soon. Async-signal-safe. */
	void (*wake)(struct cr__loop *loop);

	/* The clock. */
	cr_nsec (*now)(struct cr__loop *loop);

	/* As declared in op.h. */
	int (*op_start)(struct cr__loop *loop, struct cr__op *op);
	bool (*op_cancel)(struct cr__loop *loop, struct cr__op *op);
	int (*fd_busy)(struct cr__loop *loop, int fd);
	int (*fd_cancel)(struct cr__loop *loop, int fd);
	int (*fd_close)(struct cr__loop *loop, int fd);
	void (*fd_forget)(struct cr__loop *loop, int fd);
	int (*fd_ready)(struct cr__loop *loop, int fd, int events);
	int (*sock_open)(struct cr__loop *loop, int domain, int type, int protocol);
	int (*sock_pair)(struct cr__loop *loop, int domain, int type, int ret_fds[2]);
	int (*sock_bind)(struct cr__loop *loop, int fd, const struct sockaddr *addr,
	                 socklen_t length);
	int (*sock_listen)(struct cr__loop *loop, int fd, int backlog);
	int (*sock_name)(struct cr__loop *loop, int fd, struct sockaddr *addr, socklen_t *length);
	int (*sock_peer)(struct cr__loop *loop, int fd, struct sockaddr *addr, socklen_t *length);
	int (*sock_option)(struct cr__loop *loop, int fd, int level, int name, const void *value,
	                   socklen_t length);
	int (*sock_option_get)(struct cr__loop *loop, int fd, int level, int name, void *value,
	                       socklen_t *length);
	int (*sock_shutdown)(struct cr__loop *loop, int fd, int how);

	/*
	 * sim: a random number that decides the order of `count` runnable tasks; NULL: keep FIFO.
	 */
	uint64_t (*shuffle)(struct cr__loop *loop, uint64_t count);

	/*
	 * sim: whether nothing is under way in its world, so that a poll without a limit would last
	 * until another thread wakes it; NULL: there is a world outside.
	 */
	bool (*still)(struct cr__loop *loop);
};

extern const struct cr__backend cr__backend_uring, cr__backend_epoll, cr__backend_sim;

#endif
