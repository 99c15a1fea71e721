/* SPDX-License-Identifier: MIT */
/*
 * Bodies: streamed with backpressure, into memory with a limit, into a descriptor, compressed, cut
 * short.
 */

#include "http/fixture.h"

#include <stdlib.h>
#include <unistd.h>

/* --------------------------------------------------------------------------------- streamed */

static unsigned char byte_at(size_t position)
{
	return (unsigned char)(position * 31 + position / 251);
}

struct sender {
	size_t size;      /* how much to send */
	size_t sent;      /* how much went so far */
	int64_t announce; /* length, or chunked */
	int result;
};

static int serve_bytes(cr_http_exchange *x, void *user)
{
	struct sender *sender = user;
	unsigned char piece[5000];
	int r = cr_http_reply_start(x, 200, "application/octet-stream", sender->announce);

	for (sender->sent = 0; r == 0 && sender->sent < sender->size;) {
		size_t size = sender->size - sender->sent;

		if (size > sizeof piece)
			size = sizeof piece;
		for (size_t i = 0; i < size; i++)
			piece[i] = byte_at(sender->sent + i);
		r = cr_http_reply_write(x, piece, size);
		if (r == 0)
			sender->sent += size;
	}
	sender->result = r;
	return r;
}

static void read_all(cr_http_response *response, size_t size, size_t step)
{
	unsigned char *data = malloc(step);
	size_t position = 0;
	ssize_t n;

	while ((n = cr_http_body_read(response, data, step)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (data[i] != byte_at(position + (size_t)i))
				FAIL("a byte is wrong");
		}
		position += (size_t)n;
	}
	CHECK_EQ(n, 0);
	CHECK_EQ(position, size);
	CHECK_EQ(cr_http_body_read(response, data, step), 0);
	free(data);
}

HTTP_TEST(streams_arrive_whole)
{
	static struct sender sender = {.size = 3 * 1000 * 1000};
	struct site *site = site_open(f, NULL, serve_bytes, &sender);
	cr_http_request request = {.url = site->base};
	cr_http_stats stats;

	for (int i = 0; i < 4; i++) {
		cr_http_response *response;

		sender.announce = i & 1 ? CORAIL_HTTP_CHUNKED : (int64_t)sender.size;
		CHECK_EQ(cr_http_send(f->http, &request, &response), 0);
		CHECK_EQ(cr_http_response_length(response), sender.announce);
		CHECK_STR(cr_http_response_header(response, "CONTENT-TYPE"),
		          "application/octet-stream");
		CHECK_GT(cr_http_response_header_count(response), 2);
		CHECK(cr_http_response_header_at(response, 0).name);
		CHECK(!cr_http_response_header_at(response, 100).name);
		CHECK(!cr_http_response_header(response, "X-None"));
		read_all(response, sender.size, i < 2 ? 777 : 100000);
		cr_http_response_close(response);
	}
	cr_http_stats_get(f->http, &stats);
	CHECK_EQ(stats.connections_opened, 1);
	return 0;
}

HTTP_TEST(who_stops_reading_stops_the_server)
{
	static struct sender sender = {.size = 64 * 1000 * 1000, .announce = CORAIL_HTTP_CHUNKED};
	struct site *site = site_open(f, NULL, serve_bytes, &sender);
	cr_http_request request = {.url = site->base};
	cr_http_response *response;
	size_t sent;

	CHECK_EQ(cr_http_send(f->http, &request, &response), 0);
	/* The socket buffers' worth, and the window; then nothing more. */
	do {
		sent = sender.sent;
		CHECK_EQ(cr_sleep(cr_millis(200)), 0);
	} while (sender.sent != sent);
	CHECK_LT(sent, 16 * 1000 * 1000);
	read_all(response, sender.size, 65536);
	CHECK_EQ(sender.result, 0);
	cr_http_response_close(response);
	return 0;
}

HTTP_TEST(left_unread_the_connection_is_closed)
{
	static struct sender sender = {.size = 20 * 1000 * 1000, .announce = 20 * 1000 * 1000};
	struct site *site = site_open(f, NULL, serve_bytes, &sender);
	cr_http_request request = {.url = site->base};
	cr_http_response *response;
	cr_http_stats stats;
	cr_buf body = {0};

	CHECK_EQ(cr_http_send(f->http, &request, &response), 0);
	cr_http_response_close(response);
	cr_http_stats_get(f->http, &stats);
	CHECK_EQ(stats.connections_alive, 0);
	CHECK_EQ(stats.in_flight, 0);
	/* The next answer is right, and comes over another one. */
	sender.announce = (int64_t)(sender.size = 1000);
	CHECK_EQ(cr_http_get(f->http, site->base, &body), 0);
	CHECK_EQ(body.size, 1000);
	cr_http_stats_get(f->http, &stats);
	CHECK_EQ(stats.connections_opened, 2);
	cr_buf_free(&body);
	return 0;
}

