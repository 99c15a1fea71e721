/* SPDX-License-Identifier: MIT */
#ifndef CR__FS_FILE_H
#define CR__FS_FILE_H

/* An open file, and the calls that are under way on it. */

#include "fs/call.h"

struct cr_file {
	int fd;
	bool stream;  /* no positions here: a pipe, a terminal, a socket */
	bool direct;  /* past the page cache: reads are not tried, which would wait for the disk */
	bool closing; /* calls of several steps stop */
	bool moving;  /* a call is at the file's own position */
	bool ended;   /* the last read found the end of the file */
	uint8_t misses; /* how far tries to read from memory have failed lately */
	uint8_t skip;   /* so many reads go without such a try */
	int64_t position;
	struct cr__list calls; /* operations in flight: struct cr__file_call */
	uint32_t users;        /* calls that have not returned */
	struct cr__wait *closer;
};

struct cr__file_call {
	struct cr__fs_call call;
	struct cr__list link;
};

/* Makes a file of a descriptor, or closes it. */
int cr__file_make(int fd, cr_file **ret_file);

/*
 * Every call on a file begins and ends with these. entering fails with -ECANCELED in a cancelled
 * scope.
 */
int cr__file_enter(cr_file *file, const char *caller);
void cr__file_leave(cr_file *file);

/* One operation of such a call. `call->call.op` is filled in but for the descriptor. */
ssize_t cr__file_run(cr_file *file, struct cr__file_call *call, const char *caller,
                     const char *reason);

#endif
