/* SPDX-License-Identifier: MIT */
#ifndef CR__NET_CONN_H
#define CR__NET_CONN_H

/*
 * A connection's inside: the directions and who holds them, and the buffers.
 */

#include <corail/net.h>

#include <corail/task.h>

#include "task/park.h"

#include <stdbool.h>

struct cr_conn {
	const cr_transport *transport;
	void *state;
	int fd;       /* for the transport over a plain descriptor */
	bool socket;  /* send(2) and recv(2) work on it */
	bool reading; /* a task is inside a reading call */
	bool writing;
	bool closing; /* no call may start a further transfer */
	int lost; /* an error that all further reading gives: received bytes could not be kept */
	char *buffer; /* [start, end) was received and not yet taken */
	size_t start, end, capacity;
	struct cr__conn_out *out;      /* a buffer for writing, if there is one */
	cr_scope *relay[2];            /* of the cr_conn_copy() that reads, and that writes, here */
	struct cr__terminal *terminal; /* how a terminal was found */
	cr_nsec linger;                /* positive: how long a close waits for the peer */
	bool shared;                   /* others have the open file, too: a duplicate */
	bool dropping;                 /* what is buffered need not be sent any more */
	struct cr__wait closer;        /* parked until nobody is inside */
	bool closer_parked;
};

/* The transport over a plain descriptor. */
extern const cr_transport cr__conn_plain;

/* Enters a direction for the calling task. Returns 0, -ECANCELED, or -EBUSY. */
int cr__conn_enter(cr_conn *conn, bool *direction, const char *caller);

/* Leaves it, and lets a close go on that was waiting. Returns `result`. */
ssize_t cr__conn_leave(cr_conn *conn, bool *direction, ssize_t result);

/* An option of the descriptor at the bottom. Returns 0, -EOPNOTSUPP, or as setsockopt(2). */
int cr__conn_option_set(cr_conn *conn, int level, int name, int value);

/*
 * Reading (conn_read.c): bytes that are held; taking some away; receiving at least one more, into
 * room for `size`; and giving back what had been taken while nothing was held.
 */
size_t cr__conn_held(const cr_conn *conn);
void cr__conn_drop(cr_conn *conn, size_t size);
ssize_t cr__conn_fill(cr_conn *conn, size_t size);
void cr__conn_put_back(cr_conn *conn, const void *data, size_t size);

/*
 * Writing (conn_write.c): enters the direction and flushes; one transfer, closing or not; all of a
 * vector, which is used up.
 */
int cr__conn_enter_writing(cr_conn *conn, const char *caller);
ssize_t cr__conn_send(cr_conn *conn, const struct iovec *vector, int count);
int cr__conn_write_all(cr_conn *conn, struct iovec *vector, int count);

/*
 * The buffer for writing (conn_buffer.c). cr__conn_out_write() uses the vector up.
 */
int cr__conn_out_write(cr_conn *conn, struct iovec *vector, int count);
int cr__conn_out_flush(cr_conn *conn);

/* Whether a task of the library's own is at work for the buffer. */
bool cr__conn_out_busy(const cr_conn *conn);

/* A close begins: whoever waits for room waits no more. */
void cr__conn_out_release(cr_conn *conn);

void cr__conn_out_free(cr_conn *conn);

/* Waits until the peer has acknowledged everything (options.c). 0, -ETIMEDOUT, -ECONNRESET. */
int cr__conn_linger(cr_conn *conn);

/*
 * A connection over a new stream socket of ours. Returns 0, or -ENOMEM with the descriptor
 * untouched.
 */
int cr__conn_from_socket(int fd, int family, cr_conn **ret_conn);

#endif
