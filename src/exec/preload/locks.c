/* SPDX-License-Identifier: MIT */
/*
 * libcorail-debug.so, to be preloaded: LD_PRELOAD=libcorail-debug.so CORAIL_DEBUG=1 ./program. It
 * stands before the C library's locks, calls them, and keeps for each thread a list of those that
 * it holds; libcorail looks at the list whenever a task suspends.
 *
 * Waiting for a condition gives its mutex back and takes it again inside the C library, which is no
 * suspension of a task, so nothing is noted for it.
 */

#include "base/locks.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <time.h>

enum { HELD_MAX = 64 };

/* What does not fit is not noted. */
static __thread struct cr__lock_held held[HELD_MAX];
static __thread size_t held_count;

__attribute__((visibility("default"))) size_t cr__locks_held(const struct cr__lock_held **ret_locks)
{
	*ret_locks = held;
	return held_count;
}

static void note_locked(const void *lock, void *caller)
{
	if (held_count < HELD_MAX)
		held[held_count++] = (struct cr__lock_held){lock, caller};
}

/* The last one of that lock: it may be recursive. */
static void note_unlocked(const void *lock)
{
	for (size_t i = held_count; i-- > 0;) {
		if (held[i].lock != lock)
			continue;
		held_count--;
		for (; i < held_count; i++)
			held[i] = held[i + 1];
		return;
	}
}

/* The next definition of a function, which is the C library's; looked up once. */
static void *next(_Atomic(void *) *cache, const char *name)
{
	void *function = *cache;

	if (!function)
		*cache = function = dlsym(RTLD_NEXT, name);
	return function;
}

/*
 * int NAME(parameters): calls the real one with `arguments`, and notes that its first one is held
 * when it says 0, or EOWNERDEAD.
 */
#define TAKES(name, parameters, arguments)                                                         \
	__attribute__((visibility("default"))) int name parameters                                 \
	{                                                                                          \
		static _Atomic(void *) cache;                                                      \
		int(*real) parameters;                                                             \
		int r;                                                                             \
                                                                                                   \
		*(void **)&real = next(&cache, #name);                                             \
		r = real arguments;                                                                \
		if (r == 0 || r == EOWNERDEAD)                                                     \
			note_locked((const void *)(uintptr_t)lock, __builtin_return_address(0));   \
		return r;                                                                          \
	}

#define GIVES(name, type)                                                                          \
	__attribute__((visibility("default"))) int name(type *lock)                                \
	{                                                                                          \
		static _Atomic(void *) cache;                                                      \
		int (*real)(type * lock);                                                          \
                                                                                                   \
		*(void **)&real = next(&cache, #name);                                             \
		note_unlocked((const void *)(uintptr_t)lock);                                      \
		return real(lock);                                                                 \
	}

TAKES(pthread_mutex_lock, (pthread_mutex_t * lock), (lock))
TAKES(pthread_mutex_trylock, (pthread_mutex_t * lock), (lock))
TAKES(pthread_mutex_timedlock, (pthread_mutex_t * lock, const struct timespec *until),
      (lock, until))
TAKES(pthread_mutex_clocklock,
      (pthread_mutex_t * lock, clockid_t clock, const struct timespec *until), (lock, clock, until))
GIVES(pthread_mutex_unlock, pthread_mutex_t)

TAKES(pthread_rwlock_rdlock, (pthread_rwlock_t * lock), (lock))
TAKES(pthread_rwlock_tryrdlock, (pthread_rwlock_t * lock), (lock))
TAKES(pthread_rwlock_wrlock, (pthread_rwlock_t * lock), (lock))
TAKES(pthread_rwlock_trywrlock, (pthread_rwlock_t * lock), (lock))
GIVES(pthread_rwlock_unlock, pthread_rwlock_t)

TAKES(pthread_spin_lock, (pthread_spinlock_t * lock), (lock))
TAKES(pthread_spin_trylock, (pthread_spinlock_t * lock), (lock))
GIVES(pthread_spin_unlock, pthread_spinlock_t)
