/* SPDX-License-Identifier: MIT */
#include "io/poller.h"

#include "base/alloc.h"
#include "loop/loop.h"

#include <errno.h>
#include <string.h>

typedef struct cr__poller_entry entry;

int cr_poller_open(cr_poller **ret_poller)
{
	struct cr__loop *loop = cr__loop_self();
	cr_poller *poller;

	if (!loop)
		return -ESRCH;
	poller = cr__alloc_zero(1, sizeof *poller);
	if (!poller)
		return -ENOMEM;
	poller->loop = loop;
	cr__list_init(&poller->arm);
	cr__list_init(&poller->ready);
	cr__list_init(&poller->spare);
	*ret_poller = poller;
	return 0;
}

/* ----------------------------------------------------------------------------------- events --- */

static void waiter_wake(cr_poller *poller, int status)
{
	if (poller->parked) {
		poller->parked = false;
		cr__unpark(poller->wait.task, status);
	} else if (poller->notify) {
		poller->notify(poller);
	}
}

static void closer_wake(cr_poller *poller)
{
	if (poller->closer_parked && !poller->waiting && poller->in_flight_count == 0) {
		poller->closer_parked = false;
		cr__unpark(poller->closer.task, 0);
	}
}

static void entry_ready(entry *e, int revents)
{
	e->revents = revents;
	cr__list_remove(&e->link);
	cr__list_push_back(&e->poller->ready, &e->link);
	waiter_wake(e->poller, 0);
}

static int entry_start(entry *e);

static void entry_done(struct cr__op *op)
{
	entry *e = CR__CONTAINER(op, entry, op);
	cr_poller *poller = e->poller;
	ssize_t result = op->result;
	bool ending = e->ending;
	int revents = result > 0 ? (int)result & (e->events | POLLERR | POLLHUP | POLLRDHUP) : 0;

	e->in_flight = e->ending = false;
	poller->in_flight_count--;
	cr__io_ended(poller->loop, e->fd);
	if (e->ghost || poller->closing) {
		cr__list_push_back(&poller->spare, &e->link);
		closer_wake(poller);
	} else if (e->events == 0) {
		return;
	} else if (revents) {
		entry_ready(e, revents);
	} else if (result < 0 && !ending) {
		entry_ready(e, POLLNVAL);
	} else if (entry_start(e) < 0) {
		cr__list_push_back(&poller->arm, &e->link);
		waiter_wake(poller, 0);
	}
}

/*
 * Starts an entry's operation, which is in no list. Returns 0, with the entry in flight or ready,
 * or -ENOMEM.
 */
static int entry_start(entry *e)
{
	int r;

	memset(&e->op, 0, sizeof e->op);
	e->op.done = entry_done;
	e->op.code = CR__OP_POLL;
	e->op.fd = e->fd;
	e->op.flags = (uint32_t)e->events;
	r = cr__op_start(e->poller->loop, &e->op);
	if (r == -ENOMEM)
		return r;
	if (r == 0) {
		e->in_flight = true;
		e->poller->in_flight_count++;
	} else if (r > 0 && e->op.result > 0) {
		entry_ready(e, (int)e->op.result);
	} else {
		entry_ready(e, POLLNVAL);
	}
	return 0;
}

int cr__poller_arm(cr_poller *poller)
{
	struct cr__list *node;

	while ((node = cr__list_first(&poller->arm))) {
		int r;

		cr__list_remove(node);
		r = entry_start(CR__CONTAINER(node, entry, link));
		if (r < 0) {
			cr__list_push_front(&poller->arm, node);
			return r;
		}
	}
	return 0;
}

int cr__poller_take(cr_poller *poller, cr_poller_event *events, size_t count)
{
	size_t n = 0;
	struct cr__list *node;

	while (n < count && (node = cr__list_first(&poller->ready))) {
		entry *e = CR__CONTAINER(node, entry, link);

		events[n++] = (cr_poller_event){e->fd, e->revents, e->data};
		cr__list_remove(node);
		cr__list_push_back(&poller->arm, node);
	}
	return (int)n;
}

/* ---------------------------------------------------------------------------------- waiting --- */

static enum cr__abort wait_abort(struct cr__wait *wait)
{
	CR__CONTAINER(wait, cr_poller, wait)->parked = false;
	return CR__ABORT_DONE;
}

static int wait_park(cr_poller *poller)
{
	int r = 0;

	poller->waiting = true;
	if (cr__list_empty(&poller->ready) && !poller->woken) {
		poller->wait = (struct cr__wait){.abort = wait_abort, .reason = "poller", .fd = -1};
		poller->parked = true;
		r = cr__park(&poller->wait);
	} else {
		cr__budget_spend();
	}
	poller->waiting = false;
	closer_wake(poller);
	return r;
}

int cr_poller_wait(cr_poller *poller, cr_poller_event *events, size_t count)
{
	int r = cr__park_check(__func__);

	if (r < 0)
		return r;
	if (count == 0)
		return -EINVAL;
	if (poller->waiting)
		return -EBUSY;
	r = cr__poller_arm(poller);
	if (r < 0)
		return r;
	r = wait_park(poller);
	if (r < 0)
		return r;
	r = cr__poller_take(poller, events, count);
	poller->woken = false;
	return r;
}

