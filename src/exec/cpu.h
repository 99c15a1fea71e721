/* SPDX-License-Identifier: MIT */
#ifndef CR__EXEC_CPU_H
#define CR__EXEC_CPU_H

/* How many processors there are to use, and what control groups say about it. */

#include <stddef.h>

/*
 * The processors that the control groups of this process allow, rounded up; SIZE_MAX without a
 * limit. `groups` is the text of /proc/self/cgroup, `mount` where the groups' file systems are.
 */
size_t cr__cpu_quota(const char *groups, const char *mount);

#endif
