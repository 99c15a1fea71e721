/* SPDX-License-Identifier: MIT */
/* A request's method and headers: what may not be sent is refused before anything is. */

#include "client.h"
#include "field.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++) {
		if (strcasecmp(name, *names) == 0)
			return true;
	}
	return false;
}

int cr__http_request_check(const cr_http_request *request, char *why, size_t size)
{
	/*
	 * Two framings of one request are how a second one is smuggled in: RFC 9112, section 11.2.
	 */
	static const char *const framing[] = {"Content-Length", "Transfer-Encoding", NULL};

	if (request->method &&
	    (!cr__http_is_token(request->method) || !strcmp(request->method, "CONNECT"))) {
		snprintf(why, size, "not a method that can be sent");
		return -CORAIL_E_HTTP_HEADER;
	}
	for (size_t i = 0; i < request->header_count; i++) {
		const cr_http_field *field = &request->headers[i];

		if (!field->name || !cr__http_is_token(field->name)) {
			snprintf(why, size, "header number %zu has no valid name", i + 1);
			return -CORAIL_E_HTTP_HEADER;
		}
		if (field->value && !cr__http_is_value(field->value)) {
			snprintf(why, size, "the value of header %.64s holds a forbidden character",
			         field->name);
			return -CORAIL_E_HTTP_HEADER;
		}
		if (is_one_of(field->name, framing)) {
			snprintf(why, size, "header %.64s is made by the library", field->name);
			return -CORAIL_E_HTTP_HEADER;
		}
	}
	return 0;
}

static int append(struct curl_slist **list, const char *text)
{
	struct curl_slist *longer = curl_slist_append(*list, text);

	if (!longer)
		return -ENOMEM;
	*list = longer;
	return 0;
}

/* libcurl's notation: "Name: value", "Name;" for an empty value, "Name:" for none at all. */
static int append_field(struct curl_slist **list, const cr_http_field *field)
{
	cr_buf line = {0};
	int r;

	if (!field->value)
		r = cr_buf_printf(&line, "%s:", field->name);
	else if (field->value[strspn(field->value, " \t")] == 0)
		r = cr_buf_printf(&line, "%s;", field->name);
	else
		r = cr_buf_printf(&line, "%s: %s", field->name, field->value);
	r = r < 0 ? r : append(list, line.data);
	cr_buf_free(&line);
	return r;
}

static bool has_field(const cr_http_request *request, const char *name)
{
	for (size_t i = 0; i < request->header_count; i++) {
		if (strcasecmp(request->headers[i].name, name) == 0)
			return true;
	}
	return false;
}

int cr__http_request_headers(const struct call *call, struct curl_slist **ret_list)
{
	/*
	 * RFC 9110, section 15.4: what a redirect to elsewhere must not carry, or one without body.
	 */
	static const char *const at_home[] = {"Authorization", "Cookie", "Host",
	                                      "Proxy-Authorization", NULL};
	static const char *const content[] = {"Content-Type",     "Content-Encoding",
	                                      "Content-Language", "Content-Location",
	                                      "Digest",           NULL};
	const cr_http_request *request = call->request;
	struct curl_slist *list = NULL;
	int r = 0;

	for (size_t i = 0; i < request->header_count && r == 0; i++) {
		const char *name = request->headers[i].name;

		if (call->foreign_origin && is_one_of(name, at_home))
			continue;
		if (call->content_dropped && is_one_of(name, content))
			continue;
		r = append_field(&list, &request->headers[i]);
	}
	/* libcurl would invent a form's type, and wait a second for "100 Continue". */
	if (r == 0 && call->body && !has_field(request, "Content-Type"))
		r = append(&list, "Content-Type:");
	if (r == 0 && call->body && !has_field(request, "Expect"))
		r = append(&list, "Expect:");
	if (r < 0) {
		curl_slist_free_all(list);
		return r;
	}
	*ret_list = list;
	return 0;
}
