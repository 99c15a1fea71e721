/* SPDX-License-Identifier: MIT */
/* The request target: RFC 9112, section 3.2. Split, decoded, and kept inside the root. */

#include "server.h"

#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decodes in place. Returns the length, or -1 for a bad escape or a NUL. */
static ssize_t decode(char *text, size_t length, bool plus_is_space)
{
	size_t to = 0;

	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (c == '%') {
			int high = i + 2 < length ? hex_digit(text[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

			if (low < 0)
				return -1;
			c = (char)(high * 16 + low);
			if (c == 0)
				return -1;
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		text[to++] = c;
	}
	return (ssize_t)to;
}

/* Whether a path has a segment "." or "..". */
static bool climbs(const char *path)
{
	for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		size_t length = strcspn(p + 1, "/");

		if (p[1] == '.' && (length == 1 || (length == 2 && p[2] == '.')))
			return true;
	}
	return false;
}

/* The path of "http://host/path", or of "/path". NULL for neither. */
static const char *path_of(const char *target)
{
	const char *authority;

	if (*target == '/')
		return target;
	if (strncasecmp(target, "http://", 7) == 0)
		authority = target + 7;
	else if (strncasecmp(target, "https://", 8) == 0)
		authority = target + 8;
	else
		return NULL;
	return *authority && *authority != '/' ? authority + strcspn(authority, "/?") : NULL;
}

int cr__http_target_parse(struct head *head)
{
	const char *target = head->text.data + head->target, *path = path_of(target);
	size_t length, start, at;
	ssize_t decoded;
	bool star = strcmp(target, "*") == 0 && strcmp(head->method, "OPTIONS") == 0;

	for (const char *p = target; *p; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '#')
			return 400;
	}
	if (star)
		path = target;
	if (!path)
		return 400;
	length = strcspn(path, "?");
	at = (size_t)(path - head->text.data);
	head->query = (uint32_t)(at + length + (path[length] == '?'));
	start = head->text.size;
	head->path = (uint32_t)start;
	/* The text may move: make room first, then copy from where it is. */
	if (cr_buf_reserve(&head->text, length + 2) < 0)
		return 500;
	if (length == 0 && !star)
		cr_buf_append(&head->text, "/", 1);
	cr_buf_append(&head->text, head->text.data + at, length);
	decoded = decode(head->text.data + start, head->text.size - start, false);
	if (decoded < 0)
		return 400;
	head->text.size = start + (size_t)decoded;
	if (cr_buf_append(&head->text, "", 1) < 0)
		return 500;
	return climbs(head->text.data + start) ? 400 : 0;
}

int cr_http_exchange_param(const cr_http_exchange *exchange, const char *name, cr_buf *value)
{
	const char *query = cr_http_exchange_query(exchange), *next;
	size_t name_length = strlen(name);

	for (; *query; query = next) {
		size_t length = strcspn(query, "&");
		size_t key = strcspn(query, "=&");
		cr_buf pair = {0};
		ssize_t decoded;
		int r;

		next = query + length + (query[length] == '&');
		if (length == 0)
			continue;
		r = cr_buf_append(&pair, query, length);
		if (r < 0)
			return r;
		decoded = decode(pair.data, key, true);
		if (decoded == (ssize_t)name_length && memcmp(pair.data, name, name_length) == 0) {
			size_t from = key + (key < length);

			decoded = decode(pair.data + from, length - from, true);
			r = decoded < 0 ? -EINVAL
			                : cr_buf_append(value, pair.data + from, (size_t)decoded);
			cr_buf_free(&pair);
			return r;
		}
		cr_buf_free(&pair);
	}
	return -ENOENT;
}
