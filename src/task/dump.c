/* SPDX-License-Identifier: MIT */
#include "task/sched.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum cr_task_state state_of(const struct cr__sched *s, const struct cr__task *task)
{
	if (task == cr__running(s))
		return CORAIL_TASK_RUNNING;
	return task->wait ? CORAIL_TASK_WAITING : CORAIL_TASK_READY;
}

static void describe(struct cr__sched *s, struct cr__task *task, cr_task_info *info)
{
	struct cr__task *parent = cr__task_scope(task)->owner;

	*info = (cr_task_info){
		.task = task->handle,
		.state = state_of(s, task),
		.name = cr__task_name(task),
		.site = task->site,
		.wait_reason = task->wait ? task->wait->reason : NULL,
		.wait_fd = task->wait ? task->wait->fd : -1,
		.cancelled = cr__node_cancelled(task->inner),
		.stack_size_bytes = cr__stack_size(task->stack.class),
	};
	if (parent && parent != &s->loop_task)
		info->parent = parent->handle;
}

size_t cr__tasks_below(struct cr__sched *s, struct cr__node *root,
                       int (*visit)(const cr_task_info *info, void *arg), void *arg)
{
	size_t count = 0;

	for (struct cr__node *node = root; node; node = cr__node_walk(root, node, false)) {
		cr_task_info info;

		if (node == root || (node->flags & CR__NODE_SCOPE))
			continue;
		describe(s, cr__task_of_node(node), &info);
		count++;
		if (visit(&info, arg) != 0)
			break;
	}
	return count;
}

size_t cr_debug_tasks(int (*visit)(const cr_task_info *info, void *arg), void *arg)
{
	struct cr__sched *s = cr__sched_self();

	return s ? cr__tasks_below(s, &s->loop_task.node, visit, arg) : 0;
}

static int print_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t written = write(fd, text, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		text += written;
		size -= (size_t)written;
	}
	return 0;
}

static unsigned depth_of(const struct cr__node *node, const struct cr__node *root)
{
	unsigned depth = 0;

	for (; node != root; node = node->parent)
		depth += !(node->flags & CR__NODE_SCOPE);
	return depth;
}

/*
 * One line: "  name (file.c:12) waiting: recv fd 7, cancelled". Names come from users: no control
 * characters.
 */
static int print_task(const cr_task_info *info, unsigned depth, int fd)
{
	static const char *const states[] = {"?", "ready", "running", "waiting"};
	char line[256];
	int size = snprintf(line, sizeof line, "%*s%s (%s) %s", (int)(depth > 40 ? 80 : 2 * depth),
	                    "", info->name, info->site, states[info->state]);

	if (size > 0 && (size_t)size < sizeof line && info->wait_reason)
		size += snprintf(line + size, sizeof line - (size_t)size, ": %s",
		                 info->wait_reason);
	if (size > 0 && (size_t)size < sizeof line && info->wait_fd >= 0)
		size += snprintf(line + size, sizeof line - (size_t)size, " fd %d", info->wait_fd);
	if (size > 0 && (size_t)size < sizeof line && info->cancelled)
		size += snprintf(line + size, sizeof line - (size_t)size, ", cancelled");
	if (size < 0)
		return 0;
	if ((size_t)size > sizeof line - 2)
		size = sizeof line - 2;
	for (int i = 0; i < size; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[size++] = '\n';
	return print_all(fd, line, (size_t)size);
}

static int dump_below(struct cr__sched *s, struct cr__node *root, int fd)
{
	int r = 0;

	for (struct cr__node *node = root; node && r == 0;
	     node = cr__node_walk(root, node, false)) {
		cr_task_info info;

		if (node == root || (node->flags & CR__NODE_SCOPE))
			continue;
		describe(s, cr__task_of_node(node), &info);
		r = print_task(&info, depth_of(node, root), fd);
	}
	return r;
}

int cr__dump_scope(struct cr__sched *s, struct cr__scope *scope, int fd)
{
	return dump_below(s, &scope->node, fd);
}

int cr_debug_dump(int fd)
{
	struct cr__sched *s = cr__sched_self();
	char line[128];
	int size, r;

	if (!s)
		return print_all(fd, "no loop on this thread\n", 23);
	size = snprintf(line, sizeof line, "%llu task%s on loop %lld (%s)\n",
	                (unsigned long long)s->alive, s->alive == 1 ? "" : "s",
	                (long long)s->loop.id, s->loop.backend->name);
	r = print_all(fd, line, (size_t)size);
	return r < 0 ? r : dump_below(s, &s->loop_task.node, fd);
}

void cr__dump_on_panic(void)
{
	if (cr__loop_self())
		cr_debug_dump(STDERR_FILENO);
}

int cr_debug_stats(cr_loop_stats *ret_stats)
{
	struct cr__sched *s = cr__sched_self();

	if (!s)
		return -ESRCH;
	*ret_stats = (cr_loop_stats){
		.turns = s->loop.turns,
		.polls = s->loop.polls,
		.tasks_spawned = s->spawned,
		.tasks_alive = s->alive,
		.stack_bytes_high = s->stacks.high_water,
		.timers_pending = s->loop.timers.count,
		.posts = s->loop.posts,
	};
	for (unsigned i = 0; i < CR__STACK_CLASS_COUNT; i++)
		ret_stats->stacks_cached += s->stacks.class[i].count;
	return 0;
}

uint64_t cr_debug_trace(void)
{
	struct cr__loop *loop = cr__loop_self();

	return loop ? loop->trace : 0;
}

size_t cr_debug_stack_high_water(void)
{
	struct cr__task *self = cr__task_current("cr_debug_stack_high_water");

	return cr__stack_touched(&self->stack);
}
