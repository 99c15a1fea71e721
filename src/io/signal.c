/* SPDX-License-Identifier: MIT */
#include "io/signal.h"

#include "base/alloc.h"
#include "base/panic.h"
#include "loop/loop.h"

#include <errno.h>
#include <unistd.h>

/* Receivers of signals: each keeps what has come for it, until it is asked. */

/* A task that waits. It gets the signal itself, so that nobody else takes it meanwhile. */
struct cr__signal_waiter {
	struct cr__wait wait;
	cr_signal *receiver;
	cr_signal_info info;
};

/* -------------------------------------------------------------------------------- delivery --- */

static cr_signal_info *item(cr_signal *receiver, uint32_t index)
{
	return &receiver->items[(receiver->first + index) % CR__SIGNAL_ITEMS];
}

static void keep(cr_signal *receiver, const cr_signal_info *info)
{
	const bool standard = info->number < SIGRTMIN;

	for (uint32_t i = 0; standard && i < receiver->count; i++) {
		if (item(receiver, i)->number == info->number) {
			item(receiver, i)->count += info->count;
			return;
		}
	}
	if (standard || receiver->count < CR__SIGNAL_ITEMS_REALTIME)
		*item(receiver, receiver->count++) = *info;
}

static void deliver_to(cr_signal *receiver, const cr_signal_info *info)
{
	struct cr__signal_waiter *waiter = receiver->waiter;

	if (!waiter) {
		keep(receiver, info);
		return;
	}
	receiver->waiter = NULL;
	waiter->info = *info;
	cr__unpark(waiter->wait.task, 0);
}

int cr__signal_deliver(struct cr__signal_hub *hub, const cr_signal_info *info)
{
	int count = 0;

	for (struct cr__list *node = hub->receivers.next; node != &hub->receivers;
	     node = node->next) {
		cr_signal *receiver = CR__CONTAINER(node, cr_signal, link);

		if (receiver->set & cr__signal_bit(info->number)) {
			deliver_to(receiver, info);
			count++;
		}
	}
	return count;
}

int cr_signal_simulate(int number)
{
	struct cr__loop *loop = cr__loop_self();
	struct cr__signal_hub *hub;

	if (!loop)
		return -ESRCH;
	hub = cr__signal_hub_find(loop);
	if (!hub || number < 1 || number > CR__SIGNAL_MAX)
		return 0;
	return cr__signal_deliver(hub, &(cr_signal_info){
					       .number = number,
					       .code = SI_USER,
					       .pid = getpid(),
					       .uid = getuid(),
					       .count = 1,
				       });
}

/* --------------------------------------------------------------------------------- waiting --- */

int cr_signal_poll(cr_signal *receiver, cr_signal_info *ret_info)
{
	int r = cr__signal_hub_listen(receiver->hub);

	if (receiver->count == 0)
		return r < 0 ? r : -EAGAIN;
	*ret_info = *item(receiver, 0);
	receiver->first = (receiver->first + 1) % CR__SIGNAL_ITEMS;
	receiver->count--;
	return 0;
}

static enum cr__abort waiter_abort(struct cr__wait *wait)
{
	CR__CONTAINER(wait, struct cr__signal_waiter, wait)->receiver->waiter = NULL;
	return CR__ABORT_DONE;
}

int cr_signal_wait(cr_signal *receiver, cr_signal_info *ret_info)
{
	struct cr__signal_waiter waiter = {
		.wait = {.abort = waiter_abort, .reason = "signal", .fd = -1},
		.receiver = receiver,
	};
	int r = cr__park_check(__func__);

	if (r < 0)
		return r;
	if (receiver->hub->loop != cr__task_loop())
		cr__panic("%s: the receiver belongs to another loop", __func__);
	if (receiver->waiter)
		return -EBUSY;
	r = cr_signal_poll(receiver, ret_info);
	if (r != -EAGAIN) {
		cr__budget_spend();
		return r;
	}
	receiver->waiter = &waiter;
	r = cr__park(&waiter.wait);
	if (r == 0)
		*ret_info = waiter.info;
	return r;
}

/* ------------------------------------------------------------------------------------ life --- */

/* The ones that the kernel refuses, that a thread causes itself, and that the C library uses. */
static bool receivable(int number)
{
	static const int never[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS,
	                            SIGILL,  SIGFPE,  SIGTRAP, SIGABRT};

	for (size_t i = 0; i < sizeof never / sizeof *never; i++)
		if (number == never[i])
			return false;
	return number > 0 && number <= SIGRTMAX && (number < 32 || number >= SIGRTMIN);
}

int cr_signal_open(const int *numbers, cr_signal **ret_receiver)
{
	struct cr__loop *loop = cr__loop_self();
	struct cr__signal_hub *hub;
	cr_signal *receiver;
	uint64_t set = 0;
	int r;

	if (!loop)
		return -ESRCH;
	for (; numbers && *numbers; numbers++) {
		if (!receivable(*numbers))
			return -EINVAL;
		set |= cr__signal_bit(*numbers);
	}
	if (!set)
		return -EINVAL;
	r = cr__signal_hub_get(loop, &hub);
	if (r < 0)
		return r;
	receiver = cr__alloc_zero(1, sizeof *receiver);
	if (!receiver)
		return -ENOMEM;
	receiver->hub = hub;
	receiver->set = set;
	cr__list_push_back(&hub->receivers, &receiver->link);
	cr__signal_take(hub, set);
	*ret_receiver = receiver;
	return 0;
}

void cr_signal_close(cr_signal *receiver)
{
	if (!receiver)
		return;
	if (receiver->waiter) {
		cr__unpark(receiver->waiter->wait.task, -ECANCELED);
		receiver->waiter = NULL;
	}
	cr__list_remove(&receiver->link);
	cr__signal_give_back(receiver->hub, receiver->set);
	cr__free(receiver);
}
