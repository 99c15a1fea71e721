/* SPDX-License-Identifier: MIT */
/*
 * URLs: which origin they name, and their normal form. libcurl's own parser decides (the two must
 * never disagree on which host is meant); only the plainest shape is recognized here without it,
 * because a page's URL has that shape nearly always.
 */

#include "client.h"

#include <arpa/inet.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_numeric(const char *host, size_t length)
{
	char text[64];
	unsigned char address[16];

	if (length >= sizeof text)
		return false;
	memcpy(text, host, length);
	text[length] = 0;
	return inet_pton(AF_INET, text, address) == 1 || strchr(text, ':');
}

/*
 * Whether libcurl would read the host's last label as a number, and so perhaps rewrite the address
 * ("127.1", "0x7f000001").
 */
static bool looks_numeric(const char *host, size_t length)
{
	size_t start = length;

	while (start > 0 && host[start - 1] != '.')
		start--;
	return start == length || (host[start] >= '0' && host[start] <= '9');
}

/* "http://name" or "https://name", lower case, ":digits" perhaps, then '/', '?' or the end. */
static bool parse_plain(const char *text, struct origin *origin)
{
	const char *p = text, *host;

	if (strncmp(p, "http", 4) != 0)
		return false;
	p += 4;
	origin->tls = *p == 's';
	p += origin->tls;
	if (strncmp(p, "://", 3) != 0)
		return false;
	host = p += 3;
	while ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '.' || *p == '-')
		p++;
	origin->host = host;
	origin->host_length = (size_t)(p - host);
	origin->port = origin->tls ? 443 : 80;
	if (p == host || origin->host_length > 253)
		return false;
	if (*p == ':') {
		unsigned port = 0;
		const char *digits = ++p;

		for (; *p >= '0' && *p <= '9' && p - digits < 5; p++)
			port = port * 10 + (unsigned)(*p - '0');
		if (port == 0 || port > 65535)
			return false;
		origin->port = port;
	}
	if (*p != '/' && *p != '?' && *p != 0)
		return false;
	for (; *p; p++) {
		if (*p <= ' ' || *p > '~' || *p == '#' || *p == '\\')
			return false;
	}
	origin->numeric = is_numeric(host, origin->host_length);
	return origin->numeric || !looks_numeric(host, origin->host_length);
}

static int error_of(CURLUcode code)
{
	switch (code) {
	case CURLUE_OK:
		return 0;
	case CURLUE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLUE_UNSUPPORTED_SCHEME:
		return -CORAIL_E_HTTP_SCHEME;
	default:
		return -CORAIL_E_HTTP_URL;
	}
}

/*
 * curl_url_get() with a host's name of other letters than ASCII in the form that the DNS knows.
 * libcurl takes the name for text in the locale's encoding, and a program that has never called
 * setlocale() is in one that has no such letters: URLs are UTF-8 (RFC 3987, section 3.1), whatever
 * the user's locale. A name that has no such form is no lack of memory, as libcurl calls it.
 */
static int get_in_ascii(CURLU *parts, CURLUPart part, unsigned flags, char **ret_value)
{
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
	CURLUcode code = curl_url_get(parts, part, ret_value, flags | CURLU_PUNYCODE);

	if (utf8) {
		uselocale(before);
		freelocale(utf8);
	}
	return error_of(code == CURLUE_OUT_OF_MEMORY ? CURLUE_BAD_HOSTNAME : code);
}

static int get_part(CURLU *parts, CURLUPart part, unsigned flags, char *text, size_t size)
{
	char *value = NULL;
	int r = part == CURLUPART_HOST ? get_in_ascii(parts, part, flags, &value)
	                               : error_of(curl_url_get(parts, part, &value, flags));

	if (r == 0 && (size_t)snprintf(text, size, "%s", value) >= size)
		r = -CORAIL_E_HTTP_URL;
	curl_free(value);
	return r;
}

