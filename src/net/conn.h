/* SPDX-License-Identifier: MIT */
#ifndef CR__NET_CONN_H
#define CR__NET_CONN_H

/* A connection's inside: the directions and who holds them, and the buffer of what was received. */

#include <corail/net.h>

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
	struct cr__wait closer; /* parked until nobody is inside */
	bool closer_parked;
};

/* The transport over a plain descriptor. */
extern const cr_transport cr__conn_plain;

/* Enters a direction for the calling task. Returns 0, -ECANCELED, or -EBUSY. */
int cr__conn_enter(cr_conn *conn, bool *direction, const char *caller);

/* Leaves it, and lets a close go on that was waiting. Returns `result`. */
ssize_t cr__conn_leave(cr_conn *conn, bool *direction, ssize_t result);

/*
 * A connection over a new stream socket of ours. Returns 0, or -ENOMEM with the descriptor
 * untouched.
 */
int cr__conn_from_socket(int fd, int family, cr_conn **ret_conn);

#endif
