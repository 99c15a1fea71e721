/* SPDX-License-Identifier: MIT */
#include "net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/*
 * Addresses as text, in the forms of RFC 3986 (brackets), RFC 4007 (%zone) and unix(7) ("@"
 * abstract).
 */

static int parse_unix(const char *path, cr_addr *ret_addr)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t length = strlen(path);

	if (length == 0)
		return -EINVAL;
	if (length >= sizeof un.sun_path)
		return -ENAMETOOLONG;
	memcpy(un.sun_path, path, length + 1);
	memset(ret_addr, 0, sizeof *ret_addr);
	ret_addr->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	if (path[0] == '@')
		un.sun_path[0] = '\0';
	else
		ret_addr->length++;
	memcpy(&ret_addr->storage, &un, sizeof un);
	return 0;
}

/* A decimal port from 0 to 65535, or -EINVAL. */
static int port_parse(const char *text)
{
	int port = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		port = port * 10 + (*text - '0');
		if (port > 65535)
			return -EINVAL;
	}
	return port;
}

/* The zone of a link-local address: an interface's name or number. 0 when there is no such. */
static uint32_t zone_parse(const char *zone)
{
	char *end;
	unsigned long number = strtoul(zone, &end, 10);

	if (*zone >= '0' && *zone <= '9' && !*end && number <= UINT32_MAX)
		return (uint32_t)number;
	return if_nametoindex(zone);
}

int cr__addr_parse_ip(const char *host, int port, cr_addr *ret_addr)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
	char *zone;

	if (strlen(host) >= sizeof text)
		return -EINVAL;
	memcpy(text, host, strlen(host) + 1);
	zone = strchr(text, '%');
	if (zone) {
		*zone++ = '\0';
		in6.sin6_scope_id = zone_parse(zone);
		if (!in6.sin6_scope_id)
			return -EINVAL;
	}
	if (!zone && inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		memset(ret_addr, 0, sizeof *ret_addr);
		memcpy(&ret_addr->storage, &in, sizeof in);
		ret_addr->length = sizeof in;
		return 0;
	}
	if (inet_pton(AF_INET6, text, &in6.sin6_addr) != 1)
		return -EINVAL;
	memset(ret_addr, 0, sizeof *ret_addr);
	memcpy(&ret_addr->storage, &in6, sizeof in6);
	ret_addr->length = sizeof in6;
	return 0;
}

int cr__target_split(const char *target, char host[CR__HOST_SIZE])
{
	const char *port, *end;
	size_t length;

	if (target[0] == '[') {
		target++;
		end = strchr(target, ']');
		if (!end || end[1] != ':')
			return -EINVAL;
		port = end + 2;
	} else {
		end = strrchr(target, ':');
		if (!end || memchr(target, ':', (size_t)(end - target)))
			return -EINVAL;
		port = end + 1;
	}
	length = (size_t)(end - target);
	if (length >= CR__HOST_SIZE)
		return -EINVAL;
	memcpy(host, target, length);
	host[length] = '\0';
	return port_parse(port);
}

int cr_addr_parse(const char *text, cr_addr *ret_addr)
{
	char host[CR__HOST_SIZE];
	int port;

	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(text + 5, ret_addr);
	if (cr__addr_parse_ip(text, 0, ret_addr) == 0)
		return 0;
	port = cr__target_split(text, host);
	if (port < 0)
		return port;
	return cr__addr_parse_ip(host, port, ret_addr);
}

static int format_unix(const cr_addr *addr, char *text, size_t size)
{
	struct sockaddr_un un;
	size_t length = addr->length - offsetof(struct sockaddr_un, sun_path);

	memcpy(&un, &addr->storage, sizeof un);
	if (addr->length <= offsetof(struct sockaddr_un, sun_path))
		return snprintf(text, size, "unix:");
	if (length > sizeof un.sun_path)
		length = sizeof un.sun_path;
	if (un.sun_path[0] == '\0')
		return snprintf(text, size, "unix:@%.*s", (int)length - 1, un.sun_path + 1);
	return snprintf(text, size, "unix:%.*s", (int)length, un.sun_path);
}

static int format_ip6(const cr_addr *addr, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN];
	struct sockaddr_in6 in6;

	memcpy(&in6, &addr->storage, sizeof in6);
	inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host);
	if (in6.sin6_scope_id)
		return snprintf(text, size, "[%s%%%u]:%d", host, (unsigned)in6.sin6_scope_id,
		                ntohs(in6.sin6_port));
	return snprintf(text, size, "[%s]:%d", host, ntohs(in6.sin6_port));
}

static int format_ip4(const cr_addr *addr, char *text, size_t size)
{
	char host[INET_ADDRSTRLEN];
	struct sockaddr_in in;

	memcpy(&in, &addr->storage, sizeof in);
	inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
	return snprintf(text, size, "%s:%d", host, ntohs(in.sin_port));
}

int cr_addr_format(const cr_addr *addr, char *text, size_t size)
{
	int n;

	switch (addr->storage.ss_family) {
	case AF_INET:
		n = format_ip4(addr, text, size);
		break;
	case AF_INET6:
		n = format_ip6(addr, text, size);
		break;
	case AF_UNIX:
		n = format_unix(addr, text, size);
		break;
	default:
		return -EAFNOSUPPORT;
	}
	return n >= 0 && (size_t)n < size ? n : -EMSGSIZE;
}

int cr_addr_port(const cr_addr *addr)
{
	switch (addr->storage.ss_family) {
	case AF_INET:
		return ntohs(((const struct sockaddr_in *)(const void *)&addr->storage)->sin_port);
	case AF_INET6:
		return ntohs(
			((const struct sockaddr_in6 *)(const void *)&addr->storage)->sin6_port);
	default:
		return -EAFNOSUPPORT;
	}
}

int cr_addr_port_set(cr_addr *addr, int port)
{
	if (port < 0 || port > 65535)
		return -EINVAL;
	switch (addr->storage.ss_family) {
	case AF_INET:
		((struct sockaddr_in *)(void *)&addr->storage)->sin_port = htons((uint16_t)port);
		return 0;
	case AF_INET6:
		((struct sockaddr_in6 *)(void *)&addr->storage)->sin6_port = htons((uint16_t)port);
		return 0;
	default:
		return -EAFNOSUPPORT;
	}
}

int cr_addr_equal(const cr_addr *a, const cr_addr *b)
{
	const struct sockaddr_in6 *a6 = (const void *)&a->storage, *b6 = (const void *)&b->storage;

	if (a->storage.ss_family != b->storage.ss_family)
		return 0;
	switch (a->storage.ss_family) {
	case AF_INET:
		return cr_addr_port(a) == cr_addr_port(b) &&
		       ((const struct sockaddr_in *)(const void *)&a->storage)->sin_addr.s_addr ==
		               ((const struct sockaddr_in *)(const void *)&b->storage)
		                       ->sin_addr.s_addr;
	case AF_INET6:
		return a6->sin6_port == b6->sin6_port && a6->sin6_scope_id == b6->sin6_scope_id &&
		       memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof a6->sin6_addr) == 0;
	default:
		return a->length == b->length && memcmp(&a->storage, &b->storage, a->length) == 0;
	}
}
