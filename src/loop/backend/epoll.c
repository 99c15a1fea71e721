/* SPDX-License-Identifier: MIT */
#include "loop/backend.h"

/*
 * The epoll backend. An operation is tried as a system call at once, and mostly ends there. One
 * that has to wait registers its descriptor, once, edge-triggered and for both directions, and is
 * tried again when an event says so. Two bits a descriptor remember that a direction is exhausted,
 * so that a task that waits for the next message costs no system call of its own: only the receive
 * after the event.
 *
 * An event carries the descriptor's number and its generation: one that was under way when the
 * number was closed, or that comes from a copy of the descriptor which still lives somewhere, meets
 * no match.
 *
 * The limits. Edges come once: descriptors that the library opened must be closed by it. Those of
 * others are registered anew before each wait, which costs a system call and also reports what is
 * ready by now; only one that is closed and opened again while an operation waits on it is beyond
 * help.
 */

#include "base/alloc.h"
#include "base/clock.h"
#include "base/panic.h"
#include "ctx/sanitize.h"
#include "loop/backend/direct.h"
#include "loop/backend/fds.h"
#include "loop/backend/sockets.h"
#include "loop/loop.h"
#include "loop/offline.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_AT_ONCE = 256 };

/* An operation's cr__op.state. */
enum { OP_FRESH, OP_CONNECTING, OP_OFFLINE, OP_HALF };

/* Not a number with a generation: numbers are positive. */
#define WAKE_DATA UINT64_MAX

struct epoll {
	struct cr__fds fds; /* first: shared functions find it here */
	int epoll_fd, wake_fd;
	uint32_t waiting; /* operations that wait for an event */
	/* those cancelled with a part of a MSG_WAITALL: they end in the next poll */
	struct cr__op *halves;
	bool coarse; /* no epoll_pwait2(2) here: milliseconds only */
	struct epoll_event events[EVENTS_AT_ONCE];
};

/* ------------------------------------------------------------------------------- life, wake --- */

static int epoll_probe(char *why, size_t size)
{
	int fd = epoll_create1(EPOLL_CLOEXEC), r = fd < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	if (r < 0)
		snprintf(why, size, "epoll_create1(2) fails with %s%s", cr_err_name(r),
		         r == -EMFILE || r == -ENFILE
		                 ? ": raise the limit of open files (ulimit -n)"
		                 : "");
	else if (size)
		why[0] = '\0';
	return r;
}

static void epoll_free(struct epoll *e)
{
	if (e->epoll_fd >= 0)
		close(e->epoll_fd);
	if (e->wake_fd >= 0)
		close(e->wake_fd);
	cr__fds_free(&e->fds);
	cr__free(e);
}

static int epoll_open(struct cr__loop *loop)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = WAKE_DATA};
	struct epoll *e = cr__alloc_zero(1, sizeof *e);
	int r;

	if (!e)
		return -ENOMEM;
	/* Memcheck knows the older call only. */
	e->coarse = cr__on_valgrind();
	e->wake_fd = -1;
	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (e->epoll_fd >= 0)
		e->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (e->wake_fd < 0 || epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, e->wake_fd, &event) < 0) {
		r = -errno;
		epoll_free(e);
		return r;
	}
	loop->backend_state = e;
	return 0;
}

static void epoll_close(struct cr__loop *loop)
{
	/* The kernel holds no pointer of ours: what waits is simply forgotten. */
	epoll_free(loop->backend_state);
	loop->backend_state = NULL;
}

static void epoll_wake(struct cr__loop *loop)
{
	const struct epoll *e = loop->backend_state;

	/* Each write is an edge of its own (eventfd(2), epoll(7)): nobody need read the counter. */
	cr__eventfd_signal(e->wake_fd);
}

static cr_nsec epoll_now(struct cr__loop *loop)
{
	(void)loop;
	return cr__clock_monotonic();
}

/* ---------------------------------------------------------------------------------- waiting --- */

