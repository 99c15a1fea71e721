/* SPDX-License-Identifier: MIT */
#ifndef CR__LOOP_BACKEND_SOCKETS_H
#define CR__LOOP_BACKEND_SOCKETS_H

/* Socket calls that are the same for every backend on real descriptors, with results as in op.h. */

#include <stdint.h>
#include <sys/socket.h>

struct cr__loop;

/* `mode`: SOCK_NONBLOCK or 0, as the backend wants its sockets. */
int cr__sockets_open(struct cr__loop *loop, int domain, int type, int protocol, int mode);
int cr__sockets_pair(struct cr__loop *loop, int domain, int type, int mode, int ret_fds[2]);

int cr__sockets_bind(struct cr__loop *loop, int fd, const struct sockaddr *addr, socklen_t length);
int cr__sockets_listen(struct cr__loop *loop, int fd, int backlog);
int cr__sockets_name(struct cr__loop *loop, int fd, struct sockaddr *addr, socklen_t *length);
int cr__sockets_peer(struct cr__loop *loop, int fd, struct sockaddr *addr, socklen_t *length);
int cr__sockets_option(struct cr__loop *loop, int fd, int level, int name, const void *value,
                       socklen_t length);
int cr__sockets_option_get(struct cr__loop *loop, int fd, int level, int name, void *value,
                           socklen_t *length);
int cr__sockets_shutdown(struct cr__loop *loop, int fd, int how);

/* close(2) of a number that is no longer in the table. Returns 0 or a negative errno. */
int cr__descriptor_close(int fd);

/* The eventfd that wakes a loop. Async-signal-safe. */
void cr__eventfd_signal(int fd);

#endif