void cr_poller_wake(cr_poller *poller)
{
	poller->woken = true;
	waiter_wake(poller, 0);
}

/* -------------------------------------------------------------------------- the descriptors --- */

enum { PAGE_ENTRIES = 512 };

/* Where the entry of that number belongs, or NULL where no page is. */
static entry **place_of(const cr_poller *poller, int fd)
{
	size_t page = (size_t)fd / PAGE_ENTRIES;

	if (fd < 0 || page >= poller->page_count || !poller->pages[page])
		return NULL;
	return &poller->pages[page][fd % PAGE_ENTRIES];
}

static int page_add(cr_poller *poller, int fd)
{
	size_t page = (size_t)fd / PAGE_ENTRIES, count = poller->page_count;
	entry ***pages;

	if (page >= count) {
		count = page + 1 + page / 2;
		pages = cr__realloc(poller->pages, count * sizeof *pages);
		if (!pages)
			return -ENOMEM;
		memset(pages + poller->page_count, 0, (count - poller->page_count) * sizeof *pages);
		poller->pages = pages;
		poller->page_count = count;
	}
	poller->pages[page] = cr__alloc_zero(PAGE_ENTRIES, sizeof(entry *));
	return poller->pages[page] ? 0 : -ENOMEM;
}

static entry *entry_find(const cr_poller *poller, int fd)
{
	entry **place = place_of(poller, fd);

	return place ? *place : NULL;
}

static int entry_new(cr_poller *poller, int fd, entry **ret_entry)
{
	struct cr__list *node;
	entry *e;

	if (!place_of(poller, fd) && page_add(poller, fd) < 0)
		return -ENOMEM;
	node = cr__list_first(&poller->spare);
	if (node) {
		cr__list_remove(node);
		e = CR__CONTAINER(node, entry, link);
	} else {
		e = cr__alloc(sizeof *e);
	}
	if (!e)
		return -ENOMEM;
	memset(e, 0, sizeof *e);
	cr__list_init(&e->link);
	e->poller = poller;
	e->fd = fd;
	*place_of(poller, fd) = e;
	*ret_entry = e;
	return 0;
}

/* Asks for the end of an entry's operation. It may have ended when this returns. */
static void entry_cancel(entry *e)
{
	if (!e->in_flight || e->ending)
		return;
	e->ending = true;
	if (cr__op_cancel(e->poller->loop, &e->op)) {
		e->in_flight = e->ending = false;
		e->poller->in_flight_count--;
		cr__io_ended(e->poller->loop, e->fd);
	}
}

static void entry_remove(entry *e)
{
	cr_poller *poller = e->poller;

	*place_of(poller, e->fd) = NULL;
	cr__list_remove(&e->link);
	e->events = 0;
	entry_cancel(e);
	cr__fd_forget(poller->loop, e->fd);
	if (e->in_flight)
		e->ghost = true;
	else
		cr__list_push_back(&poller->spare, &e->link);
}

/* Gives an entry other events, and starts it now if a task is waiting, else at the next wait. */
static int entry_change(entry *e, int events)
{
	cr_poller *poller = e->poller;
	int r = 0;

	cr__list_remove(&e->link);
	e->events = events;
	entry_cancel(e);
	if (e->in_flight || !events)
		return 0;
	if (poller->parked)
		r = entry_start(e);
	else
		cr__list_push_back(&poller->arm, &e->link);
	return r;
}

int cr_poller_set(cr_poller *poller, int fd, int events, void *data)
{
	entry *e = entry_find(poller, fd);

	if (fd < 0)
		return -EBADF;
	if (!events) {
		if (!e)
			return -ENOENT;
		entry_remove(e);
		return 0;
	}
	if (!e && entry_new(poller, fd, &e) < 0)
		return -ENOMEM;
	e->data = data;
	if (e->events == events && !e->ending)
		return 0;
	return entry_change(e, events);
}

int cr_poller_idle(cr_poller *poller, int fd)
{
	entry *e = entry_find(poller, fd);

	if (!e)
		return -ENOENT;
	return entry_change(e, 0);
}

/* ---------------------------------------------------------------------------------- closing --- */

static void entries_free(struct cr__list *list)
{
	struct cr__list *node;

	while ((node = cr__list_first(list))) {
		cr__list_remove(node);
		cr__free(CR__CONTAINER(node, entry, link));
	}
}

void cr__poller_free(cr_poller *poller)
{
	entries_free(&poller->spare);
	for (size_t i = 0; i < poller->page_count; i++)
		cr__free(poller->pages[i]);
	cr__free(poller->pages);
	cr__free(poller);
}

void cr_poller_close(cr_poller *poller)
{
	if (!poller)
		return;
	cr__task_current(__func__);
	poller->notify = NULL;
	for (size_t i = 0; i < poller->page_count; i++)
		for (int j = 0; poller->pages[i] && j < PAGE_ENTRIES; j++)
			if (poller->pages[i][j])
				entry_remove(poller->pages[i][j]);
	poller->closing = true;
	waiter_wake(poller, -ECANCELED);
	while (poller->waiting || poller->in_flight_count > 0) {
		poller->closer = (struct cr__wait){.reason = "close", .fd = -1};
		poller->closer_parked = true;
		cr__park(&poller->closer);
	}
	cr__poller_free(poller);
}
