/* SPDX-License-Identifier: MIT */
#include "task/block.h"
#include "task/debug.h"

#include "base/alloc.h"
#include "ctx/sanitize.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Who waits for whom. A wait says who holds it up (a task that is awaited, the owner of a mutex); a
 * task that joins a scope is held up by every child that lives in it. A cycle of these can never
 * come apart by itself, whatever else runs: only a deadline or a cancellation ends it.
 */

struct graph {
	struct cr__sched *s;
	struct cr__report report;
	int fd, error;
	uint8_t *seen;           /* by index: UNSEEN, ON_PATH, FINISHED */
	struct cr__task **path;  /* the tasks from where the search began */
	struct cr__node **child; /* for each: where it stands among the children that it joins */
	unsigned cycles, on_cycles;
};

enum { UNSEEN, ON_PATH, FINISHED, ON_CYCLE };

/* ----------------------------------------------------------------------------------- edges --- */

/* The scope whose children's end a parked task waits for; NULL. */
static struct cr__scope *waits_in(struct cr__task *task)
{
	/* An owner is in the scope that it waits in, or in one inside. */
	for (struct cr__node *node = task->inner; node != &task->node; node = node->parent) {
		struct cr__scope *scope = cr__scope_of_node(node);

		if (task->wait && scope->owner_wait == task->wait)
			return scope;
	}
	return NULL;
}

/* The same, if each of the children holds it up. */
static struct cr__scope *joined(struct cr__task *task)
{
	struct cr__scope *scope = waits_in(task);

	if (!scope || scope->state & CR__SCOPE_WANTS_NEXT || scope->wake_below > 0)
		return NULL;
	return scope;
}

/* The task that holds this one up, by what the wait says; NULL. */
static struct cr__task *holder(struct cr__sched *s, struct cr__task *task)
{
	struct cr__task *found;
	cr_task handle;

	if (!task->wait || !task->wait->holder)
		return NULL;
	handle = task->wait->holder(task->wait);
	found = handle.id > 0 ? cr__task_lookup(s, handle) : NULL;
	return found && !(found->flags & CR__TASK_DONE) ? found : NULL;
}

/*
 * The next task that holds up the one at this depth of the path; NULL after the last. A task's own
 * node marks the end.
 */
static struct cr__task *edge_next(struct graph *g, uint32_t depth)
{
	struct cr__task *task = g->path[depth];
	struct cr__node *first, *at = g->child[depth];
	struct cr__scope *scope;

	if (!task->wait || at == &task->node)
		return NULL;
	scope = joined(task);
	if (!scope) {
		g->child[depth] = &task->node;
		return holder(g->s, task);
	}
	first = scope->node.child;
	do {
		struct cr__node *next = at ? at->next : first;

		if (!next || (at && next == first))
			return NULL;
		at = g->child[depth] = next;
	} while (at->flags & CR__NODE_SCOPE);
	return cr__task_of_node(at);
}

/* -------------------------------------------------------------------------------- printing --- */

static void flush(struct graph *g)
{
	int r;

	if (g->fd < 0)
		return;
	r = cr__report_send(&g->report, g->fd);
	if (r < 0 && g->error == 0)
		g->error = r;
	cr__report_clear(&g->report);
}

static void line(struct graph *g)
{
	cr__report_line(&g->report);
	if (g->report.size > sizeof g->report.text / 2)
		flush(g);
}

static void add_cycle(struct graph *g, uint32_t from, uint32_t depth)
{
	enum { MOST = 12 };

	g->cycles++;
	cr__report_add(&g->report, "corail: a cycle: ");
	for (uint32_t i = from; i <= depth; i++) {
		uint32_t index = cr__task_index(g->path[i]);

		if (g->seen[index] != ON_CYCLE)
			g->on_cycles++;
		g->seen[index] = ON_CYCLE;
		if (i - from < MOST) {
			cr__report_task(&g->report, g->path[i]);
			cr__report_add(&g->report, " waits for ");
		} else if (i - from == MOST) {
			cr__report_add(&g->report, "%u more, the last for ", depth - i + 1);
		}
	}
	cr__report_add(&g->report, "'%s'", cr__task_name(g->path[from]));
	line(g);
}

