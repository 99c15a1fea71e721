/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_FD_USER_H
#define CORAIL_TESTS_FD_USER_H

/* A task that uses a plain descriptor, and what the call gave. */

#include <corail/io.h>

struct fd_user {
	int fd;
	ssize_t result;
	size_t size;
	char *data;
};

static inline int fd_user_read(struct fd_user *u)
{
	char byte;

	u->result = cr_fd_read(u->fd, &byte, 1);
	return 0;
}

static inline int fd_user_write(struct fd_user *u)
{
	u->result = cr_fd_write_all(u->fd, u->data, u->size);
	return 0;
}

#endif
