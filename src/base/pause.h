/* SPDX-License-Identifier: MIT */
#ifndef CR__BASE_PAUSE_H
#define CR__BASE_PAUSE_H

/* In a loop that waits for another thread to write: lets the other half of the core breathe. */
static inline void cr__pause_briefly(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

#endif