struct reader {
	cr_http_response *response;
};

static int read_one(struct reader *reader)
{
	char byte;

	return (int)cr_http_body_read(reader->response, &byte, 1);
}

/* The head, and then silence. */
static int serve_silence(cr_http_exchange *x, void *user)
{
	int r = cr_http_reply_start(x, 200, NULL, 10);

	(void)user;
	if (r == 0)
		r = cr_http_reply_flush(x);
	return r < 0 ? r : cr_sleep(cr_seconds(3600));
}

HTTP_TEST(one_reader_at_a_time)
{
	struct site *site = site_open(f, NULL, serve_silence, NULL);
	cr_http_request request = {.url = site->base};
	struct reader reader;
	cr_buf body = {0};
	char byte;

	CHECK_EQ(cr_http_send(f->http, &request, &reader.response), 0);
	{
		CORAIL_SCOPE(scope);
		cr_task task = cr_spawn(&scope, read_one, &reader);

		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(cr_http_body_read(reader.response, &byte, 1), -EBUSY);
		CHECK_EQ(cr_http_body_buf(reader.response, &body), -EBUSY);
		cr_task_cancel(task);
		CHECK_EQ(cr_await(task), -ECANCELED);
	}
	CHECK_EQ(cr_timeout(cr_millis(20), cr_http_body_read(reader.response, &byte, 1)),
	         -ETIMEDOUT);
	cr_http_response_close(reader.response);
	return 0;
}

/* ----------------------------------------------------------------------------------- elsewhere */

HTTP_TEST(memory_has_a_limit)
{
	static struct sender sender = {.size = 100000};
	struct site *site = site_open(f, NULL, serve_bytes, &sender);
	cr_http_request request = {.url = site->base};
	cr_http_response *response;

	for (int i = 0; i < 2; i++) {
		cr_buf body = {.limit_bytes = 99999};

		sender.announce = i ? CORAIL_HTTP_CHUNKED : (int64_t)sender.size;
		CHECK_EQ(cr_http_get(f->http, site->base, &body), -CORAIL_E_HTTP_TOO_LARGE);
		CHECK_EQ(body.size, 0);
		CHECK_EQ(cr_http_send(f->http, &request, &response), 0);
		CHECK_EQ(cr_http_body_buf(response, &body), -CORAIL_E_HTTP_TOO_LARGE);
		CHECK(*cr_http_error_detail(response));
		CHECK_EQ(cr_http_body_buf(response, &body), -CORAIL_E_HTTP_TOO_LARGE);
		cr_http_response_close(response);
		cr_buf_free(&body);
		body.limit_bytes = 100000;
		CHECK_EQ(cr_http_get(f->http, site->base, &body), 0);
		CHECK_EQ(body.size, 100000);
		CHECK_EQ((unsigned char)body.data[99999], byte_at(99999));
		cr_buf_free(&body);
	}
	return 0;
}

static const cr_http_options small = {.body_size_max = 50000};

HTTP_TEST_WITH(the_session_has_a_limit, &small)
{
	static struct sender sender = {.size = 50001, .announce = 50001};
	struct site *site = site_open(f, NULL, serve_bytes, &sender);
	cr_buf body = {0};

	CHECK_EQ(cr_http_get(f->http, site->base, &body), -CORAIL_E_HTTP_TOO_LARGE);
	sender.announce = (int64_t)--sender.size;
	CHECK_EQ(cr_http_get(f->http, site->base, &body), 0);
	CHECK_EQ(body.size, 50000);
	cr_buf_free(&body);
	return 0;
}

