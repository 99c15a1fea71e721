/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TASK_H
#define CORAIL_TASK_H

/*
 * Tasks and scopes: run, spawn, await, gather, sleep, cancel, deadlines.
 *
 * A coroutine is an ordinary C function `int f(T *)`. It runs in a task, on a stack of its own, and
 * may suspend at any depth by calling a function that is marked CORAIL_SUSPENDS; the others run
 * meanwhile. Its arguments and results are fields of one struct; the int is its status: negative is
 * an error, anything else a success. A task never changes its thread, and between two suspension
 * points no other task of its loop runs.
 *
 * Every task lives in a scope, and a scope outlives its tasks: CORAIL_SCOPE(sc) declares one that
 * is cancelled and joined on every way out of the block.
 *
 *	CORAIL_SCOPE(sc);
 *	cr_task a = cr_spawn(&sc, fetch, &page_a);
 *	cr_task b = cr_spawn(&sc, fetch, &page_b);
 *	int r = cr_scope_wait(&sc);
 *
 * A child that fails, and whose result nobody is waiting for at that moment, cancels its scope, and
 * cr_scope_wait() returns its error. A deadline is a scope that cancels itself: cr_timeout().
 *
 * Cancellation is level-triggered: in a cancelled scope every suspending call returns -ECANCELED at
 * once, and again and again, until the scope is left. A call that had completed returns its result
 * even so; the next one reports the cancellation. Clean-up that must suspend runs under
 * cr_shield().
 */

#include <corail/base.h>
#include <corail/loop.h>

