/* SPDX-License-Identifier: MIT */
/*
 * Our own easy handles: set up once, pooled, used again. Their callbacks run inside libcurl, on the
 * driver's stack: they store, and say when somebody may be interested.
 */

#include "client.h"

#include <corail/curl.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Idle handles that are kept, beyond which they are freed. */
#define SPARE_MAX 256
/* The most that is decoded in one go. */
#define DECODED_SIZE 16384
/* A window's memory that is kept with an idle handle. */
#define WINDOW_KEPT (128 * 1024)

bool cr__http_is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

int cr__http_transfer_status(struct transfer *transfer)
{
	long status = 0;

	curl_easy_getinfo(transfer->job.easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

const char *cr__http_transfer_header(struct transfer *transfer, const char *name)
{
	struct curl_header *header;

	if (curl_easy_header(transfer->job.easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	return header->value;
}

/* Whether the body of the answer that has begun is of no interest to the request. */
static bool is_unwanted(struct transfer *transfer, int status)
{
	if (transfer->follow && cr__http_is_redirect(status) &&
	    cr__http_transfer_header(transfer, "Location"))
		return true;
	return transfer->status_error && status >= 400;
}

static int decoder_begin(struct transfer *transfer)
{
	struct curl_header *header;
	cr_buf list = {0};
	size_t i = 0;
	int r = 0;

	if (transfer->http->no_compression)
		return 0;
	while (r >= 0 && curl_easy_header(transfer->job.easy, "Content-Encoding", i++, CURLH_HEADER,
	                                  -1, &header) == CURLHE_OK)
		r = cr_buf_printf(&list, "%s,", header->value);
	if (r >= 0 && list.size > 0)
		r = cr__http_decoder_open(list.data, &transfer->decoder);
	cr_buf_free(&list);
	return r < 0 ? r : 0;
}

/* The first byte of a body: is it wanted? If so, make room for all of it at once. */
static int body_begin(struct transfer *transfer)
{
	curl_off_t length = -1;
	size_t room;
	int r;

	transfer->begun = true;
	transfer->discard = is_unwanted(transfer, cr__http_transfer_status(transfer));
	if (transfer->discard)
		return 0;
	/* Dropped in the end, it is still decoded: nobody wants to be told that damage is well. */
	transfer->discard = transfer->drop;
	r = decoder_begin(transfer);
	if (r < 0 || !transfer->sink)
		return r;
	curl_easy_getinfo(transfer->job.easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	room = transfer->sink_max - transfer->sink->size;
	if (length > 0 && (uint64_t)length <= room && length <= 16 * 1024 * 1024)
		return cr_buf_reserve(transfer->sink, (size_t)length);
	return 0;
}

static int sink_append(struct transfer *transfer, const void *data, size_t size)
{
	int r;

	if (size > transfer->sink_max - transfer->sink->size)
		return -CORAIL_E_HTTP_TOO_LARGE;
	r = cr_buf_append(transfer->sink, data, size);
	return r == -EMSGSIZE ? -CORAIL_E_HTTP_TOO_LARGE : r;
}

/* Moves decoded bytes until there is no more room, or no more input. */
static int decode_to(struct transfer *transfer, cr_buf *to, size_t room)
{
	while (room > 0) {
		size_t size = room < DECODED_SIZE ? room : DECODED_SIZE;
		int r = cr_buf_reserve(to, size);
		ssize_t n = r < 0 ? r
		                  : cr__http_decoder_read(transfer->decoder, to->data + to->size,
		                                          size);

		if (n <= 0)
			return (int)n;
		to->size += (size_t)n;
		to->data[to->size] = 0;
		room -= (size_t)n;
	}
	return 0;
}

int cr__http_transfer_decode(struct transfer *transfer)
{
	cr_buf *sink = transfer->sink;
	size_t held = transfer->window.size - transfer->window_taken;
	char further;
	ssize_t n;

	if (!sink && held >= transfer->http->window_size)
		return 0;
	if (!sink)
		return decode_to(transfer, &transfer->window, transfer->http->window_size - held);
	n = decode_to(transfer, sink, transfer->sink_max - sink->size);
	if (n < 0 || sink->size < transfer->sink_max)
		return (int)n;
	n = cr__http_decoder_read(transfer->decoder, &further, 1);
	return n > 0 ? -CORAIL_E_HTTP_TOO_LARGE : (int)n;
}

/* A piece of a compressed body. What does not fit into the window decoded waits as it is. */
static int take_coded(struct transfer *transfer, const char *data, size_t size)
{
	size_t left;
	int r;

	cr__http_decoder_feed(transfer->decoder, data, size);
	r = cr__http_transfer_decode(transfer);
	if (r < 0)
		return r;
	left = cr__http_decoder_left(transfer->decoder);
	cr_buf_clear(&transfer->input);
	r = cr_buf_append(&transfer->input, data + size - left, left);
	cr__http_decoder_feed(transfer->decoder, transfer->input.data, r < 0 ? 0 : left);
	if (transfer->window.size > transfer->window_taken)
		cr_event_set(&transfer->job.event);
	return r;
}

/* The same, where nobody wants the result. */
static int drop_coded(struct transfer *transfer, const char *data, size_t size)
{
	int r;

	cr__http_decoder_feed(transfer->decoder, data, size);
	do {
		cr_buf_clear(&transfer->window);
		r = decode_to(transfer, &transfer->window, DECODED_SIZE);
	} while (r == 0 && transfer->window.size > 0);
	return r;
}

/* Whether the window has no room for a piece: who reads the body must take something first. */
static bool is_full(const struct transfer *transfer, size_t size)
{
	size_t held = transfer->window.size - transfer->window_taken;

	if (transfer->sink)
		return false;
	if (transfer->decoder)
		return cr__http_decoder_pending(transfer->decoder) ||
		       held >= transfer->http->window_size;
	return held > 0 && held + size > transfer->http->window_size;
}

static size_t on_body(char *data, size_t unit, size_t size, void *arg)
{
	struct transfer *transfer = arg;
	int r = 0;

	(void)unit;
	if (!transfer->begun)
		r = body_begin(transfer);
	if (r == 0 && transfer->discard) {
		transfer->discarded += size;
		transfer->cut = !transfer->drop && transfer->discarded > HTTP_DISCARD_MAX;
		r = transfer->decoder ? drop_coded(transfer, data, size) : 0;
		transfer->job.error = r;
		return transfer->cut || r < 0 ? 0 : size;
	}
	if (r == 0 && is_full(transfer, size)) {
		transfer->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (r == 0 && transfer->decoder) {
		r = take_coded(transfer, data, size);
	} else if (r == 0 && transfer->sink) {
		r = sink_append(transfer, data, size);
	} else if (r == 0) {
		r = cr_buf_append(&transfer->window, data, size);
		if (r == 0)
			cr_event_set(&transfer->job.event);
	}
	transfer->job.error = r;
	return r < 0 ? 0 : size;
}

/* One value of a Content-Length, perhaps a list: numbers, and all of them the same. */
static bool is_same_length(const char *value, int64_t *length)
{
	do {
		char *end;
		long long number;

		value += strspn(value, " \t");
		if (*value < '0' || *value > '9')
			return false;
		errno = 0;
		number = strtoll(value, &end, 10);
		if (errno || (*length >= 0 && *length != number))
			return false;
		*length = number;
		value = end + strspn(end, " \t");
	} while (*value++ == ',');
	return value[-1] == 0;
}

/*
 * Whether it is clear where the body ends: RFC 9112, section 6.3. libcurl takes the last of several
 * lengths, and ignores one that is too large to count.
 */
static bool is_framed(struct transfer *transfer)
{
	struct curl_header *header;
	int64_t length = -1;

	if (cr__http_transfer_header(transfer, "Transfer-Encoding"))
		return true;
	for (size_t i = 0; curl_easy_header(transfer->job.easy, "Content-Length", i, CURLH_HEADER,
	                                    -1, &header) == CURLHE_OK;
	     i++)
		if (!is_same_length(header->value, &length))
			return false;
	return true;
}

static size_t refuse(struct transfer *transfer, const char *why)
{
	transfer->why = why;
	transfer->job.error = -CORAIL_E_HTTP_PROTOCOL;
	return 0;
}

/*
 * The blank line after the headers of the answer that counts. libcurl takes a connection that ends
 * before it for the end of an empty body: see cr__http_transfer_error(). And it takes what follows
 * a switch of protocols for a body without end; there is no way to go on with another protocol
 * here, and none was offered, unless by the caller's own header.
 */
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
static size_t on_header(char *data, size_t unit, size_t size, void *arg)
{
	struct transfer *transfer = arg;
	int status;

	(void)unit;
	if (transfer->head_ended || size > 2 || (data[0] != '\r' && data[0] != '\n'))
		return size;
	status = cr__http_transfer_status(transfer);
	if (status == 101)
		return refuse(transfer, "the server switched to another protocol (101)");
	if (status < 200)
		return size;
	if (!is_framed(transfer))
		return refuse(transfer, "Content-Length is not a number, or there are several");
	transfer->head_ended = true;
	if (transfer->stream && !is_unwanted(transfer, status)) {
		transfer->head = true;
		cr_event_set(&transfer->job.event);
	}
	return size;
}

/*
 * The request is about to be sent. libcurl sends any request again when a kept connection turns out
 * to be dead, a POST too, and perhaps on another kept one, which is as dead. Only what may be sent
 * twice is let through, and only over a new connection; request.c deals with the rest.
 */
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
static int on_send(void *arg, char *remote, char *local, int remote_port, int local_port)
{
	struct transfer *transfer = arg;
	long connects = 0;

	(void)remote;
	(void)local;
	(void)remote_port;
	(void)local_port;
	if (transfer->send_count++ > 0) {
		curl_easy_getinfo(transfer->job.easy, CURLINFO_NUM_CONNECTS, &connects);
		if (!transfer->idempotent || connects == 0 || transfer->send_count > 2)
			return CURL_PREREQFUNC_ABORT;
	}
	transfer->http->stats.requests++;
	return CURL_PREREQFUNC_OK;
}

/* What does not change from one request to the next. */
static void set_up(struct transfer *transfer)
{
	cr_http *http = transfer->http;
	CURL *easy = transfer->job.easy;
	char codings[64];

	curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer->job);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->text);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, cr__http_on_socket_open);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, http);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, cr__http_on_socket_close);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, http);
	curl_easy_setopt(easy, CURLOPT_SHARE, http->share);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
	                 http->http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
	/*
	 * Rather one connection for all than one each, as long as it is not known which it will be.
	 */
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, (long)http->http2);
	/* Both said, the environment is not asked. */
	curl_easy_setopt(easy, CURLOPT_PROXY, http->proxy ? http->proxy : "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
	if (*http->user_agent)
		curl_easy_setopt(easy, CURLOPT_USERAGENT, http->user_agent);
	/* It says what we understand, and leaves the decoding to us. */
	cr__http_codings(codings, sizeof codings);
	if (!http->no_compression && *codings)
		curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, codings);
	curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	if (http->cookies)
		curl_easy_setopt(easy, CURLOPT_COOKIEFILE, "");
	if (http->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
	if (http->insecure) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

struct transfer *cr__http_transfer_get(cr_http *http)
{
	struct transfer *transfer = http->spare;

	if (transfer) {
		http->spare = transfer->spare_next;
		http->spare_count--;
	} else {
		transfer = calloc(1, sizeof *transfer);
		if (!transfer)
			return NULL;
		transfer->http = http;
		transfer->job.easy = curl_easy_init();
		if (!transfer->job.easy) {
			free(transfer);
			return NULL;
		}
		set_up(transfer);
	}
	transfer->text[0] = 0;
	http->references++;
	return transfer;
}

void cr__http_transfer_free(struct transfer *transfer)
{
	curl_easy_cleanup(transfer->job.easy);
	curl_slist_free_all(transfer->headers);
	curl_slist_free_all(transfer->resolve);
	cr_buf_free(&transfer->window);
	cr_buf_free(&transfer->input);
	cr__http_decoder_close(transfer->decoder);
	free(transfer);
}

/* Takes out of the handle what the next request must not find. */
static void clean(struct transfer *transfer)
{
	CURL *easy = transfer->job.easy;

	if (transfer->custom) {
		curl_easy_reset(easy);
		set_up(transfer);
	} else {
		if (transfer->headers)
			curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
		if (transfer->resolve)
			curl_easy_setopt(easy, CURLOPT_RESOLVE, NULL);
	}
	curl_slist_free_all(transfer->headers);
	curl_slist_free_all(transfer->resolve);
	cr__http_decoder_close(transfer->decoder);
	cr_buf_free(&transfer->input);
	if (transfer->window.capacity_bytes > WINDOW_KEPT)
		cr_buf_free(&transfer->window);
	cr_buf_clear(&transfer->window);
	*transfer = (struct transfer){
		.job = {.easy = easy},
		.http = transfer->http,
		.window = transfer->window,
	};
}

void cr__http_transfer_put(struct transfer *transfer)
{
	cr_http *http = transfer->http;

	cr__http_job_abort(http, &transfer->job);
	if (http->over || http->spare_count >= SPARE_MAX) {
		cr__http_transfer_free(transfer);
	} else {
		clean(transfer);
		transfer->spare_next = http->spare;
		http->spare = transfer;
		http->spare_count++;
	}
	cr__http_unref(http);
}

int cr__http_transfer_error(struct transfer *transfer)
{
	const struct job *job = &transfer->job;

	if (job->error < 0)
		return job->error;
	if (transfer->cut)
		return 0;
	/* Stopped by on_send(): the kept connection was dead and there was no answer. */
	if (job->code == CURLE_ABORTED_BY_CALLBACK)
		return -CORAIL_E_HTTP_EMPTY;
	/* The scheme was checked before: what is unsupported is the answer (HTTP/0.9, or noise). */
	if (job->code == CURLE_UNSUPPORTED_PROTOCOL)
		return -CORAIL_E_HTTP_PROTOCOL;
	/* Nor does libcurl have a code for damaged chunks, but for those of the network. */
	if (job->code == CURLE_RECV_ERROR && strstr(transfer->text, "chunk"))
		return -CORAIL_E_HTTP_PROTOCOL;
	/*
	 * Nor for headers without end. Of all together it says so; one line of more than 100 KiB
	 * it calls a lack of memory, which it hardly asks for at that point.
	 */
	if (job->code == CURLE_RECV_ERROR && strstr(transfer->text, "Too large response headers"))
		return -CORAIL_E_HTTP_TOO_LARGE;
	if (job->code == CURLE_OUT_OF_MEMORY && transfer->send_count > 0 && !transfer->head_ended)
		return -CORAIL_E_HTTP_TOO_LARGE;
	if (job->code == CURLE_OK && !transfer->head_ended)
		return -CORAIL_E_HTTP_TRUNCATED;
	/* All that was announced has come, but it stops in the middle of what was compressed. */
	if (job->code == CURLE_OK && transfer->decoder &&
	    !cr__http_decoder_ended(transfer->decoder))
		return -CORAIL_E_HTTP_TRUNCATED;
	return cr__http_job_error(job);
}
