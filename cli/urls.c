/* SPDX-License-Identifier: MIT */

/* Lists of URLs. See urls.h. */

#include "urls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int url_list_add(struct url_list *list, const char *url, size_t size_bytes)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t nuls = 0, used = 0;
	char *copy;

	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 64;
		char **urls = realloc(list->urls, capacity * sizeof *urls);

		if (!urls)
			return -ENOMEM;
		list->urls = urls;
		list->capacity = capacity;
	}
	for (size_t i = 0; i < size_bytes; i++)
		nuls += url[i] == '\0';
	copy = malloc(size_bytes + 2 * nuls + 1);
	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < size_bytes; i++) {
		if (url[i]) {
			copy[used++] = url[i];
		} else {
			memcpy(copy + used, replacement, sizeof replacement - 1);
			used += sizeof replacement - 1;
		}
	}
	copy[used] = '\0';
	list->urls[list->count++] = copy;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Finds the URL in a line; its size is 0 when there is none. */
static const char *line_url(const char *line, size_t size_bytes, size_t *ret_size)
{
	size_t start = 0, end = size_bytes;

	while (start < end && is_blank(line[start]))
		start++;
	for (size_t i = start; i < end; i++) {
		if (line[i] == '#' && (i == start || is_blank(line[i - 1]))) {
			end = i;
			break;
		}
	}
	while (end > start && is_blank(line[end - 1]))
		end--;
	*ret_size = end - start;
	return line + start;
}

int url_list_read(struct url_list *list, FILE *in)
{
	char *line = NULL;
	size_t capacity = 0;
	bool first = true;
	ssize_t got;
	int r = 0;

	while (r == 0 && (errno = 0, got = getline(&line, &capacity, in)) >= 0) {
		size_t skip = first && got >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
		size_t size;
		const char *url = line_url(line + skip, (size_t)got - skip, &size);

		first = false;
		if (size > 0)
			r = url_list_add(list, url, size);
	}
	if (r == 0 && (ferror(in) || errno == ENOMEM))
		r = errno ? -errno : -EIO;
	free(line);
	return r;
}

/* What follows "http://" or "https://"; NULL for any other beginning. */
static const char *after_scheme(const char *url)
{
	if (strncasecmp(url, "http://", 7) == 0)
		return url + 7;
	if (strncasecmp(url, "https://", 8) == 0)
		return url + 8;
	return NULL;
}

bool url_has_scheme(const char *url)
{
	return after_scheme(url) != NULL;
}

const char *url_host(const char *url, size_t *ret_size)
{
	const char *start = after_scheme(url), *at;
	size_t size;

	start = start ? start : url;
	size = strcspn(start, "/?#");
	at = memrchr(start, '@', size);
	if (at) {
		size -= (size_t)(at + 1 - start);
		start = at + 1;
	}
	*ret_size = size;
	return start;
}

bool url_is_good(const char *url)
{
	size_t size;

	if (!after_scheme(url) || strlen(url) > URL_SIZE_MAX)
		return false;
	for (const unsigned char *p = (const unsigned char *)url; *p; p++)
		if (*p <= ' ' || *p == 0x7f)
			return false;
	if (strstr(url, "\xef\xbf\xbd"))
		return false;
	return url_host(url, &size)[0] != ':' && size > 0;
}

void url_list_free(struct url_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->urls[i]);
	free(list->urls);
	*list = (struct url_list){0};
}
