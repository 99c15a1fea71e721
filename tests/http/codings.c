/* SPDX-License-Identifier: MIT */
/* Compressed bodies: decoded whole or not at all, and never more at once than there is room. */

#include "http/fixture.h"

#include <fcntl.h>
#include <unistd.h>

/* "hello, compressed world\n", three times; brotli and zstd as "hello", stored. */
static const unsigned char in_gzip[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
                                        0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xd7, 0x51, 0x48, 0xce, 0xcf,
                                        0x2d, 0x28, 0x4a, 0x2d, 0x2e, 0x4e, 0x4d, 0x51, 0x28, 0xcf,
                                        0x2f, 0xca, 0x49, 0xe1, 0xca, 0x20, 0x51, 0x1c, 0x00, 0xa6,
                                        0x5b, 0x15, 0x9b, 0x48, 0x00, 0x00, 0x00};
static const unsigned char in_deflate[] = {0x78, 0x9c, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xd7, 0x51,
                                           0x48, 0xce, 0xcf, 0x2d, 0x28, 0x4a, 0x2d, 0x2e, 0x4e,
                                           0x4d, 0x51, 0x28, 0xcf, 0x2f, 0xca, 0x49, 0xe1, 0xca,
                                           0x20, 0x51, 0x1c, 0x00, 0xd5, 0xf3, 0x1a, 0xb6};
static const unsigned char in_br[] = {0x0b, 0x02, 0x80, 'h', 'e', 'l', 'l', 'o', 0x03};
static const unsigned char in_zstd[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x05, 0x29,
                                        0x00, 0x00, 'h',  'e',  'l',  'l',  'o'};

struct coding {
	const char *name;
	const unsigned char *data;
	size_t size;
	const char *text;
};

#define THRICE(text) text text text

static const struct coding codings[] = {
	{"gzip", in_gzip, sizeof in_gzip, THRICE("hello, compressed world\n")},
	{"deflate", in_deflate, sizeof in_deflate, THRICE("hello, compressed world\n")},
	{"br", in_br, sizeof in_br, "hello"},
	{"zstd", in_zstd, sizeof in_zstd, "hello"},
};

/* What is served, whatever is asked for: a body, and its Content-Encoding. */
struct answer {
	const char *encoding, *further; /* further: a second header of that name; NULL for none */
	const void *data;
	size_t size;
	const char *accepted; /* in Accept-Encoding, or it is a 406; NULL for anything */
};

static int serve(cr_http_exchange *x, void *user)
{
	const struct answer *answer = user;
	const char *accepted = cr_http_exchange_header(x, "Accept-Encoding");

	if (answer->accepted && (!accepted || !strstr(accepted, answer->accepted)))
		return cr_http_reply(x, 406, NULL, NULL, 0);
	cr_http_reply_header(x, "Content-Encoding", answer->encoding);
	if (answer->further)
		cr_http_reply_header(x, "Content-Encoding", answer->further);
	return cr_http_reply(x, 200, "text/plain", answer->data, answer->size);
}

/* Whether the client was built with a coding, by what it says to the site. */
static bool is_offered(struct fixture *f, const struct site *site, struct answer *answer,
                       const char *coding)
{
	cr_http_request request = {.url = site->base};
	int status;

	*answer = (struct answer){"identity", NULL, "x", 1, coding};
	status = cr_http_fetch(f->http, &request, NULL);
	CHECK(status == 200 || status == 406);
	if (status == 406)
		printf("  skipped: built without %s\n", coding);
	return status == 200;
}

/* By small pieces, into memory once some was read, and into memory at once: the same result. */
static int read_thrice(struct fixture *f, const char *url, cr_buf *body)
{
	cr_http_request request = {.url = url};
	cr_http_response *response;
	cr_buf pieces = {0}, rest = {0};
	char data[3];
	ssize_t n;
	int r;

	/* Too many codings are refused with the head. */
	r = cr_http_send(f->http, &request, &response);
	if (r < 0) {
		CHECK_EQ(cr_http_get(f->http, url, body), r);
		return r;
	}
	while ((n = cr_http_body_read(response, data, sizeof data)) > 0)
		CHECK_EQ(cr_buf_append(&pieces, data, (size_t)n), 0);
	if (n < 0)
		CHECK_EQ(cr_http_body_read(response, data, sizeof data), n);
	cr_http_response_close(response);

	CHECK_EQ(cr_http_send(f->http, &request, &response), 0);
	r = (int)cr_http_body_read(response, data, 1);
	if (r > 0) {
		CHECK_EQ(cr_buf_append(&rest, data, 1), 0);
		r = cr_http_body_buf(response, &rest);
	}
	CHECK_EQ(r, n);
	cr_http_response_close(response);

	r = cr_http_get(f->http, url, body);
	CHECK_EQ(r, n);
	CHECK_EQ(cr_http_get(f->http, url, NULL), n);
	if (r == 0) {
		CHECK_EQ(body->size, pieces.size);
		CHECK_EQ(rest.size, pieces.size);
		if (pieces.size > 0) {
			CHECK_EQ(memcmp(body->data, pieces.data, pieces.size), 0);
			CHECK_EQ(memcmp(body->data, rest.data, rest.size), 0);
		}
	} else {
		CHECK_EQ(body->size, 0);
	}
	cr_buf_free(&pieces);
	cr_buf_free(&rest);
	return r;
}

