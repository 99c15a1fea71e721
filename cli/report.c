/* SPDX-License-Identifier: MIT */

/* What is said about a page: a line for people, or an object for programs. */

#include "get.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* A status as the server gave it, with its registered phrase; or the error. */
static void print_reason(FILE *out, const struct page *page, const char *detail)
{
	if (page->error == 0) {
		const char *reason = cr_http_reason(page->status);

		fprintf(out, "%d%s%s", page->status, *reason ? " " : "", reason);
		return;
	}
	fputs(text_error(page->error), out);
	/* These say little without what the library saw. */
	if (*detail &&
	    ((page->error <= -CORAIL_E_SQL_STATEMENT && page->error > -CORAIL_E_REDIS_ERROR) ||
	     page->error == -CORAIL_E_TLS_CERTIFICATE || page->error == -CORAIL_E_TLS_HANDSHAKE ||
	     page->error == -CORAIL_E_HTTP_CLIENT)) {
		fputs(" (", out);
		text_print(out, detail);
		putc(')', out);
	}
}

/* Whom it could not reach, where that is not the URL's host. */
static void print_proxy(FILE *out, const struct page *page, const char *proxy)
{
	const char *at = strrchr(proxy, '@'), *scheme = strstr(proxy, "://");
	bool unnamed = page->error <= -CORAIL_E_DNS_NOTFOUND &&
	               page->error > -CORAIL_E_TLS_HANDSHAKE;

	if (!unnamed && page->error != -ECONNREFUSED && page->error != -EHOSTUNREACH &&
	    page->error != -ENETUNREACH && page->error != -EINVAL)
		return;
	/* Without the name and the password that it may hold. */
	fputs(" (proxy ", out);
	text_print(out, at ? at + 1 : scheme ? scheme + 3 : proxy);
	putc(')', out);
}

/* Which URL it was, where that is not the page's own: a redirect's. */
static void print_target(FILE *out, const struct page *page, const char *detail)
{
	if ((page->error != -CORAIL_E_HTTP_URL && page->error != -CORAIL_E_HTTP_SCHEME) ||
	    page->status == 0)
		return;
	fputs(tr("; it redirects to ", " ; elle redirige vers "), out);
	text_print(out, detail);
}

static void report_failure(FILE *out, const struct page *page, const struct outcome *outcome)
{
	fputs("corail: ", out);
	text_print(out, page->url);
	fputs(": ", out);
	print_reason(out, page, outcome->detail.data ? outcome->detail.data : "");
	print_target(out, page, outcome->detail.data ? outcome->detail.data : "");
	if (page->error == -CORAIL_E_HTTP_URL && !url_has_scheme(page->url))
		fputs(tr("; it must begin with http:// or https://",
		         " ; elle doit commencer par http:// ou https://"),
		      out);
	if (outcome->proxy)
		print_proxy(out, page, outcome->proxy);
	if (page->attempts > 1)
		fprintf(out, tr(" (%u attempts)", " (%u essais)"), page->attempts);
	putc('\n', out);
}

/* English whatever the locale: programs compare it. */
static void report_json(FILE *out, const struct page *page, const struct outcome *outcome)
{
	fputs("{\"url\": ", out);
	text_print_json(out, page->url);
	if (page->status > 0)
		fprintf(out, ", \"status\": %d", page->status);
	else
		fputs(", \"status\": null", out);
	fprintf(out, ", \"bytes\": %" PRIu64 ", \"seconds\": %.6f", page->bytes,
	        (double)page->elapsed / 1e9);
	fprintf(out, ", \"attempts\": %u, \"file\": ", page->attempts);
	if (page->name && page->state == PAGE_GOOD)
		text_print_json(out, page->name);
	else
		fputs("null", out);
	if (outcome->digest[0])
		fprintf(out, ", \"digest\": \"%s\"", outcome->digest);
	fputs(", \"error\": ", out);
	if (page->state == PAGE_GOOD)
		fputs("null, \"code\": null}\n", out);
	else if (page->error < 0)
		fprintf(out, "\"%s\", \"code\": \"%s\"}\n", cr_strerror(page->error),
		        cr_err_name(page->error));
	else
		fprintf(out, "\"%d%s%s\", \"code\": \"HTTP_STATUS\"}\n", page->status,
		        *cr_http_reason(page->status) ? " " : "", cr_http_reason(page->status));
}

int report_page(struct get *get, const struct page *page, const struct outcome *outcome)
{
	FILE *out = progress_out(&get->progress);

	if (get->options->json)
		report_json(out, page, outcome);
	if (page->state != PAGE_GOOD) {
		report_failure(progress_err(&get->progress), page, outcome);
	} else if (!get->options->json && !get->options->quiet) {
		fputs(tr("Content from ", "Contenu depuis "), out);
		text_print(out, page->url);
		fprintf(out, tr(": %" PRIu64 " bytes", " : %" PRIu64 " octets"), page->bytes);
		if (outcome->digest[0])
			fprintf(out, ", %s %s", get->options->digest, outcome->digest);
		putc('\n', out);
	}
	return progress_line_done(&get->progress);
}
