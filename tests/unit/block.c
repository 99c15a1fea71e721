/* SPDX-License-Identifier: MIT */
/* Control blocks and the handles that name them. */

#include "support/test.h"

#include "base/alloc.h"
#include "task/block.h"

static struct cr__sched *sched;

static void begin(size_t count_max)
{
	sched = cr__alloc_zero(1, sizeof *sched);
	CHECK(sched != NULL);
	CHECK_EQ(cr__blocks_init(sched, count_max), 0);
	sched->handle_bits = 0x5au << CR__INDEX_BITS;
}

static void end(void)
{
	cr__blocks_destroy(sched);
	cr__free(sched);
}

static struct cr__task *take(void)
{
	int error = 0;
	struct cr__task *task = cr__block_take(sched, &error);

	CHECK(task != NULL);
	CHECK_EQ(error, 0);
	sched->alive++;
	return task;
}

static void give(struct cr__task *task)
{
	sched->alive--;
	cr__block_give(sched, task);
}

static int error_of(cr_task handle)
{
	int error = 0;

	CHECK(cr__task_find(sched, handle, &error) == NULL);
	return error;
}

static void handles_find_their_blocks(void)
{
	struct cr__task *tasks[3000];
	int error;

	begin(0);
	for (int i = 0; i < 3000; i++) {
		tasks[i] = take();
		CHECK_GT(tasks[i]->handle.id, 0);
	}
	for (int i = 0; i < 3000; i++)
		CHECK(cr__task_find(sched, tasks[i]->handle, &error) == tasks[i]);
	end();
}

static void a_block_that_was_given_back_is_stale(void)
{
	struct cr__task *task, *again;
	cr_task first, second;
	int error;

	begin(0);
	task = take();
	first = task->handle;
	give(task);
	CHECK_EQ(error_of(first), -ESRCH);
	again = take();
	CHECK(again == task);
	second = again->handle;
	CHECK_NE(first.id, second.id);
	CHECK_EQ(error_of(first), -ESRCH);
	CHECK(cr__task_find(sched, second, &error) == task);
	end();
}

static void the_generation_wraps_without_a_zero(void)
{
	struct cr__task *task;
	cr_task last;

	begin(0);
	task = take();
	task->handle.id += (INT32_MAX - (task->handle.id >> 32)) * CR__GENERATION;
	last = task->handle;
	CHECK_GT(last.id, 0);
	give(task);
	CHECK_EQ(task->handle.id >> 32, 1);
	CHECK_EQ(error_of(last), -ESRCH);
	CHECK_GT(take()->handle.id, 0);
	end();
}

/*
 * Handles have eight bits for the loop: two loops that share them must not share the first handles
 * too.
 */
static void loops_whose_numbers_look_alike_differ(void)
{
	cr_task handles[4];

	for (int64_t i = 0; i < 4; i++) {
		begin(0);
		sched->loop.id = 0x5a + (i << CR__LOOP_BITS);
		handles[i] = take()->handle;
		CHECK_GT(handles[i].id, 0);
		for (int64_t j = 0; j < i; j++)
			CHECK_EQ(error_of(handles[j]), -ESRCH);
		end();
	}
}

static void nonsense_is_stale(void)
{
	struct cr__task *task;
	cr_task handle;

	begin(0);
	task = take();
	handle = task->handle;
	CHECK_EQ(error_of((cr_task){0}), -ESRCH);
	CHECK_EQ(error_of((cr_task){-ENOMEM}), -ENOMEM);
	CHECK_EQ(error_of((cr_task){-EAGAIN}), -EAGAIN);
	CHECK_EQ(error_of((cr_task){INT64_MAX}), -ESRCH);
	CHECK_EQ(error_of((cr_task){handle.id + 1}), -ESRCH);
	CHECK_EQ(error_of((cr_task){handle.id - 1}), -ESRCH);
	CHECK_EQ(error_of((cr_task){handle.id & UINT32_MAX}), -ESRCH);
	/* The same block of another loop. */
	CHECK_EQ(error_of((cr_task){handle.id ^ (int64_t)1 << CR__INDEX_BITS}), -ESRCH);
	int error = 0;
	CHECK(cr__task_find(NULL, handle, &error) == NULL);
	CHECK_EQ(error, -ESRCH);
	end();
}

static void no_more_tasks_than_the_limit(void)
{
	struct cr__task *tasks[10];
	int error = 0;

	begin(10);
	for (int i = 0; i < 10; i++)
		tasks[i] = take();
	CHECK(cr__block_take(sched, &error) == NULL);
	CHECK_EQ(error, -EAGAIN);
	give(tasks[3]);
	CHECK(take() == tasks[3]);
	CHECK(cr__block_take(sched, &error) == NULL);
	CHECK_EQ(error, -EAGAIN);
	end();
}