HTTP_TEST(compressed_bodies_are_decoded)
{
	static struct answer answer;
	struct site *site = site_open(f, NULL, serve, &answer);
	cr_http_request request = {.url = site->base};
	cr_http_response *response;

	for (size_t i = 0; i < sizeof codings / sizeof codings[0]; i++) {
		const struct coding *coding = &codings[i];
		unsigned char damaged[128];
		cr_buf body = {0};

		if (!is_offered(f, site, &answer, coding->name))
			continue;
		answer = (struct answer){coding->name, NULL, coding->data, coding->size,
		                         coding->name};
		CHECK_EQ(cr_http_get(f->http, site->base, &body), 0);
		CHECK_STR(body.data, coding->text);
		cr_buf_clear(&body);
		CHECK_EQ(read_thrice(f, site->base, &body), 0);
		CHECK_STR(body.data, coding->text);
		cr_buf_clear(&body);
		CHECK_EQ(cr_http_send(f->http, &request, &response), 0);
		CHECK_EQ(cr_http_response_length(response), coding->size);
		cr_http_response_close(response);
		memset(damaged, 0xff, coding->size);
		answer.data = damaged;
		CHECK_EQ(read_thrice(f, site->base, &body), -CORAIL_E_HTTP_ENCODING);
		cr_buf_free(&body);
	}
	return 0;
}

/* All bytes that were announced have come, but they stop in the middle of what was compressed. */
HTTP_TEST(cut_short_before_it_was_sent)
{
	static struct answer answer;
	struct site *site = site_open(f, NULL, serve, &answer);

	for (size_t i = 0; i < sizeof codings / sizeof codings[0]; i++) {
		const struct coding *coding = &codings[i];

		if (!is_offered(f, site, &answer, coding->name))
			continue;
		for (size_t size = 1; size < coding->size; size++) {
			cr_buf body = {0};

			answer = (struct answer){.encoding = coding->name,
			                         .data = coding->data,
			                         .size = size};
			CHECK_EQ(read_thrice(f, site->base, &body), -CORAIL_E_HTTP_TRUNCATED);
			cr_buf_free(&body);
		}
		/* One byte too many is not part of it; of these formats only gzip and zstd have
		   more than one stream in a body, and it begins no other. */
		{
			char longer[128] = "";
			cr_buf body = {0};

			memcpy(longer, coding->data, coding->size);
			answer.data = longer;
			answer.size = coding->size + 1;
			CHECK_LT(read_thrice(f, site->base, &body), 0);
			cr_buf_free(&body);
		}
	}
	return 0;
}

/* RFC 1952, section 2.2; RFC 8878, section 3; RFC 9110, section 8.4. */
HTTP_TEST(streams_and_codings_in_a_row)
{
	static unsigned char twice[2 * sizeof in_gzip];
	static unsigned char nested[9 + sizeof in_gzip] = {0x28,
	                                                   0xb5,
	                                                   0x2f,
	                                                   0xfd,
	                                                   0x20,
	                                                   sizeof in_gzip,
	                                                   (sizeof in_gzip << 3 | 1) & 0xff,
	                                                   sizeof in_gzip >> 5};
	static struct answer answers[] = {
		{"gzip", NULL, twice, sizeof twice, NULL},
		{"x-gzip", NULL, twice, sizeof twice, NULL},
		{"gzip, zstd", NULL, nested, sizeof nested, NULL},
		{"GZip ,identity,  ZStd", NULL, nested, sizeof nested, NULL},
		{"gzip", "zstd", nested, sizeof nested, NULL},
		{"identity", NULL, "plain", 5, NULL},
		{"gzip", NULL, "", 0, NULL},
		{"snappy", NULL, "plain", 5, NULL},
		{"gzip,gzip,gzip,gzip,gzip,gzip", NULL, in_gzip, sizeof in_gzip, NULL},
	};
	static const char *const texts[] = {THRICE(THRICE("hello, compressed world\n")),
	                                    THRICE(THRICE("hello, compressed world\n")),
	                                    THRICE("hello, compressed world\n"),
	                                    THRICE("hello, compressed world\n"),
	                                    THRICE("hello, compressed world\n"),
	                                    "plain",
	                                    "",
	                                    NULL,
	                                    NULL};
	static struct answer answer;
	struct site *site = site_open(f, NULL, serve, &answer);

	memcpy(twice, in_gzip, sizeof in_gzip);
	memcpy(twice + sizeof in_gzip, in_gzip, sizeof in_gzip);
	memcpy(nested + 9, in_gzip, sizeof in_gzip);
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		cr_buf body = {0};

		if (answers[i].data == nested && !is_offered(f, site, &answer, "zstd"))
			continue;
		answer = answers[i];
		CHECK_EQ(read_thrice(f, site->base, &body), texts[i] ? 0 : -CORAIL_E_HTTP_ENCODING);
		if (texts[i] && body.data)
			CHECK_EQ(strncmp(body.data, texts[i], body.size), 0);
		cr_buf_free(&body);
	}
	return 0;
}

