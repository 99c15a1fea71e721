/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_NET_H
#define CORAIL_NET_H

/*
 * Streams: addresses, connections, listeners.
 *
 * A connection is a cr_conn, the same for TCP, Unix sockets and TLS over either. You open it
 * (cr_conn_open, cr_listener_accept, ...) and you close it. It keeps a buffer for reading, so that
 * lines and messages can be taken out of the stream, and none for writing, unless you ask for one
 * (cr_conn_buffer_set): a write returns when the kernel has taken all of it, and suspends while the
 * peer does not read. Memory stays bounded, and a close after a write loses nothing that was
 * written.
 *
 *	cr_conn *conn;
 *	int r = cr_timeout(cr_seconds(5), cr_conn_open("example.org:80", &conn));
 *	if (r < 0)
 *		return r;
 *	r = cr_conn_write(conn, request, strlen(request));
 *	...
 *	cr_conn_close(conn);
 *
 * One task per direction: one may read while another writes; a second reader, or a second writer,
 * gets -EBUSY and the first is unharmed. Cancellation loses no byte that was received: what a
 * cancelled read had collected is there for the next one. A write that was cancelled may have sent
 * a part.
 *
 * Errors that all reading and writing functions may give, besides those that they list: -ECANCELED
 * (also for the calls that a close cut short), -EBUSY, -ENOMEM, and what the network reports:
 * -ECONNRESET, -EPIPE, -ETIMEDOUT from the peer's silence (tcp(7)), -EHOSTUNREACH.
 *
 * Targets are texts: "host:port", "192.0.2.1:80", "[2001:db8::1]:80", "unix:/run/service", and
 * "unix:@name" for the abstract namespace (unix(7)).
 */

#include <corail/base.h>

#include <sys/socket.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -------------------------------------------------------------------------------- addresses --- */

/* A socket address of any family: a value, freely copied. All zero is "none". */
typedef struct cr_addr {
	struct sockaddr_storage storage; /* what connect(2) takes */
	socklen_t length;                /* bytes of it in use */
} cr_addr;

/* Room for any address as text, with its terminating zero. */
#define CORAIL_ADDR_TEXT_SIZE 128

/*
 * Reads a numeric address or a Unix path: "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80",
 * "unix:/path", "unix:@abstract". An IP address may come without its port ("::1", "127.0.0.1"): it
 * is 0 then. Never looks a name up. Returns 0, -EINVAL, or -ENAMETOOLONG for a path over 107 bytes.
 */
CORAIL_API int cr_addr_parse(const char *text, cr_addr *ret_addr);

/*
 * Writes an address as cr_addr_parse() reads it, with its port; an unnamed Unix socket is "unix:".
 * Returns the text's length, -EMSGSIZE when `size` does not hold it, -EAFNOSUPPORT.
 */
CORAIL_API int cr_addr_format(const cr_addr *addr, char *text, size_t size);

/* Returns the port of an IP address in host order, -EAFNOSUPPORT for another family. */
CORAIL_API int cr_addr_port(const cr_addr *addr);

/* Sets the port of an IP address. Returns 0, -EAFNOSUPPORT, or -EINVAL outside 0 to 65535. */
CORAIL_API int cr_addr_port_set(cr_addr *addr, int port);

/* Whether two addresses are the same, port included. */
CORAIL_API int cr_addr_equal(const cr_addr *a, const cr_addr *b);

/* ------------------------------------------------------------------------ connections: life --- */

typedef struct cr_conn cr_conn;

/*
 * Dials a target and waits until the connection stands. A name with several addresses is dialled as
 * RFC 8305 (Happy Eyeballs) says: families in turn, the next attempt after 250 ms or as soon as the
 * one before has failed, the first success wins and the others are cancelled. TCP_NODELAY is on.
 * Returns 0. Or: the most telling error when all attempts failed (-ECONNREFUSED before
 * -EHOSTUNREACH, -ENETUNREACH and the like), -EINVAL for a target that is none, the errors of
 * cr_dns_lookup(), -ENOENT (no such Unix socket), -EACCES, -EMFILE, -ENFILE, -ENOMEM, -ECANCELED.
 */
