/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_CLI_URLS_H
#define CORAIL_CLI_URLS_H

/* The list of what to fetch: from arguments, files and standard input, in the order given. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The longest URL that is worth sending anywhere. */
#define URL_SIZE_MAX 65536

/* All zero is an empty list. The list owns its URLs. */
struct url_list {
	char **urls;
	size_t count, capacity;
};

/* Appends a copy of one URL, of `size_bytes` bytes. Returns 0 or -ENOMEM. */
int url_list_add(struct url_list *list, const char *url, size_t size_bytes);

/*
 * Appends one URL per line of a stream. Blank lines and what follows a "#" at the start of a line,
 * or after a blank, are left out; so are a byte order mark and the CR of CR LF. A NUL byte inside a
 * URL becomes U+FFFD: a bad URL, reported like any other. Returns 0, or a negative errno.
 */
int url_list_read(struct url_list *list, FILE *in);

/* Whether a text begins with http:// or https://. */
bool url_has_scheme(const char *url);

/* Whether a URL is one that can be asked for: http or https, a host, no blank and no control. */
bool url_is_good(const char *url);

/*
 * The part of a URL that names its server ("host:port", without credentials), for per-host limits.
 * Returns its start, and its size in ret_size.
 */
const char *url_host(const char *url, size_t *ret_size);

void url_list_free(struct url_list *list);

#endif
