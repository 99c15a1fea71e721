/* SPDX-License-Identifier: MIT */
#ifndef CR__TASK_SCHED_H
#define CR__TASK_SCHED_H

/*
 * The scheduler of a loop: control blocks, the run queue, and the tree of scopes and tasks.
 *
 * Control blocks lie in one dense array; a task's handle is its index with a generation. The run
 * queue is a ring of slots, first in first out, that hold all it takes to resume a task: with a
 * hundred thousand of them, a hand-over touches the ring and two stacks, no block, and what will
 * run soon is fetched ahead. A task that suspends hands over to the next one directly; only when
 * the queue is empty, or after so many hand-overs, does the loop get the processor, to poll.
 *
 * Scopes and tasks form one tree of nodes. A task's node hangs below the scope it was spawned into;
 * a scope's node below the node that its owner was in. `inner` of a task is the deepest node it is
 * in, and whether a suspending call is refused is one flag of that node: cancelling walks the tree
 * once.
 */

#include <corail/debug.h>
#include <corail/task.h>

#include "base/hot.h"
#include "base/panic.h"
#include "ctx/ctx.h"
#include "ctx/stack.h"
#include "loop/loop.h"
#include "task/park.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	CR__NODE_SCOPE = 1 << 0,     /* else a task's */
	CR__NODE_CANCELLED = 1 << 1, /* in force here, whoever asked */
	CR__NODE_ASKED = 1 << 2,     /* asked for at this very node */
	CR__NODE_SHIELD = 1 << 3,    /* what is cancelled around does not reach in */
};

struct cr__node {
	uint32_t flags;
	/* child: the first one; siblings in a ring */
	struct cr__node *parent, *child, *next, *prev;
};

enum {
	CR__TASK_DONE = 1 << 0,
	CR__TASK_READ = 1 << 1,     /* its result was read */
	CR__TASK_EXTRA = 1 << 2,    /* its struct cr__extra says where its end is to be told */
	CR__TASK_NAMED = 1 << 3,    /* its name stands there */
	CR__TASK_REPORTED = 1 << 4, /* by cr_scope_next() */
	CR__TASK_KEEPS = 1 << 5,    /* its struct cr__extra lists what it must let go of: keep.h */
	CR__TASK_LOCALS = 1 << 6,   /* and its task-local values: local.h */
	CR__TASK_AWAITS = 1 << 7,   /* it was in cr_await() before: its own join is prepared */
};

/*
 * While a block is free, its task is in no deeper node than its own, waits for nothing and is
 * awaited by nobody: what is so at a task's end need not be written at the next one's birth.
 */
struct cr__task {
	/* What parking and waking touch. */
	void *sp;               /* while it is parked; a runnable one's is in its slot */
	struct cr__node *inner; /* the deepest node it is in */
	struct cr__wait *wait;  /* what it is parked on; NULL while it runs or is runnable */
	cr_task handle;         /* its own; while the block is free, the one of its next task */
	uint32_t flags;
	int32_t result;
	struct cr__node node;     /* 40 bytes */
	struct cr__task *next;    /* in the list of free blocks */
	struct cr__stack stack;   /* 16 bytes */
	struct cr__extra *extra;  /* at the high end */
	struct cr__join *joiners; /* who awaits it: a ring, first come first */
	cr__site site;
#if CR__SANITIZED
	struct cr__fiber fiber;
#endif
};

#if !CR__SANITIZED
_Static_assert(sizeof(struct cr__task) == 128, "two cache lines; an index is a shift away");
#endif

/* A task that awaits another one. */
struct cr__join {
	struct cr__wait wait;
	struct cr__join *next, *prev;
	struct cr__task *target;
	/* Instead of waking wait.task: told of the result, with the join undone already. NULL */
	void (*ended)(struct cr__join *join, int result);
};