/*
 * A task that has ended does not count as alive, but its block is kept for whoever asks for the
 * result.
 */
static void the_limit_counts_the_living_only(void)
{
	begin(10);
	for (int i = 0; i < 5000; i++) {
		take();
		sched->alive--;
	}
	end();
}

static void no_memory_is_told_and_survived(void)
{
	struct cr__task *task = NULL;
	int error = 0, taken = 0;

	begin(0);
	cr__alloc_fail_at(1);
	CHECK(cr__block_take(sched, &error) == NULL);
	CHECK_EQ(error, -ENOMEM);
	cr__alloc_fail_at(0);
	task = take();
	cr__alloc_fail_at(1);
	while (cr__block_take(sched, &error))
		taken++;
	CHECK_EQ(error, -ENOMEM);
	CHECK_GT(taken, 500);
	cr__alloc_fail_at(0);
	error = 0;
	CHECK(cr__task_find(sched, task->handle, &error) == task);
	take();
	end();
	sched = cr__alloc_zero(1, sizeof *sched);
	cr__alloc_fail_at(1);
	CHECK_EQ(cr__blocks_init(sched, 0), -ENOMEM);
	cr__alloc_fail_at(0);
	cr__free(sched);
}

/* Whatever is in the queue stays in it, and in order, when it grows. */
/* Fills, grows and empties a queue whose positions begin there. */
static void grow_around_content(uint32_t first)
{
	uint32_t left;

	begin(0);
	CHECK_EQ(cr__queue_reserve(sched, 1000), 0);
	CHECK_EQ(first % sizeof(struct cr__slot), 0);
	sched->loop.handed = sched->tail = first;
	for (int i = 0; i < 700; i++)
		cr__ready(sched, take(), NULL, 0);
	for (int i = 0; i < 700; i++)
		cr__queue_pop(sched);
	CHECK(cr__queue_empty(sched));
	for (int i = 1; i <= 900; i++)
		cr__ready(sched, &sched->blocks[i % 700 + 1], NULL, i);
	CHECK_EQ(cr__queue_count(sched), 900);
	/* In the middle of a batch that ends before the queue does. */
	sched->loop.poll_at = cr__slot_behind(sched->loop.handed, 300);
	CHECK_EQ(cr__queue_reserve(sched, 5000), 0);
	CHECK_GE(sched->mask, 5000 * sizeof(struct cr__slot));
	CHECK_EQ(cr__queue_count(sched), 900);
	for (int i = 1; i <= 900; i++) {
		struct cr__slot slot;

		left = sched->loop.poll_at - sched->loop.handed;
		CHECK_EQ(left, cr__slot_behind(0, (uint32_t)(301 - i)));
		slot = *cr__queue_pop(sched);
		CHECK_EQ(slot.index, i % 700 + 1);
		CHECK_EQ(slot.value, i);
	}
	CHECK(cr__queue_empty(sched));
	end();
}

static void the_queue_grows_around_its_content(void)
{
	grow_around_content(0);
	begin(0);
	CHECK_EQ(cr__queue_reserve(sched, 5000), 0);
	cr__alloc_fail_at(1);
	CHECK_EQ(cr__queue_reserve(sched, 5000), 0);
	CHECK_EQ(cr__queue_reserve(sched, 50000), -ENOMEM);
	cr__alloc_fail_at(0);
	end();
}

/* Positions are 32 bits wide: they wrap after 2^28 hand-overs, some seconds of yielding. */
static void positions_in_the_queue_wrap(void)
{
	for (uint32_t before = 1; before <= 1700; before += before < 20 ? 1 : 97)
		grow_around_content(0 - cr__slot_behind(0, before));
}

/* So that no program has to run that long to see it, each begins one round of the ring before. */
static void every_queue_is_about_to_wrap(void)
{
	for (uint32_t count = 1000; count < 100000; count *= 10) {
		begin(0);
		CHECK_EQ(cr__queue_reserve(sched, count), 0);
		CHECK_EQ(0 - sched->loop.handed, sched->mask + sizeof(struct cr__slot));
		CHECK(cr__queue_empty(sched));
		end();
	}
}

int main(void)
{
	RUN(handles_find_their_blocks);
	RUN(a_block_that_was_given_back_is_stale);
	RUN(the_generation_wraps_without_a_zero);
	RUN(loops_whose_numbers_look_alike_differ);
	RUN(nonsense_is_stale);
	RUN(no_more_tasks_than_the_limit);
	RUN(the_limit_counts_the_living_only);
	RUN(no_memory_is_told_and_survived);
	RUN(the_queue_grows_around_its_content);
	RUN(positions_in_the_queue_wrap);
	RUN(every_queue_is_about_to_wrap);
	return test_done();
}
