/* SPDX-License-Identifier: MIT */
#include "loop/loop.h"

#include "base/alloc.h"
#include "base/panic.h"
#include "base/pause.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	TIMERS_MAX = 1 << 26,
	SPIN_MISSES_MAX = 8,
};

/*
 * All loops that run now. A post from another thread looks the loop up under the lock and pushes to
 * its inbox before letting go, so that a loop that is ending is either reached or refused.
 */
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
struct cr__loop *cr__loop_registry;
static int64_t registry_id_last;

__thread struct cr__loop *cr__loop_of_thread;

int cr__loop_open(struct cr__loop *loop, const struct cr__backend *backend, uint64_t seed)
{
	int r;

	memset(loop, 0, sizeof *loop);
	loop->backend = backend;
	loop->seed = seed;
	loop->trace = UINT64_C(0xcbf29ce484222325);
	loop->posts_tail = &loop->posts_head;
	r = cr__timers_init(&loop->timers, TIMERS_MAX);
	if (r < 0)
		return r;
	r = backend->open(loop);
	if (r < 0) {
		cr__timers_destroy(&loop->timers);
		return r;
	}
	pthread_mutex_lock(&registry_lock);
	loop->id = ++registry_id_last;
	loop->registry_next = cr__loop_registry;
	cr__loop_registry = loop;
	pthread_mutex_unlock(&registry_lock);
	return 0;
}

static void posts_free(struct cr__post *post)
{
	while (post) {
		struct cr__post *next = post->next;

		if (post->drop)
			post->drop(post->arg);
		else
			cr__free(post);
		post = next;
	}
}

static void posts_free_all(struct cr__loop *loop)
{
	struct cr__post *posts = loop->posts_head;

	loop->posts_head = NULL;
	loop->posts_tail = &loop->posts_head;
	posts_free(posts);
	posts_free(atomic_exchange(&loop->inbox, NULL));
}

void cr__loop_close(struct cr__loop *loop)
{
	struct cr__loop **link = &cr__loop_registry;

	pthread_mutex_lock(&registry_lock);
	while (*link != loop)
		link = &(*link)->registry_next;
	*link = loop->registry_next;
	pthread_mutex_unlock(&registry_lock);
	/* First of all: threads that a closer waits for may themselves wait for an answer. */
	posts_free_all(loop);
	for (struct cr__closer *closer = loop->closers; closer; closer = closer->next)
		closer->close(closer);
	loop->backend->close(loop);
	cr__timers_destroy(&loop->timers);
	posts_free_all(loop);
	while (loop->closers) {
		struct cr__closer *closer = loop->closers;

		loop->closers = closer->next;
		closer->free(closer);
	}
}

