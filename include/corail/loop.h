/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_LOOP_H
#define CORAIL_LOOP_H

/*
 * The event loop: one per thread while cr_run() runs. Most programs never name it. It is here for
 * callbacks (what asyncio calls call_soon) and for other threads, which may post work to a loop.
 */

#include <corail/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which engine drives a loop. CORAIL_BACKEND=uring|epoll|sim in the environment overrides AUTO. */
enum cr_backend {
	CORAIL_BACKEND_AUTO = 0, /* io_uring when the kernel allows it, else epoll */
	CORAIL_BACKEND_URING,
	CORAIL_BACKEND_EPOLL,
	CORAIL_BACKEND_SIM, /* virtual time, order from a seed, sockets in memory */
};

/*
 * A running loop. It ends with its cr_run(); a handle kept longer is refused, never dereferenced.
 */
typedef struct cr_loop {
	int64_t id;
} cr_loop;

/* The loop that runs on this thread; one of which all calls return -ESRCH when there is none. */
CORAIL_API cr_loop cr_loop_current(void);

/*
 * Queues fn(arg) on the calling thread's loop: it runs on the loop's stack in the next turn, after
 * those queued before, and must not suspend. `arg` is borrowed until then.
 * Returns 0, -ENOMEM, or -ESRCH when no loop runs on this thread.
 */
CORAIL_API int cr_loop_post(void (*fn)(void *arg), void *arg);

/*
 * The same from any thread, to any loop. Posts of one thread run in their order. Wakes the loop if
 * it sleeps. Returns 0; -ENOMEM; -ESRCH when that loop has ended. Then fn will not be called; nor
 * will one that was accepted just before its loop ended: whoever owns `arg` must not rely on it.
 */
CORAIL_API int cr_loop_post_threadsafe(cr_loop loop, void (*fn)(void *arg), void *arg);

/*
 * The name of the backend that drives this thread's loop ("uring", "epoll", "sim"), NULL without.
 */
CORAIL_API const char *cr_loop_backend(void);

/*
 * Whether a backend could be used here: 0, or the negative error that the probe met, with one
 * sentence in `why` (size bytes) saying what is missing and what to do about it. Names as in
 * CORAIL_BACKEND.
 * Returns -EINVAL for an unknown name. Needs no loop.
 */
CORAIL_API int cr_loop_probe(const char *backend, char *why, size_t size);

#ifdef __cplusplus
}
#endif
#endif