/* What a task needs now and then, at the high end of its stack, above the colour. */
struct cr__extra {
	char name[64]; /* if flagged so */
	/* while it is in cr_await(), which so needs no frame: see await.c */
	struct cr__join join;
	/* where the result goes when it ends; NULL. If flagged, as the rest */
	int *ret_status;
	size_t index;            /* in its gather */
	struct cr__start *start; /* who waits for cr_task_started(); NULL */
	/* if flagged CR__TASK_KEEPS: what others wait for, and its places in limiters */
	struct cr__hold *holds;
	struct cr_permit *permits;
	struct cr__locals *locals; /* if flagged CR__TASK_LOCALS; never NULL then */
};

enum { CR__FAILURES_KEPT = 16 };

/* The failures of a scope beyond its first live here, allocated at the second one. */
struct cr__failures {
	cr_failure kept[CR__FAILURES_KEPT];
};

/* A list of ended tasks by node.next and node.prev, oldest first, NULL at both ends. */
struct cr__ended {
	struct cr__node *first, *last;
	uint32_t count;
};

/* What a cr_scope holds. */
struct cr__scope {
	struct cr__node node; /* 40 */
	struct cr__task *owner;
	struct cr__timer timer; /* 16: the deadline, or the end of the grace period */
	cr_nsec deadline, grace, grace_end;
	struct cr__wait *owner_wait; /* the owner waits in wait, next or leave */
	uint32_t wake_below;         /* wake it when no more than so many are alive */
	uint32_t alive, failed;
	uint32_t alive_peak; /* as seen when children ended */
	uint32_t state;      /* CR__SCOPE_* */
	int32_t error;       /* the first failure */
	struct cr__ended unread, read;
	size_t winner; /* of a cr_gather_first(): whose result is in winner_result */
	int winner_result;
	struct cr__failures *failures;
	cr_failure failure_first;
	uint32_t cancelled; /* children that ended with -ECANCELED */
	uint32_t magic;
};

_Static_assert(sizeof(struct cr__scope) <= sizeof(cr_scope), "cr_scope has too few words");

enum {
	CR__SCOPE_TIMED_OUT = 1 << 0,
	CR__SCOPE_COLLECT = 1 << 1, /* failures do not cancel */
	CR__SCOPE_CLOSING = 1 << 2,
	/* ended tasks' blocks are free at once: nobody has their handles */
	CR__SCOPE_FORGET = 1 << 3,
	CR__SCOPE_WANTS_NEXT = 1 << 4, /* the owner waits for any child to end */
	CR__SCOPE_FIRST = 1 << 5,      /* the first success cancels the others */
	CR__SCOPE_WON = 1 << 6,
	CR__SCOPE_GRACE_OVER = 1 << 7, /* so the cancellation around the shield got through */
};

enum { CR__SCOPE_MAGIC = 0x5c0be };

/*
 * In special: some stacks have no guard; suspensions are watched; the program speaks C++; a test
 * wants to know of each suspension.
 */
#define CR__UNGUARDED (UINT32_C(1) << 31)
#define CR__DEBUGGED (UINT32_C(1) << 30)
#define CR__EXCEPTIONS (UINT32_C(1) << 29)
#define CR__HOOKED (UINT32_C(1) << 28)

/*
 * What the C++ runtime keeps for each thread: the exceptions whose handlers are being run, the
 * innermost first, and how many are on their way to one. Itanium C++ ABI, section 2.2.2.
 */
struct cr__exceptions {
	void *caught;
	unsigned uncaught;
};

struct cr__debug;

struct cr__sched {
	struct cr__loop loop; /* first: cr__loop_self() is the scheduler too */
	const struct cr__debug_descriptor *descriptor; /* so that every program has it linked in */
	uint32_t current; /* the running task's index; 0 while the loop itself runs */
	/*
	 * Reasons for suspensions to look closer: how many nodes are cancelled, CR__UNGUARDED
	 * when some stacks have no guard, so that their low ends must be checked, and the others.
	 */
	uint32_t special;
	/*
	 * the run queue: from loop.handed to the tail, counted in bytes, taken modulo the mask;
	 * never full
	 */
	struct cr__slot *queue;
	uint32_t tail, mask;
	struct cr__slot loop_slot; /* the loop's own context, while a task runs */
	int32_t quantum;           /* how many hand-overs between two polls, as things are going */
	int *errno_at;
	struct cr__task loop_task;

