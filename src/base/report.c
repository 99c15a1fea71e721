/* SPDX-License-Identifier: MIT */
#include "base/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <unwind.h>

/* The last bytes are for the line's end, whatever was cut off. */
enum { ROOM = sizeof((struct cr__report *)0)->text - 2 };

void cr__report_add(struct cr__report *report, const char *format, ...)
{
	size_t start = report->size;
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(report->text + start, ROOM - start, format, args);
	va_end(args);
	if (size <= 0)
		return;
	report->size = start + (size_t)size < ROOM ? start + (size_t)size : ROOM - 1;
	for (size_t i = start; i < report->size; i++)
		if ((unsigned char)report->text[i] < 0x20 || report->text[i] == 0x7f)
			report->text[i] = '?';
}

void cr__report_line(struct cr__report *report)
{
	if (report->size < ROOM)
		report->text[report->size++] = '\n';
}

int cr__report_send(const struct cr__report *report, int fd)
{
	const char *text = report->text;
	size_t left = report->size;

	while (left > 0) {
		ssize_t written = write(fd, text, left);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			text += written;
			left -= (size_t)written;
		}
	}
	return 0;
}

struct walk {
	void **frames;
	size_t count, room;
};

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *arg)
{
	struct walk *walk = arg;
	int exact = 0;
	uintptr_t address = _Unwind_GetIPInfo(context, &exact);

	if (walk->count == walk->room || address == 0)
		return _URC_END_OF_STACK;
	/* A return address belongs to the line after the call; a signal's own frame is exact. */
	walk->frames[walk->count++] = (void *)(exact ? address + 1 : address);
	return _URC_NO_REASON;
}

__attribute__((noinline)) size_t cr__frames_here(void **frames, size_t count)
{
	struct walk walk = {.frames = frames, .room = count};

	_Unwind_Backtrace(visit, &walk);
	return walk.count;
}
