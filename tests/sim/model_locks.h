/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SIM_MODEL_LOCKS_H
#define CORAIL_TESTS_SIM_MODEL_LOCKS_H

/* Instructions of model.h's programs: locks, also those whose owner ends without unlocking. */

#include "sim/model_program.h"

/* One of them in so many is never unlocked. */
enum { MODEL_FORGETFUL = 30 };

static inline bool model_owner_dead(const struct model *m, const struct model_owner *owner)
{
	return owner->task && m->tasks[owner->task - 1].done;
}

/* That it is said to be dead: it is, unless it was recovered since. */
static inline void model_owner_died(const struct model *m, const struct model_owner *owner,
                                    uint32_t recovered)
{
	CHECK(model_owner_dead(m, owner) || owner->recovered > recovered);
}

/* What was on its way to one who was cancelled has gone to the next: whoever has it may go on. */
#define MODEL_HAD() CHECK_EQ(cr_cancelled(), 0)

/* ----------------------------------------------------------------------------------- mutex --- */

static inline int model_mutex_recover(struct model_frame *f, int i)
{
	struct model_owner *owner = &f->m->mutex_owner[i];
	bool dead = model_owner_dead(f->m, owner);

	CHECK_EQ(cr_mutex_recover(&f->m->mutexes[i]), dead ? 0 : -EPERM);
	if (dead) {
		owner->task = 0;
		owner->recovered++;
		CHECK_EQ(cr_mutex_unlock(&f->m->mutexes[i]), 0);
	}
	return 0;
}

/* What is done with a mutex: a little of this and that, or a condition. It is had afterwards. */
static inline int model_locked(struct model_frame *f, int i)
{
	struct model_owner *owner = &f->m->mutex_owner[i];
	uint32_t self = owner->task, recovered = owner->recovered;
	int r;

	if (model_random(f->self, 3) > 0)
		return model_block(f);
	owner->task = 0;
	r = cr_cond_wait(&f->m->cond, &f->m->mutexes[i]);
	if (r == -EOWNERDEAD) {
		model_owner_died(f->m, owner, recovered);
		return r;
	}
	CHECK_EQ(r, cr_cancelled() ? -ECANCELED : 0);
	CHECK_EQ(owner->task, 0);
	owner->task = self;
	return r;
}

static inline int model_lock(struct model_frame *f)
{
	int i = (int)model_random(f->self, MODEL_MUTEXES);
	struct model_owner *owner = &f->m->mutex_owner[i];
	uint32_t self = 1 + model_number(f->m, f->self), recovered = owner->recovered;
	bool cancelled = cr_cancelled(), mine = owner->task == self;
	bool dead = model_owner_dead(f->m, owner);
	int r = cr_mutex_lock(&f->m->mutexes[i]);

	MODEL_ANSWER(cancelled, r);
	if (dead && !cancelled)
		CHECK_EQ(r, -EOWNERDEAD);
	if (r == -EOWNERDEAD) {
		model_owner_died(f->m, owner, recovered);
		return model_random(f->self, 2) ? model_mutex_recover(f, i) : 0;
	}
	if (r < 0) {
		CHECK(r == -ECANCELED || (r == -EDEADLK && mine));
		return r == -EDEADLK ? 0 : r;
	}
	MODEL_HAD();
	CHECK_EQ(owner->task, 0);
	owner->task = self;
	r = model_locked(f, i);
	if (r == -EOWNERDEAD)
		return 0;
	CHECK_EQ(owner->task, self);
	CHECK_EQ(cr_mutex_owner(&f->m->mutexes[i]).id, cr_task_self().id);
	if (model_random(f->self, MODEL_FORGETFUL) == 0)
		return r;
	owner->task = 0;
	CHECK_EQ(cr_mutex_unlock(&f->m->mutexes[i]), 0);
	return r;
}

/* ------------------------------------------------------------------------ permits, places --- */

static inline int model_permits(struct model_frame *f)
{
	uint32_t count = 1 + model_random(f->self, 2);
	bool cancelled = cr_cancelled();
	int r = cr_semaphore_acquire(&f->m->semaphore, count);

	MODEL_ANSWER(cancelled, r);
	if (r < 0) {
		CHECK_EQ(r, -ECANCELED);
		return r;
	}
	MODEL_HAD();
	f->m->permits_taken += count;
	r = model_block(f);
	f->m->permits_taken -= count;
	CHECK_EQ(cr_semaphore_release(&f->m->semaphore, count), 0);
	return r;
}

static inline int model_limiter(struct model_frame *f)
{
	bool cancelled = cr_cancelled();
	cr_permit permit = {0};
	int r = cr_limiter_acquire(&f->m->limiter, &permit);

	MODEL_ANSWER(cancelled, r);
	if (r < 0) {
		CHECK(r == -ECANCELED || r == -EDEADLK);
		return r == -EDEADLK ? 0 : r;
	}
	MODEL_HAD();
	f->m->limited++;
	r = model_block(f);
	f->m->limited--;
	CHECK_EQ(cr_limiter_release(&permit), 0);
	return r;
}

