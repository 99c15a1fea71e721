/* SPDX-License-Identifier: MIT */
#ifndef CR__EXT_OPTIONS_H
#define CR__EXT_OPTIONS_H

/* Options that are zero mean the default. */

#include <corail/base.h>

#include <stddef.h>

static inline void cr__default_size(size_t *value, size_t otherwise)
{
	if (*value == 0)
		*value = otherwise;
}

/* Durations below zero count as zero. */
static inline void cr__default_time(cr_nsec *value, cr_nsec otherwise)
{
	if (*value <= 0)
		*value = otherwise;
}

#endif
