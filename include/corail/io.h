/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_IO_H
#define CORAIL_IO_H

/*
 * Plain file descriptors: read, write, accept, connect, poll on any of them, from any library.
 *
 * Each function does what the system call of its name does, except that it suspends the calling
 * task instead of blocking the thread; the other tasks run meanwhile. The descriptor's own mode
 * does not matter: blocking or O_NONBLOCK, socket, pipe, terminal, eventfd, timerfd, inotify or
 * regular file. A descriptor is not registered before its first use, and there is no object to keep
 * beside it. Two rules follow from that:
 *
 *   - One task per direction: while one task reads (or accepts), a second reader of the same
 *     descriptor gets -EBUSY at once and the first is unharmed; the same for writing (and
 *     connecting). One reader and one writer together are fine.
 *   - A descriptor that any cr_ function used on a loop is closed by cr_fd_close(), on that loop.
 *     Where another library closes it, cr_fd_forget() comes before.
 *
 * Errors. All functions return zero or positive, or a negative errno: what the system call gave, or
 *
 *	-ECANCELED    the scope is cancelled, or cr_fd_close() was called meanwhile: nothing was
 *	              transferred
 *	-EBUSY        another task is in this direction
 *	-EBADF        not an open descriptor
 *	-ENOMEM       no memory to register the descriptor
 *	-EOPNOTSUPP   the simulator cannot do this (real files, descriptors of others)
 *
 * never -EINTR, and -EAGAIN only where MSG_DONTWAIT asks for it. A transfer that completed while
 * the task was cancelled returns its result: no byte and no accepted descriptor is lost; the next
 * call reports the cancellation. Disk I/O that the kernel has begun cannot be cancelled: the call
 * returns when it is done.
 *
 * When a call returns, the kernel holds no pointer into your buffers.
 *
 * Many descriptors at once, as the driver of a callback library has them: see cr_poller below.
 */

#include <corail/base.h>

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -------------------------------------------------------------------------------- transfers --- */

/*
 * One transfer, as read(2): waits until there is something, and returns how many bytes came (at
 * least one, at most `size`), 0 at the end of the stream, or an error.
 */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_fd_read(int fd, void *buffer, size_t size);

/*
 * One transfer, as write(2): waits until there is room, and returns how many bytes went (may be
 * fewer than `size`), or an error. On a socket or pipe whose reader has gone: -EPIPE, and
 * no SIGPIPE.
 */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_fd_write(int fd, const void *data, size_t size);

/*
 * Writes all of it, in as many transfers as it takes. Returns 0, or the first error: some of it may
 * have gone then.
 */
CORAIL_API CORAIL_SUSPENDS int cr_fd_write_all(int fd, const void *data, size_t size);

/*
 * One transfer at a position in a file, as pread(2) and pwrite(2); the file's own position stays.
 */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_fd_pread(int fd, void *buffer, size_t size, int64_t offset);
CORAIL_API CORAIL_SUSPENDS ssize_t cr_fd_pwrite(int fd, const void *data, size_t size,
                                                int64_t offset);

/* One transfer into or from several buffers, as readv(2) and writev(2): at most IOV_MAX of them. */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_fd_readv(int fd, const struct iovec *vector, int count);
CORAIL_API CORAIL_SUSPENDS ssize_t cr_fd_writev(int fd, const struct iovec *vector, int count);

/* ---------------------------------------------------------------------------------- sockets --- */

/* One transfer on a socket, as recv(2) with its flags (MSG_PEEK, MSG_WAITALL, ...). */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_fd_recv(int fd, void *buffer, size_t size, int flags);

/* One transfer on a socket, as send(2) with its flags. MSG_NOSIGNAL is always added. */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_fd_send(int fd, const void *data, size_t size, int flags);

/* As recvmsg(2) and sendmsg(2): datagrams with addresses, descriptors over Unix sockets. */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_fd_recvmsg(int fd, struct msghdr *message, int flags);
CORAIL_API CORAIL_SUSPENDS ssize_t cr_fd_sendmsg(int fd, const struct msghdr *message, int flags);

/*
 * Accepts one connection, as accept4(2): returns the new descriptor, which is close-on-exec, with
 * the peer's address if `addr` is not NULL (`length` as there). `flags` are 0 or SOCK_NONBLOCK.
 * Errors are those of accept(2), -EMFILE and -ECONNABORTED among them: cr_listener_accept() deals
 * with those.
 */
CORAIL_API CORAIL_SUSPENDS int cr_fd_accept(int fd, struct sockaddr *addr, socklen_t *length,
                                            int flags);

