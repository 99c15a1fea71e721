/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SIM_MODEL_PROGRAM_H
#define CORAIL_TESTS_SIM_MODEL_PROGRAM_H

/* Instructions of model.h's programs: time, channels, selects. */

#include "sim/model.h"

/* Where an instruction runs. */
struct model_frame {
	struct model *m;
	struct model_task *self;
	struct model_scope *scope; /* the innermost */
	int depth;
};

static int model_block(struct model_frame *f);

static inline cr_nsec model_duration(struct model_frame *f)
{
	return cr_millis(model_random(f->self, 5)) * (model_random(f->self, 12) ? 1 : 100);
}

/* ------------------------------------------------------------------------------------ time --- */

static inline int model_sleep(struct model_frame *f)
{
	cr_nsec begun = cr_now(), duration = model_duration(f);
	bool cancelled = cr_cancelled();
	int r;

	f->m->sleeping++;
	r = cr_sleep(duration);
	f->m->sleeping--;
	MODEL_ANSWER(cancelled, r);
	/* Time is virtual: neither early nor late. */
	if (r == 0)
		CHECK_EQ(cr_now(), begun + duration);
	else
		CHECK_EQ(r, -ECANCELED);
	CHECK_LE(cr_now(), begun + duration);
	return r;
}

static inline int model_timeout(struct model_frame *f)
{
	cr_nsec begun = cr_now(), limit = model_duration(f), duration = model_duration(f);
	bool cancelled = cr_cancelled();
	int r = cr_timeout(limit, cr_sleep(duration));

	MODEL_ANSWER(cancelled, r);
	CHECK_LE(cr_now(), begun + (limit < duration ? limit : duration));
	if (r == 0) {
		CHECK_EQ(cr_now(), begun + duration);
	} else if (r == -ETIMEDOUT) {
		CHECK_EQ(cr_now(), begun + limit);
		CHECK_EQ(cr_cancelled(), 0);
	} else {
		CHECK_EQ(r, -ECANCELED);
		CHECK_EQ(cr_cancelled(), 1);
	}
	return r;
}

/* Past its grace and no earlier; whatever happens around it. */
static inline int model_shield(struct model_frame *f)
{
	cr_nsec begun = cr_now(), grace = model_duration(f), duration = model_duration(f);
	bool cancelled = cr_cancelled();
	int r = cr_shield(grace, cr_sleep(duration));

	if (r == 0) {
		CHECK_EQ(cr_now(), begun + duration);
	} else {
		CHECK_EQ(r, -ECANCELED);
		CHECK_EQ(cr_cancelled(), 1);
		CHECK_GE(cr_now(), begun + grace);
	}
	if (cancelled && grace != duration)
		CHECK_EQ(r, duration < grace ? 0 : -ECANCELED);
	return r;
}

/* A shield within a shield: the inner one's grace begins when the outer one's is over. */
static inline int model_shields(struct model_frame *f)
{
	cr_nsec begun = cr_now(), outer = model_duration(f), inner = model_duration(f);
	bool cancelled = cr_cancelled();
	int r = cr_shield(outer, cr_shield(inner, cr_sleep(cr_seconds(2))));

	if (r == 0) {
		CHECK_EQ(cr_now(), begun + cr_seconds(2));
		return 0;
	}
	CHECK_EQ(r, -ECANCELED);
	CHECK_EQ(cr_cancelled(), 1);
	CHECK_GE(cr_now(), begun + outer + inner);
	if (cancelled)
		CHECK_EQ(cr_now(), begun + outer + inner);
	return r;
}

/* -------------------------------------------------------------------------------- channels --- */

static inline int model_send(struct model_frame *f)
{
	int chan = (int)model_random(f->self, MODEL_CHANS);
	uint32_t value = model_value_new(f->m, f->self, chan);
	bool cancelled = cr_cancelled(), closed = cr_chan_is_closed(&f->m->chans[chan]);
	int r = cr_chan_send(&f->m->chans[chan], value);

	MODEL_ANSWER(cancelled, r);
	if (closed && !cancelled)
		CHECK_EQ(r, -EPIPE);
	model_value_answered(f->m, value, r == 0);
	if (r < 0)
		CHECK(r == -ECANCELED || cr_chan_is_closed(&f->m->chans[chan]));
	return r == -EPIPE ? 0 : r;
}

