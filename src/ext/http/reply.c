/* SPDX-License-Identifier: MIT */
/*
 * The answer: its head is composed when it is started and leaves with the first bytes of the body.
 */

#include "field.h"
#include "server.h"

#include <corail/http.h>
#include <corail/loop.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* What one write takes at most, so that a slow reader is told from one that does not read. */
#define WRITE_MAX (256 * 1024)
#define TO_THE_END (-2)

/* ---------------------------------------------------------------------------------- writing --- */

static int write_piece(struct link *link, const struct iovec *vector, int count)
{
	int r = cr_timeout(link->server->options.transfer_time,
	                   cr_conn_writev(link->conn, vector, count));

	return r == -ETIMEDOUT ? -ETIME : r;
}

int cr__http_write(struct link *link, const struct iovec *vector, int count)
{
	size_t size = 0;

	for (int i = 0; i < count; i++)
		size += vector[i].iov_len;
	if (size <= WRITE_MAX)
		return write_piece(link, vector, count);
	for (int i = 0; i < count; i++) {
		for (size_t done = 0; done < vector[i].iov_len;) {
			size_t left = vector[i].iov_len - done;
			struct iovec piece = {(char *)vector[i].iov_base + done,
			                      left < WRITE_MAX ? left : WRITE_MAX};
			int r = write_piece(link, &piece, 1);

			if (r < 0)
				return r;
			done += piece.iov_len;
		}
	}
	return 0;
}

/* After an error of writing nobody knows what has gone. */
static int transmit(cr_http_exchange *exchange, const struct iovec *vector, int count)
{
	int r = exchange->broken ? -EPIPE : cr__http_write(exchange->link, vector, count);

	if (r < 0)
		exchange->broken = true;
	return r;
}

/* ------------------------------------------------------------------------------------- head --- */

int cr_http_reply_header(cr_http_exchange *exchange, const char *name, const char *value)
{
	static const char *const ours[] = {"Content-Length", "Transfer-Encoding", "Connection",
	                                   "Date"};

	if (exchange->replied)
		return -EALREADY;
	if (!cr__http_is_token(name) || !cr__http_is_value(value))
		return -CORAIL_E_HTTP_HEADER;
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
		if (strcasecmp(name, ours[i]) == 0)
			return -EINVAL;
	}
	return cr_buf_printf(&exchange->fields, "%s: %s\r\n", name, value);
}