static void add_waiting(struct graph *g, struct cr__task *task)
{
	struct cr__scope *scope = joined(task);
	struct cr__task *by = holder(g->s, task);

	cr__report_add(&g->report, "corail:   ");
	cr__report_task(&g->report, task);
	if (!task->wait) {
		cr__report_add(&g->report, " %s",
		               task == cr__running(g->s) ? "runs" : "is ready to run");
		line(g);
		return;
	}
	cr__report_add(&g->report, " waits: %s", task->wait->reason);
	if (task->wait->fd >= 0)
		cr__report_add(&g->report, " fd %d", task->wait->fd);
	if (scope) {
		cr__report_add(&g->report, ", for %u child%s", scope->alive,
		               scope->alive == 1 ? "" : "ren");
	} else if (by) {
		cr__report_add(&g->report, ", for ");
		cr__report_task(&g->report, by);
	}
	line(g);
}

static void add_all_waiting(struct graph *g)
{
	enum { MOST = 200 };
	struct cr__node *root = &g->s->loop_task.node;
	uint64_t count = 0;

	for (struct cr__node *node = root; node; node = cr__node_walk(root, node, false)) {
		if (node == root || (node->flags & CR__NODE_SCOPE))
			continue;
		if (count++ < MOST)
			add_waiting(g, cr__task_of_node(node));
	}
	if (count > MOST) {
		cr__report_add(&g->report, "corail:   and %llu tasks more",
		               (unsigned long long)(count - MOST));
		line(g);
	}
}

/* ------------------------------------------------------------------------------ the search --- */

static uint32_t path_find(const struct graph *g, const struct cr__task *task, uint32_t depth)
{
	while (g->path[depth] != task)
		depth--;
	return depth;
}

/* Depth first, without recursion: a chain may be as long as there are tasks. */
static void search(struct graph *g, struct cr__task *start)
{
	uint32_t depth = 0;

	g->path[0] = start;
	g->child[0] = NULL;
	g->seen[cr__task_index(start)] = ON_PATH;
	for (;;) {
		struct cr__task *next = edge_next(g, depth);
		uint8_t *seen = next ? &g->seen[cr__task_index(next)] : NULL;

		if (!next) {
			seen = &g->seen[cr__task_index(g->path[depth])];
			if (*seen == ON_PATH)
				*seen = FINISHED;
			if (depth-- == 0)
				return;
		} else if (*seen == UNSEEN) {
			*seen = ON_PATH;
			depth++;
			g->path[depth] = next;
			g->child[depth] = NULL;
		} else if (*seen == ON_PATH) {
			add_cycle(g, path_find(g, next, depth), depth);
		}
	}
}

/* Looks for cycles, and puts a line about each into the report. Returns 0, or -ENOMEM. */
static int find_cycles(struct graph *g)
{
	size_t count = (size_t)g->s->block_top + 2;
	struct cr__node *root = &g->s->loop_task.node;

	g->seen = cr__alloc_zero(count, sizeof *g->seen);
	g->path = cr__alloc(count * sizeof(struct cr__task *));
	g->child = cr__alloc(count * sizeof(struct cr__node *));
	if (g->seen && g->path && g->child) {
		for (struct cr__node *node = root; node; node = cr__node_walk(root, node, false))
			if (node != root && !(node->flags & CR__NODE_SCOPE) &&
			    g->seen[cr__task_index(cr__task_of_node(node))] == UNSEEN)
				search(g, cr__task_of_node(node));
		count = 0;
	}
	cr__free(g->seen);
	cr__free(g->path);
	cr__free(g->child);
	return count ? -ENOMEM : 0;
}

static struct graph *graph_new(struct cr__sched *s, int fd)
{
	struct graph *g = cr__alloc_zero(1, sizeof *g);

	if (!g)
		return NULL;
	g->s = s;
	g->fd = fd;
	return g;
}

/* -------------------------------------------------------------------------------- who asks --- */

