/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SIM_MODEL_BROADCAST_H
#define CORAIL_TESTS_SIM_MODEL_BROADCAST_H

/* Instructions of model.h's programs: one value for many, by broadcasts and watches. */

#include "sim/model_program.h"

static inline void model_casts_init(struct model *m)
{
	for (int i = 0; i < MODEL_CASTS; i++) {
		struct model_cast *cast = &m->casts[i];

		CHECK_EQ(cr_broadcast_open(&cast->broadcast, (size_t)i + 2,
		                           i ? CORAIL_BROADCAST_WAIT : CORAIL_BROADCAST_DROP),
		         0);
		cr_broadcast_subscribe(&cast->broadcast, &cast->shared);
		cast->subscribers = 1;
	}
}

/* --------------------------------------------------------------------------------- sending --- */

static inline int model_cast_send(struct model_frame *f)
{
	int i = (int)model_random(f->self, MODEL_CASTS);
	struct model_cast *cast = &f->m->casts[i];
	uint32_t value = ++cast->offered, subscribers = cast->subscribers;
	bool cancelled = cr_cancelled(), closed = cast->broadcast.cr__broadcast.cr__closed;
	int r;

	CHECK_LT(value, MODEL_VALUES);
	cast->fates[value] = MODEL_OFFERED;
	r = cr_broadcast_send(&cast->broadcast, value);
	MODEL_ANSWER(cancelled, r);
	if (r < 0) {
		CHECK(r == -EPIPE || (r == -ECANCELED && cr_cancelled()));
		CHECK_EQ(cast->fates[value], MODEL_OFFERED);
		cast->fates[value] = MODEL_UNSENT;
		if (r == -EPIPE)
			CHECK(cast->broadcast.cr__broadcast.cr__closed);
		return r == -EPIPE ? 0 : r;
	}
	CHECK_EQ(closed, false);
	cast->fates[value] |= MODEL_SENT;
	/* Who need not wait sends to those who were there. */
	if (i == 0)
		CHECK_EQ(r, subscribers);
	return 0;
}

/* ------------------------------------------------------------------------------- receiving --- */

/* The value of a place is the same for all. */
static inline void model_cast_received(struct model *m, struct model_cast *cast, uint64_t place,
                                       uint32_t value)
{
	CHECK(place < MODEL_VALUES && value > 0 && value <= cast->offered);
	CHECK_NE(cast->fates[value] & MODEL_OFFERED, 0);
	cast->fates[value] |= MODEL_RECEIVED;
	if (!cast->log[place])
		cast->log[place] = value;
	CHECK_EQ(cast->log[place], value);
	m->digest = m->digest * 31 + value;
}

static inline void model_cast_shared(struct model_cast *cast, uint32_t value, int missed)
{
	CHECK(value > 0 && value <= cast->offered);
	CHECK_EQ(cast->fates[value] & (MODEL_OFFERED | MODEL_SHARED), MODEL_OFFERED);
	cast->fates[value] |= MODEL_SHARED;
	cast->received++;
	cast->missed += (uint32_t)missed;
}

/* By a subscription that several tasks use: each value comes to one of them. */
static inline int model_hear(struct model_frame *f)
{
	struct model_cast *cast = &f->m->casts[model_random(f->self, MODEL_CASTS)];
	bool cancelled = cr_cancelled();
	uint32_t value = 0;
	int r = cr_subscriber_receive(&cast->shared, &value);

	MODEL_ANSWER(cancelled, r);
	if (r < 0) {
		CHECK_EQ(value, 0);
		CHECK(r == -ECANCELED || cast->broadcast.cr__broadcast.cr__closed);
		return r == -EPIPE ? 0 : r;
	}
	model_cast_shared(cast, value, r);
	return 0;
}

/* One of the values that a subscriber of its own gets: its place is known. */
static inline int model_listen_once(struct model_frame *f, struct model_cast *cast,
                                    model_subscriber *own, uint64_t *place, uint32_t *last)
{
	const cr_broadcast *broadcast = &cast->broadcast.cr__broadcast;
	uint64_t behind = broadcast->cr__sent - *place, capacity = broadcast->cr__capacity;
	uint64_t missed = behind > capacity ? behind - capacity : 0;
	bool cancelled = cr_cancelled(), patient = model_random(f->self, 3) > 0;
	uint32_t value = 0;
	int r = patient ? cr_subscriber_receive(own, &value)
	                : cr_subscriber_try_receive(own, &value);

	if (patient)
		MODEL_ANSWER(cancelled, r);
	if (r < 0) {
		CHECK_EQ(value, 0);
		if (!cast->freed && r != -ECANCELED)
			CHECK_EQ(behind, 0);
		return r;
	}
	CHECK_EQ(r, missed);
	*place += missed;
	model_cast_received(f->m, cast, (*place)++, value);
	CHECK_GT(value, *last);
	*last = value;
	return 0;
}

