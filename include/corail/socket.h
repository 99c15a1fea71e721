/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_SOCKET_H
#define CORAIL_SOCKET_H

/*
 * What only some connections have: the options of TCP, the state of a TCP connection, and over Unix
 * sockets who the peer is, and the passing of open files.
 *
 * All functions work on any connection with a descriptor at the bottom, TLS over TCP too. They give
 * -EOPNOTSUPP where there is none, and else what setsockopt(2) gives: -ENOPROTOOPT or -EOPNOTSUPP
 * on a socket of another kind, -ENOTSOCK on a pipe. The simulator accepts options that only tune a
 * network, and passes no descriptors. TCP_NODELAY and keep-alive are in <corail/net.h>.
 */

#include <corail/net.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -------------------------------------------------------------------------------------- TCP --- */

/*
 * Keep-alive in detail: the first probe after `idle` of silence, then one every `interval`, and
 * after `count` without an answer the connection fails with -ETIMEDOUT. Whole seconds, rounded up,
 * 32767 at most; `count` 1 to 127. Returns 0, -EINVAL for values that make no sense, or as above.
 */
CORAIL_API int cr_conn_keepalive_detail_set(cr_conn *conn, cr_nsec idle, cr_nsec interval,
                                            int count);

/*
 * TCP_CORK: while it is on, the kernel sends full segments only (but waits no longer than 200 ms);
 * switched off, it sends the rest at once. For answers made of many small writes. Returns 0, or as
 * above.
 */
CORAIL_API int cr_conn_cork_set(cr_conn *conn, int on);

/*
 * TCP_QUICKACK: acknowledge at once instead of waiting for data to ride on. Not permanent: the
 * kernel may leave the mode again (tcp(7)). Returns 0, or as above.
 */
CORAIL_API int cr_conn_quickack_set(cr_conn *conn, int on);

/*
 * TCP_USER_TIMEOUT: how long data that was sent may stay unacknowledged before the connection fails
 * with -ETIMEDOUT. In milliseconds, rounded up. 0: the system's default, some 15 minutes. Returns
 * 0, or as above.
 */
CORAIL_API int cr_conn_user_timeout_set(cr_conn *conn, cr_nsec timeout);

/*
 * What close does about data that the peer has not acknowledged. A negative duration, the default:
 * the kernel goes on sending in the background, and nobody hears of a failure. Zero: it is dropped,
 * and the connection reset. Else cr_conn_close() waits that long for the peer's acknowledgement,
 * suspended (5 seconds at most in a cancelled task), and returns -ETIMEDOUT without one (the
 * connection is reset then), or -ECONNRESET. It is not SO_LINGER, which would block the thread.
 * Plain TCP only. Returns 0, or as above.
 */
CORAIL_API int cr_conn_linger_set(cr_conn *conn, cr_nsec duration);

/*
 * SO_SNDBUF and SO_RCVBUF: the kernel's buffers, in bytes; it doubles them and has limits of its
 * own (socket(7)). 0 leaves one as it is. Returns 0, -EINVAL above INT_MAX, or as above.
 */
CORAIL_API int cr_conn_kernel_buffers_set(cr_conn *conn, size_t send_bytes, size_t receive_bytes);

/* What the kernel knows about a TCP connection: the part of TCP_INFO that is of use everywhere. */
typedef struct cr_tcp_info {
	cr_nsec rtt;           /* smoothed round-trip time */
	cr_nsec rtt_variation; /* its mean deviation */
	cr_nsec rtt_min;
	uint64_t bytes_sent; /* without retransmissions */
	uint64_t bytes_acked;
	uint64_t bytes_received;
	uint64_t bytes_retransmitted;
	uint64_t delivery_rate;     /* bytes a second, the latest measured */
	uint32_t unsent_bytes;      /* in the kernel, not yet on the wire */
	uint32_t unacked;           /* segments on the wire */
	uint32_t lost;              /* segments thought lost */
	uint32_t congestion_window; /* segments */
	uint32_t segment_size;      /* for sending, bytes */
	const char *state;          /* "ESTABLISHED", "CLOSE_WAIT", ...: static storage */
} cr_tcp_info;

/*
 * Fills it in; what the kernel does not tell is zero. Returns 0, or as above.
 */
CORAIL_API int cr_conn_tcp_info(const cr_conn *conn, cr_tcp_info *ret_info);

/* ----------------------------------------------------------------------------- Unix sockets --- */

/* Who was at the other end when the connection was made (SO_PEERCRED, unix(7)). */
typedef struct cr_credentials {
	pid_t pid;
	uid_t uid;
	gid_t gid;
} cr_credentials;

/* Asks for them. Returns 0, -EOPNOTSUPP when it is no Unix socket, or as above. */
CORAIL_API int cr_conn_peer_credentials(const cr_conn *conn, cr_credentials *ret_credentials);

/* The most descriptors that one call passes (SCM_MAX_FD). */
#define CORAIL_FDS_MAX 253

/*
 * Sends bytes, at least one, and with the first of them duplicates of `count` open descriptors,
 * which stay yours. Returns 0 when all of it is with the kernel; -EINVAL for no bytes, or more than
 * CORAIL_FDS_MAX descriptors; -EBADF when one is not open; -ETOOMANYREFS when too many are on their
 * way; -EOPNOTSUPP when the connection is no plain Unix socket; else as cr_conn_write(). After a
 * cancellation the descriptors may have gone, or not.
 */
CORAIL_API CORAIL_SUSPENDS int cr_conn_send_fds(cr_conn *conn, const void *data, size_t size,
                                                const int *fds, size_t count);

/*
 * Receives bytes, as cr_conn_read(), and the descriptors that came with them: yours to close, with
 * close(2) or cr_fd_close(), all close-on-exec. Returns how many bytes, with the number of
 * descriptors (which may be 0) in `ret_count`; 0 at the end of the stream. Or, with all descriptors
 * that came closed again, and the bytes left for the next read:
 *
 *	-EMSGSIZE   more than `fds_max` came
 *	-EMFILE     this process had no room for all of them
 *
 * A call that is cancelled has received neither bytes nor descriptors. Where descriptors may come,
 * read with this function only: the others drop them, and what they have read ahead has lost them.
 */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_conn_receive_fds(cr_conn *conn, void *buffer, size_t size,
                                                       int *fds, size_t fds_max, size_t *ret_count);

#ifdef __cplusplus
}
#endif
#endif
