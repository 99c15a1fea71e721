/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_LOOPS_H
#define CORAIL_LOOPS_H

/*
 * Several loops: one per core, each on a thread of its own, and calls between them.
 *
 * A loop uses one core. Where that is not enough, cr_loops() runs the same main function on as many
 * loops as there are cores, each with its own tasks and scopes, and waits for all:
 *
 *	static int serve(struct server *s)      once on each loop; cr_loops_index() tells which
 *	{
 *		cr_listener *listener;
 *		int r = cr_listener_open_shared(":8080", NULL, &s->port, &listener);
 *		...
 *		r = cr_listener_serve(listener, NULL, serve_client, s);
 *	}
 *
 *	int main(void) { return cr_loops(0, serve, &server) < 0; }      instead of cr_run()
 *
 * Nothing is shared between loops by itself, and a task stays on its loop for life. What passes
 * from one loop to another, passes in one of these ways:
 *
 *	cr_call_loop()          runs a function as a task of another loop, and waits for its result
 *	cr_spawn_loop()         the same without waiting
 *	chan_threadsafe.h       channels between loops
 *	loops_net.h             one port for all loops; connections that change their loop
 *	cr_loop_post_threadsafe()                          callbacks
 *	functions that end in _threadsafe                  and nothing else
 *
 * Memory that several loops reach is as between any threads: give it away, lock it, or make it
 * atomic. What a cr_call_loop() borrows is the callee's until the call returns.
 *
 * A loop that has ended is refused, never touched: -ESRCH. All loops of a cr_loops() run before the
 * first main function begins, so a sibling's handle is good from the start, until that loop ends.
 *
 * The simulator has one clock and one order for each loop, which threads would tear apart:
 * cr_loops() gives -EOPNOTSUPP there, and calls to other loops do too; a loop's calls to itself
 * work. Code that asks cr_loops_index() and the like runs under cr_run() as well, as the only loop
 * of one: test it in the simulator like that.
 */

#include <corail/base.h>
#include <corail/loop.h>
#include <corail/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------- a loop a core --- */

/* All zero means the defaults. */
typedef struct cr_loops_options {
	const cr_options *run;      /* how each loop is run; NULL: the defaults */
	const cr_options *run_each; /* an array with one element for each loop, instead */
	const char *name;           /* threads are NAME/0, ... (11 bytes are kept); NULL: "loop" */
	size_t stack_size_bytes;    /* of each thread, not of tasks; 0: as pthread_create(3) */
	int *statuses;              /* where each loop's result goes, in order; NULL: nowhere */
	unsigned pin : 1;           /* bind each thread to one of the processors, in turn */
	unsigned collect : 1;       /* let the others go on when one fails */
} cr_loops_options;

/*
 * cr_loops(count, fn, arg) runs `int fn(T *arg)` as the main task of each of `count` new loops,
 * each on a thread of its own (0: cr_cpu_count() of them; at most 1,024), and returns when all have
 * ended. All get the same `arg`: cr_loops_index() tells them apart.
 *
 * Called in a task, it suspends the caller, and the loops are inside of it as children are: they
 * are cancelled with it. Called on a thread without a loop, it replaces cr_run(): the thread waits,
 * and on the main thread SIGINT cancels them, as it cancels the main task of a cr_run().
 *
 * The first that fails cancels the others: the main task of each is cancelled, and what each left
 * behind is cancelled and joined as cr_run() does it.
 *
 * Returns 0, also when the caller was cancelled and all ended well even so; the first failure;
 * -ECANCELED when no failure was worse; -EINTR instead when that was SIGINT. Or, and then fn was
 * not called everywhere: what cr_run() gives when a loop cannot be opened; -EAGAIN and -ENOMEM when
 * a thread cannot be made (those that run already are cancelled); -EINVAL for too many, or a stack
 * below PTHREAD_STACK_MIN; -EOPNOTSUPP in the simulator.
 */
#define cr_loops(count, fn, ...)                                                                   \
	(cr__loops(NULL, (count), CORAIL__FN(fn, (__VA_ARGS__)), (__VA_ARGS__), CORAIL__SITE(fn)))

/*
 * As cr_loops(), with options (a const cr_loops_options *). Loops that were not begun have the
 * status -ECANCELED. With .collect, returns how many failed, or -ECANCELED.
 */
#define cr_loops_with(options, count, fn, ...)                                                     \
	(cr__loops((options), (count), CORAIL__FN(fn, (__VA_ARGS__)), (__VA_ARGS__),               \
	           CORAIL__SITE(fn)))