	struct cr__task *blocks; /* the array; [0] is never used */
	struct cr__task *free;
	/* not beside `spawned`: counted up together, a death would hold up the next birth */
	uint64_t alive;
	uint32_t block_top, block_committed, block_max, block_limit;
	uint32_t handle_bits; /* the loop's, in each handle: cr__block_fresh() */
	struct cr__stack_pool stacks;
	unsigned stack_class_default;

	struct cr__wait *hooked; /* for cr__park_hook */

	struct cr__task *budget_task;
	uint64_t budget_turn;
	uint32_t budget_left;

	/* main and the last clean-up live in base, leftovers in program */
	struct cr__scope base, program;
#if CR__TSAN
	void *dead_fiber; /* of the task that ended last: it cannot destroy its own */
#endif
	uint64_t spawned;
	uint32_t choices;      /* how many cr_select() began */
	void *alternate_stack; /* for signal handlers; NULL: the program has its own */
	/*
	 * this thread's, which belong to the running task; NULL without C++. None while another one
	 * begins or goes on: it brings its own
	 */
	struct cr__exceptions *exceptions;
	struct cr__exceptions exceptions_outside; /* of whoever called cr_run() */
	struct cr__debug *debug;                  /* see debug.h; NULL: off */
	bool deadlocked; /* main was cancelled, because nothing else could end the run */
};

static inline struct cr__sched *cr__sched_self(void)
{
	return (struct cr__sched *)(void *)cr__loop_self();
}

static inline struct cr__scope *cr__scope_of(cr_scope *scope)
{
	return (struct cr__scope *)(void *)scope;
}

static inline const struct cr__scope *cr__scope_of_const(const cr_scope *scope)
{
	return (const struct cr__scope *)(const void *)scope;
}

static inline struct cr__task *cr__task_of_node(struct cr__node *node)
{
	return CR__CONTAINER(node, struct cr__task, node);
}

static inline struct cr__scope *cr__scope_of_node(struct cr__node *node)
{
	return CR__CONTAINER(node, struct cr__scope, node);
}

/* The scope that a task was spawned into. */
static inline struct cr__scope *cr__task_scope(struct cr__task *task)
{
	return cr__scope_of_node(task->node.parent);
}

static inline struct cr__extra *cr__task_extra(struct cr__task *task)
{
	return task->extra;
}

static inline bool cr__node_cancelled(const struct cr__node *node)
{
	return node->flags & CR__NODE_CANCELLED;
}

/*
 * Handles. 31 bits of the block's generation, never 0, 8 bits that tell loops apart, 24 bits of
 * index; positive. A negative one is the error that kept the task from starting. Zero belongs to
 * nobody.
 */
enum { CR__INDEX_BITS = 24, CR__LOOP_BITS = 8 };
#define CR__GENERATION (INT64_C(1) << 32)

/* The index of the block that a handle names; 0 for the loop's own. */
static inline uint32_t cr__handle_index(cr_task handle)
{
	return (uint32_t)handle.id & ((1U << CR__INDEX_BITS) - 1);
}

static inline uint32_t cr__task_index(const struct cr__task *task)
{
	return cr__handle_index(task->handle);
}

/* ---- sched.c: the run queue and the switch ---- */

/* Room for `count` blocks and the loop's. Returns 0, or -ENOMEM with the queue as it was. */
int cr__queue_reserve(struct cr__sched *s, uint32_t count);

/* The running task; NULL while the loop itself runs. */
static inline struct cr__task *cr__running(const struct cr__sched *s)
{
	return s->current ? &s->blocks[s->current] : NULL;
}

/*
 * Positions in the run queue are a slot's size apart, so that a hand-over need not multiply. The
 * largest queue, of twice as many slots as there can be handles, is an eighth of what they can
 * tell apart.
 */