/*
 * Registers a descriptor that has to be waited for in some direction, or makes sure that it still
 * is registered. Returns 0, or -EPERM if it needs no waiting.
 */
static int watch(struct epoll *e, int fd, unsigned directions)
{
	struct cr__fd_slot *slot = &e->fds.slots[fd];
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET,
		.data.u64 = (uint64_t)slot->generation << 32 | (uint32_t)fd,
	};
	int r, op = slot->flags & CR__FD_WATCHED ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (op == EPOLL_CTL_MOD && slot->flags & CR__FD_OWN)
		return 0;
	r = epoll_ctl(e->epoll_fd, op, fd, &event);
	/* Closed and opened again behind our back; or registered under an earlier generation. */
	if (r < 0 && (errno == ENOENT || errno == EEXIST)) {
		op = op == EPOLL_CTL_ADD ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
		r = epoll_ctl(e->epoll_fd, op, fd, &event);
	}
	if (r < 0)
		return -errno;
	/*
	 * The direction that was not tried may well be ready: its first try need not wait for the
	 * event.
	 */
	if (!(slot->flags & CR__FD_WATCHED))
		slot->flags |= CR__FD_WATCHED |
		               (directions == CR__FD_READS ? CR__FD_WRITABLE : CR__FD_READABLE);
	return 0;
}

/* Whether a try could do anything but fail: an own descriptor that is registered tells us. */
static bool may_succeed(const struct cr__fd_slot *slot, const struct cr__op *op)
{
	const uint32_t known = CR__FD_OWN | CR__FD_WATCHED;

	if ((slot->flags & known) != known || op->code == CR__OP_POLL ||
	    slot->flags & CR__FD_HANGUP)
		return true;
	/* And urgent data and errors are not what CR__FD_READABLE is about. */
	if (cr__op_takes_eagain(op) || cr__op_receives_aside(op))
		return true;
	return slot->flags &
	       (cr__op_directions(op) == CR__FD_READS ? CR__FD_READABLE : CR__FD_WRITABLE);
}

/*
 * Tries an operation and remembers what that says about the descriptor. Returns true when it has
 * ended.
 *
 * A TCP socket that gave less than was asked for is empty (epoll(7)); its end would be announced by
 * EPOLLRDHUP, and urgent data, where a receive stops too, by EPOLLPRI. POLL says nothing about what
 * the other calls would do: it may ask for urgent data only.
 */
static bool attempt(struct epoll *e, struct cr__op *op)
{
	struct cr__fd_slot *slot = &e->fds.slots[op->fd];
	uint32_t flags = slot->flags;
	ssize_t n = cr__direct_try(op, &flags);
	bool ended = true;

	if ((n == -EAGAIN && op->code == CR__OP_POLL) || n == -ENOTBLK) {
		ended = false;
	} else if (n == -EAGAIN) {
		flags &= cr__op_directions(op) == CR__FD_READS ? ~CR__FD_READABLE
		                                               : ~CR__FD_WRITABLE;
		ended = cr__op_takes_eagain(op);
	} else if (n == -EINPROGRESS && op->code == CR__OP_CONNECT) {
		/* An unconnected socket counts as hung up; what was seen of that is over. */
		flags &= ~CR__FD_HANGUP;
		op->state = OP_CONNECTING;
		ended = false;
	} else if (op->code == CR__OP_RECV && op->flags == 0 && flags & CR__FD_STREAM && n > 0 &&
	           (size_t)n < op->size) {
		flags &= ~CR__FD_READABLE;
	}
	slot->flags = flags;
	op->result = n;
	if (ended && op->code == CR__OP_ACCEPT && n >= 0)
		cr__fds_adopt(&e->fds, (int)n, CR__FD_OWN | (flags & CR__FD_STREAM));
	return ended;
}

static void offline_over(struct cr__loop *loop, struct cr__op *op)
{
	struct epoll *e = loop->backend_state;

	cr__fds_release(&e->fds, op);
}

