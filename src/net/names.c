/* SPDX-License-Identifier: MIT */
#include "net/names.h"

#include "base/alloc.h"
#include "base/list.h"
#include "loop/attach.h"
#include "loop/loop.h"
#include "task/park.h"

#include <errno.h>
#include <string.h>

/*
 * Names that need no asking: numeric addresses, localhost, and the table that the program fills
 * itself. The rest goes to the resolver, if this library was built with one and the backend has a
 * network.
 */

enum { NAME_MAX_BYTES = 253, LABEL_MAX_BYTES = 63, TABLE_ADDRS_MAX = 16 };

/* An entry of a loop's own table. */
struct host {
	struct cr__list link;
	size_t count;
	cr_addr addrs[TABLE_ADDRS_MAX];
	char name[];
};

struct table {
	struct cr__list hosts;
};

static const char table_key;

static void table_destroy(void *object)
{
	struct table *table = object;
	struct cr__list *node;

	while ((node = cr__list_first(&table->hosts))) {
		cr__list_remove(node);
		cr__free(CR__CONTAINER(node, struct host, link));
	}
	cr__free(table);
}

/* The loop's table, or NULL without memory. */
static struct table *table_get(struct cr__loop *loop)
{
	struct table *table = cr__loop_attached(loop, &table_key);

	if (table)
		return table;
	table = cr__alloc(sizeof *table);
	if (!table)
		return NULL;
	cr__list_init(&table->hosts);
	if (cr__loop_attach(loop, &table_key, table, table_destroy) < 0) {
		cr__free(table);
		return NULL;
	}
	return table;
}

static struct host *host_find(const struct table *table, const char *name)
{
	for (struct cr__list *node = table->hosts.next; node != &table->hosts; node = node->next) {
		struct host *host = CR__CONTAINER(node, struct host, link);

		if (strcmp(host->name, name) == 0)
			return host;
	}
	return NULL;
}

/*
 * Checks a name against RFC 1035 section 2.3.4 (lengths) and RFC 1123 section 2.1 (letters; "_" is
 * in use too) and copies it in lower case, without the final dot.
 */
static int name_normalize(const char *host, char name[CR__HOST_SIZE])
{
	size_t length = strlen(host), label = 0;

	if (length > 0 && host[length - 1] == '.')
		length--;
	if (length == 0 || length > NAME_MAX_BYTES)
		return -CORAIL_E_DNS_BADNAME;
	for (size_t i = 0; i < length; i++) {
		char c = host[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c == '.' ? label == 0
		             : !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
		                 c == '_'))
			return -CORAIL_E_DNS_BADNAME;
		label = c == '.' ? 0 : label + 1;
		if (label > LABEL_MAX_BYTES)
			return -CORAIL_E_DNS_BADNAME;
		name[i] = c;
	}
	name[length] = '\0';
	return 0;
}

/*
 * Writes those of a set of addresses that fit. Returns how many, or -CORAIL_E_DNS_NODATA for none.
 */
static int answer(const cr_addr *addrs, size_t addr_count, int family, cr_dns_address *addresses,
                  size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < addr_count && n < count; i++)
		if (cr__family_fits(family, addrs[i].storage.ss_family))
			addresses[n++] = (cr_dns_address){addrs[i], CR__TTL_FOREVER};
	return n > 0 ? (int)n : -CORAIL_E_DNS_NODATA;
}

/*
 * RFC 6761 section 6.3: "localhost" and all names below it are this machine, and never asked for.
 */
static int is_localhost(const char *name)
{
	static const char suffix[] = ".localhost";
	size_t length = strlen(name);

	return strcmp(name, suffix + 1) == 0 ||
	       (length > sizeof suffix - 1 &&
	        strcmp(name + length - (sizeof suffix - 1), suffix) == 0);
}

static int ask(struct cr__loop *loop, const char *name, int family, cr_dns_address *addresses,
               size_t count)
{
#if CORAIL_WITH_DNS
	if (loop->backend != &cr__backend_sim)
		return cr__dns_query(loop, name, family, addresses, count);
#endif
	(void)loop, (void)name, (void)family, (void)addresses, (void)count;
	return -EOPNOTSUPP;
}

