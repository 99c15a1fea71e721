/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SIM_MODEL_TASKS_H
#define CORAIL_TESTS_SIM_MODEL_TASKS_H

/* Instructions of model.h's programs: tasks, scopes, gathers. */

#include "sim/model_locals.h"
#include "sim/model_program.h"

static inline int model_await(struct model_frame *f)
{
	uint32_t number = model_random(f->self, f->m->task_count);
	bool cancelled = cr_cancelled(), stale = model_task_awaited(f, number);
	int r = cr_await(f->m->tasks[number].handle);

	MODEL_ANSWER(cancelled, r);
	if (r == -ECANCELED && cr_cancelled())
		return r;
	model_task_answered(f, number, stale, r);
	return 0;
}

static int model_run(struct model_frame *frame)
{
	struct model_frame f = *frame;
	struct model_scope *scope = f.scope;
	int r = 0;

	CHECK_EQ(f.self->begun, 0);
	f.self->begun = true;
	model_locals_check(f.m, f.self);
	do {
		r = model_block(&f);
	} while (r >= 0 && model_random(f.self, 4) > 0 && f.m->steps < MODEL_STEPS);
	/* From here on nothing suspends. */
	CHECK_EQ(f.self->done, 0);
	f.self->done = true;
	f.self->result = r;
	model_locals_drop(f.self);
	CHECK_GT(scope->alive, 0);
	scope->alive--;
	if (r < 0 && r != -ECANCELED && !scope->first_error)
		scope->first_error = r;
	return r;
}

static inline void model_spawn(struct model_frame *f)
{
	struct model *m = f->m;
	struct model_frame child = {.m = m, .scope = f->scope};
	struct model_task *task;

	for (uint32_t up = model_random(f->self, 3); up > 0 && child.scope->outer; up--)
		child.scope = child.scope->outer;
	if (m->task_count == MODEL_TASKS)
		return;
	task = &m->tasks[m->task_count++];
	*task = (struct model_task){.random = f->self->random ^ 0x5bd1e995, .scope = child.scope};
	child.self = task;
	child.scope->alive++;
	model_locals_inherit(task, f->self);
	task->handle = cr_spawn_copy(child.scope->scope, model_run, &child);
	CHECK_EQ(task->begun, 0);
	if (cr_task_error(task->handle) == 0)
		return;
	/* Into a scope that its owner is leaving. */
	CHECK_EQ(cr_task_error(task->handle), -ESHUTDOWN);
	child.scope->alive--;
	model_locals_drop(task);
	task->done = true;
	task->scope = NULL;
}

/* A scope's answer, by what is known of its children. `around`: what is outside is cancelled. */
static inline void model_scope_answered(const struct model_scope *own, int r, bool around)
{
	if (own->awaited)
		return;
	if (own->first_error)
		CHECK_EQ(r, own->first_error);
	else if (around)
		CHECK_EQ(r, -ECANCELED);
	else if (r == -ETIMEDOUT)
		CHECK_GE(cr_now(), own->deadline);
	else
		CHECK_EQ(r, 0);
}

static inline int model_nested(struct model_frame *f)
{
	struct model_scope own = {.outer = f->scope, .deadline = CORAIL_NEVER};
	struct model_frame inner = *f;
	uint32_t kind = model_random(f->self, 64);
	bool waits = kind & 12;
	int r;

	if (f->depth == MODEL_DEPTH)
		return 0;
	{
		CORAIL_SCOPE(scope);
		own.scope = &scope;
		inner.scope = &own;
		inner.depth++;
		if (kind & 1)
			cr_scope_collect(&scope);
		if (kind & 2) {
			own.deadline = cr_now() + model_duration(f);
			cr_scope_deadline_set(&scope, own.deadline);
			CHECK_LE(cr_deadline(), own.deadline);
		}
		r = model_block(&inner);
		if (waits) {
			r = cr_scope_wait(&scope);
			CHECK_EQ(own.alive, 0);
			CHECK_EQ(cr_scope_count(&scope), 0);
		}
	}
	CHECK_EQ(own.alive, 0);
	if (waits)
		model_scope_answered(&own, r, cr_cancelled());
	for (uint32_t i = 0; i < f->m->task_count; i++)
		if (f->m->tasks[i].scope == &own)
			f->m->tasks[i].scope = NULL;
	return r;
}

/* As completed: each child once, in the order in which they ended. */
static inline int model_next(struct model_frame *f)
{
	struct model_scope own = {.outer = f->scope, .deadline = CORAIL_NEVER, .awaited = true};
	struct model_frame inner = *f;
	cr_task task;
	int r;

	if (f->depth == MODEL_DEPTH)
		return 0;
	{
		CORAIL_SCOPE(scope);
		cr_scope_collect(&scope);
		own.scope = &scope;
		inner.scope = &own;
		inner.depth++;
		for (int i = 0; i < 3; i++)
			model_spawn(&inner);
		while ((r = cr_scope_next(&scope, &task)) == 0) {
			int result;

			CHECK_EQ(cr_task_result(task, &result), 0);
		}
		CHECK(r == -ENOENT || (r == -ECANCELED && cr_cancelled()));
		if (r == -ENOENT)
			CHECK_EQ(own.alive, 0);
	}
	CHECK_EQ(own.alive, 0);
	for (uint32_t i = 0; i < f->m->task_count; i++)
		if (f->m->tasks[i].scope == &own)
			f->m->tasks[i].scope = NULL;
	return r == -ENOENT ? 0 : r;
}

struct model_gather {
	const struct model_frame *frame; /* of whoever gathers */
	size_t limit, running, begun;
	int first_error, failures;
};

struct model_element {
	struct model_gather *gather;
	cr_nsec duration;
	int result;
};

static int model_element_run(struct model_element *e)
{
	int r;

	model_locals_check(e->gather->frame->m, e->gather->frame->self);
	e->gather->begun++;
	CHECK_LE(++e->gather->running, e->gather->limit);
	r = cr_sleep(e->duration);
	e->gather->running--;
	if (r < 0)
		return r;
	if (e->result < 0) {
		e->gather->failures++;
		if (!e->gather->first_error)
			e->gather->first_error = e->result;
	}
	return e->result;
}

static inline int model_gather(struct model_frame *f)
{
	size_t count = model_random(f->self, 8);
	struct model_gather gather = {.frame = f, .limit = 1 + model_random(f->self, 5)};
	struct model_element elements[8];
	bool cancelled = cr_cancelled(), collect = model_random(f->self, 2);
	int statuses[8], r;

	for (size_t i = 0; i < count; i++)
		elements[i] = (struct model_element){&gather, model_duration(f),
		                                     model_random(f->self, 9) ? (int)i : -EPROTO};
	r = cr_gather_with(&((cr_gather_options){.limit = gather.limit,
	                                         .collect = collect,
	                                         .statuses = statuses}),
	                   model_element_run, elements, count);
	CHECK_EQ(gather.running, 0);
	CHECK_LE(gather.begun, count);
	MODEL_ANSWER(cancelled, r);
	if (count == 0) {
		CHECK_EQ(r, cancelled ? -ECANCELED : 0);
	} else if (cr_cancelled()) {
		CHECK_EQ(r, -ECANCELED);
	} else if (collect) {
		CHECK_EQ(r, gather.failures);
		for (size_t i = 0; i < count; i++)
			CHECK_EQ(statuses[i], elements[i].result);
	} else {
		CHECK_EQ(r, gather.first_error);
	}
	return r == -ECANCELED ? r : 0;
}

#endif
