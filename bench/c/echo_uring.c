/* SPDX-License-Identifier: MIT */
/*
 * An echo server by hand on io_uring: one-shot receives and sends, and one io_uring_enter for each
 * turn, which submits what was prepared and waits for what comes.
 */
#include "listen.h"

#include <liburing.h>
#include <unistd.h>

#define ENTRIES 4096
#define BUFFER_SIZE 4096
#define DESCRIPTORS 20000

enum operation { ACCEPT, RECEIVE, SEND };

static struct io_uring ring;
static char (*buffers)[BUFFER_SIZE]; /* one for each descriptor */

static struct io_uring_sqe *entry(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe) {
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
	}
	return sqe;
}

/* The preparing functions of liburing clear user_data: it is set after them. */
static void prepare(enum operation operation, int fd, size_t size)
{
	struct io_uring_sqe *sqe = entry();

	if (operation == ACCEPT)
		io_uring_prep_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
	else if (operation == RECEIVE)
		io_uring_prep_recv(sqe, fd, buffers[fd], BUFFER_SIZE, 0);
	else
		io_uring_prep_send(sqe, fd, buffers[fd], size, MSG_NOSIGNAL | MSG_WAITALL);
	sqe->user_data = (uint64_t)operation << 32 | (uint32_t)fd;
}

static void complete(const struct io_uring_cqe *cqe)
{
	enum operation operation = (enum operation)(cqe->user_data >> 32);
	int fd = (int)(uint32_t)cqe->user_data;

	if (operation == ACCEPT) {
		prepare(ACCEPT, fd, 0);
		if (cqe->res < 0)
			return;
		bench_nodelay(cqe->res);
		prepare(RECEIVE, cqe->res, 0);
	} else if (cqe->res <= 0) {
		close(fd);
	} else {
		prepare(operation == RECEIVE ? SEND : RECEIVE, fd, (size_t)cqe->res);
	}
}

int main(void)
{
	struct io_uring_params parameters = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
	                 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP,
	};
	int result = io_uring_queue_init_params(ENTRIES, &ring, &parameters);

	if (result < 0) {
		fprintf(stderr, "io_uring: %s\n", strerror(-result));
		return 1;
	}
	buffers = calloc(DESCRIPTORS, sizeof *buffers);
	if (!buffers)
		return 1;
	prepare(ACCEPT, bench_listen(0), 0);
	for (;;) {
		struct io_uring_cqe *cqe;
		unsigned head, seen = 0;

		io_uring_submit_and_wait(&ring, 1);
		io_uring_for_each_cqe(&ring, head, cqe)
		{
			complete(cqe);
			seen++;
		}
		io_uring_cq_advance(&ring, seen);
	}
}
