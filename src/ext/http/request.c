/* SPDX-License-Identifier: MIT */
/*
 * A request from its first hop to its answer. Redirects are followed here, not in libcurl: so every
 * hop waits for its turn with its own host, has its name resolved on the loop, and is sent under
 * the rules of RFC 9110, section 15.4, with credentials for the first origin only.
 */

#include "client.h"

#include <string.h>

/* ---------------------------------------------------------------------------------- one hop --- */

static bool is_idempotent(const char *method)
{
	static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};

	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		if (strcmp(method, methods[i]) == 0)
			return true;
	}
	return false;
}

/* Method and body. A GET without a body, the common case, needs nothing. */
static void set_method(struct call *call, struct transfer *transfer)
{
	CURL *easy = transfer->job.easy;

	if (!call->body && strcmp(call->method, "GET") == 0)
		return;
	transfer->custom = true;
	if (call->body) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_size);
		/* A stream's call returns at the head, when libcurl may still be sending. */
		curl_easy_setopt(easy, call->stream ? CURLOPT_COPYPOSTFIELDS : CURLOPT_POSTFIELDS,
		                 call->body);
		if (strcmp(call->method, "POST") != 0)
			curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
	} else if (strcmp(call->method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	} else {
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
	}
}

static int set_up(struct call *call, bool fresh)
{
	struct transfer *transfer = call->transfer;
	CURL *easy = transfer->job.easy;
	const cr_http_request *request = call->request;
	int r;

	transfer->idempotent = is_idempotent(call->method);
	transfer->follow = !request->no_redirect;
	transfer->status_error = request->status_error;
	transfer->drop = !call->stream && !call->sink;
	transfer->sink = call->sink;
	if (call->sink)
		transfer->sink_max = call->sink->limit_bytes
		                             ? call->sink->limit_bytes
		                             : call->sink->size + call->http->body_size_max;
	if (request->header_count || call->body) {
		r = cr__http_request_headers(call, &transfer->headers);
		if (r < 0)
			return r;
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
	}
	if (transfer->resolve)
		curl_easy_setopt(easy, CURLOPT_RESOLVE, transfer->resolve);
	set_method(call, transfer);
	transfer->stream = call->stream;
	if (fresh) {
		transfer->custom = true;
		curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	}
	return curl_easy_setopt(easy, CURLOPT_URL, call->url.text) ? -ENOMEM : 0;
}

/* Waits for the head or the end. Cancelled before either, the transfer ends with its connection. */
static int wait_for(struct call *call)
{
	struct job *job = &call->transfer->job;
	int r = cr_event_wait(&job->event);

	if (r < 0 && job->state != JOB_DONE && !call->transfer->head) {
		cr__http_job_abort(call->http, job);
		return r;
	}
	return 0;
}

/* Leaves the hop: its connection, its place in the limits. */
static void hop_end(struct call *call)
{
	cr_http *http = call->http;
	struct host *host = call->host;
	struct transfer *transfer = call->transfer;

	call->transfer = NULL;
	call->host = NULL;
	if (transfer)
		cr__http_transfer_put(transfer);
	if (host) {
		http->stats.in_flight--;
		cr__http_gate_leave(&http->gate);
		cr__http_gate_leave(&host->gate);
		cr__http_host_put(http, host);
	}
}

/* Waits for a place with the host, then for one in the session. */
static int enter(struct call *call)
{
	cr_http *http = call->http;
	struct host *host = cr__http_host_get(http, &call->url.origin);
	int r;

	if (!host)
		return -ENOMEM;
	r = cr__http_gate_enter(&host->gate, &http->waiting);
	if (r == 0) {
		r = cr__http_gate_enter(&http->gate, &http->waiting);
		if (r == 0) {
			http->stats.in_flight++;
			call->host = host;
			return 0;
		}
		cr__http_gate_leave(&host->gate);
	}
	cr__http_host_put(http, host);
	return r;
}

static int hop(struct call *call, bool fresh)
{
	cr_http *http = call->http;
	struct host *named;
	struct transfer *transfer;
	struct curl_slist *resolve = NULL;
	int r = enter(call);

	if (r < 0)
		return r;
	named = http->proxy_host ? http->proxy_host : call->host;
	r = cr__http_host_resolve(named, &resolve);
	if (r < 0) {
		cr_buf text = {0};

		cr_buf_printf(&text, "%s: %s", named->name, cr_strerror(r));
		cr__http_detail_set(call->request->detail, r, CURLE_OK, 0, text.data);
		cr_buf_free(&text);
		return r;
	}
	transfer = cr__http_transfer_get(http);
	if (!transfer) {
		curl_slist_free_all(resolve);
		return -ENOMEM;
	}
	call->transfer = transfer;
	transfer->resolve = resolve;
	r = set_up(call, fresh);
	if (r < 0)
		return r;
	cr__http_job_start(http, &transfer->job);
	r = wait_for(call);
	if (r < 0)
		return r;
	if (resolve && transfer->send_count > 0)
		cr__http_host_resolved(named);
	call->status = cr__http_transfer_status(transfer);
	if (transfer->head)
		return 0;
	r = cr__http_transfer_error(transfer);
	if (r < 0)
		cr__http_detail_set(call->request->detail, r, transfer->job.code, call->status,
		                    transfer->why ? transfer->why : transfer->text);
	return r;
}