void cr__deadlock_report(struct cr__sched *s, int fd, const char *what)
{
	struct graph *g = graph_new(s, fd);

	if (!g)
		return;
	cr__report_add(&g->report, "corail: deadlock on loop %lld (%s): none of its %llu task%s %s",
	               (long long)s->loop.id, s->loop.backend->name, (unsigned long long)s->alive,
	               s->alive == 1 ? "" : "s", what);
	line(g);
	add_all_waiting(g);
	find_cycles(g);
	flush(g);
	cr__free(g);
}

int cr_debug_deadlock(int fd)
{
	struct cr__sched *s = cr__sched_self();
	struct graph *g;
	int r;

	if (!s)
		return -ESRCH;
	g = graph_new(s, fd);
	if (!g)
		return -ENOMEM;
	r = find_cycles(g);
	if (r == 0 && g->cycles) {
		add_all_waiting(g);
		flush(g);
		r = g->error < 0 ? g->error : (int)g->on_cycles;
	}
	cr__free(g);
	return r;
}

/*
 * Waits that only another task of this loop ends, as a rule. All others (descriptors, threads,
 * processes, whatever comes) may be ended from outside.
 */
static bool inside_only(struct cr__task *task)
{
	static const char *const words[] = {
		"event",
		"mutex",
		"condition",
		"cond",
		"semaphore",
		"barrier",
		"rwlock",
		"read lock",
		"write lock",
		"limiter",
		"once",
		"chan",
		"channel",
		"send to a channel",
		"receive from a channel",
		"chan send",
		"chan recv",
		"queue",
		"start of a child",
		"await first",
	};

	if (task->wait->fd >= 0)
		return false;
	if (task->wait->holder || waits_in(task))
		return true;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(task->wait->reason, words[i]) == 0)
			return true;
	return false;
}

/* Whether all tasks wait, and all for each other. */
static bool all_inside(struct cr__sched *s)
{
	struct cr__node *root = &s->loop_task.node;

	for (struct cr__node *node = root; node; node = cr__node_walk(root, node, false)) {
		struct cr__task *task;

		if (node == root || (node->flags & CR__NODE_SCOPE))
			continue;
		task = cr__task_of_node(node);
		if (!task->wait || !inside_only(task))
			return false;
	}
	return s->alive > 0;
}

/* Nothing is under way on the loop itself. */
static bool nothing_due(struct cr__sched *s)
{
	return cr__queue_empty(s) && !s->loop.posts_head && s->loop.timers.count == 0 &&
	       !atomic_load_explicit(&s->loop.inbox, memory_order_acquire);
}

static bool has_cycle(struct cr__sched *s)
{
	struct graph *g = graph_new(s, -1);
	bool found;

	if (!g)
		return false;
	found = find_cycles(g) == 0 && g->cycles;
	cr__free(g);
	return found;
}

void cr__deadlock_look(struct cr__debug *debug)
{
	struct cr__sched *s = debug->sched;

	if (s->loop.timers.count)
		return;
	if (!debug->cycle_reported && has_cycle(s)) {
		debug->cycle_reported = true;
		cr__deadlock_report(s, debug->options.fd,
		                    "does anything, and some wait for each other:");
	} else if (!debug->cycle_reported && !debug->quiet_reported && nothing_due(s) &&
	           all_inside(s)) {
		debug->quiet_reported = true;
		cr__deadlock_report(
			s, debug->options.fd,
			"can run any more, unless another thread or a signal wakes one:");
	}
}

/*
 * How many threads the process has, from the number of folders in there (proc(5)); 0 when it cannot
 * be told.
 */
static unsigned threads(void)
{
	struct stat status;

	if (stat("/proc/self/task", &status) < 0 || status.st_nlink < 3)
		return 0;
	return (unsigned)status.st_nlink - 2;
}

bool cr__deadlock_certain(struct cr__sched *s)
{
	unsigned ours = 1 + (s->debug && s->debug->watchdog);

	/* ThreadSanitizer may have a thread of its own, or not. */
	if (CR__TSAN || !s->alive || !s->loop.backend->still || !s->loop.backend->still(&s->loop))
		return false;
	if (!nothing_due(s) || threads() != ours)
		return false;
	/* A thread that posted, and is gone by now. */
	return !atomic_load(&s->loop.inbox) && s->loop.backend->still(&s->loop);
}
