/* SPDX-License-Identifier: MIT */
/* Cancelling, closing, and one operation a direction, on every backend with real descriptors. */

#include "backend_drive.h"

#include <sys/un.h>

/* A descriptor on which an operation of that kind has to wait; *ret_other is its counterpart. */
static int waiting_for(enum cr__opcode code, struct cr__op *op, int *ret_other)
{
	static char chunk[65536];
	static struct sockaddr_in addr;
	static struct iovec vector;
	static struct msghdr message;
	int fds[2];

	vector = (struct iovec){chunk, sizeof chunk};
	message = (struct msghdr){.msg_iov = &vector, .msg_iovlen = 1};
	if (code == CR__OP_ACCEPT) {
		*ret_other = -1;
		*op = op_of(code, listen_tcp(&addr), NULL, 0);
		return op->fd;
	}
	pair(fds);
	*ret_other = fds[1];
	*op = op_of(code, fds[0], chunk, sizeof chunk);
	if (code == CR__OP_READV || code == CR__OP_WRITEV) {
		op->buffer = &vector;
		op->size = 1;
	}
	if (code == CR__OP_RECVMSG || code == CR__OP_SENDMSG)
		op->buffer = &message;
	if (code == CR__OP_POLL)
		op->flags = POLLIN;
	while (send(fds[0], chunk, sizeof chunk, MSG_DONTWAIT) > 0)
		;
	return fds[0];
}

static const enum cr__opcode waiting_codes[] = {
	CR__OP_POLL,   CR__OP_READ,  CR__OP_READV,  CR__OP_RECV, CR__OP_RECVMSG,
	CR__OP_ACCEPT, CR__OP_WRITE, CR__OP_WRITEV, CR__OP_SEND, CR__OP_SENDMSG,
};
enum { WAITING_CODES = sizeof waiting_codes / sizeof *waiting_codes };

static void cancel_each_kind(void)
{
	for (size_t i = 0; i < WAITING_CODES; i++) {
		struct cr__op op;
		int other, fd = waiting_for(waiting_codes[i], &op, &other);

		wait_begin(&op);
		CHECK_EQ(cr__fd_busy(&loop, fd), 1);
		CHECK_EQ(cancel(&op), -ECANCELED);
		CHECK_EQ(cr__fd_busy(&loop, fd), 0);
		/* The descriptor is as good as before. */
		op.done = op_done;
		wait_begin(&op);
		CHECK_EQ(cancel(&op), -ECANCELED);
		close_fd(fd);
		if (other >= 0)
			close_fd(other);
	}
}

static void cancel_before_the_kernel_saw_it(void)
{
	for (size_t i = 0; i < WAITING_CODES; i++) {
		struct cr__op op;
		int other, fd = waiting_for(waiting_codes[i], &op, &other);

		CHECK_EQ(cr__op_start(&loop, &op), 0);
		CHECK(cr__op_cancel(&loop, &op));
		CHECK_EQ(cr__fd_busy(&loop, fd), 0);
		/* Its memory is ours again at once. */
		memset(&op, 0xee, sizeof op);
		poll_once(0);
		poll_once(0);
		close_fd(fd);
		if (other >= 0)
			close_fd(other);
	}
	CHECK_EQ(done_count, 0);
}

/* Data that arrives after a cancelled receive goes to the next one, whole. */
static void cancelled_receive_takes_nothing(void)
{
	char first[8] = {0}, second[8] = {0};
	struct cr__op op;
	int fds[2];

	pair(fds);
	op = op_of(CR__OP_RECV, fds[0], first, sizeof first);
	wait_begin(&op);
	CHECK_EQ(cancel(&op), -ECANCELED);
	CHECK_EQ(run(CR__OP_SEND, fds[1], "data", 4), 4);
	CHECK_EQ(run(CR__OP_RECV, fds[0], second, sizeof second), 4);
	CHECK_MEM(second, "data", 4);
	CHECK_EQ(first[0], 0);
	close_fd(fds[0]);
	close_fd(fds[1]);
}

/* Data and cancellation at the same time: either all bytes are delivered, or none are taken. */
static void cancel_races_with_data(void)
{
	int fds[2], delivered = 0;

	pair(fds);
	for (int i = 0; i < 200; i++) {
		char first[8], second[8];
		struct cr__op op = op_of(CR__OP_RECV, fds[0], first, sizeof first);
		ssize_t n;

		wait_begin(&op);
		CHECK_EQ(send(fds[1], "data", 4, 0), 4);
		if (i % 2)
			poll_once(0);
		n = op.done ? cancel(&op) : op.result;
		if (n == 4) {
			delivered++;
			continue;
		}
		CHECK_EQ(n, -ECANCELED);
		CHECK_EQ(run(CR__OP_RECV, fds[0], second, sizeof second), 4);
		CHECK_MEM(second, "data", 4);
	}
	CHECK_GE(delivered, 100);
	close_fd(fds[0]);
	close_fd(fds[1]);
}

