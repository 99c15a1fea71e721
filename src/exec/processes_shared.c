/* SPDX-License-Identifier: MIT */
#include "exec/processes.h"

#include "base/alloc.h"

#include <errno.h>
#include <pthread.h>

/*
 * Shared memory: a file in memory that this process maps when it is made, and a worker when one of
 * its jobs first asks for it. Closing one cuts the file off, which gives the memory back at once,
 * whoever still maps it.
 */

struct buffer {
	struct cr__list link;
	uint64_t id;
	size_t size;
	void *data;
	int fd;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cr__list buffers = {&buffers, &buffers};
static uint64_t last_id;

/* With the lock held. */
static struct buffer *buffer_find(uint64_t id)
{
	for (struct cr__list *node = buffers.next; node != &buffers; node = node->next) {
		struct buffer *buffer = CR__CONTAINER(node, struct buffer, link);

		if (buffer->id == id)
			return buffer;
	}
	return NULL;
}

int cr_shared_open(size_t size_bytes, cr_shared *ret_shared)
{
	struct buffer *buffer;

	if (!size_bytes)
		return -EINVAL;
	if (cr__worker_here())
		return -EPERM;
	buffer = cr__alloc(sizeof *buffer);
	if (!buffer)
		return -ENOMEM;
	buffer->size = size_bytes;
	buffer->fd = cr__zygote_memory("corail-shared", size_bytes, &buffer->data);
	if (buffer->fd < 0) {
		int r = buffer->fd;

		cr__free(buffer);
		return r;
	}
	pthread_mutex_lock(&lock);
	buffer->id = ++last_id;
	cr__list_push_front(&buffers, &buffer->link);
	pthread_mutex_unlock(&lock);
	ret_shared->id = buffer->id;
	return 0;
}

int cr_shared_map(cr_shared shared, void **ret_data, size_t *ret_size_bytes)
{
	struct buffer *buffer;

	if (cr__worker_here())
		return cr__worker_shared(shared.id, ret_data, ret_size_bytes);
	pthread_mutex_lock(&lock);
	buffer = buffer_find(shared.id);
	if (buffer) {
		*ret_data = buffer->data;
		if (ret_size_bytes)
			*ret_size_bytes = buffer->size;
	}
	pthread_mutex_unlock(&lock);
	return buffer ? 0 : -ESRCH;
}

void cr_shared_close(cr_shared shared)
{
	struct buffer *buffer;

	if (cr__worker_here())
		return;
	pthread_mutex_lock(&lock);
	buffer = buffer_find(shared.id);
	if (buffer)
		cr__list_remove(&buffer->link);
	pthread_mutex_unlock(&lock);
	if (!buffer)
		return;
	cr__zygote_memory_free(buffer->data, buffer->size);
	cr__zygote_memory_cut(buffer->fd);
	cr__free(buffer);
}

void cr__shared_answer(int socket, uint64_t id)
{
	struct cr__shared_packet packet = {.id = id, .error = -ESRCH};
	const struct buffer *buffer;
	int r;

	/* Under the lock, so that nobody closes the descriptor meanwhile. */
	pthread_mutex_lock(&lock);
	buffer = buffer_find(id);
	if (buffer) {
		packet.size = buffer->size;
		packet.error = 0;
	}
	r = cr__packet_send(socket, &packet, sizeof packet, buffer ? &buffer->fd : NULL, !!buffer);
	pthread_mutex_unlock(&lock);
	if (r == 0 || !buffer)
		return;
	/* No descriptor can be sent (ETOOMANYREFS, ENOMEM): the job is told. */
	packet.error = r;
	cr__packet_send(socket, &packet, sizeof packet, NULL, 0);
}