#ifdef __cplusplus
#include <type_traits>
extern "C" {
#endif

/*
 * A task's handle: a value, freely copied. It never dangles: once its scope was left, calls answer
 * -ESRCH. A task that could not be started is a handle too; see cr_task_error().
 */
typedef struct cr_task {
	int64_t id;
} cr_task;

/* A scope, in your own frame; its fields are private. Enter it before use, leave it after. */
typedef struct cr_scope {
	uint64_t cr__private[32];
} cr_scope;

/* Where a task was spawned and what it runs: "file.c:12\0function". Static storage. */
typedef const char *cr__site;
typedef void (*cr__fn)(void);

#define CORAIL__TEXT2(x) #x
#define CORAIL__TEXT(x) CORAIL__TEXT2(x)
#define CORAIL__SITE(fn) (__FILE__ ":" CORAIL__TEXT(__LINE__) "\0" #fn)

/* Checks at compile time that `fn` is int (*)(type of arg), and only then erases the type. */
#ifdef __cplusplus
extern "C++" {
template <class P, class T> inline cr__fn cr__fn_of(int (*fn)(T *))
{
	static_assert(std::is_convertible<P, T *>::value, "the task's argument has the wrong type");
	return reinterpret_cast<cr__fn>(fn);
}
}
#define CORAIL__FN(fn, arg) (cr__fn_of<decltype(arg)>(fn))
#define CORAIL__FN_ELEMENT(fn, array) (cr__fn_of<decltype(&(array)[0])>(fn))
#else
#define CORAIL__FN(fn, arg) ((cr__fn) _Generic((fn), int (*)(__typeof__(arg)) : (fn)))
#define CORAIL__FN_ELEMENT(fn, array)                                                              \
	((cr__fn) _Generic((fn), int (*)(__typeof__(&(array)[0])) : (fn)))
#endif

/* -------------------------------------------------------------------------------------- run --- */

/* All zero means the defaults. */
typedef struct cr_options {
	enum cr_backend backend;
	/* sim: shuffles the order; 0: CORAIL_SEED in the environment, else FIFO */
	uint64_t seed;
	size_t stack_size_bytes; /* for tasks that do not say; 0: 256 KiB */
	size_t task_count_max;   /* most tasks alive at once; 0: 16,777,216 */
	cr_nsec exit_grace;      /* how long leftovers may take to end; 0: 5 s */
	/* leave SIGINT alone; else, on the main thread, it cancels main */
	unsigned keep_sigint : 1;
	unsigned debug : 1; /* watch this run and report what is wrong: see debug.h */
	/* of main's task; NULL: the function's name. Borrowed for the run */
	const char *name;
} cr_options;

/*
 * cr_run(fn, arg) runs `int fn(T *arg)` as the main task of a new loop on this thread, and returns
 * when it has ended and everything it left behind was cancelled and joined.
 * Returns what fn returned. Or: -EBUSY when a loop already runs on this thread; -EINTR when SIGINT
 * cancelled main and main gave -ECANCELED; -ENOMEM; -EMFILE, -ENFILE; -ENOSYS when the backend that
 * was asked for is not available here (see `corail doctor`); -EINVAL for options that make no
 * sense, or a CORAIL_ variable in the environment that makes none, whatever the options say:
 * cr_environment_check() tells which.
 * Leftovers that do not end within the grace period are reported on standard error and abandoned.
 */
#define cr_run(fn, ...)                                                                            \
	(cr__run(NULL, CORAIL__FN(fn, (__VA_ARGS__)), (__VA_ARGS__), CORAIL__SITE(fn)))

/* As cr_run(), with options (a const cr_options *). */
#define cr_run_with(options, fn, ...)                                                              \
	(cr__run((options), CORAIL__FN(fn, (__VA_ARGS__)), (__VA_ARGS__), CORAIL__SITE(fn)))

CORAIL_API int cr__run(const cr_options *options, cr__fn fn, const void *arg, cr__site site);

/* ------------------------------------------------------------------------------------ spawn --- */

/*
 * cr_spawn(scope, fn, arg) starts `int fn(T *arg)` as a child of the scope (a cr_scope *). The
 * child runs at the caller's next suspension, after those spawned before it; spawning does not
 * suspend. `arg` is borrowed: it must outlive the child, as anything declared before the scope
 * does. Cannot fail as a call: when there is no memory for a stack (-ENOMEM), too many tasks
 * (-EAGAIN) or the scope is closing (-ESHUTDOWN), the scope fails with that error and
 * cr_task_error() of the handle tells that the child never ran, so that what was handed to it can
 * be released.
 */
#define cr_spawn(scope, fn, ...)                                                                   \
	(cr__spawn((scope), NULL, CORAIL__FN(fn, (__VA_ARGS__)), (__VA_ARGS__), 0,                 \
	           CORAIL__SITE(fn)))

/* As cr_spawn(), but copies *arg (at most 16 KiB) to the child's own stack: nothing is borrowed. */
#define cr_spawn_copy(scope, fn, ...)                                                              \
	(cr__spawn((scope), NULL, CORAIL__FN(fn, (__VA_ARGS__)), (__VA_ARGS__),                    \
	           sizeof *(__VA_ARGS__), CORAIL__SITE(fn)))

/* All zero means the defaults. */
typedef struct cr_spawn_options {
	const char *name; /* shown in dumps; copied (63 bytes); NULL: the function's name */
	/* rounded up to 64 KiB times a power of two, at most 64 MiB; 0: the loop's */
	size_t stack_size_bytes;
	/*
	 * One that could do without: when it cannot be started, the scope does not fail, and
	 * cr_task_error() alone tells.
	 */
	unsigned optional : 1;
} cr_spawn_options;

/* As cr_spawn() and cr_spawn_copy(), with options (a const cr_spawn_options *). */
#define cr_spawn_with(options, scope, fn, ...)                                                     \
	(cr__spawn((scope), (options), CORAIL__FN(fn, (__VA_ARGS__)), (__VA_ARGS__), 0,            \
	           CORAIL__SITE(fn)))
#define cr_spawn_copy_with(options, scope, fn, ...)                                                \
	(cr__spawn((scope), (options), CORAIL__FN(fn, (__VA_ARGS__)), (__VA_ARGS__),               \
	           sizeof *(__VA_ARGS__), CORAIL__SITE(fn)))

CORAIL_API cr_task cr__spawn(cr_scope *scope, const cr_spawn_options *options, cr__fn fn,
                             const void *arg, size_t copy_size, cr__site site);

/*
 * Spawns a child and waits until it says cr_task_started(value): a server that listens, a
 * connection that is up. The child then goes on in the scope. Writes its handle, if ret_task is not
 * NULL.
 * Returns the value (zero or positive); the child's error if it failed first (which then does not
 * fail the scope); -ENOMSG if it ended well without a word; -ECANCELED, which cancels the child
 * too.
 */
#define cr_scope_start(scope, fn, arg, ret_task)                                                   \
	(cr__scope_start((scope), CORAIL__FN(fn, arg), (arg), (ret_task), CORAIL__SITE(fn)))
CORAIL_API CORAIL_SUSPENDS int cr__scope_start(cr_scope *scope, cr__fn fn, const void *arg,
                                               cr_task *ret_task, cr__site site);

/*
 * Ends the hand-shake of cr_scope_start() with a value of zero or more. Without one: does nothing.
 */
CORAIL_API void cr_task_started(int value);

/* 0 if the task was started; else why it never ran: -ENOMEM, -EAGAIN, -ESHUTDOWN. */
static inline int cr_task_error(cr_task task)
{
	return task.id < 0 ? (int)task.id : 0;
}

/* ------------------------------------------------------------------------------------ await --- */

/*
 * Waits for a task to end and returns what its function returned. A finished one answers without
 * suspending, as often as asked: the result stays readable until the scope is left (a scope that
 * lives long keeps its last 64 results that were read, and of those nobody has read the last
 * 65,536, or as many as it once had alive together).
 * Or: -ECANCELED when the caller was cancelled (which leaves the task alone); -ESRCH for a stale
 * handle; what cr_task_error() says; -EDEADLK when a task awaits itself.
 */
CORAIL_API CORAIL_SUSPENDS int cr_await(cr_task task);

/*
 * Waits until one of `count` tasks ends, and writes its index (when some have ended already: the
 * first such in the array). The others go on. Returns its result; -EINVAL for none; -ENOMEM; else
 * as cr_await().
 */
CORAIL_API CORAIL_SUSPENDS int cr_task_wait_first(const cr_task *tasks, size_t count,
                                                  size_t *ret_index);

/*
 * Reads a finished task's result. Returns 0; -EINPROGRESS while it runs; -ESRCH; cr_task_error().
 */
CORAIL_API int cr_task_result(cr_task task, int *ret_result);

/*
 * Cancels one task and what runs in scopes of its own; its siblings go on and its scope does not
 * fail. A task that was not yet run still starts: its first suspending call returns -ECANCELED.
 * Returns 0; -ESRCH for a stale handle or a task that has ended; cr_task_error().
 */
CORAIL_API int cr_task_cancel(cr_task task);

/* The calling task's handle; outside a task, a stale one. */
CORAIL_API cr_task cr_task_self(void);

/* The task's name, or NULL for a stale handle. Valid until the caller suspends. */
CORAIL_API const char *cr_task_name(cr_task task);

/* Renames the calling task; at most 63 bytes are kept. The text is copied. */
CORAIL_API void cr_task_name_set(const char *name);

/* ---------------------------------------------------------------------------- time and turn --- */

/* Lets every other runnable task go first. Returns 0, or -ECANCELED. */
CORAIL_API CORAIL_SUSPENDS int cr_yield(void);

/* Sleeps for a duration, never shorter. Zero yields. Returns 0, -ECANCELED, or -ENOMEM. */
CORAIL_API CORAIL_SUSPENDS int cr_sleep(cr_nsec duration);

/* Sleeps until a point of cr_now()'s clock. Returns as cr_sleep(). */
CORAIL_API CORAIL_SUSPENDS int cr_sleep_until(cr_nsec when);

/* The loop's monotonic clock (virtual in sim); outside a loop, CLOCK_MONOTONIC. */
CORAIL_API cr_nsec cr_now(void);

/* ----------------------------------------------------------------------------------- scopes --- */

#define CORAIL__CLEANUP(fn) __attribute__((cleanup(fn)))

/* A name of its own for each use, so that these macros nest without one hiding the other's. */
#define CORAIL__JOIN2(a, b) a##b
#define CORAIL__JOIN(a, b) CORAIL__JOIN2(a, b)
#define CORAIL__UNIQUE(name) CORAIL__JOIN(cr__##name##_, __COUNTER__)

/* Declares a scope that is entered here, and cancelled and joined on every way out of the block. */
#define CORAIL_SCOPE(name)                                                                         \
	cr_scope name CORAIL__CLEANUP(cr_scope_leave);                                             \
	cr_scope_enter(&name)

/* Enters a scope by hand. Every cr_scope_enter() wants its cr_scope_leave(), innermost first. */
CORAIL_API void cr_scope_enter(cr_scope *scope);

/*
 * Cancels what still runs in the scope, waits for it, and leaves. The one wait that cancellation
 * does not end: a scope outlives its tasks. To let the children finish, call cr_scope_wait()
 * before.
 */
CORAIL_API CORAIL_SUSPENDS void cr_scope_leave(cr_scope *scope);

/*
 * Waits for all children, those spawned meanwhile included. Cancellation reaches the children; the
 * wait itself always lasts until they have ended.
 * Returns 0; the first failure, of which the others are readable by cr_scope_failures(); -ETIMEDOUT
 * when the scope's own deadline cut it short; -ECANCELED when an enclosing scope was cancelled. A
 * scope that was cancelled by cr_scope_cancel() ends without error. Only its owner may wait: else
 * it aborts.
 */
CORAIL_API CORAIL_SUSPENDS int cr_scope_wait(cr_scope *scope);

/*
 * Waits for the next child to end, in the order of completion, each reported once: as-completed.
 * A child that fails while the owner waits here counts as awaited and does not fail the scope; with
 * cr_scope_collect(), no child does. Children whose result was read already are left out.
 * Returns 0 and the handle; -ENOENT when no child is left; -ECANCELED.
 */
CORAIL_API CORAIL_SUSPENDS int cr_scope_next(cr_scope *scope, cr_task *ret_task);

/* Cancels the scope and everything inside, except shields. Idempotent; does not wait. */
CORAIL_API void cr_scope_cancel(cr_scope *scope);

/*
 * From now on failures of children do not cancel the scope; cr_scope_wait() still returns the
 * first.
 */
CORAIL_API void cr_scope_collect(cr_scope *scope);

/*
 * Cancels the scope at a point of time (CORAIL_NEVER: not at all), or a duration from now. Later
 * calls move the deadline, until it has passed. Without memory for a timer it is cancelled at once,
 * and has failed with -ENOMEM.
 */
CORAIL_API void cr_scope_deadline_set(cr_scope *scope, cr_nsec when);
CORAIL_API void cr_scope_timeout_set(cr_scope *scope, cr_nsec duration);

/*
 * Shields the scope from cancellation around it, for at most `grace` from the moment that it would
 * have been cancelled (from now, if that is already so); past it, the scope is cancelled as what is
 * around it was. A later call sets a new grace; one of zero takes the shield away.
 */
CORAIL_API void cr_scope_shield(cr_scope *scope, cr_nsec grace);

/* Whether the scope is cancelled, by itself or from around. */
CORAIL_API int cr_scope_cancelled(const cr_scope *scope);

/* How many children are alive. */
CORAIL_API size_t cr_scope_count(const cr_scope *scope);

/* A child that failed. */
typedef struct cr_failure {
	cr_task task;
	int error;        /* negative */
	const char *name; /* the child's function. Static storage */
} cr_failure;

/*
 * Writes up to `count` of the scope's failures, first failed first (the scope keeps the first 16).
 * Returns how many children have failed in all.
 */
CORAIL_API size_t cr_scope_failures(const cr_scope *scope, cr_failure *failures, size_t count);

/* The program's own scope: what is spawned into it is cancelled and joined when main has ended. */
CORAIL_API cr_scope *cr_scope_program(void);

/* The nearest deadline of all scopes around the caller; CORAIL_NEVER without one. */
CORAIL_API cr_nsec cr_deadline(void);

/* Whether the next suspending call of the caller would return -ECANCELED. */
CORAIL_API int cr_cancelled(void);

/*
 * Evaluates an expression under a deadline: n = cr_timeout(cr_seconds(5), cr_conn_read(c, buf,
 * size)). Gives the expression's value; -ETIMEDOUT when it was -ECANCELED because of this deadline,
 * or -ENOMEM for want of memory for it. A duration of zero lets it run to its first suspension.
 */
#define cr_timeout(duration, expression)                                                           \
	CORAIL__TIMEOUT(duration, expression, CORAIL__UNIQUE(scope), CORAIL__UNIQUE(value))
#define CORAIL__TIMEOUT(duration, expression, scope, value)                                        \
	__extension__({                                                                            \
		cr_scope scope CORAIL__CLEANUP(cr_scope_leave);                                    \
		cr__timeout_enter(&scope, (duration));                                             \
		__typeof__(expression) value = (expression);                                       \
		if (value == -ECANCELED)                                                           \
			value = cr__timeout_error(&scope);                                         \
		value;                                                                             \
	})

/*
 * Evaluates an expression (clean-up, as a rule) shielded from cancellation, with a mandatory grace
 * period: see cr_scope_shield(). Gives the expression's value.
 */
#define cr_shield(grace, expression) CORAIL__SHIELD(grace, expression, CORAIL__UNIQUE(scope))
#define CORAIL__SHIELD(grace, expression, scope)                                                   \
	__extension__({                                                                            \
		cr_scope scope CORAIL__CLEANUP(cr_scope_leave);                                    \
		cr_scope_enter(&scope);                                                            \
		cr_scope_shield(&scope, (grace));                                                  \
		(expression);                                                                      \
	})

CORAIL_API void cr__timeout_enter(cr_scope *scope, cr_nsec duration);
CORAIL_API int cr__timeout_error(const cr_scope *scope);

/* ----------------------------------------------------------------------------------- gather --- */

/* All zero means: all at once, the first failure cancels the rest. */
typedef struct cr_gather_options {
	size_t limit;         /* most that run at once; 0: all */
	int *statuses;        /* where each element's result goes, in order; NULL: nowhere */
	unsigned collect : 1; /* let the others go on when one fails */
} cr_gather_options;

/*
 * Runs `int fn(T *)` once for each of `count` elements of an array, all at once, and waits for all.
 * Results are in the elements, in order. Returns 0; the first failure, which cancelled the rest
 * (they were joined); -ECANCELED when the caller was cancelled, which cancels every child, or when
 * nothing worse happened than that an element's task was cancelled by somebody else.
 */
#define cr_gather(fn, array, count)                                                                \
	(cr__gather(NULL, CORAIL__FN_ELEMENT(fn, array), (array), (count), sizeof *(array),        \
	            CORAIL__SITE(fn)))

/* As cr_gather(), at most `limit` at a time, started in order. */
#define cr_gather_limit(fn, array, count, limit_count)                                             \
	(cr__gather_limit(CORAIL__FN_ELEMENT(fn, array), (array), (count), sizeof *(array),        \
	                  (limit_count), CORAIL__SITE(fn)))

/*
 * As cr_gather(), but nobody is cancelled when one fails: each result goes to statuses[i] (an int
 * array of `count`). Returns how many failed, or -ECANCELED.
 */
#define cr_gather_collect(fn, array, count, statuses_array)                                        \
	(cr__gather_collect(CORAIL__FN_ELEMENT(fn, array), (array), (count), sizeof *(array),      \
	                    (statuses_array), CORAIL__SITE(fn)))

/*
 * As cr_gather(), with options (a const cr_gather_options *); with .collect, as
 * cr_gather_collect().
 */
#define cr_gather_with(options, fn, array, count)                                                  \
	(cr__gather((options), CORAIL__FN_ELEMENT(fn, array), (array), (count), sizeof *(array),   \
	            CORAIL__SITE(fn)))

/*
 * Runs fn for each element until the first one ends well; cancels and joins the others, and writes
 * its index. Returns its result; when all fail, the first failure; -EINVAL for none; -ECANCELED.
 */
#define cr_gather_first(fn, array, count, ret_index)                                               \
	(cr__gather_first(CORAIL__FN_ELEMENT(fn, array), (array), (count), sizeof *(array),        \
	                  (ret_index), CORAIL__SITE(fn)))

/* One call of a task function, for cr_gather_calls(). */
typedef struct cr_call {
	cr__fn fn;
	const void *arg;
	cr__site site;
	int status; /* its result, once gathered */
} cr_call;

/*
 * A cr_call of `int fn(T *)` with arg, type-checked: cr_call calls[] = { cr_call_of(f, &a), ... };
 */
#ifdef __cplusplus
#define cr_call_of(fn, arg) (cr_call{CORAIL__FN(fn, arg), (arg), CORAIL__SITE(fn), 0})
#else
#define cr_call_of(fn, arg) ((cr_call){CORAIL__FN(fn, arg), (arg), CORAIL__SITE(fn), 0})
#endif

/*
 * Different functions at once: as cr_gather(), over an array of calls whose statuses are filled in.
 */
CORAIL_API CORAIL_SUSPENDS int cr_gather_calls(cr_call *calls, size_t count);

CORAIL_API CORAIL_SUSPENDS int cr__gather(const cr_gather_options *options, cr__fn fn,
                                          const void *array, size_t count, size_t element_size,
                                          cr__site site);
CORAIL_API CORAIL_SUSPENDS int cr__gather_limit(cr__fn fn, const void *array, size_t count,
                                                size_t element_size, size_t limit, cr__site site);
CORAIL_API CORAIL_SUSPENDS int cr__gather_collect(cr__fn fn, const void *array, size_t count,
                                                  size_t element_size, int *statuses,
                                                  cr__site site);
CORAIL_API CORAIL_SUSPENDS int cr__gather_first(cr__fn fn, const void *array, size_t count,
                                                size_t element_size, size_t *ret_index,
                                                cr__site site);

#ifdef __cplusplus
}
#endif
#endif