CORAIL_API CORAIL_SUSPENDS int cr_conn_open(const char *target, cr_conn **ret_conn);

/* Dials one of several addresses, in the order given, with the same steps. -EINVAL for none. */
CORAIL_API CORAIL_SUSPENDS int cr_conn_open_addrs(const cr_addr *addrs, size_t count,
                                                  cr_conn **ret_conn);

/*
 * Makes a connection of a stream descriptor that is connected (a socket, one end of a pipe, a
 * terminal) and owns it from then on. Returns 0, -EBADF, -ENOMEM; on error the descriptor is still
 * yours.
 */
CORAIL_API int cr_conn_from_fd(int fd, cr_conn **ret_conn);

/* Two connections, each the other's peer: socketpair(2). Returns 0, -EMFILE, -ENFILE, -ENOMEM. */
CORAIL_API int cr_conn_pair(cr_conn *ret_conns[2]);

/*
 * Closes: cancels the calls in flight on the connection, waits until they have returned, closes the
 * descriptor and frees the object. Everything that was written goes to the peer first: what a
 * buffer for writing holds is flushed, for which a cancelled task has 5 seconds. Goes through even
 * in a cancelled scope. Accepts NULL. A peer that is still sending gets a reset (RFC 1122
 * section 4.2.2.13), which may overtake what it has not read yet: with such peers call
 * cr_conn_shutdown_write() and read to the end before closing. Returns 0; the error of the flush;
 * or that of close(2); the connection is gone in any case.
 */
CORAIL_API CORAIL_SUSPENDS int cr_conn_close(cr_conn *conn);

/*
 * As cr_conn_close(), but resets: the peer gets -ECONNRESET and what it had not received is
 * dropped.
 */
CORAIL_API CORAIL_SUSPENDS void cr_conn_abort(cr_conn *conn);

/* --------------------------------------------------------------------- connections: reading --- */

/*
 * Reads what is there, at most `size` bytes; waits only when there is nothing. Returns how many, 0
 * at the end of the stream (and for size 0).
 */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_conn_read(cr_conn *conn, void *buffer, size_t size);

/* As cr_conn_read(), into several buffers, one after the other. */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_conn_readv(cr_conn *conn, const struct iovec *vector,
                                                 int count);

/*
 * Reads exactly `size` bytes. Returns 0; -ENODATA when the stream ended before. Whatever the error,
 * what had come stays in the connection: a retry returns all of it, cr_conn_read() gives the part.
 */
CORAIL_API CORAIL_SUSPENDS int cr_conn_read_exactly(cr_conn *conn, void *buffer, size_t size);

/*
 * Appends to `buf` what comes up to and including a separator. Returns how many bytes were
 * appended; the rest stays in the connection. Or:
 *
 *	-ENODATA    the stream ended before the separator: what was left is appended all the same
 *	-EMSGSIZE   no separator within the buffer's limit (without one: 64 KiB for each
 *	            call): nothing is appended, nothing lost; cr_conn_read() takes what is there
 *	-EINVAL     an empty separator
 *
 * After -ECANCELED or -ENOMEM a retry finds everything, too.
 */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_conn_read_until(cr_conn *conn, const void *separator,
                                                      size_t separator_size, cr_buf *buf);

/*
 * Reads a line into `line`, without its "\n" or "\r\n", and with a terminating zero. The last line
 * may lack its end. Returns its length; -ENODATA when the stream has ended; -EMSGSIZE when it does
 * not fit into `size` (nothing is lost: a retry with more room gets it); else as
 * cr_conn_read_until().
 */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_conn_read_line(cr_conn *conn, char *line, size_t size);

/*
 * How many bytes have been received and can be read without waiting, as far as the library knows.
 */