static inline int model_receive(struct model_frame *f)
{
	int chan = (int)model_random(f->self, MODEL_CHANS);
	bool cancelled = cr_cancelled();
	uint32_t value = UINT32_MAX;
	int r = cr_chan_receive(&f->m->chans[chan], &value);

	MODEL_ANSWER(cancelled, r);
	if (r == 0)
		model_value_received(f->m, f->self, chan, value);
	else
		CHECK(value == UINT32_MAX &&
		      (r == -ECANCELED || cr_chan_is_closed(&f->m->chans[chan])));
	return r == -EPIPE ? 0 : r;
}

/* What a task is said to have returned is what it did return. */
static inline void model_task_answered(const struct model_frame *f, uint32_t number, bool stale,
                                       int r)
{
	const struct model_task *task = &f->m->tasks[number];

	if (task->handle.id < 0)
		CHECK_EQ(r, task->handle.id);
	else if (stale)
		CHECK_EQ(r, -ESRCH);
	else if (task == f->self)
		CHECK_EQ(r, -EDEADLK);
	else
		CHECK(task->done && r == task->result);
}

/* A task to wait for: whether it is gone. Its failure may so become the waiter's to hear. */
static inline bool model_task_awaited(const struct model_frame *f, uint32_t number)
{
	if (f->m->tasks[number].scope)
		f->m->tasks[number].scope->awaited = true;
	return !f->m->tasks[number].scope;
}

/* One case: what it is of, and what it would take. */
struct model_case {
	enum { MODEL_CASE_SEND, MODEL_CASE_RECEIVE, MODEL_CASE_EVENT, MODEL_CASE_TASK } kind;
	int chan;
	uint32_t value, task;
	bool stale;
};

static inline cr_case model_case_make(struct model_frame *f, struct model_case *c)
{
	struct model *m = f->m;

	c->kind = (int)model_random(f->self, 8) % 5 % 4;
	c->chan = (int)model_random(f->self, MODEL_CHANS);
	c->task = model_random(f->self, m->task_count);
	c->value = UINT32_MAX;
	switch (c->kind) {
	case MODEL_CASE_SEND:
		c->value = model_value_new(m, f->self, c->chan);
		return cr_case_send(&m->chans[c->chan], &c->value);
	case MODEL_CASE_RECEIVE:
		return cr_case_receive(&m->chans[c->chan], &c->value);
	case MODEL_CASE_EVENT:
		return cr_case_event(&m->event);
	case MODEL_CASE_TASK:
		break;
	}
	c->stale = model_task_awaited(f, c->task);
	return cr_case_task(m->tasks[c->task].handle);
}

/* Exactly the case that was taken has had its effect. */
static inline void model_case_answered(struct model_frame *f, const struct model_case *c, int r,
                                       bool taken)
{
	switch (c->kind) {
	case MODEL_CASE_SEND:
		model_value_answered(f->m, c->value, taken && r == 0);
		break;
	case MODEL_CASE_RECEIVE:
		if (taken && r == 0)
			model_value_received(f->m, f->self, c->chan, c->value);
		else
			CHECK_EQ(c->value, UINT32_MAX);
		break;
	case MODEL_CASE_EVENT:
		CHECK(!taken || r == 0);
		break;
	case MODEL_CASE_TASK:
		if (taken)
			model_task_answered(f, c->task, c->stale, r);
		break;
	}
}

static inline int model_select(struct model_frame *f)
{
	struct model_case own[5];
	cr_case cases[5];
	size_t count = 1 + model_random(f->self, 5);
	bool cancelled = cr_cancelled(), patient = model_random(f->self, 4) > 0;
	int r;

	for (size_t i = 0; i < count; i++)
		cases[i] = model_case_make(f, &own[i]);
	for (size_t i = 0; i < count; i++)
		f->m->both[own[i].chan]++;
	if (patient)
		r = cr_select(cases, count);
	else
		r = cr_select_try(cases, count);
	for (size_t i = 0; i < count; i++)
		f->m->both[own[i].chan]--;
	if (patient)
		MODEL_ANSWER(cancelled, r);
	if (r < 0)
		CHECK_EQ(r, patient ? -ECANCELED : -EAGAIN);
	CHECK_LT(r, (int)count);
	for (size_t i = 0; i < count; i++)
		model_case_answered(f, &own[i], cases[i].result, r == (int)i);
	return r == -ECANCELED ? r : 0;
}

#endif