/* RFC 9110, section 5.6.7. Not in the simulator, where no calendar time passes. */
static int append_date(cr_buf *out)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const char *backend = cr_loop_backend();
	time_t now = time(NULL);
	struct tm tm;

	if ((backend && strcmp(backend, "sim") == 0) || !gmtime_r(&now, &tm))
		return 0;
	return cr_buf_printf(out, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
	                     days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
	                     tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static int append_framing(cr_http_exchange *exchange, int status)
{
	const struct head *head = &exchange->link->head;
	const char *connection = NULL;
	int r = 0;

	exchange->close |= !head->keep_alive || exchange->link->server->stopping;
	/* It may send its body now, or not: RFC 9110, section 10.1.1. */
	exchange->close |= cr__http_exchange_uncertain(exchange);
	if (exchange->length == CORAIL_HTTP_CHUNKED && head->minor == 0) {
		exchange->length = TO_THE_END;
		exchange->close = true;
	}
	/* RFC 9110, section 8.6: none for a status that cannot have a body. */
	if (status != 204 && status != 304 && exchange->length >= 0)
		r = cr_buf_printf(&exchange->out, "Content-Length: %lld\r\n",
		                  (long long)exchange->length);
	else if (exchange->length == CORAIL_HTTP_CHUNKED && status != 204 && status != 304)
		r = cr_buf_printf(&exchange->out, "Transfer-Encoding: chunked\r\n");
	if (exchange->close)
		connection = "close";
	else if (head->minor == 0)
		connection = "keep-alive";
	if (r >= 0 && connection)
		r = cr_buf_printf(&exchange->out, "Connection: %s\r\n", connection);
	return r;
}

int cr_http_reply_start(cr_http_exchange *exchange, int status, const char *content_type,
                        int64_t length)
{
	const char *name = exchange->link->server->options.server_name;
	const char *method = exchange->link->head.method;
	cr_buf *out = &exchange->out;
	int r;

	if (exchange->replied)
		return -EALREADY;
	if (status < 200 || status > 599 || length < CORAIL_HTTP_CHUNKED)
		return -EINVAL;
	if (content_type && !cr__http_is_value(content_type))
		return -CORAIL_E_HTTP_HEADER;
	cr_buf_clear(out);
	exchange->length = length;
	exchange->bodiless = status == 204 || status == 304 || (method && !strcmp(method, "HEAD"));
	r = cr_buf_printf(out, "HTTP/1.1 %d %s\r\n", status, cr_http_reason(status));
	if (r >= 0 && *name)
		r = cr_buf_printf(out, "Server: %s\r\n", name);
	if (r >= 0)
		r = append_date(out);
	if (r >= 0 && content_type)
		r = cr_buf_printf(out, "Content-Type: %s\r\n", content_type);
	if (r >= 0)
		r = append_framing(exchange, status);
	if (r >= 0 && exchange->fields.size)
		r = cr_buf_append(out, exchange->fields.data, exchange->fields.size);
	if (r >= 0)
		r = cr_buf_append(out, "\r\n", 2);
	if (r < 0)
		return r;
	exchange->replied = true;
	return 0;
}

int cr_http_reply_close(cr_http_exchange *exchange)
{
	if (exchange->replied)
		return -EALREADY;
	exchange->close = true;
	return 0;
}

/* ------------------------------------------------------------------------------------- body --- */

int cr_http_reply_flush(cr_http_exchange *exchange)
{
	struct iovec vector = {exchange->out.data, exchange->out.size};
	int r;

	if (!exchange->replied)
		return -EINVAL;
	if (exchange->out.size == 0)
		return exchange->broken ? -EPIPE : 0;
	r = transmit(exchange, &vector, 1);
	cr_buf_clear(&exchange->out);
	return r;
}

int cr_http_reply_write(cr_http_exchange *exchange, const void *data, size_t size)
{
	struct iovec vector[4];
	char line[24];
	int count = 0, r;

	if (!exchange->replied)
		return -EINVAL;
	if (exchange->length >= 0 && size > (uint64_t)exchange->length - exchange->sent)
		return -EMSGSIZE;
	if (exchange->bodiless || size == 0) {
		exchange->sent += size;
		return 0;
	}
	if (exchange->out.size)
		vector[count++] = (struct iovec){exchange->out.data, exchange->out.size};
	if (exchange->length == CORAIL_HTTP_CHUNKED) {
		int length = snprintf(line, sizeof line, "%zx\r\n", size);

		vector[count++] = (struct iovec){line, (size_t)length};
	}
	vector[count++] = (struct iovec){(void *)data, size};
	if (exchange->length == CORAIL_HTTP_CHUNKED)
		vector[count++] = (struct iovec){(void *)"\r\n", 2};
	r = transmit(exchange, vector, count);
	cr_buf_clear(&exchange->out);
	if (r == 0)
		exchange->sent += size;
	return r;
}

int cr_http_reply(cr_http_exchange *exchange, int status, const char *content_type,
                  const void *data, size_t size)
{
	int r = cr_http_reply_start(exchange, status, content_type, (int64_t)size);

	if (r == 0 && size)
		r = cr_http_reply_write(exchange, data, size);
	return r == 0 ? cr_http_reply_flush(exchange) : r;
}

/* -------------------------------------------------------------------------------------- end --- */

/* What the client is told when the handler gave no answer. */
static int status_for(const cr_http_exchange *exchange, int result)
{
	if (result == 0 || result != exchange->body_error)
		return 500;
	if (result == -CORAIL_E_HTTP_TOO_LARGE)
		return 413;
	if (result == -ETIME)
		return 408;
	/* A client that ended its side in the middle may still listen. */
	return result == -CORAIL_E_HTTP_PROTOCOL || result == -CORAIL_E_HTTP_TRUNCATED ? 400 : 500;
}

static void reply_without_handler(cr_http_exchange *exchange, int status)
{
	char text[64];
	int length = snprintf(text, sizeof text, "%d %s\n", status, cr_http_reason(status));

	cr_buf_clear(&exchange->fields);
	(void)cr_http_reply(exchange, status, "text/plain", text, (size_t)length);
}

bool cr__http_reply_end(cr_http_exchange *exchange, int result)
{
	bool cut;

	/* A head that has not left yet is taken back. */
	if (result < 0 && exchange->out.size && !exchange->broken) {
		exchange->replied = false;
		exchange->sent = 0;
	}
	cut = exchange->replied && result < 0;
	if (!exchange->replied) {
		exchange->close |= result < 0 && exchange->body_error < 0;
		reply_without_handler(exchange, status_for(exchange, result));
	} else if (!cut) {
		(void)cr_http_reply_flush(exchange);
		if (exchange->length == CORAIL_HTTP_CHUNKED && !exchange->bodiless) {
			struct iovec vector = {(void *)"0\r\n\r\n", 5};

			(void)transmit(exchange, &vector, 1);
		}
	}
	cut |= exchange->broken;
	/* Where the end of the connection is the end of the body, only a reset tells. */
	exchange->link->abort = cut && exchange->length == TO_THE_END && !exchange->bodiless;
	if (cut || exchange->close)
		return false;
	if (exchange->length > 0 && !exchange->bodiless &&
	    exchange->sent < (uint64_t)exchange->length)
		return false;
	return cr__http_exchange_finish(exchange);
}

void cr__http_refuse(struct link *link, int status)
{
	cr_http_exchange exchange = {.link = link, .close = true};

	link->head.method = NULL;
	link->head.minor = 1;
	reply_without_handler(&exchange, status);
	cr__http_exchange_free(&exchange);
}

void cr__http_exchange_free(cr_http_exchange *exchange)
{
	cr_buf_free(&exchange->fields);
	cr_buf_free(&exchange->out);
}