/* Wakes the loop from another thread, if it sleeps. */
static void wake(struct cr__loop *loop)
{
	/*
	 * Pairs with the fence in cr__loop_turn(): either the loop sees what was put into the inbox
	 * before it sleeps, or we see that it sleeps. One wake-up serves all posts until it sleeps
	 * again.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&loop->sleeping, memory_order_relaxed) &&
	    atomic_exchange_explicit(&loop->sleeping, false, memory_order_relaxed))
		loop->backend->wake(loop);
}

static struct cr__post *post_new(void (*fn)(void *arg), void *arg)
{
	struct cr__post *post = cr__alloc(sizeof *post);

	if (post)
		*post = (struct cr__post){NULL, fn, arg, NULL};
	return post;
}

void cr__loop_post(struct cr__loop *loop, struct cr__post *post)
{
	post->next = NULL;
	*loop->posts_tail = post;
	loop->posts_tail = &post->next;
	loop->poll_at = loop->handed;
}

int cr_loop_post(void (*fn)(void *arg), void *arg)
{
	struct cr__loop *loop = cr__loop_self();
	struct cr__post *post;

	if (!loop)
		return -ESRCH;
	post = post_new(fn, arg);
	if (!post)
		return -ENOMEM;
	cr__loop_post(loop, post);
	return 0;
}

void cr__loop_post_foreign(struct cr__loop *loop, struct cr__post *post)
{
	post->next = atomic_load_explicit(&loop->inbox, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&loop->inbox, &post->next, post,
	                                              memory_order_release, memory_order_relaxed))
		;
	wake(loop);
}

int cr__loop_post_handle(cr_loop handle, struct cr__post *post)
{
	struct cr__loop *loop;

	pthread_mutex_lock(&registry_lock);
	for (loop = cr__loop_registry; loop && loop->id != handle.id; loop = loop->registry_next)
		;
	if (loop)
		cr__loop_post_foreign(loop, post);
	pthread_mutex_unlock(&registry_lock);
	return loop ? 0 : -ESRCH;
}

int cr_loop_post_threadsafe(cr_loop handle, void (*fn)(void *arg), void *arg)
{
	struct cr__post *post = post_new(fn, arg);
	int r;

	if (!post)
		return -ENOMEM;
	r = cr__loop_post_handle(handle, post);
	if (r < 0)
		cr__free(post);
	return r;
}

cr_loop cr_loop_current(void)
{
	struct cr__loop *loop = cr__loop_self();

	return (cr_loop){loop ? loop->id : 0};
}

const char *cr_loop_backend(void)
{
	struct cr__loop *loop = cr__loop_self();

	return loop ? loop->backend->name : NULL;
}

/* Appends what other threads posted, oldest first, behind this thread's own posts. */
static void inbox_take(struct cr__loop *loop)
{
	struct cr__post *post = atomic_exchange_explicit(&loop->inbox, NULL, memory_order_acquire);
	struct cr__post *oldest = NULL, **tail = post ? &post->next : NULL;

	while (post) {
		struct cr__post *next = post->next;

		post->next = oldest;
		oldest = post;
		post = next;
	}
	if (!oldest)
		return;
	*loop->posts_tail = oldest;
	loop->posts_tail = tail;
}

/* Runs the callbacks queued before this turn; what they queue themselves runs in the next. */
static void posts_run(struct cr__loop *loop)
{
	struct cr__post *post = loop->posts_head;

	loop->posts_head = NULL;
	loop->posts_tail = &loop->posts_head;
	while (post) {
		struct cr__post *next = post->next;
		bool ours = !post->drop;

		post->fn(post->arg);
		if (ours)
			cr__free(post);
		loop->posts++;
		post = next;
	}
}

static bool inbox_empty(struct cr__loop *loop)
{
	return !atomic_load_explicit(&loop->inbox, memory_order_relaxed);
}

/*
 * Jobs on threads are short, as a rule: seeing their end come takes a tenth of sleeping and being
 * woken. While they turn out long, it looks ever more rarely.
 */
static bool post_awaited(struct cr__loop *loop)
{
	if (loop->spin.skip) {
		loop->spin.skip--;
		return false;
	}
	for (unsigned i = 0; i < loop->spin.most; i++) {
		if (!inbox_empty(loop)) {
			loop->spin.misses = 0;
			return true;
		}
		cr__pause_briefly();
	}
	if (loop->spin.misses < SPIN_MISSES_MAX)
		loop->spin.misses++;
	loop->spin.skip = (1U << loop->spin.misses) - 1;
	return false;
}

int cr__loop_turn(struct cr__loop *loop, bool busy)
{
	cr_nsec until = 0;
	int r;

	loop->turns++;
	if (!busy && !loop->posts_head && !(loop->owed && post_awaited(loop))) {
		atomic_store_explicit(&loop->sleeping, true, memory_order_relaxed);
		atomic_thread_fence(memory_order_seq_cst);
		if (inbox_empty(loop))
			until = cr__timers_next(&loop->timers);
	}
	if (loop->watch)
		cr__watch_poll(loop->watch, true);
	r = loop->backend->poll(loop, until);
	if (loop->watch)
		cr__watch_poll(loop->watch, false);
	atomic_store_explicit(&loop->sleeping, false, memory_order_relaxed);
	if (r < 0)
		return r;
	if (loop->timers.count)
		cr__timers_fire(&loop->timers, cr__loop_now(loop));
	if (!inbox_empty(loop))
		inbox_take(loop);
	if (loop->posts_head)
		posts_run(loop);
	return 0;
}

static const struct cr__backend *const backends[] = {
#if CORAIL_WITH_URING
	[CORAIL_BACKEND_URING] = &cr__backend_uring,
#endif
	[CORAIL_BACKEND_EPOLL] = &cr__backend_epoll,
	[CORAIL_BACKEND_SIM] = &cr__backend_sim,
};

static const struct cr__backend *backend_find(const char *name)
{
	for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
		if (backends[i] && strcmp(backends[i]->name, name) == 0)
			return backends[i];
	return NULL;
}

int cr_loop_probe(const char *name, char *why, size_t size)
{
	const struct cr__backend *backend = name ? backend_find(name) : NULL;

	if (size)
		why[0] = '\0';
	return backend ? backend->probe(why, size) : -EINVAL;
}

int cr__loop_backend_find(enum cr_backend wanted, const struct cr__backend **ret_backend)
{
	const char *name = getenv("CORAIL_BACKEND");
	const struct cr__backend *backend;

	if ((unsigned)wanted >= sizeof backends / sizeof *backends)
		return -EINVAL;
	backend = backends[wanted];
	if (wanted != CORAIL_BACKEND_AUTO && !backend)
		return -ENOSYS;
	if (wanted == CORAIL_BACKEND_AUTO && name && *name && strcmp(name, "auto") != 0) {
		backend = backend_find(name);
		if (!backend)
			return -EINVAL;
	}
	*ret_backend = backend;
	return 0;
}

int cr__loop_open_wanted(struct cr__loop *loop, enum cr_backend wanted, uint64_t seed)
{
	const struct cr__backend *backend;
	int r = cr__loop_backend_find(wanted, &backend);

	if (r < 0)
		return r;
	if (backend)
		return cr__loop_open(loop, backend, seed);
	/* Never the simulator, which whoever wants it asks for. */
	r = -ENOSYS;
	for (int i = CORAIL_BACKEND_URING; r < 0 && i <= CORAIL_BACKEND_EPOLL; i++)
		if (backends[i])
			r = cr__loop_open(loop, backends[i], seed);
	return r;
}