/* Takes the origin out of libcurl's parts. */
static int origin_of(CURLU *parts, struct url *url)
{
	char scheme[16], port[8];
	struct origin *origin = &url->origin;
	int r;

	if (get_part(parts, CURLUPART_SCHEME, 0, scheme, sizeof scheme) < 0)
		return -CORAIL_E_HTTP_SCHEME;
	origin->tls = strcmp(scheme, "https") == 0;
	if (!origin->tls && strcmp(scheme, "http") != 0)
		return -CORAIL_E_HTTP_SCHEME;
	r = get_part(parts, CURLUPART_HOST, 0, url->host, sizeof url->host);
	if (r == 0)
		r = get_part(parts, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof port);
	if (r < 0)
		return r;
	origin->port = (unsigned)strtoul(port, NULL, 10);
	origin->host = url->host;
	origin->host_length = strlen(url->host);
	if (url->host[0] == '[') {
		origin->host++;
		origin->host_length -= 2;
	}
	for (char *p = url->host; *p; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + ('a' - 'A'));
	}
	origin->numeric = is_numeric(origin->host, origin->host_length);
	return origin->host_length ? 0 : -CORAIL_E_HTTP_URL;
}

/*
 * Whether the text has a scheme and a host. libcurl would guess the first by the host's name, and
 * take the second out of the path ("http:///host").
 */
static bool is_absolute(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789+-.";
	size_t length = strspn(text, allowed);
	bool file = length == 4 && strncmp(text, "file", 4) == 0;

	return length > 0 && strncmp(text + length, "://", 3) == 0 &&
	       (file || text[length + 3] != '/');
}

int cr__http_url_parse(const char *text, struct url *url)
{
	CURLU *parts;
	char *whole = NULL;
	int r;

	*url = (struct url){.text = text};
	if (!text)
		return -CORAIL_E_HTTP_URL;
	if (parse_plain(text, &url->origin))
		return 0;
	if (!is_absolute(text))
		return -CORAIL_E_HTTP_URL;
	parts = curl_url();
	if (!parts)
		return -ENOMEM;
	r = error_of(curl_url_set(parts, CURLUPART_URL, text,
	                          CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE));
	if (r == 0)
		r = origin_of(parts, url);
	if (r == 0)
		r = get_in_ascii(parts, CURLUPART_URL, 0, &whole);
	if (r == 0)
		r = cr_buf_append(&url->owned, whole, strlen(whole));
	if (r == 0)
		url->text = url->owned.data;
	else
		cr__http_url_free(url);
	curl_free(whole);
	curl_url_cleanup(parts);
	return r;
}

void cr__http_url_free(struct url *url)
{
	cr_buf_free(&url->owned);
}

bool cr__http_origin_equal(const struct origin *a, const struct origin *b)
{
	return a->tls == b->tls && a->port == b->port && a->host_length == b->host_length &&
	       memcmp(a->host, b->host, a->host_length) == 0;
}

int cr_http_url_resolve(const char *base, const char *reference, cr_buf *url)
{
	CURLU *parts = curl_url();
	char *whole = NULL;
	int r;

	if (!parts)
		return -ENOMEM;
	r = error_of(curl_url_set(parts, CURLUPART_URL, base, CURLU_NON_SUPPORT_SCHEME));
	if (r == 0 && *reference)
		r = error_of(curl_url_set(parts, CURLUPART_URL, reference,
		                          CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE |
		                                  CURLU_ALLOW_SPACE));
	if (r == 0)
		r = error_of(curl_url_get(parts, CURLUPART_URL, &whole, 0));
	if (r == 0)
		r = cr_buf_append(url, whole, strlen(whole));
	curl_free(whole);
	curl_url_cleanup(parts);
	return r;
}

/* Percent-encodes all but the unreserved characters of RFC 3986, section 2.3. */
static int append_encoded(cr_buf *to, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		char escaped[3] = {'%', hex[*p >> 4], hex[*p & 15]};
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		             (*p >= '0' && *p <= '9') || strchr("-._~", *p);
		int r = plain ? cr_buf_append(to, p, 1) : cr_buf_append(to, escaped, 3);

		if (r < 0)
			return r;
	}
	return 0;
}

int cr__http_url_query(const char *text, const cr_http_field *query, size_t count, cr_buf *to)
{
	size_t length = strcspn(text, "#");
	bool first = memchr(text, '?', length) == NULL;
	int r = cr_buf_append(to, text, length);

	for (size_t i = 0; i < count && r == 0; i++) {
		r = cr_buf_append(to, first ? "?" : "&", 1);
		first = false;
		if (r == 0)
			r = append_encoded(to, query[i].name);
		if (r == 0 && query[i].value) {
			r = cr_buf_append(to, "=", 1);
			if (r == 0)
				r = append_encoded(to, query[i].value);
		}
	}
	return r;
}
