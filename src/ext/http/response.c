/* SPDX-License-Identifier: MIT */
/*
 * An answer whose body is read by its owner's task. libcurl's bytes go to a window; when it is
 * full, the transfer is paused, and continued when half of it has been read: so the server is held
 * back.
 */

#include "client.h"

#include <stdlib.h>
#include <string.h>

struct cr_http_response {
	struct call call;
	bool reading;
	int error;
	char text[CURL_ERROR_SIZE];
};

int cr_http_send(cr_http *http, const cr_http_request *request, cr_http_response **ret_response)
{
	cr_http_response *response = calloc(1, sizeof *response);
	int r;

	if (!response)
		return -ENOMEM;
	response->call = (struct call){.http = http, .request = request, .stream = true};
	r = cr__http_call_run(&response->call);
	if (r < 0) {
		cr_http_response_close(response);
		return r;
	}
	/* It is the caller's, and need not live on: nor need the URL, if it is borrowed. */
	response->call.request = NULL;
	if (!response->call.url.owned.data) {
		const char *url = response->call.url.text;

		r = cr_buf_append(&response->call.url.owned, url, strlen(url));
		if (r < 0) {
			cr_http_response_close(response);
			return r;
		}
		response->call.url.text = response->call.url.owned.data;
	}
	*ret_response = response;
	return 0;
}

void cr_http_response_close(cr_http_response *response)
{
	if (!response)
		return;
	cr__http_call_end(&response->call);
	free(response);
}

int cr_http_response_status(const cr_http_response *response)
{
	return response->call.status;
}

const char *cr_http_response_url(const cr_http_response *response)
{
	return response->call.url.text;
}

const char *cr_http_response_header(const cr_http_response *response, const char *name)
{
	return cr__http_transfer_header(response->call.transfer, name);
}

size_t cr_http_response_header_count(const cr_http_response *response)
{
	CURL *easy = response->call.transfer->job.easy;
	struct curl_header *header = NULL;
	size_t count = 0;

	while ((header = curl_easy_nextheader(easy, CURLH_HEADER, -1, header)))
		count++;
	return count;
}

cr_http_field cr_http_response_header_at(const cr_http_response *response, size_t index)
{
	CURL *easy = response->call.transfer->job.easy;
	struct curl_header *header = NULL;

	do {
		header = curl_easy_nextheader(easy, CURLH_HEADER, -1, header);
	} while (header && index-- > 0);
	return header ? (cr_http_field){header->name, header->value} : (cr_http_field){NULL, NULL};
}

int64_t cr_http_response_length(const cr_http_response *response)
{
	curl_off_t length = -1;

	curl_easy_getinfo(response->call.transfer->job.easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
	                  &length);
	return length;
}

const char *cr_http_error_detail(const cr_http_response *response)
{
	return response->text;
}

/* ------------------------------------------------------------------------------------- body --- */

static size_t held(const struct transfer *transfer)
{
	return transfer->window.size - transfer->window_taken;
}

static void fail(cr_http_response *response, int error)
{
	struct transfer *transfer = response->call.transfer;
	cr_http_detail detail;

	cr__http_detail_set(&detail, error, transfer->job.code, 0,
	                    transfer->job.code ? transfer->text : NULL);
	response->error = error;
	memcpy(response->text, detail.text,
	       sizeof response->text < sizeof detail.text ? sizeof response->text
	                                                  : sizeof detail.text);
}

/* There is room: for what has come and waits to be decoded, and for more from the server. */
static void go_on(struct transfer *transfer)
{
	if (transfer->decoder && cr__http_decoder_pending(transfer->decoder)) {
		int r = cr__http_transfer_decode(transfer);

		if (r < 0) {
			cr__http_job_abort(transfer->http, &transfer->job);
			transfer->job.error = r;
			return;
		}
		if (cr__http_decoder_pending(transfer->decoder))
			return;
	}
	if (!transfer->paused)
		return;
	transfer->paused = false;
	cr__http_job_unpause(transfer->http, &transfer->job);
}

/* Forgets what was read, and lets the server go on when there is room. */
static void taken(struct transfer *transfer, size_t size)
{
	transfer->window_taken += size;
	if (held(transfer) == 0) {
		cr_buf_clear(&transfer->window);
		transfer->window_taken = 0;
	} else if (transfer->window_taken >= transfer->http->window_size) {
		cr_buf_consume(&transfer->window, transfer->window_taken);
		transfer->window_taken = 0;
	}
	if (held(transfer) <= transfer->http->window_size / 2)
		go_on(transfer);
}

