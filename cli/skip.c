/* SPDX-License-Identifier: MIT */

/* Which pages are in the table already: what makes a second run go on where the first one ended. */

#include "get.h"
#include "text.h"

#include <string.h>

/* How many URLs are asked for in one go. */
#define ASKED_AT_ONCE 500

/* Only what is a text can be in the table; for others not even the question can be put. */
static bool is_text(const char *url)
{
	size_t left_bytes = strlen(url);
	uint32_t codepoint;

	while (left_bytes > 0) {
		size_t length = text_utf8_decode(url, left_bytes, &codepoint);

		if (length == 0)
			return false;
		url += length;
		left_bytes -= length;
	}
	return true;
}

/* Asks for the next few pages, from *index on. */
static int skip_some(struct get *get, size_t *index)
{
	const char *urls[ASKED_AT_ONCE];
	struct page *pages[ASKED_AT_ONCE];
	bool found[ASKED_AT_ONCE] = {false};
	size_t count = 0;
	int r;

	for (; *index < get->count && count < ASKED_AT_ONCE; ++*index) {
		if (!is_text(get->pages[*index].url))
			continue;
		pages[count] = &get->pages[*index];
		urls[count++] = get->pages[*index].url;
	}
	r = count > 0 ? table_find(&get->table, urls, count, found) : 0;
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (!found[i])
			continue;
		pages[i]->state = PAGE_STORED;
		get->stored++;
		get->progress.done++;
	}
	return r;
}

int skip_stored(struct get *get)
{
	size_t index = 0;
	int r = 0;

	while (r == 0 && index < get->count)
		r = skip_some(get, &index);
	return r;
}