/* Cancelled twice: one done() at most. */
static void cancel_twice(void)
{
	char buffer[8];
	struct cr__op op;
	int fds[2];

	pair(fds);
	op = op_of(CR__OP_RECV, fds[0], buffer, sizeof buffer);
	wait_begin(&op);
	if (!cr__op_cancel(&loop, &op)) {
		CHECK(!cr__op_cancel(&loop, &op));
		CHECK_EQ(finish(&op), -ECANCELED);
		CHECK_EQ(done_count, 1);
	}
	poll_once(0);
	CHECK_LE(done_count, 1);
	close_fd(fds[0]);
	close_fd(fds[1]);
}

static void cancel_a_connect(void)
{
	/* A listener with a full backlog drops further SYNs: connecting waits. */
	struct sockaddr_in addr;
	int listener = listen_tcp(&addr), fds[8], cancelled = 0;
	struct cr__op op;

	CHECK_EQ(cr__sock_listen(&loop, listener, 0), 0);
	for (int i = 0; i < 8; i++) {
		int r;

		fds[i] = cr__sock_open(&loop, AF_INET, SOCK_STREAM, 0);
		CHECK_GE(fds[i], 0);
		op = op_of(CR__OP_CONNECT, fds[i], &addr, sizeof addr);
		r = cr__op_start(&loop, &op);
		CHECK_GE(r, 0);
		for (int turn = 0; r == 0 && op.done && turn < 20; turn++)
			poll_once(cr_millis(1));
		if (r == 0 && op.done) {
			CHECK_EQ(cancel(&op), -ECANCELED);
			cancelled++;
		} else {
			CHECK_EQ(op.result, 0);
		}
	}
	CHECK_GT(cancelled, 0);
	for (int i = 0; i < 8; i++)
		close_fd(fds[i]);
	close_fd(listener);
}

static void one_operation_a_direction(void)
{
	char buffer[8], other[8];
	struct cr__op reader, writer, second;
	int fds[2], writer_fd = waiting_for(CR__OP_SEND, &writer, &fds[1]);

	fds[0] = writer_fd;
	reader = op_of(CR__OP_RECV, fds[0], buffer, sizeof buffer);
	wait_begin(&reader);
	CHECK_EQ(cr__fd_busy(&loop, fds[0]), 1);
	wait_begin(&writer);
	CHECK_EQ(cr__fd_busy(&loop, fds[0]), 2);
	CHECK_EQ(run(CR__OP_RECV, fds[0], other, sizeof other), -EBUSY);
	CHECK_EQ(run(CR__OP_READ, fds[0], other, sizeof other), -EBUSY);
	CHECK_EQ(run(CR__OP_SEND, fds[0], other, 1), -EBUSY);
	CHECK_EQ(run(CR__OP_WRITE, fds[0], other, 1), -EBUSY);
	second = op_of(CR__OP_POLL, fds[0], NULL, 0);
	for (uint32_t flags = POLLIN; flags <= (POLLIN | POLLOUT); flags++) {
		second.flags = flags;
		CHECK_EQ(run_op(second), -EBUSY);
	}
	/* The first ones are unharmed. */
	CHECK_EQ(run(CR__OP_SEND, fds[1], "abc", 3), 3);
	CHECK_EQ(finish(&reader), 3);
	CHECK_EQ(cancel(&writer), -ECANCELED);
	CHECK_EQ(cr__fd_busy(&loop, fds[0]), 0);
	close_fd(fds[0]);
	close_fd(fds[1]);
}

/* Closing cancels both directions, and waits. */
static void close_with_operations_in_flight(void)
{
	for (int turns = 0; turns < 2; turns++) {
		char buffer[8];
		struct cr__op reader, writer;
		int other, fd = waiting_for(CR__OP_SEND, &writer, &other);

		reader = op_of(CR__OP_RECV, fd, buffer, sizeof buffer);
		CHECK_EQ(cr__op_start(&loop, &reader), 0);
		CHECK_EQ(cr__op_start(&loop, &writer), 0);
		if (turns)
			poll_once(0);
		done_count = 0;
		CHECK_LE(cr__fd_cancel(&loop, fd), 2);
		CHECK_EQ(finish(&reader), -ECANCELED);
		CHECK_EQ(finish(&writer), -ECANCELED);
		CHECK_EQ(done_count, 2);
		CHECK_EQ(cr__fd_cancel(&loop, fd), 0);
		CHECK_EQ(cr__fd_close(&loop, fd), 0);
		close_fd(other);
	}
}

/* A number that is used again at once: nothing of its first life comes through. */
static void numbers_are_reused(void)
{
	for (int i = 0; i < 50; i++) {
		char buffer[8];
		struct cr__op op;
		int fds[2], again[2];

		pair(fds);
		op = op_of(CR__OP_RECV, fds[0], buffer, sizeof buffer);
		wait_begin(&op);
		/* An event that will be on its way when the number is closed. */
		CHECK_EQ(send(fds[1], "old", 3, 0), 3);
		if (cr__op_cancel(&loop, &op))
			op.done = NULL;
		else
			finish(&op);
		close_fd(fds[0]);
		close_fd(fds[1]);
		pair(again);
		CHECK_EQ(again[0], fds[0]);
		op = op_of(CR__OP_RECV, again[0], buffer, sizeof buffer);
		wait_begin(&op);
		poll_once(0);
		CHECK(op.done != NULL);
		CHECK_EQ(run(CR__OP_SEND, again[1], "new", 3), 3);
		CHECK_EQ(finish(&op), 3);
		CHECK_MEM(buffer, "new", 3);
		close_fd(again[0]);
		close_fd(again[1]);
	}
}

