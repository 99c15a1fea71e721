/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SUPPORT_LOOPBACK_H
#define CORAIL_TESTS_SUPPORT_LOOPBACK_H

/* Connections over 127.0.0.1. */

#include <corail/net.h>

#include "test.h"

/* To whoever listens on that port: 0, or as cr_conn_open() fails. */
static inline int loopback_dial(int port, cr_conn **ret_conn)
{
	char target[32];

	snprintf(target, sizeof target, "127.0.0.1:%d", port);
	return cr_conn_open(target, ret_conn);
}

/* A listener on a free port, and a connection to it from each side. */
static inline void tcp_pair(cr_conn *ret_conns[2])
{
	cr_listener *listener;

	CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &listener), 0);
	CHECK_EQ(loopback_dial(cr_listener_port(listener), &ret_conns[0]), 0);
	CHECK_EQ(cr_listener_accept(listener, &ret_conns[1]), 0);
	cr_listener_close(listener);
}

#endif
