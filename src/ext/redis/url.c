/* SPDX-License-Identifier: MIT */
/* redis://[[user]:password@]host[:port][/database], rediss://, unix:/path[?db=database] */

#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A copy of a part, with its %XX decoded. Returns 0, -EINVAL or -ENOMEM. */
static int decode(const char *part, size_t size, char **ret_text)
{
	char *text = malloc(size + 1), *to = text;

	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < size; i++) {
		int high, low;

		if (part[i] != '%') {
			*to++ = part[i];
			continue;
		}
		high = i + 2 < size ? hex_digit(part[i + 1]) : -1;
		low = i + 2 < size ? hex_digit(part[i + 2]) : -1;
		if (high < 0 || low < 0 || (high == 0 && low == 0)) {
			free(text);
			return -EINVAL;
		}
		*to++ = (char)(high * 16 + low);
		i += 2;
	}
	*to = '\0';
	*ret_text = text;
	return 0;
}

static int parse_database(const char *text, int64_t *ret_database)
{
	char *end;
	long number;

	if (*text == '\0')
		return 0;
	number = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || number > 1000000)
		return -EINVAL;
	*ret_database = number;
	return 0;
}

static int parse_unix(const char *path, struct target *target)
{
	size_t size = strcspn(path, "?");
	char *decoded;
	int r;

	if (size == 0)
		return -EINVAL;
	if (path[size] == '?') {
		if (strncmp(path + size, "?db=", 4) != 0)
			return -EINVAL;
		r = parse_database(path + size + 4, &target->database);
		if (r < 0)
			return r;
	}
	r = decode(path, size, &decoded);
	if (r < 0)
		return r;
	if (asprintf(&target->address, "unix:%s", decoded) < 0) {
		target->address = NULL;
		r = -ENOMEM;
	}
	free(decoded);
	return r;
}

static int parse_login(const char *part, size_t size, struct target *target)
{
	const char *colon = memchr(part, ':', size);
	size_t user_size = colon ? (size_t)(colon - part) : 0;
	int r = 0;

	/* A user without a password cannot log in. */
	if (!colon)
		return -EINVAL;
	if (user_size > 0)
		r = decode(part, user_size, &target->user);
	if (r == 0 && size > user_size + 1)
		r = decode(colon + 1, size - user_size - 1, &target->password);
	return r;
}

static bool is_port(const char *text, size_t size)
{
	int number = 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9' || number > 65535)
			return false;
		number = 10 * number + text[i] - '0';
	}
	return size > 0 && number > 0 && number <= 65535;
}

/* "host", "host:port", "[::1]:port". */
static int parse_host(const char *part, size_t size, struct target *target)
{
	const char *host = part, *rest;
	size_t host_size = strcspn(part, ":/");
	bool bracket = size > 0 && *part == '[';
	int r;

	if (bracket) {
		host++;
		host_size = strcspn(host, "]/");
		if (host_size + 2 > size || host[host_size] != ']')
			return -EINVAL;
	}
	if (host_size > size)
		host_size = size;
	rest = host + host_size + bracket;
	size -= (size_t)(rest - part);
	if (host_size == 0 || (size > 0 && (*rest != ':' || !is_port(rest + 1, size - 1))))
		return -EINVAL;
	r = decode(host, host_size, &target->host);
	if (r < 0)
		return r;
	r = asprintf(&target->address, "%s%s%s:%.*s", bracket ? "[" : "", target->host,
	             bracket ? "]" : "", size > 0 ? (int)size - 1 : 4,
	             size > 0 ? rest + 1 : "6379");
	if (r < 0)
		target->address = NULL;
	return r < 0 ? -ENOMEM : 0;
}

static int parse(const char *url, struct target *target)
{
	const char *at, *part;
	size_t size;
	int r = 0;

	if (strncmp(url, "unix:", 5) == 0)
		return parse_unix(url + 5, target);
	if (strncasecmp(url, "rediss://", 9) == 0)
		target->tls = true;
	else if (strncasecmp(url, "redis://", 8) != 0)
		return -EINVAL;
	part = strstr(url, "://") + 3;
	size = strcspn(part, "/?#");
	at = memrchr(part, '@', size);
	if (part[size] == '/')
		r = parse_database(part + size + 1, &target->database);
	else if (part[size] != '\0')
		r = -EINVAL;
	if (r == 0 && at) {
		r = parse_login(part, (size_t)(at - part), target);
		size -= (size_t)(at + 1 - part);
		part = at + 1;
	}
	return r < 0 ? r : parse_host(part, size, target);
}

int cr__redis_target_parse(const char *url, struct target *ret_target)
{
	int r;

	*ret_target = (struct target){.database = 0};
	r = parse(url, ret_target);
	if (r < 0)
		cr__redis_target_free(ret_target);
	return r;
}

void cr__redis_target_free(struct target *target)
{
	free(target->address);
	free(target->host);
	free(target->user);
	free(target->password);
	*target = (struct target){.database = 0};
}
