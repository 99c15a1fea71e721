/* SPDX-License-Identifier: MIT */
#ifndef CR__IO_SIGNAL_H
#define CR__IO_SIGNAL_H

/* Signals on their way: from the handler through the hub of each loop to its receivers. */

#include <corail/signal.h>

#include "base/list.h"
#include "loop/op.h"
#include "task/park.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Numbers go from 1 to 64 on all architectures (signal(7)): a set is one word. */
enum { CR__SIGNAL_MAX = 64 };

static inline uint64_t cr__signal_bit(int number)
{
	return UINT64_C(1) << (number - 1);
}

/*
 * A receiver, and what it has not taken yet: room for every standard signal, of which each is there
 * at most once, and some of the real-time ones.
 */
enum { CR__SIGNAL_ITEMS = 128, CR__SIGNAL_ITEMS_REALTIME = 96 };

struct cr_signal {
	struct cr__list link; /* in its hub */
	struct cr__signal_hub *hub;
	uint64_t set;
	struct cr__signal_waiter *waiter;
	uint32_t first, count; /* items in use, in a ring */
	cr_signal_info items[CR__SIGNAL_ITEMS];
};

/* What the handler writes. */
struct cr__signal_record {
	int32_t number, code, pid, uid, status;
	int32_t unused;
	int64_t value;
};

/* A loop's end of the pipe that handlers write into. It lasts as long as its loop. */
struct cr__signal_hub {
	_Atomic(struct cr__signal_hub *) next; /* handlers walk along these, on any thread */
	_Atomic uint64_t wanted;               /* by its receivers */
	_Atomic uint64_t missed;               /* did not fit into the pipe */
	struct cr__loop *loop;
	struct cr__list receivers;
	uint32_t uses[CR__SIGNAL_MAX + 1]; /* receivers by signal */
	uint64_t blocked; /* signals that the thread blocked before their first receiver */
	int fds[2];       /* the pipe; -1 in the simulator */
	bool reading;     /* op is in flight */
	struct cr__op op;
	struct cr__wait closer;
	bool closer_parked;
	struct cr__signal_record records[16];
};

/* ---- signal.c ---- */

/* Hands a signal to the loop's receivers. Returns how many want it. */
int cr__signal_deliver(struct cr__signal_hub *hub, const cr_signal_info *info);

/* ---- signal_hub.c ---- */

/* The calling thread's hub, made if need be. Returns 0, -ENOMEM, -EMFILE, -ENFILE. */
int cr__signal_hub_get(struct cr__loop *loop, struct cr__signal_hub **ret_hub);

/* The hub, or NULL if there is none yet. */
struct cr__signal_hub *cr__signal_hub_find(struct cr__loop *loop);

/* Sees to it that the pipe is being read. Returns 0, or -ENOMEM. */
int cr__signal_hub_listen(struct cr__signal_hub *hub);

/* ---- signal_action.c ---- */

/* Counts a receiver's signals in, or out; takes dispositions and masks over, or gives them back. */
void cr__signal_take(struct cr__signal_hub *hub, uint64_t set);
void cr__signal_give_back(struct cr__signal_hub *hub, uint64_t set);

/* Lets handlers find a hub, or no longer: when this returns, none is writing into it. */
void cr__signal_hub_publish(struct cr__signal_hub *hub);
void cr__signal_hub_hide(struct cr__signal_hub *hub);

#endif
