/* SPDX-License-Identifier: MIT */
#include "fs/file.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>

/*
 * One buffer of the longest line and a read ahead. A line that does not fit is dropped piece by
 * piece until its end, so that memory stays bounded whatever the file holds.
 */

enum { LINE_MAX_BYTES = 64 * 1024, AHEAD_BYTES = 64 * 1024 };

struct cr_lines {
	cr_file *file;
	size_t line_max, capacity;
	size_t at, end;  /* what is unread, in `data` */
	size_t searched; /* behind `at`: there is no line's end */
	bool dropping;   /* the rest of a line that was too long */
	bool ended;      /* the file */
	char data[];
};

int cr_lines_open(const char *path, size_t line_max_bytes, cr_lines **ret_lines)
{
	const size_t line_max = line_max_bytes ? line_max_bytes : LINE_MAX_BYTES;
	const size_t capacity = line_max + AHEAD_BYTES;
	cr_lines *lines;
	int r;

	if (capacity < line_max)
		return -EINVAL;
	lines = cr__alloc(sizeof *lines + capacity + 1);
	if (!lines)
		return -ENOMEM;
	*lines = (cr_lines){.line_max = line_max, .capacity = capacity};
	r = cr_file_open(path, O_RDONLY, 0, &lines->file);
	if (r < 0) {
		cr__free(lines);
		return r;
	}
	*ret_lines = lines;
	return 0;
}

static int refill(cr_lines *lines)
{
	ssize_t n;

	if (lines->at > 0) {
		memmove(lines->data, lines->data + lines->at, lines->end - lines->at);
		lines->end -= lines->at;
		lines->at = 0;
	}
	n = cr_file_read(lines->file, lines->data + lines->end, lines->capacity - lines->end);
	if (n < 0)
		return (int)n;
	lines->ended = n == 0;
	lines->end += (size_t)n;
	return 0;
}

/* The unread part is a line of that size, or a piece of one; `skip` bytes end it. */
static void take(cr_lines *lines, size_t size, size_t skip)
{
	lines->data[lines->at + size] = '\0';
	lines->at += size + skip;
	lines->searched = 0;
}

/* A line, or the part of one that fits. Returns 1, 0 at the end of the file, or -EMSGSIZE. */
static int next(cr_lines *lines, char **ret_line, size_t *ret_size)
{
	for (;;) {
		char *start = lines->data + lines->at;
		size_t unread = lines->end - lines->at;
		char *end = unread > lines->searched ? memchr(start + lines->searched, '\n',
		                                              unread - lines->searched)
		                                     : NULL;
		size_t size = end ? (size_t)(end - start) : unread;
		int r;

		if (size > lines->line_max) {
			take(lines, size, end != NULL);
			r = lines->dropping ? 0 : -EMSGSIZE;
			lines->dropping = !end;
			if (r < 0)
				return r;
			continue;
		}
		if (end || (lines->ended && unread > 0)) {
			bool rest = lines->dropping;

			take(lines, size, end != NULL);
			lines->dropping = false;
			if (rest)
				continue;
			*ret_line = start;
			*ret_size = size;
			return 1;
		}
		if (lines->ended)
			return 0;
		lines->searched = unread;
		r = refill(lines);
		if (r < 0)
			return r;
	}
}

int cr_lines_next(cr_lines *lines, char **ret_line, size_t *ret_size)
{
	int r = cr__park_check(__func__);

	if (r < 0)
		return r;
	cr__budget_spend();
	return next(lines, ret_line, ret_size);
}

void cr_lines_close(cr_lines *lines)
{
	if (!lines)
		return;
	cr_file_close(lines->file);
	cr__free(lines);
}