HTTP_TEST(into_a_file)
{
	static struct sender sender = {.size = 1234567, .announce = 1234567};
	struct site *site = site_open(f, NULL, serve_bytes, &sender);
	cr_http_request request = {.url = site->base};
	cr_http_response *response;
	char path[] = "/tmp/corail-body-XXXXXX";
	int fd = mkstemp(path);
	uint64_t size = 0;
	unsigned char data[1000];

	CHECK_GE(fd, 0);
	unlink(path);
	CHECK_EQ(cr_http_send(f->http, &request, &response), 0);
	CHECK_EQ(cr_http_body_fd(response, fd, &size), 0);
	CHECK_EQ(size, sender.size);
	cr_http_response_close(response);
	for (size_t at = 0; at < sender.size;) {
		ssize_t n = cr_fd_pread(fd, data, sizeof data, (int64_t)at);

		CHECK_GT(n, 0);
		for (ssize_t i = 0; i < n; i++)
			CHECK_EQ(data[i], byte_at(at++));
	}
	CHECK_EQ(cr_fd_close(fd), 0);
	return 0;
}

/* Between "part" and the rest: body_buf() goes on where body_read() stopped. */
HTTP_TEST(in_two_ways)
{
	static struct sender sender = {.size = 300000, .announce = 300000};
	struct site *site = site_open(f, NULL, serve_bytes, &sender);
	cr_http_request request = {.url = site->base};
	cr_http_response *response;
	unsigned char begin[7];
	cr_buf rest = {0};

	CHECK_EQ(cr_http_send(f->http, &request, &response), 0);
	CHECK_EQ(cr_http_body_read(response, begin, sizeof begin), 7);
	CHECK_EQ(cr_http_body_buf(response, &rest), 0);
	CHECK_EQ(rest.size, 299993);
	for (size_t i = 0; i < rest.size; i++)
		CHECK_EQ((unsigned char)rest.data[i], byte_at(i + 7));
	cr_http_response_close(response);
	cr_buf_free(&rest);
	return 0;
}

/* ----------------------------------------------------------------------------------- cut short */

HTTP_TEST(a_truncated_body_is_an_error)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	};
	static const char *const heads[] = {
		"HTTP/1.1 200 OK\r\n",
		"HTTP/1.1 200 OK\r\nContent-Le",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n",
		"HTTP/1.1 302 Found\r\nLocation: /x\r\n",
		"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n",
	};
	static const char *answer;
	struct site *site = site_open_raw(f, say_and_close, &answer);
	cr_http_request request = {.url = site->base};

	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		cr_buf body = {0};
		cr_http_response *response;
		char data[100];
		ssize_t n;

		answer = answers[i];
		CHECK_EQ(cr_http_get(f->http, site->base, &body), -CORAIL_E_HTTP_TRUNCATED);
		CHECK_EQ(body.size, 0);
		CHECK_EQ(cr_http_send(f->http, &request, &response), 0);
		while ((n = cr_http_body_read(response, data, sizeof data)) > 0)
			;
		CHECK_EQ(n, -CORAIL_E_HTTP_TRUNCATED);
		CHECK_EQ(cr_http_body_read(response, data, sizeof data), -CORAIL_E_HTTP_TRUNCATED);
		CHECK(*cr_http_error_detail(response));
		cr_http_response_close(response);
		CHECK_EQ(cr_http_send(f->http, &request, &response), 0);
		CHECK_EQ(cr_http_body_buf(response, &body), -CORAIL_E_HTTP_TRUNCATED);
		cr_http_response_close(response);
		cr_buf_free(&body);
	}
	/* Nor is a head that breaks off an answer without a body. */
	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		cr_buf body = {0};
		cr_http_response *response;

		answer = heads[i];
		CHECK_EQ(cr_http_get(f->http, site->base, &body), -CORAIL_E_HTTP_TRUNCATED);
		CHECK_EQ(cr_http_send(f->http, &request, &response), -CORAIL_E_HTTP_TRUNCATED);
		cr_buf_free(&body);
	}
	/* To the end of the connection: that is a whole body. */
	answer = "HTTP/1.1 200 OK\r\n\r\n12345";
	{
		cr_buf body = {0};

		CHECK_EQ(cr_http_get(f->http, site->base, &body), 0);
		CHECK_STR(body.data, "12345");
		cr_buf_free(&body);
	}
	return 0;
}

int main(void)
{
	RUN(streams_arrive_whole);
	RUN(who_stops_reading_stops_the_server);
	RUN(left_unread_the_connection_is_closed);
	RUN(one_reader_at_a_time);
	RUN(memory_has_a_limit);
	RUN(the_session_has_a_limit);
	RUN(into_a_file);
	RUN(in_two_ways);
	RUN(a_truncated_body_is_an_error);
	return test_done();
}
