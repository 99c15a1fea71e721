/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SIM_MODEL_RUN_H
#define CORAIL_TESTS_SIM_MODEL_RUN_H

/* Instructions of model.h's programs: callbacks, and interference; and what strings them all. */

#include "sim/model_check.h"
#include "sim/model_tasks.h"

#include <corail/loop.h>

/* ------------------------------------------------------------------------------- callbacks --- */

struct model_post {
	struct model *m;
	uint32_t kind, number;
};

/* On the loop's own stack, while no task runs. */
static inline void model_posted(void *arg)
{
	struct model_post *post = arg;
	struct model *m = post->m;
	uint32_t value;
	int chan = (int)(post->number % MODEL_CHANS);

	model_check(m);
	for (int i = 0; i < MODEL_KEYS; i++)
		CHECK(cr_local_get(&m->keys[i]) == NULL);
	switch (post->kind) {
	case 0:
		cr_task_cancel(m->tasks[post->number % m->task_count].handle);
		break;
	case 1:
		cr_event_set(&m->event);
		cr_event_clear(&m->event);
		break;
	case 2:
		value = model_value_new(m, &m->tasks[0], chan);
		model_value_answered(m, value, cr_chan_try_send(&m->chans[chan], value) == 0);
		break;
	case 3:
		if (cr_chan_try_receive(&m->chans[chan], &value) == 0)
			model_value_received(m, &m->tasks[0], chan, value);
		break;
	case 4:
		cr_barrier_break(&m->barrier);
		break;
	case 5:
		if (!m->watch.cr__watch.cr__closed)
			cr_watch_set(&m->watch, ++m->watch_sets);
		break;
	default:
		cr_cond_signal(&m->cond);
		break;
	}
	model_check(m);
	free(post);
}

static inline void model_post(struct model_frame *f)
{
	struct model_post *post = malloc(sizeof *post);

	*post = (struct model_post){f->m, model_random(f->self, 7), model_random(f->self, 1000)};
	CHECK_EQ(cr_loop_post(model_posted, post), 0);
}

/* ----------------------------------------------------------------------------- all of them --- */

static inline int model_event(struct model_frame *f)
{
	bool cancelled = cr_cancelled(), set = cr_event_is_set(&f->m->event);
	int r;

	switch (model_random(f->self, 4)) {
	case 0:
		cr_event_set(&f->m->event);
		return 0;
	case 1:
		cr_event_clear(&f->m->event);
		return 0;
	case 2:
		cr_cond_broadcast(&f->m->cond);
		return 0;
	default:
		break;
	}
	r = cr_event_wait(&f->m->event);
	MODEL_ANSWER(cancelled, r);
	if (set && !cancelled)
		CHECK_EQ(r, 0);
	return r;
}

/* Objects that nobody needs any more, while some still wait for them. */
static inline void model_end_something(struct model_frame *f)
{
	struct model *m = f->m;

	switch (model_random(f->self, 4)) {
	case 0:
		cr_chan_close(&m->chans[MODEL_PLAIN - 1]);
		break;
	case 1:
		model_queue_free(m, model_queue_of(f));
		break;
	case 2:
		model_cast_end(f);
		break;
	default:
		cr_watch_close(&m->watch);
		break;
	}
}

/* To others, or to oneself. */
static inline int model_interfere(struct model_frame *f)
{
	struct model *m = f->m;
	struct model_scope *scope = f->scope;

	switch (model_random(f->self, 13)) {
	case 0:
		/* Its own, or its parent's: a child may end those it is among. */
		if (scope->outer && scope->outer->outer) {
			cr_scope_cancel(scope->scope);
			CHECK_EQ(cr_scope_cancelled(scope->scope), 1);
			CHECK_EQ(cr_cancelled(), 1);
		}
		return 0;
	case 1:
	case 2:
		cr_task_cancel(m->tasks[1 + model_random(f->self, m->task_count - 1)].handle);
		return 0;
	case 3:
		return -EIO;
	case 4:
		return -EPROTO;
	case 5:
		cr_limiter_resize(&m->limiter, 1 + model_random(f->self, 3));
		return 0;
	case 6:
	case 7:
		if (m->steps > MODEL_STEPS / 2)
			model_end_something(f);
		return 0;
	default:
		model_post(f);
		return 0;
	}
}

