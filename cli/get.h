/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_CLI_GET_H
#define CORAIL_CLI_GET_H

/*
 * Downloading many pages: what `corail get` and `corail demo` share.
 *
 * A dispatcher starts a task for a page whenever there is a place (schedule.h), and takes the
 * tasks' results as they come; memory does not grow with the number of pages, except for their
 * URLs. Bodies go straight to their files (store.h), never through memory as a whole; those for a
 * database are handed to a task that writes them (writer.h).
 */

#include "digest.h"
#include "progress.h"
#include "schedule.h"
#include "store.h"
#include "table.h"
#include "urls.h"

#include <corail/base.h>
#include <corail/http.h>
#include <corail/sync.h>
#include <corail/task.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GET_CONCURRENT_DEFAULT 100
#define GET_CONCURRENT_MAX 10000

struct get_options {
	const char *folder;  /* NULL: bodies are counted and dropped */
	const char *ca_file; /* NULL: the system's */
	const char *digest;  /* the name of an algorithm; NULL: none */
	const char *table;   /* where to store pages: see table.h; NULL: nowhere */
	size_t concurrent;
	size_t per_host;   /* 0: no limit of its own */
	cr_nsec timeout;   /* for each attempt at a page; 0: none, but see fetch.c */
	unsigned retries;  /* further attempts after the first */
	uint64_t max_size; /* of a page, in bytes; 0: none */
	bool json, quiet, sequential, help;
	bool refetch; /* what is in the table already, too */
	bool direct;  /* no proxy, whatever the environment says */
};

enum page_state {
	PAGE_MISSING, /* not begun, or cut short */
	PAGE_GOOD,
	PAGE_FAILED,
	PAGE_STORED, /* in the table from an earlier run: not fetched */
};

/* A page and what became of it. */
struct page {
	const char *url;
	const char *name; /* in the folder; NULL without one */
	enum page_state state;
	int error;         /* negative; 0 when the status says it all */
	int status;        /* of the last answer; 0 without one */
	unsigned attempts; /* made */
	uint64_t bytes;    /* of the body, decoded */
	cr_nsec elapsed;   /* attempts and waits together */
};

/* What is known of a page from its end until it has been reported. All zero at first. */
struct outcome {
	cr_buf detail;     /* what a library said of its failure, if it did */
	const char *proxy; /* by way of which it was asked for; NULL: directly. Borrowed */
	char digest[DIGEST_TEXT_SIZE]; /* "" without one */
	cr_buf body;                   /* for a table; empty without one */
};

/* A run over a list of pages. */
struct get {
	const struct get_options *options;
	struct page *pages;
	size_t count;
	struct store store;
	struct progress progress;
	struct get_route {
		const char *proxy; /* NULL: direct */
		cr_http *http;     /* opened at its first use */
	} direct, plain, secure;   /* for http and https: by way of a proxy, if there is one */
	struct schedule schedule;
	struct table table;
	struct writer *writer; /* NULL without a table */
	cr_scope *whole;       /* of the run */
	cr_scope *running;     /* of the pages under way; NULL before and after */
	int stopped_by;        /* the signal that ended the run; 0: none, or SIGINT */
	int fatal;             /* the error for which the whole run must end, or 0 */
	bool unprinted;        /* it is one of standard output */
	bool unopened;         /* the table could not be opened */
	size_t good, failed, stored;
	uint64_t bytes; /* of the good pages */
	cr_nsec elapsed;
};

/* Prepares a run; the list is borrowed. Returns 0 or -ENOMEM. Ends with get_free(). */
int get_init(struct get *get, const struct get_options *options, const struct url_list *list);

/*
 * A task: fetches all pages, reports each one, and fills in the totals. Returns 0 when every page
 * was tried; -ECANCELED when it was stopped; another negative error when it cannot go on: the
 * session did not open, standard output is gone, or so is the database.
 */
CORAIL_SUSPENDS
int get_run(struct get *get);

void get_free(struct get *get);

/*
 * The session for a URL. Returns 0 or an error of cr_http_open(); in both cases, the proxy that it
 * goes through is written, or NULL.
 */
int get_session(struct get *get, const char *url, cr_http **ret_http, const char **ret_proxy);

/* Fetches one page, with retries, and fills in its result. The outcome is the caller's to free. */
CORAIL_SUSPENDS
void fetch_page(struct get *get, struct page *page, struct outcome *outcome);

void outcome_free(struct outcome *outcome);

/*
 * Counts a page that is done and reports it. Returns nothing: what makes it impossible to go on
 * ends the run, as get_abort() does.
 */
void settle_page(struct get *get, struct page *page, const struct outcome *outcome);

/* Ends the run with an error: pages under way are cancelled, get_run() returns it. */
void get_abort(struct get *get, int error);

/* A task: cancels the run at SIGTERM and SIGHUP, and notes which it was. Returns 0. */
CORAIL_SUSPENDS
int stop_on_signal(struct get *get);

/* Marks the pages that are in the table already. Returns 0 or a negative error. */
CORAIL_SUSPENDS
int skip_stored(struct get *get);

/* Reports a page that is done. Returns as progress_line_done(). */
int report_page(struct get *get, const struct page *page, const struct outcome *outcome);

/* The commands. They return the exit status. */
int get_main(int argc, char **argv);
int demo_main(int argc, char **argv);
int doctor_main(int argc, char **argv);

#endif