static int file_start(struct cr__loop *loop, struct cr__op *op)
{
	if (op->flags & CR__OP_TRY && (op->code == CR__OP_READ_AT || op->code == CR__OP_READV_AT)) {
		op->result = cr__direct_file_try(op);
		if (op->result != -EAGAIN)
			return 1;
	}
	op->state = OP_OFFLINE;
	return cr__offline_start(loop, op, NULL);
}

static int epoll_op_start(struct cr__loop *loop, struct cr__op *op)
{
	struct epoll *e = loop->backend_state;
	int r;

	if (__builtin_expect(op->code >= CR__OP_FILE, 0))
		return file_start(loop, op);
	r = cr__fds_claim(&e->fds, op);
	if (r < 0)
		return r;
	op->state = OP_FRESH;
	op->result = 0;
	op->scratch[0] = 0;
	if (may_succeed(&e->fds.slots[op->fd], op) && attempt(e, op)) {
		cr__fds_release(&e->fds, op);
		return 1;
	}
	r = op->result == -ENOTBLK ? -EPERM : watch(e, op->fd, cr__op_directions(op));
	if (r == 0) {
		e->waiting++;
		return 0;
	}
	/* A regular file, whose data was not in memory (epoll_ctl(2)). */
	if (r == -EPERM) {
		op->state = OP_OFFLINE;
		r = cr__offline_start(loop, op, offline_over);
	}
	if (r < 0)
		cr__fds_release(&e->fds, op);
	return r;
}

static bool epoll_op_cancel(struct cr__loop *loop, struct cr__op *op)
{
	struct epoll *e = loop->backend_state;

	if (op->state == OP_OFFLINE) {
		if (!cr__offline_cancel(op))
			return false;
		if (op->code < CR__OP_FILE)
			cr__fds_release(&e->fds, op);
		return true;
	}
	if (op->state == OP_HALF)
		return false;
	if (cr__direct_whole(op) && op->scratch[0] > 0) {
		op->state = OP_HALF;
		op->next = e->halves;
		e->halves = op;
		return false;
	}
	cr__fds_release(&e->fds, op);
	e->waiting--;
	return true;
}

/* Tries a waiting operation again. Returns whether it ended. */
static int resume(struct epoll *e, struct cr__op *op)
{
	if (op->state == OP_HALF || !attempt(e, op))
		return 0;
	cr__fds_release(&e->fds, op);
	e->waiting--;
	op->done(op);
	return 1;
}

static int dispatch(struct epoll *e, const struct epoll_event *event)
{
	const int fd = (int)(uint32_t)event->data.u64;
	const uint32_t generation = (uint32_t)(event->data.u64 >> 32), events = event->events;
	struct cr__fd_slot *slot = cr__fds_slot(&e->fds, fd);
	int ended = 0;

	if (event->data.u64 == WAKE_DATA || !slot || slot->generation != generation)
		return 0;
	if (events & EPOLLIN)
		slot->flags |= CR__FD_READABLE;
	if (events & EPOLLOUT)
		slot->flags |= CR__FD_WRITABLE;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
		slot->flags |= CR__FD_READABLE | CR__FD_WRITABLE | CR__FD_HANGUP;
	if (slot->reader && slot->flags & CR__FD_READABLE)
		ended += resume(e, slot->reader);
	/* done() may have closed the descriptor, or moved the table. */
	slot = cr__fds_slot(&e->fds, fd);
	if (slot->generation == generation && slot->writer && slot->flags & CR__FD_WRITABLE)
		ended += resume(e, slot->writer);
	return ended;
}

/* No byte is lost: what had come before the cancellation is the result. */
static int halves_end(struct epoll *e)
{
	struct cr__op *op = e->halves, *next;
	int ended = 0;

	e->halves = NULL;
	for (; op; op = next, ended++) {
		next = op->next;
		cr__fds_release(&e->fds, op);
		e->waiting--;
		op->result = (ssize_t)op->scratch[0];
		op->done(op);
	}
	return ended;
}