/* The same for numbers of others, closed behind the library's back, as long as nothing waits. */
static void numbers_are_reused_by_others(void)
{
	for (int i = 0; i < 5; i++) {
		char buffer[8];
		struct cr__op op;
		int fds[2];

		CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
		op = op_of(CR__OP_READ, fds[0], buffer, sizeof buffer);
		wait_begin(&op);
		CHECK_EQ(run(CR__OP_WRITE, fds[1], "abc", 3), 3);
		CHECK_EQ(finish(&op), 3);
		close(fds[0]);
		close(fds[1]);
	}
}

static void forget(void)
{
	char buffer[8];
	struct cr__op op;
	int fds[2];

	pair(fds);
	op = op_of(CR__OP_RECV, fds[0], buffer, sizeof buffer);
	wait_begin(&op);
	CHECK_EQ(cancel(&op), -ECANCELED);
	cr__fd_forget(&loop, fds[0]);
	/* Somebody else's from now on, and still usable here as such. */
	op = op_of(CR__OP_RECV, fds[0], buffer, sizeof buffer);
	wait_begin(&op);
	CHECK_EQ(run(CR__OP_SEND, fds[1], "abc", 3), 3);
	CHECK_EQ(finish(&op), 3);
	cr__fd_forget(&loop, fds[0]);
	cr__fd_forget(&loop, 9000);
	CHECK_EQ(close(fds[0]), 0);
	close_fd(fds[1]);
}

/*
 * The owner of a descriptor closes it right after a cancelled poll, and the number comes back at
 * once: the old operation still ends, and the new descriptor is free.
 */
static void forget_while_a_poll_ends(void)
{
	char buffer[8];
	struct cr__op polled, op;
	int fds[2], again[2];
	bool ended;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	polled = op_of(CR__OP_POLL, fds[0], NULL, 0);
	polled.flags = POLLIN;
	wait_begin(&polled);
	ended = cr__op_cancel(&loop, &polled);
	cr__fd_forget(&loop, fds[0]);
	close(fds[0]);
	close_fd(fds[1]);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, again), 0);
	CHECK_EQ(again[0], fds[0]);
	op = op_of(CR__OP_RECV, again[0], buffer, sizeof buffer);
	CHECK_EQ(cr__op_start(&loop, &op), 0);
	if (!ended)
		CHECK_EQ(finish(&polled), -ECANCELED);
	CHECK_EQ(cr__fd_busy(&loop, again[0]), 1);
	CHECK_EQ(run(CR__OP_SEND, again[1], "abc", 3), 3);
	CHECK_EQ(finish(&op), 3);
	close_fd(again[0]);
	close_fd(again[1]);
}

/*
 * A loop that ends with everything in flight: no done(), and the kernel has let go of the memory.
 * What arrives afterwards is taken by nobody.
 */
static void close_the_loop(void)
{
	static char late[65536];

	for (size_t b = 0; backend_at(b); b++) {
		struct cr__op *ops;
		int fds[WAITING_CODES], others[WAITING_CODES], open_before = test_open_fds();

		if (!works(backend_at(b)))
			continue;
		ops = calloc(WAITING_CODES, sizeof *ops);
		loop_begin(backend_at(b));
		for (size_t i = 0; i < WAITING_CODES; i++) {
			fds[i] = waiting_for(waiting_codes[i], &ops[i], &others[i]);
			CHECK_EQ(cr__op_start(&loop, &ops[i]), 0);
			if (i == WAITING_CODES / 2)
				poll_once(0);
		}
		loop_end();
		CHECK_EQ(done_count, 0);
		memset(ops, 0xee, WAITING_CODES * sizeof *ops);
		free(ops);
		for (size_t i = 0; i < WAITING_CODES; i++) {
			if (others[i] >= 0) {
				CHECK_EQ(send(others[i], "late", 4, 0), 4);
				CHECK_EQ(recv(fds[i], late, sizeof late, MSG_DONTWAIT), 4);
				close(others[i]);
			}
			close(fds[i]);
		}
		CHECK_EQ(test_open_fds(), open_before);
	}
}

static void all(void)
{
	EACH(cancel_each_kind);
	EACH(cancel_before_the_kernel_saw_it);
	EACH(cancelled_receive_takes_nothing);
	EACH(cancel_races_with_data);
	EACH(cancel_twice);
	EACH(cancel_a_connect);
	EACH(one_operation_a_direction);
	EACH(close_with_operations_in_flight);
	EACH(numbers_are_reused);
	EACH(numbers_are_reused_by_others);
	EACH(forget);
	EACH(forget_while_a_poll_ends);
	RUN(close_the_loop);
}

int main(void)
{
	all();
	old_kernel = true;
	all();
	return test_done();
}
