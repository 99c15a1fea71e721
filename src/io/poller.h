/* SPDX-License-Identifier: MIT */
#ifndef CR__IO_POLLER_H
#define CR__IO_POLLER_H

/*
 * The poller's inside, for callers that have a callback instead of a task (name resolution): arm,
 * be told on the loop's stack that something is ready, take the events, arm again.
 */

#include "io/io.h"

/*
 * A descriptor of a poller. It owns one operation record at a time: when a record has to be
 * abandoned in flight (the descriptor is removed, and its owner is about to close it), the whole
 * entry becomes a ghost that waits for its own completion, and the descriptor's number is free for
 * another entry.
 */
struct cr__poller_entry {
	struct cr__op op;
	struct cr_poller *poller;
	void *data;
	struct cr__list link; /* in poller->arm, ready, spare; else in none */
	int fd;
	int events;  /* asked for; 0: idle */
	int revents; /* in ready: what holds */
	bool in_flight;
	bool ending; /* in flight, cancelled; not a ghost: to be started again with `events` */
	bool ghost;
};

struct cr_poller {
	struct cr__loop *loop;
	/*
	 * In pages, so that one high number (the simulator's are) costs no array as long as that.
	 */
	struct cr__poller_entry ***pages;
	size_t page_count;
	struct cr__list arm;   /* to be started at the next wait */
	struct cr__list ready; /* events to be taken */
	struct cr__list spare; /* entries for reuse */
	size_t in_flight_count;
	void (*notify)(struct cr_poller *poller); /* instead of a waiting task */
	void *notify_arg;
	struct cr__wait wait;
	bool waiting; /* a task is inside cr_poller_wait() */
	bool parked;  /* and has to be woken */
	bool woken;   /* cr_poller_wake() was called and nobody has noticed */
	bool closing;
	struct cr__wait closer;
	bool closer_parked;
};

/* Starts what has to be started. Returns 0, or -ENOMEM with the rest still to be started. */
int cr__poller_arm(struct cr_poller *poller);

/* Takes up to `count` events; those descriptors will be armed again. Returns how many. */
int cr__poller_take(struct cr_poller *poller, cr_poller_event *events, size_t count);

/* Frees a poller that has no descriptors. */
void cr__poller_free(struct cr_poller *poller);

#endif