static inline struct cr__slot *cr__slot_at(const struct cr__sched *s, uint32_t position)
{
	return (struct cr__slot *)(void *)((char *)s->queue + (position & s->mask));
}

/* The position `count` slots behind another one. */
static inline uint32_t cr__slot_behind(uint32_t position, uint32_t count)
{
	return position + count * (uint32_t)sizeof(struct cr__slot);
}

/* Makes the queue one slot longer: the new slot is the caller's to fill. */
static inline struct cr__slot *cr__queue_push(struct cr__sched *s)
{
	struct cr__slot *slot = cr__slot_at(s, s->tail);

	s->tail = cr__slot_behind(s->tail, 1);
	return slot;
}

/* Takes the first slot out: it holds until the next push. */
static inline struct cr__slot *cr__queue_pop(struct cr__sched *s)
{
	struct cr__slot *slot = cr__slot_at(s, s->loop.handed);

	s->loop.handed = cr__slot_behind(s->loop.handed, 1);
	return slot;
}

/* How many tasks are runnable. */
static inline uint32_t cr__queue_count(const struct cr__sched *s)
{
	return (s->tail - s->loop.handed) / (uint32_t)sizeof(struct cr__slot);
}

/* Appends a task, suspended at `sp`, to the run queue. */
static CR__HOT void cr__ready(struct cr__sched *s, struct cr__task *task, void *sp, int value)
{
	struct cr__slot *slot = cr__queue_push(s);

	slot->sp = sp;
	slot->index = cr__task_index(task);
	slot->value = value;
}

static inline bool cr__queue_empty(const struct cr__sched *s)
{
	return s->loop.handed == s->tail;
}

_Noreturn void cr__sched_outside(const char *caller);

/* The scheduler, for a function that suspends: panics outside a task. */
static inline struct cr__sched *cr__sched_in_task(const char *caller)
{
	struct cr__sched *s = cr__sched_self();

	if (__builtin_expect(!s || !s->current, 0))
		cr__sched_outside(caller);
	return s;
}

/* cr__unpark() for those who have the scheduler at hand. */
static CR__HOT void cr__wake(struct cr__sched *s, struct cr__task *task, int status)
{
	CR__ASSERT(task->wait != NULL);
	task->wait = NULL;
	cr__ready(s, task, task->sp, status);
}

/* Runs tasks, `count` hand-overs long at most: returns when the loop has reason to poll. */
void cr__sched_batch(struct cr__sched *s, int32_t count);

/* What a fresh context calls first: only sanitizers must be told where it is. */
#if CR__SANITIZED
void cr__sched_arrive(void);
#define CR__SCHED_ARRIVE cr__sched_arrive
#else
#define CR__SCHED_ARRIVE NULL
#endif

/*
 * For tests: called on the loop's stack whenever a task has parked, before anything else; NULL:
 * not. It holds for this thread's loop and for those that begin after it.
 */
extern void (*cr__park_hook)(struct cr__wait *wait);
void cr__park_hook_set(void (*hook)(struct cr__wait *wait));

/* ---- tree.c: nodes and cancellation ---- */

/*
 * Hangs a node below its parent, behind its siblings: the ring's end is just before its first. It
 * is cancelled where the parent is.
 */
static CR__HOT void cr__node_link(struct cr__sched *s, struct cr__node *node,
                                  struct cr__node *parent, uint32_t flags)
{
	struct cr__node *first = parent->child;

	node->flags = flags | (parent->flags & CR__NODE_CANCELLED);
	if (node->flags & CR__NODE_CANCELLED)
		s->special++;
	node->parent = parent;
	node->child = NULL;
	if (!first) {
		node->next = node->prev = node;
		parent->child = node;
		return;
	}
	node->next = first;
	node->prev = first->prev;
	first->prev->next = node;
	first->prev = node;
}

