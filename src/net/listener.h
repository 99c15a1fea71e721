/* SPDX-License-Identifier: MIT */
#ifndef CR__NET_LISTENER_H
#define CR__NET_LISTENER_H

/* A listener's inside. */

#include <corail/net.h>

#include "task/park.h"

#include <stdbool.h>

struct cr_listener {
	int fd;
	int family;
	bool accepting;      /* a task is inside cr_listener_accept() */
	bool closing;        /* being stopped or closed, or stopped: the descriptor is -1 then */
	bool *server_closed; /* of a cr_listener_serve(): told when the listener has gone */
	bool has_file;       /* a Unix socket file of ours, to be removed */
	dev_t file_device;
	ino_t file_inode;
	cr_addr addr; /* as bound: the file's path */
	struct cr__wait closer;
	bool closer_parked;
};

#endif
