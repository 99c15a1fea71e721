/* SPDX-License-Identifier: MIT */

/*
 * Three web pages at the same time: as slow as the slowest, not as their sum.
 *
 *	pages [URL...]
 *
 * Each page is an element of an array: what the coroutine needs, and what it brings back. The
 * results are where they belong when cr_gather() returns, in the order of the array.
 */

#include <corail/corail.h>
#include <corail/http.h>
#include <stdio.h>
#include <stdlib.h>

struct page {
	cr_http *http;
	const char *url;
	cr_buf body;
};

struct pages {
	struct page *all;
	size_t count;
	int *statuses;
};

/* A coroutine: suspends until the page is there. */
static int fetch_page(struct page *page)
{
	return cr_timeout(cr_seconds(30), cr_http_get(page->http, page->url, &page->body));
}

static int fetch_all(struct pages *pages)
{
	cr_http *http; /* keeps connections, and limits how many there are */
	int r = cr_http_open(NULL, &http);

	if (r < 0)
		return r;
	for (size_t i = 0; i < pages->count; i++)
		pages->all[i].http = http;
	/* Unlike cr_gather(), goes on with the others when one fails, and returns how many did. */
	r = cr_gather_collect(fetch_page, pages->all, pages->count, pages->statuses);
	cr_http_close(http);
	return r;
}

static void print_page(const struct page *page, int status)
{
	if (status < 0)
		fprintf(stderr, "%s : %s\n", page->url, cr_strerror(status));
	else
		printf("Contenu depuis %s : %zu octets\n", page->url, page->body.size);
}

int main(int argc, char **argv)
{
	const char *tutorial[] = {"https://example.com", "https://example.org",
	                          "https://example.net"};
	struct pages pages = {.count = argc > 1 ? (size_t)argc - 1 : 3};
	int r = -ENOMEM;

	pages.all = calloc(pages.count, sizeof *pages.all);
	pages.statuses = calloc(pages.count, sizeof *pages.statuses);
	if (pages.all && pages.statuses) {
		for (size_t i = 0; i < pages.count; i++)
			pages.all[i].url = argc > 1 ? argv[i + 1] : tutorial[i];
		r = cr_run(fetch_all, &pages);
	}
	if (r < 0)
		fprintf(stderr, "pages: %s\n", cr_strerror(r));
	for (size_t i = 0; r >= 0 && i < pages.count; i++)
		print_page(&pages.all[i], pages.statuses[i]);
	for (size_t i = 0; pages.all && i < pages.count; i++)
		cr_buf_free(&pages.all[i].body);
	free(pages.all);
	free(pages.statuses);
	return r != 0;
}