/* ----------------------------------------------------------------------- reader-writer lock --- */

static inline int model_rwlock_recover(struct model_frame *f)
{
	struct model_owner *writer = &f->m->writer;
	bool dead = model_owner_dead(f->m, writer);

	CHECK_EQ(cr_rwlock_recover(&f->m->rwlock), dead ? 0 : -EPERM);
	if (dead) {
		writer->task = 0;
		writer->recovered++;
		CHECK_EQ(cr_rwlock_write_unlock(&f->m->rwlock), 0);
	}
	return 0;
}

static inline int model_read(struct model_frame *f)
{
	int r;

	f->m->readers++;
	model_check(f->m);
	r = model_sleep(f);
	f->m->readers--;
	CHECK_EQ(cr_rwlock_read_unlock(&f->m->rwlock), 0);
	return r;
}

static inline int model_write(struct model_frame *f)
{
	int r;

	CHECK_EQ(f->m->writer.task, 0);
	f->m->writer.task = 1 + model_number(f->m, f->self);
	model_check(f->m);
	r = model_sleep(f);
	CHECK_EQ(f->m->writer.task, 1 + model_number(f->m, f->self));
	if (model_random(f->self, MODEL_FORGETFUL) == 0)
		return r;
	f->m->writer.task = 0;
	CHECK_EQ(cr_rwlock_write_unlock(&f->m->rwlock), 0);
	return r;
}

static inline int model_rwlock(struct model_frame *f)
{
	bool cancelled = cr_cancelled(), writes = model_random(f->self, 3) == 0;
	bool dead = model_owner_dead(f->m, &f->m->writer);
	uint32_t recovered = f->m->writer.recovered;
	int r = writes ? cr_rwlock_write_lock(&f->m->rwlock) : cr_rwlock_read_lock(&f->m->rwlock);

	MODEL_ANSWER(cancelled, r);
	if (dead && !cancelled)
		CHECK_EQ(r, -EOWNERDEAD);
	if (r == -EOWNERDEAD) {
		model_owner_died(f->m, &f->m->writer, recovered);
		return model_random(f->self, 2) ? model_rwlock_recover(f) : 0;
	}
	if (r < 0) {
		CHECK(r == -ECANCELED || r == -EDEADLK);
		return r == -EDEADLK ? 0 : r;
	}
	MODEL_HAD();
	return writes ? model_write(f) : model_read(f);
}

/* ------------------------------------------------------------------------------------- all --- */

static inline void model_locks_check(const struct model *m)
{
	for (int i = 0; i < MODEL_MUTEXES; i++) {
		bool waiters = m->mutexes[i].cr__waiters.cr__first;

		CHECK(m->mutexes[i].cr__owner || !waiters);
		CHECK(!m->mutex_owner[i].task || m->mutexes[i].cr__owner);
		CHECK(!model_owner_dead(m, &m->mutex_owner[i]) || !waiters);
	}
	CHECK(!m->writer.task || m->readers == 0);
	CHECK(m->rwlock.cr__writer || m->rwlock.cr__writing.cr__first ||
	      !m->rwlock.cr__reading.cr__first);
	CHECK(m->rwlock.cr__writer || m->rwlock.cr__reader_count ||
	      !m->rwlock.cr__writing.cr__first);
	CHECK(!model_owner_dead(m, &m->writer) ||
	      (!m->rwlock.cr__writing.cr__first && !m->rwlock.cr__reading.cr__first));
	CHECK_LE(m->permits_taken + cr_semaphore_count(&m->semaphore), MODEL_PERMITS);
	CHECK(!m->semaphore.cr__waiters.cr__first || cr_semaphore_count(&m->semaphore) < 2);
	CHECK_LE(m->limited, cr_limiter_used(&m->limiter));
	CHECK(!m->limiter.cr__waiters.cr__first ||
	      cr_limiter_used(&m->limiter) >= cr_limiter_capacity(&m->limiter));
}

/* At the end: nobody has or awaits anything, but for those who have ended. */
static inline void model_locks_rest(struct model *m)
{
	struct model_frame f = {.m = m, .self = &m->tasks[0]};

	for (int i = 0; i < MODEL_MUTEXES; i++) {
		model_mutex_recover(&f, i);
		CHECK_EQ(m->mutexes[i].cr__owner, 0);
	}
	model_rwlock_recover(&f);
	CHECK_EQ(m->rwlock.cr__writer, 0);
	CHECK_EQ(m->rwlock.cr__reader_count, 0);
	CHECK(!m->cond.cr__waiters.cr__first);
	CHECK(!m->semaphore.cr__waiters.cr__first);
	CHECK_EQ(cr_semaphore_count(&m->semaphore), MODEL_PERMITS);
	CHECK_EQ(cr_limiter_used(&m->limiter), 0);
	CHECK_EQ(cr_limiter_waiting(&m->limiter), 0);
}

#endif