/* What one may do in vain. */
static inline int model_impatient(struct model_frame *f)
{
	static int (*const waiting[])(struct model_frame * f) = {
		model_send,         model_receive, model_select,    model_event, model_join,
		model_barrier_wait, model_hear,    model_cast_send, model_watch, model_permits,
	};
	int (*wait)(struct model_frame * f) =
		waiting[model_random(f->self, sizeof waiting / sizeof *waiting)];
	int r = cr_timeout(model_duration(f), wait(f));

	return r == -ETIMEDOUT ? 0 : r;
}

static inline int model_instruction(struct model_frame *f)
{
	static int (*const suspending[])(struct model_frame * f) = {
		model_sleep,     model_timeout,   model_shield,    model_shields,   model_send,
		model_send,      model_send,      model_receive,   model_receive,   model_receive,
		model_select,    model_select,    model_select,    model_lock,      model_lock,
		model_permits,   model_permits,   model_limiter,   model_rwlock,    model_rwlock,
		model_await,     model_nested,    model_nested,    model_next,      model_gather,
		model_event,     model_event,     model_interfere, model_interfere, model_once,
		model_once,      model_barrier,   model_barrier,   model_cast_send, model_cast_send,
		model_cast_send, model_hear,      model_hear,      model_listen,    model_listen,
		model_watch,     model_watch,     model_burst,     model_drain,     model_done,
		model_done,      model_join,      model_impatient, model_impatient, model_impatient,
		model_impatient, model_impatient,
	};
	uint32_t count = sizeof suspending / sizeof *suspending;
	uint32_t which = model_random(f->self, count + 12);

	f->m->steps++;
	model_check(f->m);
	model_locals_check(f->m, f->self);
	f->m->digest = f->m->digest * 31 + which;
	if (which < count)
		return suspending[which](f);
	if (which % 4 == 0)
		model_local(f->m, f->self);
	else
		model_spawn(f);
	return 0;
}

static int model_block(struct model_frame *f)
{
	uint32_t count = 1 + model_random(f->self, 5);
	int r = 0;

	while (count-- > 0 && r >= 0 && f->m->steps < MODEL_STEPS) {
		r = model_instruction(f);
		model_check(f->m);
		/* Whoever does not mind goes on, and hears of it again. */
		if (r < 0 && model_random(f->self, 3) == 0)
			r = 0;
	}
	return r;
}

static int model_main(struct model *m)
{
	struct model_scope base = {.awaited = true, .deadline = CORAIL_NEVER};
	struct model_frame f = {.m = m, .self = &m->tasks[0], .scope = &base, .depth = 1};

	for (int i = 0; i < MODEL_PLAIN; i++)
		cr_chan_init(&m->chans[i], m->buffer[i], (size_t)(i == 3 ? 0 : i * 2));
	model_queues_init(m);
	model_casts_init(m);
	{
		CORAIL_SCOPE(scope);
		cr_scope_collect(&scope);
		/* Whoever waits for ever is sent home. */
		cr_scope_timeout_set(&scope, cr_seconds(60));
		base.scope = &scope;
		m->tasks[0].scope = &base;
		m->tasks[0].handle = cr_task_self();
		m->task_count = 1;
		for (int i = 0; i < 8; i++)
			model_spawn(&f);
		cr_scope_wait(&scope);
		CHECK_EQ(base.alive, 0);
	}
	m->tasks[0].scope = NULL;
	for (uint32_t i = 0; i < m->task_count; i++)
		m->tasks[i].scope = NULL;
	/* The last callbacks. One may have cancelled us. */
	CHECK_EQ(cr_shield(cr_seconds(1), cr_sleep(cr_millis(1))), 0);
	model_check_rest(m);
	return 0;
}

#endif
