/* SPDX-License-Identifier: MIT */

/* Digests by OpenSSL's libcrypto, on threads. See digest.h. */

#include "digest.h"

#include <errno.h>

#if CORAIL_WITH_CRYPTO

#include <corail/exec.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* What is hashed sooner than a thread is woken: a few microseconds' worth. */
#define INLINE_MAX 2048

struct digest {
	EVP_MD_CTX *context;
};

/* X(our name, OpenSSL's) */
#define ALGORITHMS(X)                                                                              \
	X("sha256", "SHA2-256")                                                                    \
	X("sha384", "SHA2-384")                                                                    \
	X("sha512", "SHA2-512")                                                                    \
	X("sha3-256", "SHA3-256")                                                                  \
	X("blake2b512", "BLAKE2B-512")                                                             \
	X("sha1", "SHA1")                                                                          \
	X("md5", "MD5")

#define PAIR(name, openssl_name) {name, openssl_name},
#define LISTED(name, openssl_name) name " "

static const struct {
	const char *name, *openssl_name;
} algorithms[] = {ALGORITHMS(PAIR)};

const char *digest_names(void)
{
	return ALGORITHMS(LISTED);
}

static const char *openssl_name(const char *name)
{
	for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
		if (strcmp(algorithms[i].name, name) == 0)
			return algorithms[i].openssl_name;
	return NULL;
}

bool digest_is_known(const char *name)
{
	return openssl_name(name) != NULL;
}

int digest_open(const char *name, struct digest **ret_digest)
{
	struct digest *digest;
	EVP_MD *algorithm;
	int good;

	if (!openssl_name(name))
		return -ENOENT;
	digest = calloc(1, sizeof *digest);
	if (!digest)
		return -ENOMEM;
	digest->context = EVP_MD_CTX_new();
	algorithm = EVP_MD_fetch(NULL, openssl_name(name), NULL);
	good = digest->context && algorithm && EVP_DigestInit_ex2(digest->context, algorithm, NULL);
	EVP_MD_free(algorithm);
	if (!good) {
		int r = digest->context ? -EOPNOTSUPP : -ENOMEM; /* see fips_module(7) */

		digest_close(digest);
		return r;
	}
	*ret_digest = digest;
	return 0;
}

/* One piece; what a thread is given. */
struct piece {
	EVP_MD_CTX *context;
	const void *data;
	size_t size_bytes;
};

static int add_piece(struct piece *piece)
{
	return EVP_DigestUpdate(piece->context, piece->data, piece->size_bytes) ? 0 : -EIO;
}

int digest_add(struct digest *digest, const void *data, size_t size_bytes)
{
	struct piece piece = {digest->context, data, size_bytes};

	return size_bytes > INLINE_MAX ? cr_offload(add_piece, &piece) : add_piece(&piece);
}

int digest_end(struct digest *digest, char text[DIGEST_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char value[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	if (!EVP_DigestFinal_ex(digest->context, value, &size) || 2 * size >= DIGEST_TEXT_SIZE)
		return -EIO;
	for (unsigned i = 0; i < size; i++) {
		text[2 * i] = digits[value[i] >> 4];
		text[2 * i + 1] = digits[value[i] & 15];
	}
	text[2 * size] = '\0';
	return 0;
}

void digest_close(struct digest *digest)
{
	if (!digest)
		return;
	EVP_MD_CTX_free(digest->context);
	free(digest);
}

#else

const char *digest_names(void)
{
	return "";
}

bool digest_is_known(const char *name)
{
	(void)name;
	return false;
}

int digest_open(const char *name, struct digest **ret_digest)
{
	(void)name;
	(void)ret_digest;
	return -ENOENT;
}

int digest_add(struct digest *digest, const void *data, size_t size_bytes)
{
	(void)digest;
	(void)data;
	(void)size_bytes;
	return -ENOSYS;
}

int digest_end(struct digest *digest, char text[DIGEST_TEXT_SIZE])
{
	(void)digest;
	(void)text;
	return -ENOSYS;
}

void digest_close(struct digest *digest)
{
	(void)digest;
}

#endif
