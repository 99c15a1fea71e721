/* SPDX-License-Identifier: MIT */
/* The request target: RFC 9112, section 3.2. Split, decoded, and kept inside the root. */

#include "server.h"

#include <arpa/inet.h>
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

/* Whether a text is of unreserved characters, sub-delims and the others that are allowed. */
static bool is_plain(const char *text, size_t length, const char *others)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._~!$&'()*+,;=";

	for (size_t i = 0; i < length; i++) {
		if (!memchr(plain, text[i], sizeof plain - 1) && !strchr(others, text[i]))
			return false;
	}
	return true;
}

/* What stands between the brackets: RFC 3986, IPv6address or IPvFuture. No zone: RFC 6874. */
static bool is_literal(const char *text, size_t length)
{
	char address[INET6_ADDRSTRLEN];
	unsigned char bytes[16];
	size_t digits = 0;

	if (length > 0 && (*text == 'v' || *text == 'V')) {
		while (1 + digits < length && hex_digit(text[1 + digits]) >= 0)
			digits++;
		return digits > 0 && length > digits + 2 && text[1 + digits] == '.' &&
		       is_plain(text + digits + 2, length - digits - 2, ":");
	}
	if (length >= sizeof address)
		return false;
	memcpy(address, text, length);
	address[length] = 0;
	return inet_pton(AF_INET6, address, bytes) == 1;
}

/* A name, or an IPv4 address, which looks like one. */
static bool is_name(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '%' &&
		    (i + 2 >= length || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0))
			return false;
	}
	return length > 0 && is_plain(text, length, "%");
}

/* The rest of a Host: nothing, or a colon and a number, which may be missing. */
static bool is_port(const char *text)
{
	unsigned port = 0;

	if (*text == 0)
		return true;
	if (*text != ':')
		return false;
	while (*++text >= '0' && *text <= '9' && port <= 65535)
		port = port * 10 + (unsigned)(*text - '0');
	return *text == 0 && port <= 65535;
}

bool cr__http_is_host(const char *value)
{
	size_t length = strcspn(value, *value == '[' ? "]" : ":");

	if (*value == 0)
		return true;
	if (*value == '[')
		return value[length] == ']' && is_literal(value + 1, length - 1) &&
		       is_port(value + length + 1);
	return is_name(value, length) && is_port(value + length);
}

/* Where the authority of "http://host/path" begins; NULL without one. */
static const char *authority_of(const char *target)
{
	if (strncasecmp(target, "http://", 7) == 0)
		return target + 7;
	return strncasecmp(target, "https://", 8) == 0 ? target + 8 : NULL;
}

/* RFC 9112, section 3.2.2: the Host of an absolute target is the one in it. */
static int host_replace(struct head *head, size_t at, size_t length)
{
	size_t start = head->text.size;

	if (length == 0)
		return 400;
	/* The text may move: make room first, then copy from where it is. */
	if (cr_buf_reserve(&head->text, length + 1) < 0)
		return 500;
	cr_buf_append(&head->text, head->text.data + at, length);
	cr_buf_append(&head->text, "", 1);
	if (!cr__http_is_host(head->text.data + start))
		return 400;
	for (size_t i = 0; i < head->field_count; i++) {
		if (strcasecmp(head->text.data + head->fields[i].name, "Host") == 0)
			head->fields[i].value = (uint32_t)start;
	}
	return 0;
}

/* Decodes the path of so many bytes; an empty one is the root. */
static int path_decode(struct head *head, size_t at, size_t length)
{
	size_t start = head->text.size;
	ssize_t decoded;

	if (cr_buf_reserve(&head->text, length + 2) < 0)
		return 500;
	if (length == 0)
		cr_buf_append(&head->text, "/", 1);
	cr_buf_append(&head->text, head->text.data + at, length);
	decoded = decode(head->text.data + start, head->text.size - start, false);
	if (decoded < 0)
		return 400;
	head->text.size = start + (size_t)decoded;
	cr_buf_append(&head->text, "", 1);
	head->path = (uint32_t)start;
	return climbs(head->text.data + start) ? 400 : 0;
}

int cr__http_target_parse(struct head *head)
{
	const char *target = head->text.data + head->target, *authority = authority_of(target);
	const char *path = authority ? authority + strcspn(authority, "/?") : target;
	const bool star = strcmp(target, "*") == 0 && strcmp(head->method, "OPTIONS") == 0;
	size_t at = (size_t)(path - head->text.data), length = strcspn(path, "?");
	int status = 0;

	for (const char *p = target; *p; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '#')
			return 400;
	}
	if (!authority && !star && *target != '/')
		return 400;
	head->query = (uint32_t)(at + length + (path[length] == '?'));
	if (authority)
		status = host_replace(head, (size_t)(authority - head->text.data),
		                      (size_t)(path - authority));
	return status ? status : path_decode(head, at, length);
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
