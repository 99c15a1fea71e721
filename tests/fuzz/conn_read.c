/* SPDX-License-Identifier: MIT */
/*
 * A fuzz target, see driver.h: one input is a byte of options, how the stream is cut and read, and
 * the stream. A client in the simulator writes it in pieces; the reader's calls, some of them cut
 * short by a deadline, are checked against the stream itself: no byte lost, none twice.
 */

#include "fuzz/driver.h"

#include <corail/corail.h>

#include <stdlib.h>
#include <string.h>

struct input {
	const uint8_t *script, *stream;
	size_t script_size, stream_size;
	size_t at; /* in the script, which is read in circles */
	size_t taken;
	cr_conn *conns[2];
};

static unsigned choice(struct input *input, unsigned below)
{
	return input->script[input->at++ % input->script_size] % below;
}

static int write_pieces(struct input *input)
{
	size_t turn = 0;

	for (size_t at = 0; at < input->stream_size;) {
		size_t size = (size_t)input->script[turn++ % input->script_size] + 1;

		if (size > 200)
			size *= 100;
		if (size > input->stream_size - at)
			size = input->stream_size - at;
		if (cr_conn_write(input->conns[0], input->stream + at, size) < 0)
			return 0;
		at += size;
		if (turn % 3)
			cr_sleep(1);
	}
	(void)cr_conn_shutdown_write(input->conns[0]);
	return 0;
}

/* What was given must be what comes next in the stream. */
static void took(struct input *input, const void *data, size_t size)
{
	CHECK_LE(size, input->stream_size - input->taken);
	CHECK_EQ(memcmp(data, input->stream + input->taken, size), 0);
	input->taken += size;
}

static ssize_t until(struct input *input, size_t limit)
{
	static const char *const separators[] = {"\n", "\r\n", "aab", "\r\n\r\n"};
	const char *separator = separators[choice(input, 4)];
	const uint8_t *rest = input->stream + input->taken;
	size_t length = strlen(separator);
	cr_buf buf = {.limit_bytes = limit};
	ssize_t n = cr_conn_read_until(input->conns[1], separator, length, &buf);

	if (n > 0) {
		const uint8_t *found = memmem(rest, input->stream_size - input->taken, separator,
		                              length);

		CHECK(found);
		CHECK_EQ((size_t)n, (size_t)(found - rest) + length);
		CHECK_EQ(buf.size, (size_t)n);
	} else if (n != -ENODATA) {
		CHECK_EQ(buf.size, 0);
	}
	if (n == -EMSGSIZE)
		CHECK(!memmem(rest,
		              limit < input->stream_size - input->taken
		                      ? limit
		                      : input->stream_size - input->taken,
		              separator, length));
	if (buf.size)
		took(input, buf.data, buf.size);
	cr_buf_free(&buf);
	return n;
}

static ssize_t line(struct input *input, size_t size)
{
	char text[1000];
	ssize_t n = cr_conn_read_line(input->conns[1], text, size);

	if (n >= 0) {
		CHECK_LT((size_t)n, size);
		CHECK_EQ(memcmp(text, input->stream + input->taken, (size_t)n), 0);
		input->taken += (size_t)n;
		if (input->taken + 1 < input->stream_size && input->stream[input->taken] == '\r' &&
		    input->stream[input->taken + 1] == '\n')
			input->taken++;
		if (input->taken < input->stream_size) {
			CHECK_EQ(input->stream[input->taken], '\n');
			input->taken++;
		}
	}
	return n;
}

static ssize_t vector(struct input *input, char *data, size_t size)
{
	size_t first = size / 3;
	struct iovec pieces[] = {{data, 0}, {data, first}, {NULL, 0}, {data + first, size - first}};

	return cr_conn_readv(input->conns[1], pieces, 4);
}

static ssize_t step(struct input *input)
{
	static char data[40000];
	static const size_t sizes[] = {1, 3, 50, 999, 8191, 8192, 8193, 40000};
	size_t size = sizes[choice(input, 8)];
	const void *seen;
	ssize_t n;

	switch (choice(input, 6)) {
	case 0:
		n = cr_conn_read(input->conns[1], data, size);
		break;
	case 1:
		n = vector(input, data, size);
		break;
	case 2:
		n = cr_conn_read_exactly(input->conns[1], data, size);
		if (n == 0)
			n = (ssize_t)size;
		break;
	case 3:
		n = cr_conn_peek(input->conns[1], &seen);
		if (n > 0)
			CHECK_EQ(memcmp(seen, input->stream + input->taken, (size_t)n), 0);
		return n;
	case 4:
		return until(input, size);
	default:
		return line(input, size < 1000 ? size : 1000);
	}
	if (n > 0)
		took(input, data, (size_t)n);
	return n;
}

static int converse(struct input *input)
{
	CORAIL_SCOPE(scope);
	char data[512];
	ssize_t n = 1;

	CHECK_EQ(cr_conn_pair(input->conns), 0);
	cr_spawn(&scope, write_pieces, input);
	for (int i = 0; i < 3000 && n != 0 && n != -ENODATA; i++)
		n = choice(input, 3) ? step(input)
		                     : cr_timeout((cr_nsec)choice(input, 4), step(input));
	/* The rest, whatever has been refused. */
	while ((n = cr_conn_read(input->conns[1], data, sizeof data)) > 0)
		took(input, data, (size_t)n);
	CHECK_EQ(n, 0);
	CHECK_EQ(input->taken, input->stream_size);
	CHECK_EQ(cr_scope_wait(&scope), 0);
	cr_conn_close(input->conns[0]);
	cr_conn_close(input->conns[1]);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const cr_options options = {.backend = CORAIL_BACKEND_SIM};
	struct input input = {.script = data + 1};

	if (size < 2 || data[0] == 0 || data[0] >= size)
		return 0;
	input.script_size = data[0];
	input.stream = data + 1 + data[0];
	input.stream_size = size - 1 - data[0];
	CHECK_EQ(cr_run_with(&options, converse, &input), 0);
	return 0;
}

FUZZ_MAIN("conn_read");
