/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_CLI_WRITER_H
#define CORAIL_CLI_WRITER_H

/*
 * Pages on their way into a table. Whoever has fetched a page hands it over and goes on; a task
 * writes what has gathered, a batch at a time, while further pages come in. So the database's
 * latency costs nothing as long as it keeps up; when it does not, those who hand pages over wait
 * until there is room, and memory stays bounded.
 *
 * What was handed over is written, also after an interruption. A page is reported as done when it
 * is in the database, not before.
 */

#include "get.h"
#include "table.h"

/* A page that was handed over. */
struct record {
	struct record *next;
	struct page *page;
	struct outcome outcome;
	char fetched_at[32];
};

struct writer {
	struct table *table;
	struct get *get;
	struct record *first, **last;
	size_t count;
	uint64_t bytes;         /* of the bodies of those in the line */
	bool closed;            /* nothing more will come */
	cr_event filled, roomy; /* something to do; room for more */
};

/* Prepares; everything is borrowed. */
void writer_init(struct writer *writer, struct get *get, struct table *table);

/*
 * Hands a page over; takes what the outcome holds. Does not suspend: what was fetched cannot be
 * lost to a cancellation. Returns 0 or -ENOMEM.
 */
int writer_add(struct writer *writer, struct page *page, struct outcome *outcome);

/* Waits until there is room for more. Returns 0 or -ECANCELED. */
CORAIL_SUSPENDS
int writer_wait(struct writer *writer);

/* Says that nothing more will come. */
void writer_close(struct writer *writer);

/*
 * A task: writes until the writer is closed and everything has been written, in a cancelled scope
 * for another half a minute. Each page is settled (get.h) when it is in the table, or will not be.
 * Returns 0, or the error for which nothing can be written any more.
 */
CORAIL_SUSPENDS
int writer_run(struct writer *writer);

/* Frees what was not written; to be called when writer_run() has ended. */
void writer_free(struct writer *writer);

#endif