#define BLOCK (128 * 1024)
#define BLOCKS 64

/* Eight megabytes of 'x' in a few hundred bytes of zstd: blocks that say "so many times that". */
static size_t make_bomb(unsigned char *bomb)
{
	static const unsigned char head[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58};
	unsigned char *p = bomb;

	memcpy(p, head, sizeof head);
	p += sizeof head;
	for (unsigned i = 0; i < BLOCKS; i++) {
		unsigned block = BLOCK << 3 | 1 << 1 | (i == BLOCKS - 1);

		*p++ = block & 0xff;
		*p++ = block >> 8 & 0xff;
		*p++ = block >> 16 & 0xff;
		*p++ = 'x';
	}
	return (size_t)(p - bomb);
}

/* What a reader does not take is not decoded, and limits count what was decoded. */
HTTP_TEST(little_that_becomes_much)
{
	static unsigned char bomb[8 + 4 * BLOCKS];
	static struct answer answer;
	static char data[10000];
	struct site *site = site_open(f, NULL, serve, &answer);
	cr_http_request request = {.url = site->base};
	cr_http_response *response;
	cr_buf body = {.limit_bytes = BLOCK * BLOCKS};
	uint64_t total = 0;
	ssize_t n;
	int fds[2];

	if (!is_offered(f, site, &answer, "zstd"))
		return 0;
	answer = (struct answer){.encoding = "zstd", .data = bomb, .size = make_bomb(bomb)};
	CHECK_EQ(cr_http_send(f->http, &request, &response), 0);
	while ((n = cr_http_body_read(response, data, sizeof data)) > 0) {
		CHECK_EQ(data[0], 'x');
		CHECK_EQ(memcmp(data, data + 1, (size_t)n - 1), 0);
		total += (uint64_t)n;
	}
	CHECK_EQ(n, 0);
	CHECK_EQ(total, BLOCK * BLOCKS);
	cr_http_response_close(response);

	CHECK_EQ(cr_http_get(f->http, site->base, &body), 0);
	CHECK_EQ(body.size, BLOCK * BLOCKS);
	cr_buf_free(&body);
	body = (cr_buf){.limit_bytes = BLOCK * BLOCKS - 1};
	CHECK_EQ(cr_http_get(f->http, site->base, &body), -CORAIL_E_HTTP_TOO_LARGE);
	CHECK_EQ(body.size, 0);
	CHECK_EQ(cr_http_send(f->http, &request, &response), 0);
	CHECK_EQ(cr_http_body_read(response, data, 1), 1);
	CHECK_EQ(cr_http_body_buf(response, &body), 0);
	CHECK_EQ(body.size, BLOCK * BLOCKS - 1);
	cr_http_response_close(response);
	cr_buf_free(&body);

	/* Into a descriptor, and left in the middle. */
	CHECK_EQ(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	CHECK_EQ(cr_http_send(f->http, &request, &response), 0);
	CHECK_EQ(cr_timeout(cr_millis(50), cr_http_body_fd(response, fds[1], &total)), -ETIMEDOUT);
	CHECK_LE(total, BLOCK * BLOCKS / 2);
	cr_http_response_close(response);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

static const cr_http_options plain = {.no_compression = 1};

HTTP_TEST_WITH(no_compression_if_not_wanted, &plain)
{
	static struct answer answer = {"gzip", NULL, in_gzip, sizeof in_gzip, "gzip"};
	struct site *site = site_open(f, NULL, serve, &answer);
	cr_http_request request = {.url = site->base};
	cr_buf body = {0};

	CHECK_EQ(cr_http_fetch(f->http, &request, NULL), 406);
	answer.accepted = NULL;
	CHECK_EQ(cr_http_fetch(f->http, &request, &body), 200);
	CHECK_EQ(body.size, sizeof in_gzip);
	cr_buf_free(&body);
	return 0;
}

int main(void)
{
	RUN(compressed_bodies_are_decoded);
	RUN(cut_short_before_it_was_sent);
	RUN(streams_and_codings_in_a_row);
	RUN(little_that_becomes_much);
	RUN(no_compression_if_not_wanted);
	return test_done();
}
