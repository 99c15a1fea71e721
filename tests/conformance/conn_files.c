/* SPDX-License-Identifier: MIT */
/* Files that are sent, relays, several buffers at once, zero-copy. */
#include "in_task.h"

#include <corail/socket.h>
#include <corail/stdio.h>

#include <fcntl.h>
#include <signal.h>

enum { SIZE = 3 * 1024 * 1024 + 17 };

static char *data;

static int file_make(void)
{
	char path[] = "/tmp/corail-test-XXXXXX";
	int fd = mkstemp(path);

	CHECK_GE(fd, 0);
	unlink(path);
	for (size_t done = 0; done < SIZE;) {
		ssize_t n = write(fd, data + done, SIZE - done);

		CHECK_GT(n, 0);
		done += (size_t)n;
	}
	CHECK_EQ(lseek(fd, 5, SEEK_SET), 5);
	return fd;
}

struct reader {
	cr_conn *conn;
	size_t from, size;
};

static int read_and_compare(struct reader *r)
{
	static char chunk[65536];
	ssize_t n;

	while ((n = cr_conn_read(r->conn, chunk, sizeof chunk)) > 0) {
		CHECK_MEM(chunk, data + r->from + r->size, (size_t)n);
		r->size += (size_t)n;
	}
	return (int)n;
}

static void sends(cr_conn *c[2], int64_t offset, uint64_t count, int64_t result)
{
	struct reader r = {.conn = c[1], .from = (size_t)offset};
	int file = file_make();

	{
		CORAIL_SCOPE(scope);
		cr_task task = cr_spawn(&scope, read_and_compare, &r);

		CHECK_EQ(cr_conn_send_file(c[0], file, offset, count), result);
		CHECK_EQ(lseek(file, 0, SEEK_CUR), 5);
		cr_conn_close(c[0]);
		CHECK_EQ(cr_await(task), 0);
		CHECK_EQ(r.size, result);
	}
	cr_conn_close(c[1]);
	close(file);
}

static int files_over_tcp(int *unused)
{
	cr_conn *c[2];

	(void)unused;
	tcp_pair(c);
	sends(c, 0, UINT64_MAX, SIZE);
	tcp_pair(c);
	sends(c, 1234, 1000000, 1000000);
	tcp_pair(c);
	sends(c, SIZE - 10, 20, 10);
	return 0;
}

static int files_over_unix(int *unused)
{
	cr_conn *c[2];

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	sends(c, 3, UINT64_MAX, SIZE - 3);
	return 0;
}

/* A transport that is nothing but another connection, as TLS is one. */
static ssize_t inner_read(void *state, void *buffer, size_t size)
{
	return cr_conn_read(state, buffer, size);
}

static ssize_t inner_write(void *state, const struct iovec *vector, int count)
{
	(void)count;
	return cr_conn_write_some(state, vector->iov_base, vector->iov_len);
}

static int inner_shutdown(void *state)
{
	return cr_conn_shutdown_write(state);
}

static void inner_cancel(void *state)
{
	cr_conn_cancel(state);
}

static int inner_close(void *state, int reset)
{
	if (!reset)
		return cr_conn_close(state);
	cr_conn_abort(state);
	return 0;
}

static const cr_transport layer = {.read = inner_read,
                                   .write = inner_write,
                                   .shutdown_write = inner_shutdown,
                                   .cancel = inner_cancel,
                                   .close = inner_close};