static int wait_coarsely(struct epoll *e, cr_nsec duration)
{
	int64_t millis = -1;

	if (duration >= 0) {
		millis = duration / 1000000 + (duration % 1000000 != 0);
		if (millis > INT_MAX)
			millis = INT_MAX;
	}
	return epoll_wait(e->epoll_fd, e->events, EVENTS_AT_ONCE, (int)millis);
}

/* Waits for a duration (negative: for ever) and fills in e->events. Returns how many, or -1. */
static int wait_for(struct epoll *e, cr_nsec duration)
{
	struct timespec time = {.tv_sec = duration / 1000000000, .tv_nsec = duration % 1000000000};
	int n;

	if (duration == 0)
		return epoll_wait(e->epoll_fd, e->events, EVENTS_AT_ONCE, 0);
	if (!e->coarse) {
		n = epoll_pwait2(e->epoll_fd, e->events, EVENTS_AT_ONCE,
		                 duration < 0 ? NULL : &time, NULL);
		if (n >= 0 || (errno != ENOSYS && errno != EPERM))
			return n;
		e->coarse = true;
	}
	return wait_coarsely(e, duration);
}

static int epoll_poll(struct cr__loop *loop, cr_nsec until)
{
	struct epoll *e = loop->backend_state;
	cr_nsec duration = 0;
	int n, ended = 0;

	if (e->halves) {
		ended = halves_end(e);
	} else if (until == CORAIL_NEVER) {
		duration = -1;
	} else if (until != 0) {
		duration = until - cr__clock_monotonic();
		if (duration < 0)
			duration = 0;
	}
	if (duration == 0 && e->waiting == 0)
		return ended;
	n = wait_for(e, duration);
	if (n < 0)
		return errno == EINTR ? ended : -errno;
	for (int i = 0; i < n; i++)
		ended += dispatch(e, &e->events[i]);
	return ended;
}

/* ------------------------------------------------------------------------------ descriptors --- */

static int epoll_fd_close(struct cr__loop *loop, int fd)
{
	struct epoll *e = loop->backend_state;

	CR__ASSERT(cr__fds_busy(loop, fd) == 0);
	cr__fds_drop(&e->fds, fd);
	return cr__descriptor_close(fd);
}

static void epoll_fd_forget(struct cr__loop *loop, int fd)
{
	struct epoll *e = loop->backend_state;
	const struct cr__fd_slot *slot = cr__fds_slot(&e->fds, fd);

	CR__ASSERT(cr__fds_busy(loop, fd) == 0);
	if (slot && slot->flags & CR__FD_WATCHED)
		epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	cr__fds_drop(&e->fds, fd);
}

static int epoll_sock_open(struct cr__loop *loop, int domain, int type, int protocol)
{
	return cr__sockets_open(loop, domain, type, protocol, SOCK_NONBLOCK);
}

static int epoll_sock_pair(struct cr__loop *loop, int domain, int type, int ret_fds[2])
{
	return cr__sockets_pair(loop, domain, type, SOCK_NONBLOCK, ret_fds);
}

const struct cr__backend cr__backend_epoll = {
	.name = "epoll",
	.probe = epoll_probe,
	.open = epoll_open,
	.close = epoll_close,
	.poll = epoll_poll,
	.wake = epoll_wake,
	.now = epoll_now,
	.op_start = epoll_op_start,
	.op_cancel = epoll_op_cancel,
	.fd_busy = cr__fds_busy,
	.fd_cancel = cr__fds_cancel,
	.fd_close = epoll_fd_close,
	.fd_forget = epoll_fd_forget,
	.fd_ready = cr__direct_ready,
	.sock_open = epoll_sock_open,
	.sock_pair = epoll_sock_pair,
	.sock_bind = cr__sockets_bind,
	.sock_listen = cr__sockets_listen,
	.sock_name = cr__sockets_name,
	.sock_peer = cr__sockets_peer,
	.sock_option = cr__sockets_option,
	.sock_option_get = cr__sockets_option_get,
	.sock_shutdown = cr__sockets_shutdown,
};
