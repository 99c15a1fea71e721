/* SPDX-License-Identifier: MIT */
#ifndef CR__BASE_REPORT_H
#define CR__BASE_REPORT_H

/*
 * A report: text that is put together piece by piece and leaves in one write(2), so that it stays
 * one block among what others print. What does not fit is cut off. And the return addresses that go
 * into one.
 */

#include <corail/base.h>

struct cr__report {
	size_t size;
	char text[8192];
};

static inline void cr__report_clear(struct cr__report *report)
{
	report->size = 0;
}

/* Appends text. Control characters, which names from outside may hold, become '?'. */
void cr__report_add(struct cr__report *report, const char *format, ...) CORAIL_PRINTF(2, 3);

/* Ends a line. */
void cr__report_line(struct cr__report *report);

/* Writes it all. Returns 0, or a negative error of write(2). */
int cr__report_send(const struct cr__report *report, int fd);

enum { CR__FRAMES_MAX = 48 };

/*
 * The return addresses of the caller and of its callers, innermost first, by the unwind tables.
 * Takes no lock and allocates nothing once it has been called before: good in a signal handler too,
 * where it sees through the handler's frame. Returns how many.
 */
size_t cr__frames_here(void **frames, size_t count);

#endif