static void layered_pair(cr_conn *c[2])
{
	cr_conn *inner[2];

	CHECK_EQ(cr_conn_pair(inner), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(cr_conn_from_transport(&layer, inner[i], &c[i]), 0);
}

static int files_over_a_layer(int *unused)
{
	cr_conn *c[2];

	(void)unused;
	layered_pair(c);
	sends(c, 3, UINT64_MAX, SIZE - 3);
	return 0;
}

static int file_errors(int *unused)
{
	int file = file_make(), ends[2], directory = open("/tmp", O_RDONLY | O_CLOEXEC), r;
	cr_conn *c[2];
	int64_t n;

	(void)unused;
	CHECK_EQ(pipe(ends), 0);
	tcp_pair(c);
	CHECK_EQ(cr_conn_send_file(c[0], file, -1, 10), -EINVAL);
	CHECK_EQ(cr_conn_send_file(c[0], file, 0, 0), 0);
	CHECK_EQ(cr_conn_send_file(c[0], file, SIZE, 10), 0);
	CHECK_EQ(cr_conn_send_file(c[0], ends[0], 0, 10), -ESPIPE);
	CHECK_EQ(cr_conn_send_file(c[0], directory, 0, 10), -EISDIR);
	CHECK_EQ(cr_conn_send_file(c[0], 99, 0, 10), -EBADF);
	/* The peer has gone: an error, and no signal. */
	signal(SIGPIPE, SIG_DFL);
	cr_conn_abort(c[1]);
	/* The simulator's clock stands still for who never waits, and the reset is on its way. */
	do {
		n = cr_conn_send_file(c[0], file, 0, UINT64_MAX);
		CHECK_EQ(cr_sleep(cr_millis(1)), 0);
	} while (n >= 0);
	CHECK(n == -EPIPE || n == -ECONNRESET);
	r = (int)cr_conn_send_file(c[0], file, 0, UINT64_MAX);
	CHECK(r == -EPIPE || r == -ECONNRESET);
	cr_conn_close(c[0]);
	close(file);
	close(directory);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

/* ----------------------------------------------------------------------------------- relays --- */

static int write_all_and_end(cr_conn *conn)
{
	int r = cr_conn_write(conn, data, SIZE);

	return r < 0 ? r : cr_conn_shutdown_write(conn);
}

struct relay {
	cr_conn *from, *to;
	int64_t count;
};

static int relay(struct relay *r)
{
	r->count = cr_conn_copy(r->from, r->to);
	cr_conn_shutdown_write(r->to);
	return 0;
}

static void relays(cr_conn *a[2], cr_conn *b[2])
{
	struct relay r = {a[1], b[0], 0};
	struct reader reader = {.conn = b[1]};

	/* The beginning has been read ahead: it goes along. */
	CHECK_EQ(cr_conn_write(a[0], data, 100), 0);
	{
		const void *ahead;
		char ten[10];

		CHECK_GE(cr_conn_peek(a[1], &ahead), 1);
		CHECK_EQ(cr_conn_read_exactly(a[1], ten, 10), 0);
		CHECK_MEM(ten, data, 10);
	}
	CHECK_EQ(cr_conn_write(a[0], data + 100, 3), 0);
	CHECK_EQ(cr_conn_shutdown_write(a[0]), 0);
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, relay, &r);
		reader.from = 10;
		CHECK_EQ(read_and_compare(&reader), 0);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(r.count, 93);
		CHECK_EQ(reader.size, 93);
	}
	for (int i = 0; i < 2; i++) {
		cr_conn_close(a[i]);
		cr_conn_close(b[i]);
	}
}

static void relays_much(cr_conn *a[2], cr_conn *b[2])
{
	struct relay r = {a[1], b[0], 0};
	struct reader reader = {.conn = b[1]};

	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, write_all_and_end, a[0]);
		cr_spawn(&scope, relay, &r);
		CHECK_EQ(cr_conn_copy(b[0], b[0]), -EINVAL);
		CHECK_EQ(read_and_compare(&reader), 0);
		CHECK_EQ(cr_scope_wait(&scope), 0);
		CHECK_EQ(r.count, SIZE);
		CHECK_EQ(reader.size, SIZE);
	}
	for (int i = 0; i < 2; i++) {
		cr_conn_close(a[i]);
		cr_conn_close(b[i]);
	}
}

static int relays_of_all_kinds(int *unused)
{
	cr_conn *a[2], *b[2];

	(void)unused;
	tcp_pair(a);
	tcp_pair(b);
	relays(a, b);
	tcp_pair(a);
	CHECK_EQ(cr_conn_pair(b), 0);
	relays_much(a, b);
	layered_pair(a);
	tcp_pair(b);
	relays(a, b);
	tcp_pair(a);
	layered_pair(b);
	relays_much(a, b);
	return 0;
}

