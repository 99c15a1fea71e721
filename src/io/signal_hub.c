/* SPDX-License-Identifier: MIT */
#include "io/signal.h"

#include "base/alloc.h"
#include "io/io.h"
#include "loop/attach.h"
#include "loop/backend.h"
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/*
 * A loop's hub: a pipe that is read as long as the loop lives, from the first receiver on. Records
 * are written whole (pipe(7): up to PIPE_BUF bytes), and so they are read whole.
 */

static const char hub_key;

/* ------------------------------------------------------------------------------------ read --- */

static void records_deliver(struct cr__signal_hub *hub, size_t count)
{
	uint64_t missed;

	for (size_t i = 0; i < count; i++) {
		const struct cr__signal_record *record = &hub->records[i];

		cr__signal_deliver(hub, &(cr_signal_info){
						.number = record->number,
						.code = record->code,
						.pid = record->pid,
						.uid = (uid_t)record->uid,
						.status = record->status,
						.value = (intptr_t)record->value,
						.count = 1,
					});
	}
	missed = atomic_exchange(&hub->missed, 0);
	for (int number = 1; missed && number <= CR__SIGNAL_MAX; number++)
		if (missed & cr__signal_bit(number))
			cr__signal_deliver(hub, &(cr_signal_info){.number = number, .count = 1});
}

static void read_done(struct cr__op *op)
{
	struct cr__signal_hub *hub = CR__CONTAINER(op, struct cr__signal_hub, op);

	hub->reading = false;
	if (op->result > 0)
		records_deliver(hub, (size_t)op->result / sizeof hub->records[0]);
	if (hub->closer_parked) {
		hub->closer_parked = false;
		cr__unpark(hub->closer.task, 0);
	} else if (op->result > 0) {
		/* Without memory, the next one who asks for a signal tries again. */
		cr__signal_hub_listen(hub);
	}
}

int cr__signal_hub_listen(struct cr__signal_hub *hub)
{
	int r;

	if (hub->reading || hub->fds[0] < 0)
		return 0;
	for (;;) {
		hub->op = (struct cr__op){
			.done = read_done,
			.code = CR__OP_READ,
			.fd = hub->fds[0],
			.buffer = hub->records,
			.size = sizeof hub->records,
		};
		r = cr__op_start(hub->loop, &hub->op);
		if (r <= 0)
			break;
		if (hub->op.result <= 0)
			return (int)hub->op.result;
		records_deliver(hub, (size_t)hub->op.result / sizeof hub->records[0]);
	}
	hub->reading = r == 0;
	return r;
}

/* ------------------------------------------------------------------------------------ life --- */

static void hub_free(struct cr__signal_hub *hub)
{
	for (int i = 0; i < 2; i++)
		if (hub->fds[i] >= 0)
			cr__fd_close(hub->loop, hub->fds[i]);
	cr__free(hub);
}

/* The loop has ended. */
static void hub_end(void *object)
{
	struct cr__signal_hub *hub = object;
	struct cr__list *node;

	while ((node = cr__list_first(&hub->receivers)))
		cr_signal_close(CR__CONTAINER(node, struct cr_signal, link));
	if (hub->fds[1] >= 0)
		cr__signal_hub_hide(hub);
	if (hub->reading && cr__op_cancel(hub->loop, &hub->op))
		hub->reading = false;
	while (hub->reading) {
		hub->closer = (struct cr__wait){.reason = "close", .fd = hub->fds[0]};
		hub->closer_parked = true;
		cr__park(&hub->closer);
	}
	hub_free(hub);
}

/* Only the handler's end must never block. */
static int pipe_open(int *ret_fds)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	if (fcntl(fds[1], F_SETFL, O_WRONLY | O_NONBLOCK) < 0) {
		int r = -errno;

		close(fds[0]);
		close(fds[1]);
		return r;
	}
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

static int hub_new(struct cr__loop *loop, struct cr__signal_hub **ret_hub)
{
	struct cr__signal_hub *hub = cr__alloc_zero(1, sizeof *hub);
	int r = 0;

	if (!hub)
		return -ENOMEM;
	hub->loop = loop;
	hub->fds[0] = hub->fds[1] = -1;
	cr__list_init(&hub->receivers);
	if (loop->backend != &cr__backend_sim)
		r = pipe_open(hub->fds);
	if (r == 0)
		r = cr__loop_attach(loop, &hub_key, hub, hub_end);
	if (r < 0) {
		hub_free(hub);
		return r;
	}
	if (hub->fds[1] >= 0)
		cr__signal_hub_publish(hub);
	*ret_hub = hub;
	return 0;
}

struct cr__signal_hub *cr__signal_hub_find(struct cr__loop *loop)
{
	return cr__loop_attached(loop, &hub_key);
}

int cr__signal_hub_get(struct cr__loop *loop, struct cr__signal_hub **ret_hub)
{
	struct cr__signal_hub *hub = cr__signal_hub_find(loop);
	int r = hub ? 0 : hub_new(loop, &hub);

	if (r == 0)
		r = cr__signal_hub_listen(hub);
	if (r == 0)
		*ret_hub = hub;
	return r;
}
