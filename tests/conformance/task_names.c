/* SPDX-License-Identifier: MIT */
/* What a task is called, where it comes from, what it waits for: all listed while it lives. */

#include "support/core.h"

#include <corail/debug.h>
#include <corail/sync.h>

static int wait_for_event(cr_event *event)
{
	return cr_event_wait(event);
}

static int rename_and_wait(cr_event *event)
{
	cr_task_name_set("renamed by itself");
	CHECK_STR(cr_task_name(cr_task_self()), "renamed by itself");
	return cr_event_wait(event);
}

TEST(names_are_given_or_made)
{
	cr_spawn_options options = {.name = "a given name"};
	cr_event event = {0};
	cr_task made, given, renamed;

	CORAIL_SCOPE(scope);
	made = cr_spawn(&scope, wait_for_event, &event);
	given = cr_spawn_with(&options, &scope, wait_for_event, &event);
	renamed = cr_spawn(&scope, rename_and_wait, &event);
	CHECK_STR(cr_task_name(made), "wait_for_event");
	CHECK_STR(cr_task_name(given), "a given name");
	CHECK_STR(cr_task_name(renamed), "rename_and_wait");
	CHECK_EQ(cr_yield(), 0);
	CHECK_STR(cr_task_name(renamed), "renamed by itself");
	CHECK_STR(cr_task_name(cr_task_self()), "names_are_given_or_made");
	cr_event_set(&event);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	CHECK(cr_task_name(made) == NULL);
	return 0;
}

TEST(names_are_copied_and_cut_at_63_bytes)
{
	char name[100];
	cr_spawn_options options = {.name = name};
	cr_event event = {0};
	cr_task task;

	memset(name, 'n', sizeof name - 1);
	name[99] = '\0';
	CORAIL_SCOPE(scope);
	task = cr_spawn_with(&options, &scope, wait_for_event, &event);
	memset(name, 'x', sizeof name - 1);
	CHECK_EQ(strlen(cr_task_name(task)), 63);
	CHECK_EQ(cr_task_name(task)[62], 'n');
	cr_task_name_set("");
	CHECK_STR(cr_task_name(cr_task_self()), "");
	cr_scope_cancel(&scope);
	return 0;
}

TEST(main_is_named_by_the_options)
{
	CHECK_STR(cr_task_name(cr_task_self()), "the one who began");
	return 0;
}

struct seen {
	cr_task_info info[8];
	int count;
};

static int see(const cr_task_info *info, void *arg)
{
	struct seen *seen = arg;

	CHECK_LT(seen->count, 8);
	seen->info[seen->count++] = *info;
	return 0;
}

static int parent_of_two(cr_event *event)
{
	CORAIL_SCOPE(scope);
	cr_spawn(&scope, wait_for_event, event);
	cr_spawn(&scope, wait_for_event, event);
	return cr_scope_wait(&scope);
}

TEST(all_are_listed_with_parent_state_and_reason)
{
	struct nap asleep = {cr_seconds(60), 0, 0};
	cr_event event = {0};
	struct seen seen = {.count = 0};
	cr_task parent, sleeper, ready;
	const cr_task_info *i = seen.info;

	CORAIL_SCOPE(scope);
	parent = cr_spawn(&scope, parent_of_two, &event);
	sleeper = cr_spawn(&scope, nap, &asleep);
	/* By turns, not by the clock: a stalled machine wakes a sleeper before they have begun. */
	for (int turn = 0; turn < 3; turn++)
		CHECK_EQ(cr_yield(), 0);
	ready = cr_spawn(&scope, wait_for_event, &event);
	CHECK_EQ(cr_debug_tasks(see, &seen), 6);
	CHECK_EQ(seen.count, 6);

	CHECK_EQ(i[0].task.id, cr_task_self().id);
	CHECK_EQ(i[0].parent.id, 0);
	CHECK_EQ(i[0].state, CORAIL_TASK_RUNNING);
	CHECK(i[0].wait_reason == NULL);
	CHECK_EQ(i[0].wait_fd, -1);

	CHECK_EQ(i[1].task.id, parent.id);
	CHECK_EQ(i[1].parent.id, i[0].task.id);
	CHECK_EQ(i[1].state, CORAIL_TASK_WAITING);
	CHECK_STR(i[1].wait_reason, "scope");
	CHECK(strstr(i[1].site, "task_names.c:") != NULL);

	CHECK_EQ(i[2].parent.id, parent.id);
	CHECK_STR(i[2].wait_reason, "event");
	CHECK_EQ(i[3].parent.id, parent.id);
	CHECK_NE(i[2].task.id, i[3].task.id);
	CHECK(strcmp(i[2].site, i[3].site) != 0);

	CHECK_EQ(i[4].task.id, sleeper.id);
	CHECK_STR(i[4].wait_reason, "sleep");
	CHECK_EQ(i[4].cancelled, 0);

	CHECK_EQ(i[5].task.id, ready.id);
	CHECK_EQ(i[5].state, CORAIL_TASK_READY);
	CHECK(i[5].wait_reason == NULL);

	cr_scope_cancel(&scope);
	seen.count = 0;
	CHECK_EQ(cr_debug_tasks(see, &seen), 6);
	CHECK_EQ(i[0].cancelled, 1);
	CHECK_EQ(i[4].cancelled, 1);
	CHECK_EQ(i[4].state, CORAIL_TASK_READY);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	seen.count = 0;
	CHECK_EQ(cr_debug_tasks(see, &seen), 1);
	return 0;
}

static int stop_at_two(const cr_task_info *info, void *arg)
{
	(void)info;
	return ++*(int *)arg == 2;
}

TEST(a_visit_may_stop)
{
	struct nap naps[5] = {{0}};
	int visited = 0;

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 5; i++)
		cr_spawn(&scope, nap, &naps[i]);
	CHECK_EQ(cr_debug_tasks(stop_at_two, &visited), 2);
	CHECK_EQ(visited, 2);
	return 0;
}

TEST(self_is_oneself)
{
	int result = 0;

	CHECK_GT(cr_task_self().id, 0);
	CHECK_EQ(cr_task_self().id, cr_task_self().id);
	CHECK_EQ(cr_task_result(cr_task_self(), &result), -EINPROGRESS);
	return 0;
}

static void without_a_loop_there_is_nothing(void)
{
	int visited = 0;
	cr_loop_stats stats;

	CHECK_EQ(cr_task_self().id, 0);
	CHECK_EQ(cr_debug_tasks(stop_at_two, &visited), 0);
	CHECK_EQ(cr_debug_stats(&stats), -ESRCH);
	CHECK_EQ(cr_debug_trace(), 0);
	CHECK_EQ(cr_loop_current().id, 0);
	CHECK(cr_loop_backend() == NULL);
	CHECK_EQ(cr_task_cancel((cr_task){1}), -ESRCH);
	CHECK(cr_task_name((cr_task){1}) == NULL);
	CHECK_GT(cr_now(), 0);
}

int main(void)
{
	RUN_TASK(names_are_given_or_made);
	RUN_TASK(names_are_copied_and_cut_at_63_bytes);
	RUN_TASK_WITH(&(cr_options){.name = "the one who began"}, main_is_named_by_the_options);
	RUN_TASK(all_are_listed_with_parent_state_and_reason);
	RUN_TASK(a_visit_may_stop);
	RUN_TASK(self_is_oneself);
	RUN(without_a_loop_there_is_nothing);
	return test_done();
}