CORAIL_API size_t cr_conn_buffered(const cr_conn *conn);

/*
 * Waits until at least one byte is buffered, and shows the buffer without taking anything out of
 * it: its address is valid until the next read. Returns how many bytes there are, 0 at the end of
 * the stream.
 */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_conn_peek(cr_conn *conn, const void **ret_data);

/* --------------------------------------------------------------------- connections: writing --- */

/*
 * Writes all of it; suspends while the peer does not read. Returns 0 when the kernel has taken it,
 * or an error, after which a part may have gone and the connection is only good for closing.
 */
CORAIL_API CORAIL_SUSPENDS int cr_conn_write(cr_conn *conn, const void *data, size_t size);

/* As cr_conn_write(), from several buffers, in one go: header and body in one segment. */
CORAIL_API CORAIL_SUSPENDS int cr_conn_writev(cr_conn *conn, const struct iovec *vector, int count);

/*
 * One transfer: returns how many bytes went, at least one (0 for size 0). For who must know after
 * an error.
 */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_conn_write_some(cr_conn *conn, const void *data, size_t size);

/*
 * Half-close: the peer reads to the end of the stream, and may still write. Returns 0; -EBUSY while
 * a task writes; -ENOTCONN when the peer has gone; -EOPNOTSUPP when the descriptor is no socket.
 */
CORAIL_API CORAIL_SUSPENDS int cr_conn_shutdown_write(cr_conn *conn);

/*
 * Gives the connection a buffer for writing: cr_conn_write() and cr_conn_writev() put their bytes
 * there and return, and the library sends them on as soon as the caller suspends, many small writes
 * in one piece. A write that brings more than `high` bytes together returns when no more than `low`
 * are left, so that a slow peer still slows its writer down; one of more than `high` bytes goes
 * straight through. A write that was cancelled while it waited so has all been taken, and returns
 * 0: the next call reports the cancellation. When sending fails, what was buffered is dropped, and
 * all further writing, and the flush, or else the close, give the error.
 *
 * `high` 0 takes the buffer away again, once it is empty. Other functions that write
 * (cr_conn_write_some, cr_conn_send_file, cr_conn_shutdown_write, ...) flush first: all bytes go
 * out in the order of the calls. Returns 0; -EINVAL when `low` is over `high`; -ENOMEM; -EBUSY
 * while a task writes; with `high` 0 as cr_conn_flush().
 */
CORAIL_API CORAIL_SUSPENDS int cr_conn_buffer_set(cr_conn *conn, size_t low, size_t high);

/*
 * Waits until the kernel has taken everything that was written. Returns 0 (at once without a
 * buffer), or the error that sending gave. Cancelled, it loses nothing: sending goes on.
 */
CORAIL_API CORAIL_SUSPENDS int cr_conn_flush(cr_conn *conn);

/* How many bytes have been written and not yet been taken by the kernel. */
CORAIL_API size_t cr_conn_unsent(const cr_conn *conn);

/*
 * As cr_conn_write(), and the kernel reads your memory itself instead of copying it (MSG_ZEROCOPY,
 * IORING_OP_SEND_ZC). Returns when it has let go of the memory, which over a network is when the
 * peer has acknowledged the bytes. For pieces of some hundred KiB, to other hosts: on a small piece
 * the bookkeeping costs more than the copy, and the loopback copies all the same. Where it cannot
 * be done (other backends, Unix sockets, TLS) it is an ordinary write. A call that is cancelled, or
 * that a close cuts short, resets the connection when that is what it takes to get the memory back.
 */
CORAIL_API CORAIL_SUSPENDS int cr_conn_write_zerocopy(cr_conn *conn, const void *data, size_t size);

/*
 * Sends `count` bytes of a file, from `offset` on (the file's own position stays); UINT64_MAX means
 * to its end. Over a plain socket the bytes do not pass through the program (sendfile(2)), as far
 * as they are in memory; those on a disk are read first, so that the loop does not wait for it.
 * Returns how many bytes went, which are fewer than `count` when the file ended; -EINVAL for a
 * negative offset; -EISDIR, -ESPIPE and -EIO from the file; else as cr_conn_write().
 */