static CR__HOT void cr__node_unlink(struct cr__sched *s, struct cr__node *node)
{
	struct cr__node *parent = node->parent;

	if (node->flags & CR__NODE_CANCELLED)
		s->special--;
	if (node->next == node) {
		parent->child = NULL;
		return;
	}
	node->prev->next = node->next;
	node->next->prev = node->prev;
	if (parent->child == node)
		parent->child = node->next;
}

/*
 * The node after this one in the subtree of `root`, parents before children; `skip`: not its
 * children.
 */
struct cr__node *cr__node_walk(struct cr__node *root, struct cr__node *node, bool skip);

/* Cancels a node and what is below, except shields, whose grace begins. Idempotent. */
void cr__node_cancel(struct cr__sched *s, struct cr__node *node);

/* ---- scope.c ---- */

/* Enters a scope for an owner below a node; `owner` NULL for the loop's own. */
void cr__scope_enter_in(struct cr__sched *s, struct cr__scope *scope, struct cr__task *owner,
                        struct cr__node *parent);

/* The scope behind the user's; panics, naming the caller, when it was not entered or was left. */
struct cr__scope *cr__scope_living(const cr_scope *scope, const char *caller);

/* The same for its owner; panics for anyone else. */
struct cr__scope *cr__scope_owned(const cr_scope *scope, const char *caller);

/*
 * Waits until no child is alive, or the owner is cancelled: for the owner, who may be in a scope
 * inside it. Returns 0 or -ECANCELED.
 */
int cr__scope_drain(struct cr__scope *scope);

/* Sets the scope's timer to what comes first: its deadline or the end of its grace. */
void cr__scope_arm(struct cr__sched *s, struct cr__scope *scope);

/* Records a failure and cancels the scope unless it collects. */
void cr__scope_fail(struct cr__sched *s, struct cr__scope *scope, cr_task task, const char *name,
                    int error);

/* Waits until at most `count` children are alive. Not cancellable. */
void cr__scope_wait_below(struct cr__scope *scope, uint32_t count, const char *reason);

/* ---- spawn.c ---- */

/* Where a child may be told things before it runs. */
cr_task cr__spawn_extra(struct cr__scope *scope, cr__fn fn, const void *arg, cr__site site,
                        const struct cr__extra *extra);

const char *cr__task_name(struct cr__task *task);

/* Wakes whoever awaits a task that has just ended, if there is anyone. */
void cr__joiners_wake(struct cr__sched *s, struct cr__task *task);

/* Wakes a parent that still waits for cr_task_started(). Returns whether one did. */
bool cr__start_ended(struct cr__extra *extra, int result);

/* ---- shuffle.c: sim ---- */

/*
 * Puts the runnable batch into the order that the backend's seed says, and notes it in the trace.
 */
void cr__sched_shuffle(struct cr__sched *s);

/* ---- descriptor.c ---- */

struct cr__debug_descriptor {
	char magic[8];
	uint64_t version, word_count;
	struct cr__loop *const *registry; /* where the first loop's address stands */
	uint64_t words[30];
};

extern CORAIL_API const struct cr__debug_descriptor cr__debug_descriptor;

/* ---- dump.c ---- */

/* Calls visit() for each task below a node, as cr_debug_tasks(). Returns how many it visited. */
size_t cr__tasks_below(struct cr__sched *s, struct cr__node *root,
                       int (*visit)(const cr_task_info *info, void *arg), void *arg);

/* Prints the tasks below a scope. Allocates nothing. Returns 0, or a negative error of write(2). */
int cr__dump_scope(struct cr__sched *s, struct cr__scope *scope, int fd);

/* The panic hook: prints this thread's tree. */
void cr__dump_on_panic(void);

/* ---- overflow.c ---- */

/* Makes this thread report stack overflows. Counted; undo with cr__overflow_disarm(). */
int cr__overflow_arm(struct cr__sched *s);
void cr__overflow_disarm(struct cr__sched *s);
_Noreturn void cr__overflow_report(struct cr__sched *s, struct cr__task *task);

#endif