/*
 * One loop for each element of an array, as cr_gather() has one task: fn(&array[i]) on loop i.
 * Results are in the elements, in order. A count of 0 returns 0 at once.
 */
#define cr_loops_each(fn, array, count)                                                            \
	(cr__loops_each(NULL, CORAIL__FN_ELEMENT(fn, array), (array), (count), sizeof *(array),    \
	                CORAIL__SITE(fn)))

/* As cr_loops_each(), with options. */
#define cr_loops_each_with(options, fn, array, count)                                              \
	(cr__loops_each((options), CORAIL__FN_ELEMENT(fn, array), (array), (count),                \
	                sizeof *(array), CORAIL__SITE(fn)))

CORAIL_API CORAIL_SUSPENDS int cr__loops(const cr_loops_options *options, size_t count, cr__fn fn,
                                         const void *arg, cr__site site);
CORAIL_API CORAIL_SUSPENDS int cr__loops_each(const cr_loops_options *options, cr__fn fn,
                                              const void *array, size_t count, size_t element_size,
                                              cr__site site);

/*
 * Which loop of its cr_loops() this thread runs, from 0 on, and how many there are. Under cr_run():
 * 0 of 1. Without a loop: 0 of 0.
 */
CORAIL_API size_t cr_loops_index(void);
CORAIL_API size_t cr_loops_count(void);

/*
 * A sibling's handle, by index; of a loop that has ended, a stale one; likewise when there is none
 * with that index.
 */
CORAIL_API cr_loop cr_loops_at(size_t index);

/* ------------------------------------------------------------------------------------ calls --- */

/*
 * cr_call_loop(loop, fn, arg): in a task. Runs `int fn(T *arg)` as a task of that loop, in its
 * program's scope, and suspends the caller until it has ended. `arg` is borrowed. The caller's own
 * loop is as good as any other.
 *
 * When the caller is cancelled, so is that task, and the call lasts until it has ended; one that
 * has not begun still does: its first suspending call returns -ECANCELED.
 *
 * Returns what fn returned. Or: -ESRCH when that loop has ended (fn was not called), or ends, which
 * cancelled the task before it was done; -ECANCELED in a cancelled scope, -ENOMEM and -EAGAIN when
 * the task could not be made: then fn was not called; -EOPNOTSUPP in the simulator for another loop
 * than the caller's.
 */
#define cr_call_loop(loop, fn, ...)                                                                \
	(cr__call_loop((loop), CORAIL__FN(fn, (__VA_ARGS__)), (__VA_ARGS__), CORAIL__SITE(fn)))

CORAIL_API CORAIL_SUSPENDS int cr__call_loop(cr_loop loop, cr__fn fn, const void *arg,
                                             cr__site site);

/* All zero means the defaults. */
typedef struct cr_spawn_loop_options {
	/*
	 * Called with the copy when that loop has ended before the task could begin, or had no
	 * memory for it: to release what it holds. On that loop's thread. Must not suspend.
	 * NULL: nothing to release
	 */
	void (*dropped)(void *copy);
	cr_spawn_options spawn; /* of the task. The name is borrowed: static storage, as a rule */
} cr_spawn_loop_options;

/*
 * cr_spawn_loop(loop, fn, arg): from any thread. Starts `int fn(T *)` on that loop with a copy of
 * *arg (at most 16 KiB), as cr_spawn_copy(cr_scope_program(), fn, arg) does there: when it fails,
 * that loop's program scope does; likewise when there is no memory for it, unless dropped() is
 * told. Does not wait; tasks of one spawner begin in order.
 * Returns 0; -ESRCH when that loop has ended; -E2BIG; -ENOMEM; -EOPNOTSUPP from a loop of the
 * simulator to another loop. With an error, *arg is still yours.
 */
#define cr_spawn_loop(loop, fn, ...)                                                               \
	(cr__spawn_loop(NULL, (loop), CORAIL__FN(fn, (__VA_ARGS__)), (__VA_ARGS__),                \
	                sizeof *(__VA_ARGS__), CORAIL__SITE(fn)))

/* As cr_spawn_loop(), with options (a const cr_spawn_loop_options *). */
#define cr_spawn_loop_with(options, loop, fn, ...)                                                 \
	(cr__spawn_loop((options), (loop), CORAIL__FN(fn, (__VA_ARGS__)), (__VA_ARGS__),           \
	                sizeof *(__VA_ARGS__), CORAIL__SITE(fn)))

CORAIL_API int cr__spawn_loop(const cr_spawn_loop_options *options, cr_loop loop, cr__fn fn,
                              const void *arg, size_t copy_size, cr__site site);

#ifdef __cplusplus
}
#endif
#endif