/* A subscription, and whatever else in between. */
static inline int model_listen(struct model_frame *f)
{
	struct model_cast *cast = &f->m->casts[model_random(f->self, MODEL_CASTS)];
	struct model_frame inner = *f;
	uint64_t place = cast->broadcast.cr__broadcast.cr__sent;
	model_subscriber own;
	uint32_t last = 0;
	int r = 0;

	if (f->depth == MODEL_DEPTH)
		return 0;
	inner.depth++;
	cr_broadcast_subscribe(&cast->broadcast, &own);
	cast->subscribers++;
	for (uint32_t count = model_random(f->self, 6); count > 0; count--) {
		r = model_listen_once(f, cast, &own, &place, &last);
		if (r == -ECANCELED || r == -EPIPE)
			break;
		if (model_random(f->self, 2) == 0)
			model_block(&inner);
	}
	/* A broadcast that was freed has sent its subscribers away. */
	cast->subscribers -= own.cr__subscriber.cr__broadcast != NULL;
	cr_subscriber_leave(&own);
	CHECK_EQ(cr_subscriber_try_receive(&own, &last), -EPIPE);
	return r == -ECANCELED ? r : 0;
}

/* No more values; or nothing more of those that there are, either. */
static inline void model_cast_end(struct model_frame *f)
{
	struct model_cast *cast = &f->m->casts[model_random(f->self, MODEL_CASTS)];

	if (model_random(f->self, 2)) {
		cr_broadcast_close(&cast->broadcast);
		return;
	}
	cast->freed = true;
	cast->subscribers = 0;
	cr_broadcast_free(&cast->broadcast);
}

/* ----------------------------------------------------------------------------------- watch --- */

static inline int model_watch(struct model_frame *f)
{
	struct model *m = f->m;
	struct model_task *self = f->self;
	uint64_t value = 0, seen = self->watched;
	bool cancelled = cr_cancelled(), new = seen != m->watch_sets;
	int r;

	if (model_random(self, 3) == 0 && !m->watch.cr__watch.cr__closed) {
		cr_watch_set(&m->watch, ++m->watch_sets);
		CHECK(!m->watch.cr__watch.cr__waiters.first);
		return 0;
	}
	CHECK_EQ(cr_watch_get(&m->watch, &value), m->watch_sets ? 0 : -ENODATA);
	CHECK_EQ(value, m->watch_sets);
	value = 0;
	r = cr_watch_wait(&m->watch, &self->watched, &value);
	MODEL_ANSWER(cancelled, r);
	if (new && !cancelled)
		CHECK_EQ(r, 0);
	if (r == 0) {
		/* The latest, whatever came in between. */
		CHECK_EQ(value, m->watch_sets);
		CHECK_EQ(self->watched, m->watch_sets);
		CHECK_GT(self->watched, seen);
		return 0;
	}
	CHECK_EQ(self->watched, seen);
	CHECK_EQ(value, 0);
	CHECK((r == -ECANCELED && cr_cancelled()) ||
	      (r == -EPIPE && m->watch.cr__watch.cr__closed));
	return r == -EPIPE ? 0 : r;
}

/* ------------------------------------------------------------------------------------- all --- */

static inline void model_casts_check(const struct model *m)
{
	for (int i = 0; i < MODEL_CASTS; i++) {
		const cr_broadcast *broadcast = &m->casts[i].broadcast.cr__broadcast;
		bool full = false;

		CHECK_EQ(broadcast->cr__count, m->casts[i].subscribers);
		for (const cr_subscriber *each = broadcast->cr__first; each;
		     each = each->cr__next) {
			uint64_t behind = broadcast->cr__sent - each->cr__received;

			full |= behind == broadcast->cr__capacity;
			CHECK(i == 0 || behind <= broadcast->cr__capacity);
			CHECK(!each->cr__receivers.first ||
			      (behind == 0 && !broadcast->cr__closed));
		}
		/* Nobody waits to send unless somebody is too slow. */
		CHECK(!broadcast->cr__senders.first || (full && i == 1 && !broadcast->cr__closed));
	}
	CHECK(!m->watch.cr__watch.cr__closed || !m->watch.cr__watch.cr__waiters.first);
}

/* At the end: every value that was sent has a place, and has come to whoever was there. */
static inline void model_casts_rest(struct model *m)
{
	for (int i = 0; i < MODEL_CASTS; i++) {
		struct model_cast *cast = &m->casts[i];
		uint32_t sent = 0, value;
		int r;

		while ((r = cr_subscriber_try_receive(&cast->shared, &value)) >= 0)
			model_cast_shared(cast, value, r);
		for (value = 1; value <= cast->offered; value++) {
			CHECK(cast->fates[value] == MODEL_UNSENT ||
			      cast->fates[value] & MODEL_SENT);
			sent += cast->fates[value] != MODEL_UNSENT;
		}
		CHECK_EQ(sent, cast->broadcast.cr__broadcast.cr__sent);
		if (!cast->freed)
			CHECK_EQ(cast->received + cast->missed, sent);
		CHECK(i == 0 || cast->missed == 0);
		CHECK_EQ(cast->subscribers, cast->freed ? 0 : 1);
		cr_subscriber_leave(&cast->shared);
		cr_broadcast_free(&cast->broadcast);
	}
	CHECK(!m->watch.cr__watch.cr__waiters.first);
}

#endif
