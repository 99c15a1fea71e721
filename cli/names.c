/* SPDX-License-Identifier: MIT */

/* Safe file names from URLs. See names.h. */

#include "names.h"

#include "text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What a name may hold of a URL's own text; longer ones are cut and get a digest. */
#define BODY_MAX 180
#define EXTENSION_MAX 16

/* FNV-1a: a stable digest, so that the same long URL has the same name on every machine. */
static uint64_t digest(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
	return hash;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_plain(uint32_t codepoint)
{
	if (codepoint >= 0x80)
		return text_is_printable(codepoint);
	return (codepoint >= '0' && codepoint <= '9') || (codepoint >= 'a' && codepoint <= 'z') ||
	       (codepoint >= 'A' && codepoint <= 'Z') ||
	       (codepoint && strchr("-._~+=,@%", (int)codepoint));
}

/* Undoes %NN; what is not a whole escape stays as it is. Returns the bytes written. */
static size_t percent_decode(const char *text, size_t size_bytes, char *out)
{
	size_t used = 0;

	for (size_t i = 0; i < size_bytes; i++) {
		int high = -1, low = -1;

		if (text[i] == '%' && i + 2 < size_bytes) {
			high = hex_value(text[i + 1]);
			low = hex_value(text[i + 2]);
		}
		if (high >= 0 && low >= 0) {
			out[used++] = (char)(high << 4 | low);
			i += 2;
		} else {
			out[used++] = text[i];
		}
	}
	return used;
}

/* Replaces everything unfit by "_", in place: the result is never longer. */
static size_t make_plain(char *text, size_t size_bytes)
{
	size_t used = 0, i = 0;

	while (i < size_bytes) {
		uint32_t codepoint = 0;
		size_t length = text_utf8_decode(text + i, size_bytes - i, &codepoint);

		if (length > 0 && is_plain(codepoint)) {
			memmove(text + used, text + i, length);
			used += length;
		} else {
			text[used++] = '_';
		}
		i += length ? length : 1;
	}
	return used;
}

/* The part of a URL that names the page: without scheme, credentials and fragment. */
static const char *significant(const char *url, size_t *ret_size)
{
	const char *start = strstr(url, "://");
	const char *end, *at;
	size_t authority;

	start = start ? start + 3 : url;
	end = start + strcspn(start, "#");
	authority = strcspn(start, "/?#");
	at = memrchr(start, '@', authority);
	if (at)
		start = at + 1;
	*ret_size = (size_t)(end - start);
	return start;
}

/*
 * Where the extension begins, dot included; the end of the text when there is none worth the name.
 */
static size_t extension_at(const char *name, size_t size_bytes)
{
	size_t i = size_bytes;

	while (i > 1 && size_bytes - i < EXTENSION_MAX && name[i - 1] != '.' && name[i - 1] != '_')
		i--;
	return i > 1 && name[i - 1] == '.' && i < size_bytes ? i - 1 : size_bytes;
}

/* The longest start of at most `limit` bytes that does not split a character. */
static size_t cut_at(const char *text, size_t limit)
{
	while (limit > 0 && ((unsigned char)text[limit] & 0xc0) == 0x80)
		limit--;
	return limit;
}

void name_from_url(const char *url, char ret_name[NAME_SIZE])
{
	static const char index[] = "index.html";
	size_t size, used, query;
	const char *text = significant(url, &size);
	char *work = malloc(size + sizeof index + 1);

	if (!work) {
		snprintf(ret_name, NAME_SIZE, "page-%016llx", (unsigned long long)digest(url));
		return;
	}
	/* A folder's own page has no name in its URL. */
	query = strcspn(text, "?#");
	query = query < size ? query : size;
	used = percent_decode(text, query, work);
	if (!memchr(text, '/', query)) {
		work[used++] = '/';
		memcpy(work + used, index, sizeof index - 1);
		used += sizeof index - 1;
	} else if (query > 0 && text[query - 1] == '/') {
		memcpy(work + used, index, sizeof index - 1);
		used += sizeof index - 1;
	}
	used += percent_decode(text + query, size - query, work + used);
	used = make_plain(work, used);
	work[used] = '\0';
	/* Neither hidden, nor an option, nor a folder's "." and "..". */
	if (work[0] == '.' || work[0] == '-' || work[0] == '~')
		work[0] = '_';

	if (used <= BODY_MAX) {
		snprintf(ret_name, NAME_SIZE, "%s", work);
	} else {
		size_t extension = extension_at(work, used);
		size_t keep = cut_at(work, BODY_MAX - (used - extension));

		snprintf(ret_name, NAME_SIZE, "%.*s-%016llx%s", (int)keep, work,
		         (unsigned long long)digest(url), work + extension);
	}
	free(work);
}

/* The slot where a name is, or where it would go. */
static struct name_slot *find_slot(const struct name_set *set, const char *name)
{
	size_t i = digest(name) & (set->capacity - 1);

	while (set->slots[i].name && strcmp(set->slots[i].name, name) != 0)
		i = (i + 1) & (set->capacity - 1);
	return &set->slots[i];
}

static bool grow(struct name_set *set)
{
	struct name_set bigger = {.capacity = set->capacity ? 2 * set->capacity : 64,
	                          .count = set->count};

	bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
	if (!bigger.slots)
		return false;
	for (size_t i = 0; i < set->capacity; i++)
		if (set->slots[i].name)
			*find_slot(&bigger, set->slots[i].name) = set->slots[i];
	free(set->slots);
	*set = bigger;
	return true;
}

const char *name_set_add(struct name_set *set, const char *url)
{
	char base[NAME_SIZE], name[NAME_SIZE + 24];
	struct name_slot *first, *slot;
	size_t extension;

	if (4 * (set->count + 1) > 3 * set->capacity && !grow(set))
		return NULL;
	name_from_url(url, base);
	extension = extension_at(base, strlen(base));
	snprintf(name, sizeof name, "%s", base);
	first = slot = find_slot(set, name);
	while (slot->name) {
		snprintf(name, sizeof name, "%.*s-%zu%s", (int)extension, base, first->next++,
		         base + extension);
		slot = find_slot(set, name);
	}
	slot->name = strdup(name);
	if (!slot->name)
		return NULL;
	slot->next = 2;
	set->count++;
	return slot->name;
}

void name_set_free(struct name_set *set)
{
	for (size_t i = 0; i < set->capacity; i++)
		free(set->slots[i].name);
	free(set->slots);
	*set = (struct name_set){0};
}
