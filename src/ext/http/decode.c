/* SPDX-License-Identifier: MIT */
/*
 * Content codings (RFC 9110, section 8.4.1): gzip, deflate, br, zstd. Decoded here and not in
 * libcurl, which takes a compressed body that simply stops for whole, and which, when its reader
 * pauses, holds all that a piece of input expands to.
 *
 * A stage for each coding that was applied. Whoever wants bytes pulls them out of the last stage,
 * which asks the one before it for input: so no more is decoded than there is room for.
 */

#include "client.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#if CORAIL_WITH_ZLIB
#include <zlib.h>
#endif
#if CORAIL_WITH_BROTLI
#include <brotli/decode.h>
#endif
#if CORAIL_WITH_ZSTD
#include <zstd.h>
#endif

/* Codings in a row; more are an attack. */
#define STAGES_MAX 5
/* What a stage hands to the next one at a time. */
#define PIECE_SIZE 8192
/* The largest window of RFC 9659, section 3, as a power of two. */
#define ZSTD_WINDOW_LOG_MAX 23

struct stage {
	const struct coding *coding;
	void *state; /* the library's; NULL before the first byte and after the last */
	const unsigned char *in;
	size_t in_size;
	bool ended;           /* at the end of a stream */
	bool more;            /* it filled what it was given: there may be more without input */
	unsigned char *piece; /* where the stage before it writes; NULL for the first */
};

struct coding {
	const char *name, *alias;
	/* At the first byte of a stream. */
	int (*open)(struct stage *stage);
	/*
	 * Takes input, writes at most `size` bytes. Returns how many, or a negative error; sets
	 * `ended`. Without both output and an end it has used up its input.
	 */
	ssize_t (*run)(struct stage *stage, void *out, size_t size);
	void (*close)(struct stage *stage);
	bool concatenates; /* a stream may follow another */
};

struct decoder {
	struct stage stages[STAGES_MAX]; /* in the order in which they decode */
	size_t count;
};

/* ---------------------------------------------------------------------------------- libraries ---
 */

#if CORAIL_WITH_ZLIB

static int zlib_open(struct stage *stage)
{
	bool gzip = strcmp(stage->coding->name, "gzip") == 0;
	/*
	 * "deflate" is zlib's format (RFC 1950), but some servers leave its head and end off. The
	 * first byte tells: its low bits are zlib's method 8, which begins no block that any
	 * compressor writes.
	 */
	bool bare = !gzip && (*stage->in & 0x0f) != Z_DEFLATED;
	z_stream *z = calloc(1, sizeof *z);

	if (!z)
		return -ENOMEM;
	if (inflateInit2(z, gzip ? MAX_WBITS + 16 : bare ? -MAX_WBITS : MAX_WBITS) != Z_OK) {
		free(z);
		return -ENOMEM;
	}
	stage->state = z;
	return 0;
}

static ssize_t zlib_run(struct stage *stage, void *out, size_t size)
{
	z_stream *z = stage->state;
	size_t room = size < INT_MAX ? size : INT_MAX;
	int code;

	z->next_in = (z_const Bytef *)stage->in;
	z->avail_in = (uInt)(stage->in_size < INT_MAX ? stage->in_size : INT_MAX);
	z->next_out = out;
	z->avail_out = (uInt)room;
	code = inflate(z, Z_NO_FLUSH);
	stage->in_size -= (size_t)(z->next_in - stage->in);
	stage->in = z->next_in;
	if (code == Z_MEM_ERROR)
		return -ENOMEM;
	/* Without progress (Z_BUF_ERROR), it wants more input. */
	if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
		return -CORAIL_E_HTTP_ENCODING;
	stage->ended = code == Z_STREAM_END;
	return (ssize_t)(room - z->avail_out);
}

static void zlib_close(struct stage *stage)
{
	inflateEnd(stage->state);
	free(stage->state);
}

#endif
#if CORAIL_WITH_BROTLI

static int brotli_open(struct stage *stage)
{
	stage->state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
	return stage->state ? 0 : -ENOMEM;
}

static ssize_t brotli_run(struct stage *stage, void *out, size_t size)
{
	uint8_t *to = out;
	size_t room = size;
	BrotliDecoderResult result = BrotliDecoderDecompressStream(stage->state, &stage->in_size,
	                                                           &stage->in, &room, &to, NULL);

	if (result == BROTLI_DECODER_RESULT_ERROR)
		return -CORAIL_E_HTTP_ENCODING;
	stage->ended = result == BROTLI_DECODER_RESULT_SUCCESS;
	return (ssize_t)(size - room);
}

static void brotli_close(struct stage *stage)
{
	BrotliDecoderDestroyInstance(stage->state);
}

#endif
#if CORAIL_WITH_ZSTD

static int zstd_open(struct stage *stage)
{
	ZSTD_DCtx *context = ZSTD_createDCtx();

	if (!context)
		return -ENOMEM;
	ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
	stage->state = context;
	return 0;
}

static ssize_t zstd_run(struct stage *stage, void *out, size_t size)
{
	ZSTD_inBuffer in = {stage->in, stage->in_size, 0};
	ZSTD_outBuffer to = {out, size, 0};
	size_t left = ZSTD_decompressStream(stage->state, &to, &in);

	if (ZSTD_isError(left))
		return -CORAIL_E_HTTP_ENCODING;
	stage->in += in.pos;
	stage->in_size -= in.pos;
	stage->ended = left == 0;
	return (ssize_t)to.pos;
}