/* One hop, and once more on a new connection when a kept one turned out to be dead. */
static int hop_retried(struct call *call)
{
	int r = hop(call, false);

	if (r == -CORAIL_E_HTTP_EMPTY && call->transfer->idempotent &&
	    call->transfer->job.code == CURLE_ABORTED_BY_CALLBACK &&
	    call->transfer->send_count == 2) {
		hop_end(call);
		r = hop(call, true);
	}
	return r;
}

/* -------------------------------------------------------------------------------- redirects --- */

/* Turns the call into the one that the redirect asks for. */
static int redirect(struct call *call, const char *location)
{
	struct url next = {0};
	cr_buf text = {0};
	int r = cr_http_url_resolve(call->url.text, location, &text);

	if (r == 0)
		r = cr__http_url_parse(text.data, &next);
	if (r < 0) {
		cr_buf_free(&text);
		cr__http_detail_set(call->request->detail, r, CURLE_OK, call->status, location);
		return r;
	}
	/* If the parser did not rewrite it, the URL is borrowed: keep the text. */
	if (!next.owned.data) {
		next.owned = text;
		next.text = text.data;
	} else {
		cr_buf_free(&text);
	}
	if (!cr__http_origin_equal(&call->url.origin, &next.origin))
		call->foreign_origin = true;
	if ((call->status == 303 && strcmp(call->method, "HEAD") != 0) ||
	    (call->status < 303 && strcmp(call->method, "POST") == 0)) {
		call->method = "GET";
		call->body = NULL;
		call->content_dropped = true;
	}
	cr__http_url_free(&call->url);
	call->url = next;
	if (next.origin.host == next.host || next.origin.host == next.host + 1)
		call->url.origin.host = call->url.host + (next.origin.host - next.host);
	return 0;
}

/* The URL to start from, with the query added. */
static int first_url(struct call *call)
{
	const cr_http_request *request = call->request;
	cr_buf text = {0};
	int r;

	if (!request->query_count || !request->url)
		return cr__http_url_parse(request->url, &call->url);
	r = cr__http_url_query(request->url, request->query, request->query_count, &text);
	if (r == 0)
		r = cr__http_url_parse(text.data, &call->url);
	if (r == 0 && !call->url.owned.data) {
		call->url.owned = text;
		return 0;
	}
	cr_buf_free(&text);
	return r;
}

static int start(struct call *call)
{
	const cr_http_request *request = call->request;
	char why[128] = "";
	int r;

	call->method = request->method ? request->method : request->body ? "POST" : "GET";
	call->body = request->body;
	call->body_size = request->body_size;
	r = cr__http_request_check(request, why, sizeof why);
	if (r == 0)
		r = first_url(call);
	if (r < 0)
		cr__http_detail_set(request->detail, r, CURLE_OK, 0,
		                    *why           ? why
		                    : request->url ? request->url
		                                   : "no URL");
	return r;
}

static int follow(struct call *call)
{
	size_t hops = 0;

	for (;;) {
		const char *location;
		int r = hop_retried(call);

		if (r < 0)
			return r;
		location = call->request->no_redirect || !cr__http_is_redirect(call->status)
		                   ? NULL
		                   : cr__http_transfer_header(call->transfer, "Location");
		if (!location)
			return 0;
		if (hops++ >= call->http->redirects_max)
			return -CORAIL_E_HTTP_REDIRECTS;
		r = redirect(call, location);
		if (r < 0)
			return r;
		hop_end(call);
	}
}

int cr__http_call_run(struct call *call)
{
	cr_http_detail *detail = call->request->detail;
	int r;

	cr__http_not_inside(call->http);
	call->http->references++;
	if (detail)
		detail->error = 0;
	r = cr_cancelled() ? -ECANCELED : start(call);
	if (r == 0)
		r = follow(call);
	if (r == 0 && call->request->status_error && call->status >= 400) {
		cr_buf text = {0};

		r = -CORAIL_E_HTTP_STATUS;
		cr_buf_printf(&text, "%d %s", call->status, cr_http_reason(call->status));
		cr__http_detail_set(detail, r, CURLE_OK, call->status, text.data);
		cr_buf_free(&text);
	}
	if (r < 0 && detail && detail->error != r)
		cr__http_detail_set(detail, r, CURLE_OK, call->status, NULL);
	return r;
}

void cr__http_call_end(struct call *call)
{
	hop_end(call);
	cr__http_url_free(&call->url);
	cr__http_unref(call->http);
}

/* ------------------------------------------------------------------------------ short forms --- */

int cr_http_fetch(cr_http *http, const cr_http_request *request, cr_buf *body)
{
	struct call call = {.http = http, .request = request, .sink = body};
	size_t size = body ? body->size : 0;
	int r = cr__http_call_run(&call);

	cr__http_call_end(&call);
	if (r < 0 && body && body->size > size) {
		body->size = size;
		body->data[size] = 0;
	}
	return r < 0 ? r : call.status;
}

int cr_http_get(cr_http *http, const char *url, cr_buf *body)
{
	cr_http_request request = {.url = url, .status_error = 1};
	int r = cr_http_fetch(http, &request, body);

	return r < 0 ? r : 0;
}

int cr_http_post(cr_http *http, const char *url, const char *content_type, const void *data,
                 size_t size, cr_buf *body)
{
	cr_http_field type = {"Content-Type", content_type};
	cr_http_request request = {
		.url = url,
		.method = "POST",
		.headers = &type,
		.header_count = content_type != NULL,
		.body = data ? data : "",
		.body_size = data ? size : 0,
		.status_error = 1,
	};
	int r = cr_http_fetch(http, &request, body);

	return r < 0 ? r : 0;
}
