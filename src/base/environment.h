/* SPDX-License-Identifier: MIT */
#ifndef CR__BASE_ENVIRONMENT_H
#define CR__BASE_ENVIRONMENT_H

/* The CORAIL_ variables of the environment. An empty one counts as unset. */

#include <corail/base.h>

#include <stdint.h>

/*
 * Reads one of those that are numbers: decimal, or hexadecimal behind 0x. Returns 1; 0 when it is
 * unset; -EINVAL when it is no number, or larger than makes sense for it.
 */
int cr__environment_number(const char *name, uint64_t *ret_number);

#endif
