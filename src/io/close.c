/* SPDX-License-Identifier: MIT */
#include "io/io.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

/*
 * Closing under others' feet. A close cancels what is in flight, but an operation ends when its
 * completion comes, and a call of several operations only when it has noticed. Whoever closes waits
 * for both, here. The lists serve all loops of the process, so that closing needs no memory;
 * entries are touched by their own loop's thread only, the lock guards the links.
 */

struct closer {
	struct cr__wait wait;
	struct cr__list link;
	struct cr__loop *loop;
	int fd;
	int pending; /* calls that have not returned */
	bool parked;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cr__list closers = {&closers, &closers};
static struct cr__list steps_all = {&steps_all, &steps_all};

/* Nearly always none, so that the end of an operation need not take the lock. */
static atomic_uint closer_count;

static void link_add(struct cr__list *list, struct cr__list *link)
{
	pthread_mutex_lock(&lock);
	cr__list_push_back(list, link);
	pthread_mutex_unlock(&lock);
}

static void link_remove(struct cr__list *link)
{
	pthread_mutex_lock(&lock);
	cr__list_remove(link);
	pthread_mutex_unlock(&lock);
}

static void closers_tell(struct cr__loop *loop, int fd)
{
	pthread_mutex_lock(&lock);
	for (struct cr__list *node = closers.next; node != &closers; node = node->next) {
		struct closer *closer = CR__CONTAINER(node, struct closer, link);

		if (closer->loop != loop || closer->fd != fd || --closer->pending > 0)
			continue;
		if (closer->parked) {
			closer->parked = false;
			cr__unpark(closer->wait.task, 0);
		}
	}
	pthread_mutex_unlock(&lock);
}

void cr__io_ended(struct cr__loop *loop, int fd)
{
	if (__builtin_expect(atomic_load_explicit(&closer_count, memory_order_relaxed) != 0, 0))
		closers_tell(loop, fd);
}

void cr__io_steps_enter(struct cr__io_steps *steps, struct cr__loop *loop, int fd)
{
	steps->loop = loop;
	steps->fd = fd;
	steps->closed = false;
	link_add(&steps_all, &steps->link);
}

void cr__io_steps_leave(struct cr__io_steps *steps)
{
	link_remove(&steps->link);
	if (steps->closed)
		cr__io_ended(steps->loop, steps->fd);
}

/*
 * Tells the calls of several steps on a descriptor that it is closing. Returns how many there are.
 */
static int steps_close(struct cr__loop *loop, int fd)
{
	int count = 0;

	pthread_mutex_lock(&lock);
	for (struct cr__list *node = steps_all.next; node != &steps_all; node = node->next) {
		struct cr__io_steps *steps = CR__CONTAINER(node, struct cr__io_steps, link);

		if (steps->loop == loop && steps->fd == fd) {
			steps->closed = true;
			count++;
		}
	}
	pthread_mutex_unlock(&lock);
	return count;
}

void cr__io_quiesce(struct cr__loop *loop, int fd)
{
	struct closer closer = {.wait = {.reason = "close", .fd = fd}, .loop = loop, .fd = fd};

	closer.pending = cr__fd_busy(loop, fd) + steps_close(loop, fd);
	if (closer.pending == 0)
		return;
	link_add(&closers, &closer.link);
	atomic_fetch_add_explicit(&closer_count, 1, memory_order_relaxed);
	do {
		cr__fd_cancel(loop, fd);
		if (closer.pending > 0) {
			closer.parked = true;
			cr__park(&closer.wait);
		}
		closer.pending = cr__fd_busy(loop, fd) + steps_close(loop, fd);
	} while (closer.pending > 0);
	atomic_fetch_sub_explicit(&closer_count, 1, memory_order_relaxed);
	link_remove(&closer.link);
}