static int relays_pipes(int *unused)
{
	cr_conn *a[2], *b[2];
	int r = cr_pipe_open(&a[1], &a[0]);

	(void)unused;
	if (r == -EOPNOTSUPP)
		return 0;
	CHECK_EQ(r, 0);
	tcp_pair(b);
	{
		struct relay job = {a[1], b[0], 0};
		char text[6] = {0};

		CORAIL_SCOPE(scope);
		cr_task task = cr_spawn(&scope, relay, &job);

		CHECK_EQ(cr_conn_write(a[0], "hello", 5), 0);
		CHECK_EQ(cr_conn_read_exactly(b[1], text, 5), 0);
		CHECK_STR(text, "hello");
		cr_conn_close(a[0]);
		CHECK_EQ(cr_conn_read(b[1], text, 5), 0);
		CHECK_EQ(cr_await(task), 0);
		CHECK_EQ(job.count, 5);
	}
	cr_conn_close(a[1]);
	cr_conn_close(b[0]);
	cr_conn_close(b[1]);
	return 0;
}

/* The second connection is full, and the relay is cut short there: all the rest is found again. */
static void cut_short(cr_conn *a[2], cr_conn *b[2])
{
	struct reader reader = {.conn = b[1]};
	int64_t n;

	{
		CORAIL_SCOPE(scope);
		cr_task task = cr_spawn(&scope, write_all_and_end, a[0]);

		n = cr_timeout(cr_millis(50), cr_conn_copy(a[1], b[0]));
		CHECK_EQ(n, -ETIMEDOUT);
		CHECK_EQ(cr_conn_shutdown_write(b[0]), 0);
		CHECK_EQ(read_and_compare(&reader), 0);
		CHECK_LT(reader.size, SIZE);
		reader.conn = a[1];
		CHECK_EQ(read_and_compare(&reader), 0);
		CHECK_EQ(reader.size, SIZE);
		CHECK_EQ(cr_await(task), 0);
	}
	for (int i = 0; i < 2; i++) {
		cr_conn_close(a[i]);
		cr_conn_close(b[i]);
	}
}

static int relay_cut_short(int *unused)
{
	cr_conn *a[2], *b[2];

	(void)unused;
	CHECK_EQ(cr_conn_pair(a), 0);
	CHECK_EQ(cr_conn_pair(b), 0);
	cut_short(a, b);
	return 0;
}

/* Either end is closed under the relay, which waits for the other one. */
static int closed_under_a_relay(int *unused)
{
	(void)unused;
	for (int i = 0; i < 4; i++) {
		cr_conn *a[2], *b[2];
		CORAIL_SCOPE(scope);
		cr_task task;

		CHECK_EQ(cr_conn_pair(a), 0);
		CHECK_EQ(cr_conn_pair(b), 0);
		struct relay r = {a[1], b[0], 0};
		cr_scope_collect(&scope);
		if (i & 1)
			cr_spawn(&scope, write_all_and_end, a[0]);
		task = cr_spawn(&scope, relay, &r);
		CHECK_EQ(cr_sleep(cr_millis(20)), 0);
		CHECK_EQ(cr_conn_read(a[1], data, 1), -EBUSY);
		CHECK_EQ(cr_conn_write(b[0], data, 1), -EBUSY);
		if (i & 2) {
			cr_conn_close(a[1]);
			CHECK_EQ(cr_await(task), 0);
			cr_conn_close(b[0]);
		} else {
			cr_conn_abort(b[0]);
			/* The relay waits for bytes; those of the writer end it. */
			cr_conn_close(a[0]);
			a[0] = NULL;
			cr_conn_close(a[1]);
			CHECK_EQ(r.count, -ECANCELED);
		}
		cr_conn_close(a[0]);
		cr_conn_close(b[1]);
	}
	return 0;
}

/* -------------------------------------------------------------------------- several buffers --- */

