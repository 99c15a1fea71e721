/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_CLI_SCHEDULE_H
#define CORAIL_CLI_SCHEDULE_H

/*
 * Which page next: in the order given, except that a host which already has its share in flight is
 * passed over until one of its pages is done. A page that waits for its host costs nothing, and no
 * slow host holds up the others.
 */

#include <stdbool.h>
#include <stddef.h>

struct schedule {
	struct schedule_host {
		const char *name; /* part of a URL, not terminated; NULL: free slot */
		size_t name_size;
		size_t in_flight;
		size_t first, last; /* its pages that were passed over, in order; NONE */
		size_t next_host;   /* in the line of hosts that have become free */
		bool in_line;
	} * hosts; /* open addressing; a power of two */
	size_t host_capacity;
	size_t *next;    /* by page: the next one passed over at the same host */
	size_t *host_of; /* by page */
	size_t count, cursor, per_host;
	size_t free_first, free_last; /* hosts with a passed-over page and a free place */
};

/*
 * Prepares for these URLs, which are borrowed. per_host 0: no limit. Returns 0 or -ENOMEM.
 * Ends with schedule_free().
 */
int schedule_init(struct schedule *schedule, char *const *urls, size_t count, size_t per_host);

/* Gives the next page that may start. Returns false when there is none now, or none at all. */
bool schedule_next(struct schedule *schedule, size_t *ret_index);

/* A page that schedule_next() gave is done. */
void schedule_done(struct schedule *schedule, size_t index);

void schedule_free(struct schedule *schedule);

#endif
