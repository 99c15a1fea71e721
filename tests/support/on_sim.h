/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SUPPORT_ON_SIM_H
#define CORAIL_TESTS_SUPPORT_ON_SIM_H

#include <corail/loop.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Whether this runs in the simulator; outside a loop, whether the next one is to. */
static inline bool on_sim(void)
{
	const char *backend = cr_loop_backend();

	if (!backend)
		backend = getenv("CORAIL_BACKEND");
	return backend && strcmp(backend, "sim") == 0;
}

#endif
