/* SPDX-License-Identifier: MIT */

/* Which session a URL goes through: directly, or by the proxy that the environment names. */

#include "get.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The first of these variables that is set and not empty. */
static const char *variable(const char *first, const char *second)
{
	const char *value = first ? getenv(first) : NULL;

	if (!value || !*value)
		value = second ? getenv(second) : NULL;
	return value && *value ? value : NULL;
}

/*
 * Whether a host is one of no_proxy's, or below one of them: "example.org" covers "a.example.org".
 */
static bool is_excepted(const char *host, size_t size)
{
	const char *entry = variable("no_proxy", "NO_PROXY");

	while (entry && *entry) {
		size_t length;

		entry += strspn(entry, ", ");
		length = strcspn(entry, ", ");
		if (length == 1 && *entry == '*')
			return true;
		if (length > 0 && *entry == '.') {
			entry++;
			length--;
		}
		if (length > 0 && length <= size &&
		    strncasecmp(host + size - length, entry, length) == 0 &&
		    (length == size || host[size - length - 1] == '.'))
			return true;
		entry += length;
	}
	return false;
}

static struct get_route *choose_route(struct get *get, const char *url)
{
	bool secure = strncasecmp(url, "https:", 6) == 0;
	struct get_route *route = secure ? &get->secure : &get->plain;
	const char *host, *colon;
	size_t size;

	if (get->options->direct)
		return &get->direct;
	/* HTTP_PROXY in capitals could come from a request's "Proxy" header in a CGI program. */
	route->proxy = secure ? variable("https_proxy", "HTTPS_PROXY")
	                      : variable("http_proxy", NULL);
	if (!route->proxy)
		route->proxy = variable("all_proxy", "ALL_PROXY");
	if (!route->proxy)
		return &get->direct;
	host = url_host(url, &size);
	colon = *host == '[' ? NULL : memchr(host, ':', size);
	return is_excepted(host, colon ? (size_t)(colon - host) : size) ? &get->direct : route;
}

int get_session(struct get *get, const char *url, cr_http **ret_http, const char **ret_proxy)
{
	struct get_route *route = choose_route(get, url);
	cr_http_options options = {
		.requests_max = get->options->concurrent,
		.ca_file = get->options->ca_file,
		.proxy = route->proxy,
	};

	*ret_proxy = route->proxy;
	if (!route->http) {
		int r = cr_http_open(&options, &route->http);

		if (r < 0)
			return r;
	}
	*ret_http = route->http;
	return 0;
}
