/* SPDX-License-Identifier: MIT */
#include "io/io.h"
#include "loop/loop.h"
#include "task/choice.h"

#include <errno.h>

/*
 * A descriptor's readiness as a case of cr_select(): one poll operation, whose record is in the
 * case. A case that loses asks for its operation's end; on io_uring that comes later, and the
 * select waits for it.
 */

struct fd_case {
	struct cr__case head;
	int fd, events;
	struct cr__loop *loop;
	struct cr__op op;
};

_Static_assert(sizeof(struct fd_case) <= sizeof(cr_case), "cr_case has too few words");

static struct fd_case *own_of(struct cr__case *c)
{
	return CR__CONTAINER(c, struct fd_case, head);
}

static int result_of(const struct fd_case *own)
{
	return own->op.result == 0 ? -ECANCELED : (int)own->op.result;
}

static void fd_done(struct cr__op *op)
{
	struct fd_case *own = CR__CONTAINER(op, struct fd_case, op);

	/* Nobody touches the descriptor any more: who closes it may go on. */
	cr__io_ended(own->loop, own->fd);
	if (own->head.undoing) {
		cr__case_gone(&own->head);
		return;
	}
	own->head.result = result_of(own);
	cr__case_take(&own->head);
}

/* Starts the operation. Returns true if it has ended already, for better or worse. */
static bool start(struct fd_case *own)
{
	int r;

	own->loop = cr__loop_self();
	own->op = (struct cr__op){
		.done = fd_done,
		.code = CR__OP_POLL,
		.fd = own->fd,
		.flags = (uint32_t)own->events,
	};
	r = cr__op_start(own->loop, &own->op);
	if (r == 0)
		return false;
	own->head.result = r < 0 ? r : result_of(own);
	return true;
}

/*
 * Looking costs a system call, but without it a descriptor would be passed over for as long as
 * another case is ready each time.
 */
static bool fd_attempt(struct cr__case *c)
{
	struct fd_case *own = own_of(c);

	c->result = cr__fd_ready(cr__loop_self(), own->fd, own->events);
	return c->result != 0;
}

static bool fd_enqueue(struct cr__case *c)
{
	return start(own_of(c));
}

static bool fd_dequeue(struct cr__case *c)
{
	struct fd_case *own = own_of(c);

	if (!cr__op_cancel(own->loop, &own->op))
		return false;
	cr__io_ended(own->loop, own->fd);
	return true;
}

cr_case cr_case_poll(int fd, int events)
{
	static const struct cr__case_ops ops = {fd_attempt, fd_enqueue, fd_dequeue};
	union {
		cr_case whole;
		struct fd_case own;
	} u;

	u.own.head.ops = &ops;
	u.own.fd = fd;
	u.own.events = events;
	return u.whole;
}

cr_case cr_case_readable(int fd)
{
	return cr_case_poll(fd, POLLIN);
}

cr_case cr_case_writable(int fd)
{
	return cr_case_poll(fd, POLLOUT);
}
