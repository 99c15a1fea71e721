/* SPDX-License-Identifier: MIT */
#include "task/debug.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Where descriptors came from. One that is closed behind the library's back is no leak: before the
 * report each is looked at again, and must still be the file that it was.
 */

enum {
	ORIGIN_FRAMES = 12,
	NAME_SIZE = 64,
	/* The simulator's numbers begin here; both kinds share the table's low end. */
	NUMBERS = 1 << 20,
};

struct cr__origin {
	bool open;
	int fd;
	dev_t device;
	ino_t inode;
	char name[NAME_SIZE]; /* of the task */
	cr__site site;
	size_t count;
	void *frames[ORIGIN_FRAMES];
};

static size_t index_of(int fd)
{
	return (size_t)fd % NUMBERS;
}

static bool origins_reach(struct cr__debug *debug, int fd)
{
	size_t count = debug->origin_count ? debug->origin_count : 64;
	struct cr__origin *origins;

	if (index_of(fd) < debug->origin_count)
		return true;
	while (count <= index_of(fd))
		count *= 2;
	origins = cr__realloc(debug->origins, count * sizeof *origins);
	if (!origins)
		return false;
	memset(origins + debug->origin_count, 0, (count - debug->origin_count) * sizeof *origins);
	debug->origins = origins;
	debug->origin_count = count;
	return true;
}

/* Simulated descriptors are no files: nobody else can close them. */
static bool identify(const struct cr__debug *debug, int fd, struct cr__origin *origin)
{
	struct stat status;

	origin->device = 0;
	origin->inode = 0;
	if (debug->sched->loop.backend == &cr__backend_sim)
		return true;
	if (fstat(fd, &status) < 0)
		return false;
	origin->device = status.st_dev;
	origin->inode = status.st_ino;
	return true;
}

void cr__debug_opened(struct cr__debug *debug, int fd)
{
	struct cr__task *self = cr__running(debug->sched);
	struct cr__origin *origin;
	const char *name = self ? cr__task_name(self) : "the loop";

	if (!origins_reach(debug, fd))
		return;
	origin = &debug->origins[index_of(fd)];
	memset(origin, 0, sizeof *origin);
	memcpy(origin->name, name, strnlen(name, NAME_SIZE - 1));
	origin->fd = fd;
	origin->site = self ? self->site : "";
	origin->count = cr__frames_here(origin->frames, ORIGIN_FRAMES);
	origin->open = identify(debug, fd, origin);
}

void cr__debug_closed(struct cr__debug *debug, int fd)
{
	if (fd >= 0 && index_of(fd) < debug->origin_count)
		debug->origins[index_of(fd)].open = false;
}

static bool still_open(const struct cr__debug *debug, const struct cr__origin *origin)
{
	struct cr__origin now;

	return origin->open && identify(debug, origin->fd, &now) && now.device == origin->device &&
	       now.inode == origin->inode;
}

/* One block for each, up to a number that somebody may want to read. Returns how many there are. */
static unsigned print(struct cr__debug *debug, int to, const char *what)
{
	enum { MOST = 20 };
	unsigned count = 0;

	for (size_t i = 0; i < debug->origin_count; i++) {
		const struct cr__origin *origin = &debug->origins[i];
		struct cr__report *report;

		if (!still_open(debug, origin) || ++count > MOST)
			continue;
		report = cr__debug_begin(debug);
		cr__report_add(report,
		               "corail: descriptor %d %s, opened by task '%s' (%s):", origin->fd,
		               what, origin->name, origin->site);
		cr__report_line(report);
		cr__debug_send(debug, to, origin->frames, origin->count);
	}
	if (count > MOST) {
		cr__report_add(cr__debug_begin(debug), "corail: and %u descriptors more",
		               count - MOST);
		cr__report_line(&debug->report);
		cr__debug_send(debug, to, NULL, 0);
	}
	return count;
}

void cr__debug_leaks(struct cr__debug *debug)
{
	print(debug, debug->options.fd, "was never closed");
}

int cr_debug_descriptors(int fd)
{
	struct cr__sched *s = cr__sched_self();

	if (!s || !s->debug)
		return -ESRCH;
	return (int)print(s->debug, fd, "is open");
}

void cr__debug_origins_free(struct cr__debug *debug)
{
	cr__free(debug->origins);
	debug->origins = NULL;
	debug->origin_count = 0;
}