/* Waits until the window holds something. Returns 1; 0 at the end of the body; a negative error. */
static int wait_for_data(cr_http_response *response)
{
	struct transfer *transfer = response->call.transfer;

	cr__http_not_inside(transfer->http);
	if (response->error < 0)
		return response->error;
	if (response->reading)
		return -EBUSY;
	if (cr_cancelled())
		return -ECANCELED;
	while (held(transfer) == 0) {
		int r;

		if (transfer->job.state == JOB_DONE) {
			r = cr__http_transfer_error(transfer);
			if (r < 0)
				fail(response, r);
			return r;
		}
		cr_event_clear(&transfer->job.event);
		response->reading = true;
		r = cr_event_wait(&transfer->job.event);
		response->reading = false;
		if (r < 0 && held(transfer) == 0)
			return r;
	}
	return 1;
}

ssize_t cr_http_body_read(cr_http_response *response, void *data, size_t size)
{
	struct transfer *transfer = response->call.transfer;
	int r;

	if (size == 0)
		return 0;
	r = wait_for_data(response);
	if (r <= 0)
		return r;
	if (size > held(transfer))
		size = held(transfer);
	memcpy(data, transfer->window.data + transfer->window_taken, size);
	taken(transfer, size);
	return (ssize_t)size;
}

/* Moves what is held, and lets libcurl write the rest there directly. */
static int body_buf(cr_http_response *response, cr_buf *body)
{
	struct transfer *transfer = response->call.transfer;
	size_t limit = body->limit_bytes ? body->limit_bytes
	                                 : body->size + transfer->http->body_size_max;
	int r;

	if (held(transfer) > limit - body->size)
		return -CORAIL_E_HTTP_TOO_LARGE;
	r = cr_buf_append(body, transfer->window.data + transfer->window_taken, held(transfer));
	if (r < 0)
		return r == -EMSGSIZE ? -CORAIL_E_HTTP_TOO_LARGE : r;
	transfer->sink = body;
	transfer->sink_max = limit;
	taken(transfer, held(transfer));
	while (transfer->job.state != JOB_DONE) {
		cr_event_clear(&transfer->job.event);
		response->reading = true;
		r = cr_event_wait(&transfer->job.event);
		response->reading = false;
		if (r < 0 && transfer->job.state != JOB_DONE) {
			/* libcurl must not touch the caller's buffer any more. */
			cr__http_job_abort(transfer->http, &transfer->job);
			return r;
		}
	}
	return cr__http_transfer_error(transfer);
}

int cr_http_body_buf(cr_http_response *response, cr_buf *body)
{
	int r;

	if (response->error < 0)
		return response->error;
	if (response->reading)
		return -EBUSY;
	if (cr_cancelled())
		return -ECANCELED;
	r = body_buf(response, body);
	if (r < 0)
		fail(response, r);
	return r;
}

/* Writes what was taken out of the window. Returns 0 or the error of cr_fd_write(). */
static int write_out(int fd, const cr_buf *piece, size_t done, uint64_t *written)
{
	while (done < piece->size) {
		ssize_t n = cr_fd_write(fd, piece->data + done, piece->size - done);

		if (n < 0)
			return (int)n;
		done += (size_t)n;
		*written += (uint64_t)n;
	}
	return 0;
}

int cr_http_body_fd(cr_http_response *response, int fd, uint64_t *ret_size)
{
	struct transfer *transfer = response->call.transfer;
	cr_buf piece = {0};
	uint64_t written = 0;
	int r;

	while ((r = wait_for_data(response)) > 0) {
		/* Swap buffers instead of copying: libcurl fills the other one meanwhile. */
		cr_buf full = transfer->window;
		size_t done = transfer->window_taken;

		transfer->window = piece;
		transfer->window_taken = 0;
		piece = full;
		go_on(transfer);
		response->reading = true;
		r = write_out(fd, &piece, done, &written);
		response->reading = false;
		cr_buf_clear(&piece);
		if (r < 0) {
			fail(response, r);
			break;
		}
	}
	cr_buf_free(&piece);
	if (ret_size)
		*ret_size = written;
	return r;
}
