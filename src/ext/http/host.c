/* SPDX-License-Identifier: MIT */
/*
 * One entry per origin: how many requests are on their way to it, and whether libcurl knows its
 * addresses. Names are resolved on the loop and handed to libcurl with CURLOPT_RESOLVE, which puts
 * them into its own cache for all handles of the session: so its resolver, a thread for each name,
 * is never used. Every hop of a redirect is a request of its own here and is resolved the same way.
 */

#include "client.h"

#include <corail/dns.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Entries that nobody uses are kept up to this count. */
#define HOSTS_KEPT 1024
/* Addresses handed to libcurl, at most. */
#define ADDRESSES_MAX 16
/* How long they are trusted, whatever their TTL: between a second and a minute. */
#define TTL_MIN_SECONDS 1
#define TTL_MAX_SECONDS 60

static struct host **bucket_of(cr_http *http, const struct origin *origin)
{
	uint32_t hash = 2166136261u ^ origin->port ^ (uint32_t)origin->tls << 16;

	for (size_t i = 0; i < origin->host_length; i++)
		hash = (hash ^ (unsigned char)origin->host[i]) * 16777619u;
	return &http->hosts[hash % HTTP_HOST_BUCKETS];
}

static struct origin origin_of(const struct host *host)
{
	return (struct origin){.host = host->name,
	                       .host_length = host->name_length,
	                       .port = host->port,
	                       .tls = host->tls};
}

struct host *cr__http_host_get(cr_http *http, const struct origin *origin)
{
	struct host **bucket = bucket_of(http, origin), *host;

	for (host = *bucket; host; host = host->next) {
		struct origin other = origin_of(host);

		if (cr__http_origin_equal(&other, origin)) {
			host->references++;
			return host;
		}
	}
	host = calloc(1, sizeof *host + origin->host_length + 1);
	if (!host)
		return NULL;
	memcpy(host->name, origin->host, origin->host_length);
	host->name_length = origin->host_length;
	host->port = origin->port;
	host->tls = origin->tls;
	host->numeric = origin->numeric;
	host->gate.max = http->requests_per_host_max;
	host->references = 1;
	host->next = *bucket;
	*bucket = host;
	http->host_count++;
	return host;
}

void cr__http_host_put(cr_http *http, struct host *host)
{
	struct origin origin = origin_of(host);
	struct host **link = bucket_of(http, &origin);

	if (--host->references > 0 || (http->host_count <= HOSTS_KEPT && !http->over))
		return;
	while (*link != host)
		link = &(*link)->next;
	*link = host->next;
	http->host_count--;
	free(host);
}

/* "name:port:address,address": the form that CURLOPT_RESOLVE takes. */
static int format_addresses(const struct host *host, const cr_dns_address *addresses, int count,
                            struct curl_slist **ret_list)
{
	cr_buf line = {0};
	char text[CORAIL_ADDR_TEXT_SIZE];
	int r = cr_buf_printf(&line, "%s:%u:", host->name, host->port);

	for (int i = 0; i < count && r >= 0; i++) {
		cr_addr addr = addresses[i].addr;
		char *end;

		r = cr_addr_port_set(&addr, 1);
		if (r == 0)
			r = cr_addr_format(&addr, text, sizeof text);
		if (r < 0)
			break;
		/* Off with the port: "1.2.3.4:1", "[::1]:1". */
		end = strrchr(text, ':');
		*end = 0;
		r = cr_buf_printf(&line, "%s%s", i ? "," : "", text);
	}
	if (r >= 0) {
		*ret_list = curl_slist_append(NULL, line.data);
		r = *ret_list ? 0 : -ENOMEM;
	}
	cr_buf_free(&line);
	return r;
}

int cr__http_host_resolve(struct host *host, struct curl_slist **ret_list)
{
	cr_dns_address addresses[ADDRESSES_MAX];
	uint32_t ttl_seconds = TTL_MAX_SECONDS;
	int count, r;

	*ret_list = NULL;
	if (host->numeric || cr_now() < host->resolved_until)
		return 0;
	count = cr_dns_lookup(host->name, AF_UNSPEC, addresses, ADDRESSES_MAX);
	if (count < 0)
		return count;
	for (int i = 0; i < count; i++) {
		if (addresses[i].ttl_seconds < ttl_seconds)
			ttl_seconds = addresses[i].ttl_seconds;
	}
	if (ttl_seconds < TTL_MIN_SECONDS)
		ttl_seconds = TTL_MIN_SECONDS;
	r = format_addresses(host, addresses, count, ret_list);
	host->expires = cr_now() + cr_seconds(ttl_seconds);
	return r;
}

void cr__http_host_resolved(struct host *host)
{
	host->resolved_until = host->expires;
}