static int several_buffers(int *unused)
{
	char x[4] = {0}, y[8] = {0};
	struct iovec vector[3] = {{x, 3}, {NULL, 0}, {y, 7}};
	cr_conn *c[2];

	(void)unused;
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			tcp_pair(c);
		else
			layered_pair(c);
		CHECK_EQ(cr_conn_write(c[0], "abcdef", 6), 0);
		if (i == 0) {
			CHECK_EQ(cr_conn_readv(c[1], vector, 3), 6);
			CHECK_STR(x, "abc");
			CHECK_STR(y, "def");
		} else {
			CHECK_EQ(cr_conn_readv(c[1], vector, 3), 3);
			CHECK_EQ(cr_conn_read(c[1], y, 7), 3);
		}
		CHECK_EQ(cr_conn_write(c[0], "1\n23456", 7), 0);
		CHECK_EQ(cr_conn_read_line(c[1], y, 8), 1);
		while (cr_conn_buffered(c[1]) < 5) {
			const void *at;
			char all[5];

			CHECK_EQ(cr_conn_read_exactly(c[1], all, 5), 0);
			CHECK_EQ(cr_conn_write(c[0], "23456", 5), 0);
			CHECK_GE(cr_conn_peek(c[1], &at), 1);
		}
		CHECK_EQ(cr_conn_readv(c[1], vector, 3), 5);
		CHECK_STR(x, "234");
		CHECK_MEM(y, "56", 2);
		CHECK_EQ(cr_conn_readv(c[1], vector + 1, 1), 0);
		CHECK_EQ(cr_conn_readv(c[1], vector, -1), -EINVAL);
		cr_conn_close(c[0]);
		CHECK_EQ(cr_conn_readv(c[1], vector, 3), 0);
		cr_conn_close(c[1]);
	}
	return 0;
}

/* -------------------------------------------------------------------------------- zero-copy --- */

struct zero {
	cr_conn *conn;
	char *memory;
};

static int write_zero(struct zero *z)
{
	int r = cr_conn_write_zerocopy(z->conn, z->memory, SIZE);

	/* Nobody may read it any more. */
	memset(z->memory, 0, SIZE);
	cr_conn_close(z->conn);
	return r;
}

static int zerocopy(int *unused)
{
	cr_conn *c[2];

	(void)unused;
	for (int i = 0; i < 3; i++) {
		struct zero z = {.memory = malloc(SIZE)};
		struct reader reader = {0};

		if (i == 0)
			tcp_pair(c);
		else if (i == 1)
			CHECK_EQ(cr_conn_pair(c), 0);
		else
			layered_pair(c);
		memcpy(z.memory, data, SIZE);
		z.conn = c[0];
		reader.conn = c[1];
		{
			CORAIL_SCOPE(scope);
			cr_task task = cr_spawn(&scope, write_zero, &z);

			CHECK_EQ(read_and_compare(&reader), 0);
			CHECK_EQ(cr_await(task), 0);
			CHECK_EQ(reader.size, SIZE);
		}
		cr_conn_close(c[1]);
		free(z.memory);
	}
	return 0;
}

/* The peer does not read: a cancelled one lets go of the memory all the same. */
static int zerocopy_cancelled(int *unused)
{
	cr_conn *c[2];
	int r;

	(void)unused;
	tcp_pair(c);
	r = cr_timeout(cr_millis(30), ({
			       do
				       r = cr_conn_write_zerocopy(c[0], data, SIZE);
			       while (r == 0);
			       r;
		       }));
	CHECK_EQ(r, -ETIMEDOUT);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

int main(void)
{
	data = malloc(SIZE);
	for (size_t i = 0; i < SIZE; i++)
		data[i] = (char)(i * 31 + i / 251);
	RUN_TASK(files_over_tcp);
	RUN_TASK(files_over_unix);
	RUN_TASK(files_over_a_layer);
	RUN_TASK(file_errors);
	RUN_TASK(relays_of_all_kinds);
	RUN_TASK(relays_pipes);
	RUN_TASK(relay_cut_short);
	RUN_TASK(closed_under_a_relay);
	RUN_TASK(several_buffers);
	RUN_TASK(zerocopy);
	RUN_TASK(zerocopy_cancelled);
	free(data);
	return test_done();
}
