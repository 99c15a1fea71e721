/* SPDX-License-Identifier: MIT */
#ifndef CR__EXEC_FUTEX_H
#define CR__EXEC_FUTEX_H

/* Sleeping until a word changes, futex(2): where a thread without a loop has to wait. */

#include <corail/base.h>

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/*
 * Sleeps while *word is `value`, for at most so long (CORAIL_NEVER: as long as it takes). May
 * return early: look again. errno is kept.
 */
static inline void cr__futex_wait(_Atomic uint32_t *word, uint32_t value, cr_nsec most)
{
	struct timespec time = {most / 1000000000, most % 1000000000};
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, most == CORAIL_NEVER ? NULL : &time,
	        NULL, 0);
	errno = saved;
}

static inline void cr__futex_wake(_Atomic uint32_t *word, int count)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
	errno = saved;
}

#endif