CORAIL_API CORAIL_SUSPENDS int64_t cr_conn_send_file(cr_conn *conn, int file_fd, int64_t offset,
                                                     uint64_t count);

/*
 * Relays everything that comes from one connection to another, until the stream ends; the other's
 * half-close is left to you. Between plain sockets and pipes the bytes stay in the kernel
 * (splice(2)). Returns how many bytes were relayed; -EINVAL for one connection with itself; or the
 * error of either end. Bytes that had been read and could not be written stay in `from`, where the
 * next read finds them: a relay that was cancelled has lost nothing, except what one write of TLS
 * may have left half done.
 */
CORAIL_API CORAIL_SUSPENDS int64_t cr_conn_copy(cr_conn *from, cr_conn *to);

/* --------------------------------------------------------------------- connections: details --- */

/* The addresses of both ends. Return 0, -ENOTCONN, -ENOTSOCK, -EOPNOTSUPP. */
CORAIL_API int cr_conn_local(const cr_conn *conn, cr_addr *ret_addr);
CORAIL_API int cr_conn_peer(const cr_conn *conn, cr_addr *ret_addr);

/*
 * The descriptor, for setsockopt(2) and the like; -1 when there is none. The connection still owns
 * it.
 */
CORAIL_API int cr_conn_fd(const cr_conn *conn);

/* TCP_NODELAY, on from the start: small writes go out at once. 0, or an error of setsockopt(2). */
CORAIL_API int cr_conn_nodelay_set(cr_conn *conn, int on);

/*
 * Asks the peer for a sign of life after `idle` of silence, and four times again at a quarter of it
 * (at least a second each); then the connection fails with -ETIMEDOUT. Zero switches it off, which
 * is the default. Returns 0, or an error of setsockopt(2).
 */
CORAIL_API int cr_conn_keepalive_set(cr_conn *conn, cr_nsec idle);

/* ------------------------------------------------------------------------------- transports --- */

/*
 * What a connection stands on. A layer such as TLS gives its own functions over another connection;
 * the buffers, the directions and the lines are the same for all. At most one task is in read(),
 * and one in write(), when they are called.
 */
typedef struct cr_transport {
	/* One transfer, as cr_fd_read() and cr_fd_writev(). */
	ssize_t (*read)(void *state, void *buffer, size_t size);
	ssize_t (*write)(void *state, const struct iovec *vector, int count);
	int (*shutdown_write)(void *state);
	/*
	 * Makes the read() and write() in flight end with -ECANCELED, or with what they have done,
	 * soon.
	 */
	void (*cancel)(void *state);
	/*
	 * Closes, politely or with a reset, and frees the state. Nothing is in flight. May suspend.
	 */
	int (*close)(void *state, int reset);
	/* Optional: the descriptor at the bottom, and the ends' addresses. */
	int (*fd)(void *state);
	int (*local)(void *state, cr_addr *ret_addr);
	int (*peer)(void *state, cr_addr *ret_addr);
} cr_transport;

/*
 * A connection over a transport. `transport` is borrowed for the connection's life (static, as a
 * rule), `state` is owned. Returns 0, or -ENOMEM, with `state` still yours.
 */
CORAIL_API int cr_conn_from_transport(const cr_transport *transport, void *state,
                                      cr_conn **ret_conn);

/* The state of a connection that stands on that transport, NULL of any other. For transports. */
CORAIL_API void *cr_conn_transport_state(const cr_conn *conn, const cr_transport *transport);

/*
 * Cancels the calls in flight on a connection, without closing it; does not wait. For transports.
 */
CORAIL_API void cr_conn_cancel(cr_conn *conn);

/* -------------------------------------------------------------------------------- listeners --- */

typedef struct cr_listener cr_listener;

