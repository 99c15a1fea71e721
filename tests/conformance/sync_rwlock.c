/* SPDX-License-Identifier: MIT */
/* The reader-writer lock: phases, ownership, cancellation, owners that end. */

#include <corail/corail.h>

#include "support/core.h"
#include "support/settle.h"

struct user {
	cr_rwlock *lock;
	const char *name;
	cr_event *leave; /* goes on with it until then; NULL: not at all */
	int seen;
};

static int reader(struct user *user)
{
	user->seen = cr_rwlock_read_lock(user->lock);
	if (user->seen < 0)
		return user->seen;
	note("%s", user->name);
	if (user->leave)
		cr_event_wait(user->leave);
	CHECK_EQ(cr_rwlock_read_unlock(user->lock), 0);
	return 0;
}

static int writer(struct user *user)
{
	user->seen = cr_rwlock_write_lock(user->lock);
	if (user->seen < 0)
		return user->seen;
	note("%s", user->name);
	if (user->leave)
		cr_event_wait(user->leave);
	CHECK_EQ(cr_rwlock_write_unlock(user->lock), 0);
	return 0;
}

static cr_task start(cr_scope *scope, int (*fn)(struct user *), struct user *user)
{
	cr_task task = cr_spawn(scope, fn, user);

	settle();
	return task;
}

TEST(readers_together_writer_alone)
{
	cr_rwlock lock = {0};

	for (int i = 0; i < 3; i++)
		CHECK_EQ(cr_rwlock_read_lock(&lock), 0);
	CHECK_EQ(cr_rwlock_try_read_lock(&lock), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(cr_rwlock_read_unlock(&lock), 0);
	CHECK_EQ(cr_rwlock_read_unlock(&lock), -EPERM);
	CHECK_EQ(cr_rwlock_write_lock(&lock), 0);
	CHECK_EQ(cr_rwlock_write_lock(&lock), -EDEADLK);
	CHECK_EQ(cr_rwlock_read_lock(&lock), -EDEADLK);
	CHECK_EQ(cr_rwlock_try_write_lock(&lock), -EDEADLK);
	CHECK_EQ(cr_rwlock_try_read_lock(&lock), -EDEADLK);
	CHECK_EQ(cr_rwlock_read_unlock(&lock), -EPERM);
	CHECK_EQ(cr_rwlock_write_unlock(&lock), 0);
	CHECK_EQ(cr_rwlock_write_unlock(&lock), -EPERM);
	/* From reader to writer there is no way while one reads. */
	CHECK_EQ(cr_rwlock_read_lock(&lock), 0);
	CHECK_EQ(cr_rwlock_write_lock(&lock), -EDEADLK);
	CHECK_EQ(cr_rwlock_read_unlock(&lock), 0);
	CHECK_EQ(cr_rwlock_recover(&lock), -EPERM);
	return 0;
}

/*
 * Readers who come while a writer waits queue up; when it leaves they go in together, before the
 * next writer.
 */
TEST(phases)
{
	cr_rwlock lock = {0};
	cr_event leave = {0}, leave_reading = {0};
	struct user w1 = {&lock, "w1", &leave, 0}, w2 = {&lock, "w2", NULL, 0};
	struct user r1 = {&lock, "r", &leave_reading, 0}, r2 = r1;

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_rwlock_read_lock(&lock), 0);
	start(&scope, writer, &w1);
	start(&scope, writer, &w2);
	start(&scope, reader, &r1);
	start(&scope, reader, &r2);
	CHECK_STR(core_log, "");
	CHECK_EQ(cr_rwlock_try_read_lock(&lock), -EDEADLK);
	CHECK_EQ(cr_rwlock_try_write_lock(&lock), -EDEADLK);
	CHECK_EQ(cr_rwlock_read_unlock(&lock), 0);
	/* Handed over, though the writer has not run yet. */
	CHECK_EQ(cr_rwlock_try_read_lock(&lock), -EBUSY);
	settle();
	CHECK_STR(core_log, "w1");
	cr_event_set(&leave);
	settle();
	CHECK_STR(core_log, "w1 r r");
	CHECK_EQ(cr_rwlock_try_read_lock(&lock), -EBUSY);
	cr_event_set(&leave_reading);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_STR(core_log, "w1 r r w2");
	CHECK_EQ(cr_rwlock_try_write_lock(&lock), 0);
	CHECK_EQ(cr_rwlock_write_unlock(&lock), 0);
	return 0;
}

/* The writer that kept readers out is cancelled: they go in at once. */
TEST(waiting_writer_is_cancelled)
{
	cr_rwlock lock = {0};
	struct user w = {&lock, "w", NULL, 0}, r = {&lock, "r", NULL, 0};
	cr_task task;

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_rwlock_read_lock(&lock), 0);
	task = start(&scope, writer, &w);
	start(&scope, reader, &r);
	CHECK_STR(core_log, "");
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(w.seen, -ECANCELED);
	CHECK_STR(core_log, "r");
	CHECK_EQ(cr_rwlock_read_unlock(&lock), 0);
	CHECK_EQ(cr_rwlock_try_write_lock(&lock), 0);
	CHECK_EQ(cr_rwlock_write_unlock(&lock), 0);
	return 0;
}

TEST(waiting_reader_is_cancelled)
{
	cr_rwlock lock = {0};
	struct user r1 = {&lock, "r1", NULL, 0}, r2 = {&lock, "r2", NULL, 0};
	cr_task task;

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_rwlock_write_lock(&lock), 0);
	task = start(&scope, reader, &r1);
	start(&scope, reader, &r2);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_rwlock_write_unlock(&lock), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(r1.seen, -ECANCELED);
	CHECK_STR(core_log, "r2");
	return 0;
}