int cr_dns_lookup(const char *host, int family, cr_dns_address *addresses, size_t count)
{
	struct cr__loop *loop;
	struct table *table = NULL;
	struct host *entry;
	char name[CR__HOST_SIZE];
	cr_addr addrs[2];
	int r = cr__park_check(__func__);

	if (r < 0)
		return r;
	if (count == 0)
		return -EINVAL;
	if (family != AF_UNSPEC && family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	if (cr__addr_parse_ip(host, 0, addrs) == 0)
		return answer(addrs, 1, family, addresses, count);
	r = name_normalize(host, name);
	if (r < 0)
		return r;
	loop = cr__task_loop();
	table = cr__loop_attached(loop, &table_key);
	entry = table ? host_find(table, name) : NULL;
	if (entry)
		return answer(entry->addrs, entry->count, family, addresses, count);
	if (is_localhost(name)) {
		cr__addr_parse_ip("127.0.0.1", 0, &addrs[0]);
		cr__addr_parse_ip("::1", 0, &addrs[1]);
		return answer(addrs, 2, family, addresses, count);
	}
	/* resolv.conf(5): a name that ends in a dot is never looked for in the search domains. */
	if (host[strlen(host) - 1] == '.')
		memcpy(name + strlen(name), ".", 2);
	return ask(loop, name, family, addresses, count);
}

/* Parses "127.0.0.1,::1". Returns how many, or -EINVAL. */
static int addresses_parse(const char *text, cr_addr addrs[TABLE_ADDRS_MAX])
{
	int count = 0;

	for (;;) {
		size_t length = strcspn(text, ",");
		char one[CR__HOST_SIZE];

		if (length >= sizeof one || count == TABLE_ADDRS_MAX)
			return -EINVAL;
		memcpy(one, text, length);
		one[length] = '\0';
		if (cr__addr_parse_ip(one, 0, &addrs[count]) < 0)
			return -EINVAL;
		count++;
		if (!text[length])
			return count;
		text += length + 1;
	}
}

int cr_dns_host_set(const char *host, const char *addresses)
{
	struct cr__loop *loop = cr__loop_self();
	struct host *old, *entry = NULL;
	struct table *table;
	char name[CR__HOST_SIZE];
	int r;

	if (!loop)
		return -ESRCH;
	r = name_normalize(host, name);
	if (r < 0)
		return r;
	table = table_get(loop);
	if (!table)
		return -ENOMEM;
	if (addresses) {
		entry = cr__alloc(sizeof *entry + strlen(name) + 1);
		if (!entry)
			return -ENOMEM;
		r = addresses_parse(addresses, entry->addrs);
		if (r < 0) {
			cr__free(entry);
			return r;
		}
		entry->count = (size_t)r;
		memcpy(entry->name, name, strlen(name) + 1);
	}
	old = host_find(table, name);
	if (old) {
		cr__list_remove(&old->link);
		cr__free(old);
	}
	if (entry)
		cr__list_push_back(&table->hosts, &entry->link);
	return 0;
}

int cr_dns_servers_set(const char *servers)
{
	struct cr__loop *loop = cr__loop_self();

	if (!loop)
		return -ESRCH;
#if CORAIL_WITH_DNS
	return cr__dns_servers_set(loop, servers);
#else
	(void)servers;
	return -EOPNOTSUPP;
#endif
}

int cr_dns_retry_set(cr_nsec timeout, int try_count)
{
	struct cr__loop *loop = cr__loop_self();

	if (!loop)
		return -ESRCH;
#if CORAIL_WITH_DNS
	return cr__dns_retry_set(loop, timeout, try_count);
#else
	(void)timeout, (void)try_count;
	return -EOPNOTSUPP;
#endif
}

void cr_dns_cache_clear(void)
{
#if CORAIL_WITH_DNS
	if (cr__loop_self())
		cr__dns_cache_clear(cr__loop_self());
#endif
}
