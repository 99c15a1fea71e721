/* SPDX-License-Identifier: MIT */
#include "net/dns_cache.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <string.h>

/* RFC 2308 section 5 lets "no such name" be remembered; c-ares does not tell for how long. */
enum { TTL_MAX = 24 * 60 * 60, TTL_NEGATIVE = 5 };

enum { SECOND = 1000000000 };

struct entry {
	struct cr__list bucket, recent;
	cr_nsec expires;
	int family;
	int status;
	const char *name; /* behind the addresses */
	cr_dns_address addresses[];
};

/* FNV-1a over the name and the family. */
static struct cr__list *bucket_of(struct cr__dns_cache *cache, const char *name, int family)
{
	uint32_t hash = 2166136261u ^ (uint32_t)family;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return &cache->buckets[(hash ^ hash >> 16) % CR__DNS_CACHE_BUCKETS];
}

static void entry_free(struct cr__dns_cache *cache, struct entry *entry)
{
	cr__list_remove(&entry->bucket);
	cr__list_remove(&entry->recent);
	cr__free(entry);
	cache->count--;
}

static struct entry *entry_find(struct cr__dns_cache *cache, const char *name, int family)
{
	struct cr__list *bucket = bucket_of(cache, name, family);

	for (struct cr__list *node = bucket->next; node != bucket; node = node->next) {
		struct entry *entry = CR__CONTAINER(node, struct entry, bucket);

		if (entry->family == family && strcmp(entry->name, name) == 0)
			return entry;
	}
	return NULL;
}

void cr__dns_cache_init(struct cr__dns_cache *cache)
{
	for (size_t i = 0; i < CR__DNS_CACHE_BUCKETS; i++)
		cr__list_init(&cache->buckets[i]);
	cr__list_init(&cache->recent);
	cache->count = 0;
}

void cr__dns_cache_empty(struct cr__dns_cache *cache)
{
	struct cr__list *node;

	while ((node = cr__list_first(&cache->recent)))
		entry_free(cache, CR__CONTAINER(node, struct entry, recent));
}

int cr__dns_cache_get(struct cr__dns_cache *cache, const char *name, int family, cr_nsec now,
                      cr_dns_address *addresses, size_t count)
{
	struct entry *entry = entry_find(cache, name, family);
	uint32_t ttl;
	size_t n;

	if (!entry)
		return 0;
	if (now >= entry->expires) {
		entry_free(cache, entry);
		return 0;
	}
	cr__list_remove(&entry->recent);
	cr__list_push_front(&cache->recent, &entry->recent);
	if (entry->status < 0)
		return entry->status;
	ttl = (uint32_t)((entry->expires - now) / SECOND);
	n = (size_t)entry->status < count ? (size_t)entry->status : count;
	for (size_t i = 0; i < n; i++)
		addresses[i] = (cr_dns_address){entry->addresses[i].addr, ttl};
	return (int)n;
}

/* For how many seconds an answer may be remembered. */
static uint32_t lifetime(const struct cr__dns_answer *answer)
{
	uint32_t ttl = TTL_MAX;

	if (answer->status == -CORAIL_E_DNS_NOTFOUND || answer->status == -CORAIL_E_DNS_NODATA)
		return TTL_NEGATIVE;
	if (answer->status <= 0)
		return 0;
	for (int i = 0; i < answer->status; i++)
		if (answer->addresses[i].ttl_seconds < ttl)
			ttl = answer->addresses[i].ttl_seconds;
	return ttl;
}

void cr__dns_cache_put(struct cr__dns_cache *cache, const char *name, int family, cr_nsec now,
                       const struct cr__dns_answer *answer)
{
	struct entry *entry = entry_find(cache, name, family);
	uint32_t ttl = lifetime(answer);
	size_t size = answer->status > 0 ? (size_t)answer->status * sizeof(cr_dns_address) : 0;
	char *text;

	if (entry)
		entry_free(cache, entry);
	if (ttl == 0)
		return;
	entry = cr__alloc(sizeof *entry + size + strlen(name) + 1);
	if (!entry)
		return;
	if (cache->count == CR__DNS_CACHE_MAX)
		entry_free(cache, CR__CONTAINER(cache->recent.prev, struct entry, recent));
	entry->family = family;
	entry->status = answer->status;
	entry->expires = cr__nsec_add(now, cr_seconds(ttl));
	memcpy(entry->addresses, answer->addresses, size);
	text = (char *)entry->addresses + size;
	memcpy(text, name, strlen(name) + 1);
	entry->name = text;
	cr__list_push_front(bucket_of(cache, name, family), &entry->bucket);
	cr__list_push_front(&cache->recent, &entry->recent);
	cache->count++;
}
