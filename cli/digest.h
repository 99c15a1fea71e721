/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_CLI_DIGEST_H
#define CORAIL_CLI_DIGEST_H

/*
 * Digests of pages, computed on threads: while one piece of a page is hashed, the loop receives the
 * next ones, of this page and of all others. The algorithms are OpenSSL's; a command that was built
 * without it knows none.
 */

#include <corail/base.h>
#include <stdbool.h>
#include <stddef.h>

/* The longest digest (64 bytes) in hexadecimal, terminated. */
#define DIGEST_TEXT_SIZE 129

/* A digest under way. */
struct digest;

/* The names that --digest takes, for a message: "sha256 sha384 ..."; "" when there are none. */
const char *digest_names(void);

/* Whether a name is one of them. */
bool digest_is_known(const char *name);

/*
 * Begins a digest. Returns 0, -ENOENT for an unknown name, -EOPNOTSUPP for one that this
 * machine's OpenSSL refuses, -ENOMEM. Ends with digest_close().
 */
int digest_open(const char *name, struct digest **ret_digest);

/* Adds bytes, on a thread if they are many. Returns 0, -EIO, or an error of cr_offload(). */
CORAIL_SUSPENDS
int digest_add(struct digest *digest, const void *data, size_t size_bytes);

/* Writes the digest of all that was added, in hexadecimal. Returns 0 or -EIO. */
int digest_end(struct digest *digest, char text[DIGEST_TEXT_SIZE]);

/* Accepts NULL. */
void digest_close(struct digest *digest);

#endif