/* It was on its way to one who is cancelled before it runs: the next one has it instead. */
TEST(cancelled_when_handed)
{
	cr_rwlock lock = {0};
	struct user w1 = {&lock, "w1", NULL, 0}, w2 = {&lock, "w2", NULL, 0};
	struct user r = {&lock, "r", NULL, 0};
	cr_task task;

	CORAIL_SCOPE(scope);
	CHECK_EQ(cr_rwlock_write_lock(&lock), 0);
	task = start(&scope, writer, &w1);
	start(&scope, writer, &w2);
	CHECK_EQ(cr_rwlock_write_unlock(&lock), 0);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(w1.seen, -ECANCELED);
	CHECK_STR(core_log, "w2");

	CHECK_EQ(cr_rwlock_write_lock(&lock), 0);
	task = start(&scope, reader, &r);
	start(&scope, writer, &w2);
	CHECK_EQ(cr_rwlock_write_unlock(&lock), 0);
	CHECK_EQ(cr_task_cancel(task), 0);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(r.seen, -ECANCELED);
	CHECK_STR(core_log, "w2 w2");
	CHECK_EQ(cr_rwlock_try_write_lock(&lock), 0);
	CHECK_EQ(cr_rwlock_write_unlock(&lock), 0);
	return 0;
}

static int read_and_end(struct user *user)
{
	CHECK_EQ(cr_rwlock_read_lock(user->lock), 0);
	cr_event_wait(user->leave);
	return 0;
}

static int write_and_end(struct user *user)
{
	CHECK_EQ(cr_rwlock_write_lock(user->lock), 0);
	cr_event_wait(user->leave);
	return 0;
}

TEST(writer_ended)
{
	cr_rwlock lock = {0};
	cr_event leave = {0};
	struct user owner = {&lock, "", &leave, 0};
	struct user w = {&lock, "w", NULL, 0}, r = {&lock, "r", NULL, 0};

	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	start(&scope, write_and_end, &owner);
	start(&scope, reader, &r);
	start(&scope, writer, &w);
	cr_event_set(&leave);
	CHECK_EQ(cr_scope_wait(&scope), -EOWNERDEAD);
	CHECK_EQ(r.seen, -EOWNERDEAD);
	CHECK_EQ(w.seen, -EOWNERDEAD);
	CHECK_EQ(cr_rwlock_read_lock(&lock), -EOWNERDEAD);
	CHECK_EQ(cr_rwlock_write_lock(&lock), -EOWNERDEAD);
	CHECK_EQ(cr_rwlock_recover(&lock), 0);
	CHECK_EQ(cr_rwlock_write_unlock(&lock), 0);
	CHECK_EQ(cr_rwlock_read_lock(&lock), 0);
	CHECK_EQ(cr_rwlock_read_unlock(&lock), 0);
	return 0;
}

TEST(only_reader_ended)
{
	cr_rwlock lock = {0};
	cr_event leave = {0};
	struct user owner = {&lock, "", &leave, 0}, w = {&lock, "w", NULL, 0};

	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	/* While it waits for it alone. */
	start(&scope, read_and_end, &owner);
	start(&scope, writer, &w);
	cr_event_set(&leave);
	CHECK_EQ(cr_scope_wait(&scope), -EOWNERDEAD);
	CHECK_EQ(w.seen, -EOWNERDEAD);
	CHECK_EQ(cr_rwlock_write_lock(&lock), -EOWNERDEAD);
	/* While there is another reader, which is what the writer waits for first. */
	CHECK_EQ(cr_rwlock_read_lock(&lock), 0);
	w.seen = 0;
	start(&scope, writer, &w);
	CHECK_EQ(w.seen, 0);
	CHECK_EQ(cr_rwlock_read_unlock(&lock), 0);
	settle();
	CHECK_EQ(w.seen, -EOWNERDEAD);
	CHECK_EQ(cr_rwlock_recover(&lock), 0);
	CHECK_EQ(cr_rwlock_write_unlock(&lock), 0);
	return 0;
}

struct table {
	cr_rwlock lock;
	int readers, writers, reads, writes;
};

static int reads(struct table *table)
{
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(cr_rwlock_read_lock(&table->lock), 0);
		table->readers++;
		CHECK_EQ(table->writers, 0);
		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(table->writers, 0);
		table->readers--;
		table->reads++;
		CHECK_EQ(cr_rwlock_read_unlock(&table->lock), 0);
	}
	return 0;
}

static int writes(struct table *table)
{
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(cr_rwlock_write_lock(&table->lock), 0);
		CHECK_EQ(table->writers++, 0);
		CHECK_EQ(table->readers, 0);
		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(table->readers, 0);
		table->writers--;
		table->writes++;
		CHECK_EQ(cr_rwlock_write_unlock(&table->lock), 0);
	}
	return 0;
}

TEST(excludes)
{
	struct table table = {.reads = 0};

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 10; i++) {
		cr_spawn(&scope, reads, &table);
		cr_spawn(&scope, writes, &table);
	}
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK_EQ(table.reads, 200);
	CHECK_EQ(table.writes, 200);
	return 0;
}

int main(void)
{
	RUN_TASK(readers_together_writer_alone);
	RUN_TASK(phases);
	RUN_TASK(waiting_writer_is_cancelled);
	RUN_TASK(waiting_reader_is_cancelled);
	RUN_TASK(cancelled_when_handed);
	RUN_TASK(writer_ended);
	RUN_TASK(only_reader_ended);
	RUN_TASK(excludes);
	return test_done();
}