/*
 * Connects, as connect(2), and waits until the connection stands. Returns 0, or the error that the
 * peer or the network gave: -ECONNREFUSED, -ENETUNREACH, ... A call that was cancelled leaves the
 * socket in no defined state: close it.
 */
CORAIL_API CORAIL_SUSPENDS int cr_fd_connect(int fd, const struct sockaddr *addr, socklen_t length);

/* ------------------------------------------------------------------------ readiness and end --- */

/*
 * Waits until one of the events (POLLIN, POLLOUT, POLLPRI, POLLRDHUP) holds, as poll(2), and
 * returns those that do, with POLLERR and POLLHUP where they apply. For libraries that do their own
 * reading. -EINVAL for no event. Takes the directions that it asks for.
 */
CORAIL_API CORAIL_SUSPENDS int cr_fd_poll(int fd, int events);

/*
 * Closes a descriptor: cancels the calls in flight on it (each gets -ECANCELED, or what it had done
 * already), waits until they have returned, and closes. Goes through even in a cancelled scope. The
 * number is free when the call returns, whatever it returns (close(2)).
 * Returns 0, -EBADF, or the error that close(2) reports (-EIO, -ENOSPC, -EDQUOT: a lost write).
 */
CORAIL_API CORAIL_SUSPENDS int cr_fd_close(int fd);

/*
 * Cancels the calls in flight on a descriptor, as cr_fd_close(), waits until they have returned,
 * and makes the loop forget it. The descriptor stays open and whoever owns it may close it. Returns
 * 0.
 */
CORAIL_API CORAIL_SUSPENDS int cr_fd_forget(int fd);

/* ---------------------------------------------------------------------------------- pollers --- */

/*
 * A set of descriptors for a task that owns many of them: the driver of libcurl, of a database
 * client, of anything that says "tell me when these are ready". Level-triggered: what is still
 * ready at the next wait is reported again. Costs nothing for descriptors at which nothing happens,
 * and on io_uring all of them are re-armed by one system call.
 *
 * One task waits at a time. All functions are for tasks and callbacks of the loop on which the
 * poller was opened; cr_poller_set(), cr_poller_idle() and cr_poller_wake() may be called while a
 * task waits.
 */
typedef struct cr_poller cr_poller;

typedef struct cr_poller_event {
	int fd;
	int events; /* those asked for (POLLIN, ...), POLLERR, POLLHUP, POLLRDHUP, POLLNVAL */
	void *data; /* as given to cr_poller_set() */
} cr_poller_event;

/*
 * Opens an empty poller on the calling thread's loop. Returns 0, -ENOMEM, or -ESRCH without a loop.
 */
CORAIL_API int cr_poller_open(cr_poller **ret_poller);

/*
 * Adds a descriptor, changes what is asked of it, or, with events 0, removes it. Once removed, its
 * owner may close it at once, and the number may come back as another file and be added again.
 * Returns 0; -EBADF for a negative number; -ENOMEM; -ENOENT when it is to be removed and is not
 * there.
 */
CORAIL_API int cr_poller_set(cr_poller *poller, int fd, int events, void *data);

/*
 * Asks nothing of a descriptor for now, but keeps it: cheaper than removing one that will be asked
 * for again, such as a connection that rests in a pool. Remove it before it is closed. Returns 0,
 * or -ENOENT.
 */
CORAIL_API int cr_poller_idle(cr_poller *poller, int fd);

/*
 * Waits until at least one descriptor is ready, and writes up to `count` events (the others stay
 * for the next call). An event may be stale, when its descriptor was used since: be ready for
 * EAGAIN. A descriptor that cannot be waited for (it is closed, or a task is in the same direction)
 * is reported with POLLNVAL. Returns how many were written; 0 after cr_poller_wake(); -ECANCELED;
 * -EBUSY when another task waits; -EINVAL when count is 0; -ENOMEM.
 */
CORAIL_API CORAIL_SUSPENDS int cr_poller_wait(cr_poller *poller, cr_poller_event *events,
                                              size_t count);

/*
 * Makes the wait that is under way, or else the next one, return: with events if there are, else 0.
 */
CORAIL_API void cr_poller_wake(cr_poller *poller);

/*
 * Closes the poller, not its descriptors. A task that waits gets -ECANCELED. Returns when the
 * kernel has let go of everything, even in a cancelled scope. Accepts NULL.
 */
CORAIL_API CORAIL_SUSPENDS void cr_poller_close(cr_poller *poller);

#ifdef __cplusplus
}
#endif
#endif
