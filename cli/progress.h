/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_CLI_PROGRESS_H
#define CORAIL_CLI_PROGRESS_H

/*
 * What the user sees while pages come in: one line per page, and on a terminal a bar below them.
 *
 * The bar is on standard error, and only if that is a terminal. Lines that go to the same terminal
 * are collected and written together with the bar, ten times a second at most: nothing flickers,
 * and ten thousand pages cost no more drawing than ten. Everything else is written at once.
 */

#include <corail/base.h>
#include <stdbool.h>
#include <stdio.h>

struct progress {
	/* To be kept up to date by the owner. */
	size_t total, done, failed, in_flight;
	uint64_t bytes;

	/* Private. */
	bool shown, colour, unicode, shared; /* shared: both outputs are one terminal */
	bool drawn;                          /* a bar is on the screen */
	cr_nsec began, measured_at;
	uint64_t measured_bytes;
	double rate; /* bytes per second, smoothed */
	FILE *collected;
	char *collected_text;
	size_t collected_size;
};

/* Prepares for `total` pages. `wanted` false: no bar, be there a terminal or not. */
void progress_open(struct progress *progress, size_t total, bool wanted);

/* Where lines for standard output and standard error are to be printed. */
FILE *progress_out(struct progress *progress);
FILE *progress_err(struct progress *progress);

/*
 * To be called after each complete line of progress_out(). Returns 0, or the negative error with
 * which standard output refused it.
 */
int progress_line_done(struct progress *progress);

/*
 * A task: draws the bar, ten times a second, until it is cancelled. Returns at once without a bar.
 */
CORAIL_SUSPENDS
int progress_run(struct progress *progress);

/* Writes what was collected, and removes the bar. */
void progress_close(struct progress *progress);

#endif
