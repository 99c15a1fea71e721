/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SIM_MODEL_MEETINGS_H
#define CORAIL_TESTS_SIM_MODEL_MEETINGS_H

/*
 * Instructions of model.h's programs: what tasks do together, at a barrier, and what one does for
 * all, once.
 */

#include "sim/model_program.h"

/* --------------------------------------------------------------------------------- barrier --- */

/* Whose turn it was is known by the index alone: every round gives each of them to somebody. */
static inline int model_barrier_wait(struct model_frame *f)
{
	struct model *m = f->m;
	uint32_t resets = m->barrier_resets;
	bool cancelled = cr_cancelled();
	int r = cr_barrier_wait(&m->barrier);

	MODEL_ANSWER(cancelled, r);
	if (r >= 0) {
		CHECK_LT(r, MODEL_PARTIES);
		m->barrier_indices[r]++;
		return 0;
	}
	/* It broke; unless somebody has mended it since, it is broken. */
	CHECK(cr_barrier_is_broken(&m->barrier) || m->barrier_resets > resets);
	CHECK(r == -EPIPE || (r == -ECANCELED && cr_cancelled()));
	return r == -EPIPE ? 0 : r;
}

static inline int model_barrier(struct model_frame *f)
{
	cr_barrier *barrier = &f->m->barrier;

	if (cr_barrier_is_broken(barrier) || model_random(f->self, 16) == 0) {
		f->m->barrier_resets++;
		cr_barrier_reset(barrier);
		CHECK_EQ(cr_barrier_is_broken(barrier), 0);
		CHECK_EQ(cr_barrier_waiting(barrier), 0);
	} else if (model_random(f->self, 16) == 0) {
		cr_barrier_break(barrier);
		CHECK_EQ(cr_barrier_is_broken(barrier), 1);
		CHECK_EQ(cr_barrier_waiting(barrier), 0);
	}
	return model_barrier_wait(f);
}

/* ------------------------------------------------------------------------------------ once --- */

struct model_once_run {
	struct model_frame *frame;
	struct model_once *once;
	bool ran;
	int result;
};

/* Never two at a time, never again after success. */
static inline int model_once_fn(struct model_once_run *run)
{
	struct model_once *once = run->once;
	int r;

	run->ran = true;
	CHECK_EQ(once->runner, 0);
	CHECK_EQ(once->done, false);
	once->runner = 1 + model_number(run->frame->m, run->frame->self);
	r = model_block(run->frame);
	CHECK_EQ(once->runner, 1 + model_number(run->frame->m, run->frame->self));
	CHECK_EQ(cr_once_is_done(&once->once), 0);
	once->runner = 0;
	if (r >= 0)
		r = model_random(run->frame->self, 3) ? -EIO
		                                      : (int)model_random(run->frame->self, 9);
	if (r >= 0) {
		once->done = true;
		once->value = r;
	}
	run->result = r;
	return r;
}

static inline int model_once(struct model_frame *f)
{
	struct model_once *once = &f->m->onces[model_random(f->self, MODEL_ONCES)];
	struct model_frame inner = *f;
	struct model_once_run run = {.frame = &inner, .once = once};
	bool cancelled = cr_cancelled(), done = once->done;
	bool mine = once->runner == 1 + model_number(f->m, f->self);
	int r;

	if (f->depth == MODEL_DEPTH)
		return 0;
	inner.depth++;
	r = cr_once_run(&once->once, model_once_fn, &run);
	if (cancelled)
		CHECK_EQ(run.ran, false);
	MODEL_ANSWER(cancelled, r);
	if (run.ran) {
		CHECK_EQ(r, run.result);
		CHECK(!done && !mine);
	} else if (mine && !cancelled) {
		CHECK_EQ(r, -EDEADLK);
	} else if (r >= 0) {
		CHECK_EQ(once->done, true);
		CHECK_EQ(r, once->value);
	} else {
		CHECK(r == -ECANCELED && cr_cancelled());
		CHECK(cancelled || !done);
	}
	return r < 0 && r != -EDEADLK ? r : 0;
}

/* ------------------------------------------------------------------------------------- both --- */

static inline void model_meetings_check(const struct model *m)
{
	bool waiters = m->barrier.cr__waiters.cr__first;

	CHECK_LT(cr_barrier_waiting(&m->barrier), MODEL_PARTIES);
	CHECK_EQ(cr_barrier_waiting(&m->barrier) > 0, waiters);
	CHECK(!waiters || !cr_barrier_is_broken(&m->barrier));
	for (int i = 0; i < MODEL_ONCES; i++) {
		const struct model_once *once = &m->onces[i];

		CHECK_EQ(cr_once_is_done(&once->once), once->done);
		CHECK(!once->runner || once->once.cr__runner);
		CHECK(!once->done || !once->once.cr__runner);
		CHECK(once->once.cr__runner || !once->once.cr__waiters.cr__first);
	}
}

static inline void model_meetings_rest(const struct model *m)
{
	CHECK_EQ(cr_barrier_waiting(&m->barrier), 0);
	for (int i = 1; i < MODEL_PARTIES; i++)
		CHECK_EQ(m->barrier_indices[i], m->barrier_indices[0]);
	for (int i = 0; i < MODEL_ONCES; i++) {
		CHECK_EQ(m->onces[i].runner, 0);
		CHECK_EQ(m->onces[i].once.cr__runner, 0);
		CHECK(!m->onces[i].once.cr__waiters.cr__first);
	}
}

#endif
