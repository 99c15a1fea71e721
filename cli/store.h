/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_CLI_STORE_H
#define CORAIL_CLI_STORE_H

/*
 * The folder that pages are written to. A page appears under its name when it is complete, in one
 * step, and replaces an older file of that name. Until then its file has no name at all (O_TMPFILE
 * of open(2)): nothing is left over, even if the program is killed. File systems without that get a
 * hidden temporary name instead.
 */

#include <corail/base.h>
#include <stdbool.h>

struct store {
	int dir;       /* -1: no folder, nothing is kept */
	bool nameless; /* whether files can be made without a name here */
};

/* A file being written. */
struct store_file {
	int fd;
	char temporary[40]; /* its name until it is complete; empty when it has none */
};

/* Opens the folder, and makes it, with its parents, if need be. Returns 0 or a negative errno. */
int store_open(struct store *store, const char *path);

/* Begins a file. Returns 0 or a negative errno. Ends with store_commit() or store_discard(). */
int store_create(const struct store *store, struct store_file *ret_file);

/*
 * Gives the file its name and closes it. Returns 0, or a negative errno (-EISDIR: a folder has that
 * name); then the file is gone.
 */
CORAIL_SUSPENDS
int store_commit(const struct store *store, struct store_file *file, const char *name);

/* Throws the file away; in a cancelled scope, too. */
CORAIL_SUSPENDS
void store_discard(const struct store *store, struct store_file *file);

void store_close(struct store *store);

#endif