static void zstd_close(struct stage *stage)
{
	ZSTD_freeDCtx(stage->state);
}

#endif

static const struct coding codings[] = {
#if CORAIL_WITH_ZLIB
	{"gzip", "x-gzip", zlib_open, zlib_run, zlib_close, true},
	{"deflate", NULL, zlib_open, zlib_run, zlib_close, false},
#endif
#if CORAIL_WITH_BROTLI
	{"br", NULL, brotli_open, brotli_run, brotli_close, false},
#endif
#if CORAIL_WITH_ZSTD
	{"zstd", NULL, zstd_open, zstd_run, zstd_close, true},
#endif
	{.name = NULL},
};

void cr__http_codings(char *text, size_t size)
{
	size_t used = 0;

	*text = 0;
	for (const struct coding *coding = codings; coding->name && used < size; coding++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
		                         coding->name);
}

/* ------------------------------------------------------------------------------------ stages ---
 */

static bool is_word(const char *word, size_t size, const char *name)
{
	return name && strlen(name) == size && strncasecmp(word, name, size) == 0;
}

/* Adds a stage in front of those that there are: the coding applied last is undone first. */
static int add_stage(struct decoder *decoder, const char *word, size_t size)
{
	const struct coding *coding = codings;

	while (coding->name && !is_word(word, size, coding->name) &&
	       !is_word(word, size, coding->alias))
		coding++;
	if (!coding->name || decoder->count == STAGES_MAX)
		return -CORAIL_E_HTTP_ENCODING;
	memmove(&decoder->stages[1], &decoder->stages[0],
	        decoder->count * sizeof decoder->stages[0]);
	decoder->stages[0] = (struct stage){.coding = coding};
	decoder->count++;
	return 0;
}

static int add_stages(struct decoder *decoder, const char *list)
{
	while (*list) {
		size_t length;
		int r;

		list += strspn(list, ", \t");
		length = strcspn(list, ", \t");
		if (length > 0 && !is_word(list, length, "identity")) {
			r = add_stage(decoder, list, length);
			if (r < 0)
				return r;
		}
		list += length;
	}
	for (size_t i = 1; i < decoder->count; i++) {
		decoder->stages[i].piece = malloc(PIECE_SIZE);
		if (!decoder->stages[i].piece)
			return -ENOMEM;
	}
	return 0;
}

int cr__http_decoder_open(const char *list, struct decoder **ret_decoder)
{
	struct decoder *decoder = calloc(1, sizeof *decoder);
	int r = decoder ? add_stages(decoder, list) : -ENOMEM;

	if (r < 0 || decoder->count == 0) {
		cr__http_decoder_close(decoder);
		decoder = NULL;
	}
	if (r == 0)
		*ret_decoder = decoder;
	return r;
}

void cr__http_decoder_close(struct decoder *decoder)
{
	if (!decoder)
		return;
	for (size_t i = 0; i < decoder->count; i++) {
		if (decoder->stages[i].state)
			decoder->stages[i].coding->close(&decoder->stages[i]);
		free(decoder->stages[i].piece);
	}
	free(decoder);
}

void cr__http_decoder_feed(struct decoder *decoder, const void *data, size_t size)
{
	decoder->stages[0].in = data;
	decoder->stages[0].in_size = size;
}

bool cr__http_decoder_pending(const struct decoder *decoder)
{
	for (size_t i = 0; i < decoder->count; i++)
		if (decoder->stages[i].in_size > 0 || decoder->stages[i].more)
			return true;
	return false;
}

size_t cr__http_decoder_left(const struct decoder *decoder)
{
	return decoder->stages[0].in_size;
}

/* There is input: is there a stream that it belongs to? */
static int begin_stream(struct stage *stage)
{
	if (stage->ended && !stage->coding->concatenates)
		return -CORAIL_E_HTTP_ENCODING;
	if (stage->ended) {
		stage->coding->close(stage);
		stage->state = NULL;
		stage->ended = false;
	}
	return stage->state ? 0 : stage->coding->open(stage);
}

/* Lets a stage run if it can give something. */
static ssize_t run_stage(struct stage *stage, void *out, size_t size)
{
	ssize_t n = 0;

	if (stage->in_size > 0)
		n = begin_stream(stage);
	else if (!stage->more)
		return 0;
	if (n == 0)
		n = stage->coding->run(stage, out, size);
	stage->more = n > 0 && (size_t)n == size && !stage->ended;
	return n;
}

ssize_t cr__http_decoder_read(struct decoder *decoder, void *out, size_t size)
{
	size_t level = decoder->count - 1;

	/* Down to a stage that can give something, and up again with what it gave. */
	for (;;) {
		struct stage *stage = &decoder->stages[level];
		bool last = level == decoder->count - 1;
		ssize_t n = run_stage(stage, last ? out : stage[1].piece, last ? size : PIECE_SIZE);

		if (n < 0 || (n > 0 && last))
			return n;
		if (n > 0) {
			stage[1].in = stage[1].piece;
			stage[1].in_size = (size_t)n;
			level++;
		} else if (stage->in_size == 0) {
			if (level == 0)
				return 0;
			level--;
		}
	}
}

bool cr__http_decoder_ended(const struct decoder *decoder)
{
	for (size_t i = 0; i < decoder->count; i++)
		if (!decoder->stages[i].ended)
			return false;
	return !cr__http_decoder_pending(decoder);
}
