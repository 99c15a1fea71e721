/* SPDX-License-Identifier: MIT */
#include "net/conn.h"

#include <corail/io.h>
#include <corail/socket.h>

#include "loop/loop.h"

#include <errno.h>
#include <string.h>

/*
 * Passing descriptors over Unix sockets (unix(7), cmsg(3)). The room for what may come is always
 * the most that can come, so that nothing is cut off but what this process has no room for.
 */

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * CORAIL_FDS_MAX)];
	/* A peer may send its credentials along. */
	char more[CMSG_SPACE(sizeof(int) * CORAIL_FDS_MAX) + CMSG_SPACE(sizeof(struct ucred))];
};

static bool is_unix(const cr_conn *conn)
{
	struct sockaddr_storage name;
	socklen_t length = sizeof name;

	return conn->socket &&
	       cr__sock_name(cr__loop_self(), conn->fd, (struct sockaddr *)&name, &length) == 0 &&
	       name.ss_family == AF_UNIX;
}

/* ---------------------------------------------------------------------------------- sending --- */

static int send_with_fds(cr_conn *conn, const void *data, size_t size, const int *fds, size_t count)
{
	struct iovec vector = {(void *)data, size};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	union control control;
	ssize_t n;

	if (size == 0 || count > CORAIL_FDS_MAX)
		return -EINVAL;
	if (!is_unix(conn))
		return -EOPNOTSUPP;
	if (count > 0) {
		struct cmsghdr *header;

		memset(&control, 0, sizeof control);
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
	}
	n = cr_fd_sendmsg(conn->fd, &message, 0);
	if (n < 0)
		return (int)n;
	/* They went with the first byte: the rest is plain. */
	vector = (struct iovec){(char *)data + n, size - (size_t)n};
	return cr__conn_write_all(conn, &vector, 1);
}

int cr_conn_send_fds(cr_conn *conn, const void *data, size_t size, const int *fds, size_t count)
{
	int r = cr__conn_enter_writing(conn, __func__);

	if (r < 0)
		return r;
	r = send_with_fds(conn, data, size, fds, count);
	return (int)cr__conn_leave(conn, &conn->writing, r);
}

/* -------------------------------------------------------------------------------- receiving --- */

/* Takes the descriptors out of a message. Returns how many there are. */
static size_t fds_collect(struct msghdr *message, int *fds)
{
	size_t count = 0;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		size_t size = header->cmsg_len - CMSG_LEN(0);

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(fds + count, CMSG_DATA(header), size);
		count += size / sizeof(int);
	}
	return count;
}

static ssize_t receive_with_fds(cr_conn *conn, void *buffer, size_t size, int *fds, size_t fds_max,
                                size_t *ret_count)
{
	struct iovec vector = {buffer, size};
	union control control;
	struct msghdr message = {.msg_iov = &vector,
	                         .msg_iovlen = 1,
	                         .msg_control = &control,
	                         .msg_controllen = sizeof control};
	int came[CORAIL_FDS_MAX];
	size_t count;
	ssize_t n;

	if (!is_unix(conn))
		return -EOPNOTSUPP;
	n = cr_fd_recvmsg(conn->fd, &message, MSG_CMSG_CLOEXEC);
	if (n < 0)
		return n;
	count = fds_collect(&message, came);
	if (count <= fds_max && !(message.msg_flags & MSG_CTRUNC)) {
		memcpy(fds, came, count * sizeof *came);
		*ret_count = count;
		return n;
	}
	for (size_t i = 0; i < count; i++)
		cr__fd_close(cr__loop_self(), came[i]);
	cr__conn_put_back(conn, buffer, (size_t)n);
	return message.msg_flags & MSG_CTRUNC ? -EMFILE : -EMSGSIZE;
}

ssize_t cr_conn_receive_fds(cr_conn *conn, void *buffer, size_t size, int *fds, size_t fds_max,
                            size_t *ret_count)
{
	ssize_t n = cr__conn_enter(conn, &conn->reading, __func__);

	if (n < 0)
		return n;
	if (cr__conn_held(conn) > 0) {
		size_t held = cr__conn_held(conn);

		n = (ssize_t)(held < size ? held : size);
		memcpy(buffer, conn->buffer + conn->start, (size_t)n);
		cr__conn_drop(conn, (size_t)n);
		*ret_count = 0;
	} else if (size == 0 || conn->lost) {
		n = size ? conn->lost : -EINVAL;
	} else {
		n = receive_with_fds(conn, buffer, size, fds, fds_max, ret_count);
	}
	return cr__conn_leave(conn, &conn->reading, n);
}