/* All zero means the defaults. */
typedef struct cr_listener_options {
	int backlog;             /* connections that wait to be accepted; 0: 4096 (see listen(2)) */
	unsigned reuse_port : 1; /* several listeners share the port (SO_REUSEPORT) */
	unsigned ipv6_only : 1;  /* [::] leaves IPv4 alone */
	/* TCP_FASTOPEN: so many connections may bring data with their first packet; 0: none */
	int fast_open;
	/* TCP_DEFER_ACCEPT: wait that long for the first data, as the kernel rounds it; 0: not */
	cr_nsec defer_accept;
} cr_listener_options;

/*
 * Listens on "address:port", "host:port" (its first address), ":port" (all addresses, both
 * families), "unix:/path" or "unix:@name". Port 0 lets the kernel choose: see cr_listener_port(). A
 * Unix socket file that nobody listens on any more is replaced, and removed at close. `options` may
 * be NULL. Suspends only to look a name up. Returns 0. Or: -EADDRINUSE, -EADDRNOTAVAIL, -EACCES,
 * -EINVAL for a target that is none, -EMFILE, -ENFILE, -ENOMEM, -ECANCELED, the errors of
 * cr_dns_lookup().
 */
CORAIL_API CORAIL_SUSPENDS int cr_listener_open(const char *target,
                                                const cr_listener_options *options,
                                                cr_listener **ret_listener);

/*
 * Waits for a connection. Without free descriptors it neither fails nor spins, but goes on waiting
 * and serves the client once there are some; a client that gave up before is skipped. Returns 0;
 * -ECANCELED (also when the listener is closed meanwhile); -EBUSY while another task accepts;
 * -ENOMEM, with the connection refused.
 */
CORAIL_API CORAIL_SUSPENDS int cr_listener_accept(cr_listener *listener, cr_conn **ret_conn);

/* The address that is listened on. Returns 0, or an error of getsockname(2). */
CORAIL_API int cr_listener_addr(const cr_listener *listener, cr_addr *ret_addr);

/* Its port. Returns it, or -EAFNOSUPPORT for a Unix socket. */
CORAIL_API int cr_listener_port(const cr_listener *listener);

/* All zero means the defaults. */
typedef struct cr_serve_options {
	size_t conn_count_max;   /* served at once; 0: 10,000. Others wait in the backlog */
	size_t stack_size_bytes; /* of each handler's task; 0: the loop's */
	const char *name;        /* of each handler's task; NULL: "serve" */
} cr_serve_options;

/*
 * Accepts connections and runs handler(conn, arg) for each in a task of its own, until the caller
 * is cancelled (the handlers are too) or the listener is closed (the handlers finish). A connection
 * is closed when its handler returns; what it returns is nobody's business but its own, and does
 * not end the others. `options` may be NULL. Returns 0 when the listener was closed and all
 * handlers have ended, -ECANCELED, -EBUSY.
 */
CORAIL_API CORAIL_SUSPENDS int cr_listener_serve(cr_listener *listener,
                                                 const cr_serve_options *options,
                                                 int (*handler)(cr_conn *conn, void *arg),
                                                 void *arg);

/*
 * Stops listening, for good: ends a cr_listener_accept() under way with -ECANCELED, as it will all
 * further ones, waits for it, closes the socket, removes the Unix socket file. A
 * cr_listener_serve() takes no more and returns when its handlers have ended. Connections that were
 * accepted stay; those in the backlog are reset. The listener is still to be closed. Goes through
 * even in a cancelled scope; a second time it does nothing.
 */
CORAIL_API CORAIL_SUSPENDS void cr_listener_stop(cr_listener *listener);

/*
 * Stops listening, as cr_listener_stop(), and frees the listener: nobody may use it any more, nor
 * be about to. Accepts NULL.
 */
CORAIL_API CORAIL_SUSPENDS void cr_listener_close(cr_listener *listener);

#ifdef __cplusplus
}
#endif
#endif
