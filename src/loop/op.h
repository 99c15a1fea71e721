/* SPDX-License-Identifier: MIT */
#ifndef CR__LOOP_OP_H
#define CR__LOOP_OP_H

/*
 * An operation on a descriptor: what the io layer asks and a backend does. The record lives in the
 * waiter (on a task's stack, as a rule) and belongs to the backend from cr__op_start() until done()
 * is called: cancelling asks, it does not end the operation. That is the rule that keeps the kernel
 * from writing into memory whose owner has gone.
 */

#include <corail/base.h>

#include <stdbool.h>
#include <sys/socket.h>

enum cr__opcode {
	CR__OP_POLL, /* flags: POLLIN | POLLOUT | ...; result: the events that hold. One shot */
	CR__OP_READ, /* buffer, size; the descriptor's own position */
	CR__OP_WRITE,
	CR__OP_READV, /* buffer: struct iovec[], size: how many */
	CR__OP_WRITEV,
	CR__OP_PREAD, /* and offset */
	CR__OP_PWRITE,
	CR__OP_RECV,    /* flags: MSG_* */
	CR__OP_SEND,    /* MSG_NOSIGNAL is added */
	CR__OP_RECVMSG, /* buffer: struct msghdr * */
	CR__OP_SENDMSG,
	/*
	 * buffer: struct sockaddr *, length: socklen_t *, either may be NULL; flags: SOCK_*;
	 * result: the descriptor
	 */
	CR__OP_ACCEPT,
	CR__OP_CONNECT, /* buffer: struct sockaddr *, size: its length */
	/*
	 * As SEND without flags, and the kernel may read the buffer until done(). Cancelling one
	 * whose bytes have been taken resets the connection: nothing else makes the kernel let go
	 * of them.
	 */
	CR__OP_SEND_ZC,
	/* To a socket, `size` bytes at `offset` of the file `other`. */
	CR__OP_SENDFILE,
	/* Into the empty pipe `other`, and out of the pipe `other`: `size`. */
	CR__OP_SPLICE_IN,
	CR__OP_SPLICE_OUT,
	/* buffer: struct mmsghdr[], size: how many; flags: MSG_*; result: how many went or came */
	CR__OP_RECVMMSG,
	CR__OP_SENDMMSG,
	/*
	 * Files. From here on an operation takes no direction of a descriptor: any number may be
	 * under way, and who closes the descriptor must know that there are none. `path` and
	 * `second` are zero-terminated; relative ones start at the folder `fd`, or AT_FDCWD.
	 */
	CR__OP_OPEN,    /* path, flags: O_*, size: mode; result: the descriptor */
	CR__OP_STAT,    /* path, flags: AT_*, second: struct statx *, size: STATX_* */
	CR__OP_READ_AT, /* buffer, size, offset. flags: CR__OP_TRY to look into memory first */
	CR__OP_WRITE_AT,
	CR__OP_READV_AT, /* buffer: struct iovec[], size: how many */
	CR__OP_WRITEV_AT,
	CR__OP_SYNC,     /* flags: 1 for the data only */
	CR__OP_ALLOCATE, /* flags: FALLOC_*, offset, length `size` */
	CR__OP_RENAME,   /* path, other, second: the new folder and name, flags: RENAME_* */
	CR__OP_UNLINK,   /* path, flags: AT_REMOVEDIR */
	CR__OP_MKDIR,    /* path, size: mode */
	CR__OP_LINK,     /* path, other, second: the new folder and name, flags: AT_* */
	CR__OP_SYMLINK,  /* second: the text, path: the new name */
	CR__OP_TRUNCATE, /* offset: the new size */
	CR__OP_CHMOD,    /* size: mode */
	CR__OP_READLINK, /* path, second: char *, size; result: how long the text is */
	CR__OP_LIST,     /* buffer, size: as getdents64(2) fills it; result: bytes */
	CR__OP_CLONE,    /* from `other`, the whole file, as FICLONE */
	CR__OP_COPY,     /* from `other`: `size` bytes at `offset` to the same place */
	CR__OP_LOCK,     /* flags: LOCK_* and always LOCK_NB; result: -EWOULDBLOCK */
	CR__OP_WATCH,    /* an inotify descriptor; path, flags: IN_*; result: the watch's number */
	CR__OP_SEEK,     /* offset, flags: SEEK_DATA or SEEK_HOLE; result: where. Moves it, too */
};

/* The first operation on files. */
#define CR__OP_FILE CR__OP_OPEN

/* For CR__OP_READ*_AT: what lies in memory is read without waiting, if the kernel can tell. */
#define CR__OP_TRY 1u

struct cr__op {
	/* By the asker. */
	void (*done)(struct cr__op *op); /* runs on the loop's stack, once */
	enum cr__opcode code;
	int fd;
	uint32_t flags;
	int other; /* a second descriptor, whose directions are not taken */
	union {
		void *buffer;
		const char *path;
	};
	size_t size;
	int64_t offset;
	union {
		socklen_t *length;
		void *second;
	};
	/* By the backend. */
	ssize_t result; /* zero or positive, or a negative errno */
	uint32_t state; /* the backend's own */
	struct cr__op *next, *prev;
	uint64_t scratch[2];
};

struct cr__loop;

/*
 * Starts an operation. Returns 1 when it is complete already: op->result holds, done() is not
 * called.
 * Returns 0 when done() will be called later; -EBUSY when the descriptor's direction is taken by
 * another operation (reading and writing are the two directions; POLL takes those it asks for);
 * -EBADF; -ENOMEM; -EOPNOTSUPP for what this backend refuses. A negative return means nothing was
 * started.
 */
int cr__op_start(struct cr__loop *loop, struct cr__op *op);

/*
 * Does an operation here and now, blocking: for a thread that may (src/loop/offline.h). Result as
 * op->result.
 */
ssize_t cr__op_block(struct cr__op *op);

/*
 * Asks for an end. Returns true when the operation is undone at once: done() will not be called,
 * nothing was transferred. Returns false when done() is still to come, with the result or
 * -ECANCELED.
 */
bool cr__op_cancel(struct cr__loop *loop, struct cr__op *op);

/* How many operations are in flight on a descriptor, 0 to 2. */
int cr__fd_busy(struct cr__loop *loop, int fd);

/*
 * Asks for the end of everything in flight on a descriptor: those calls end with -ECANCELED, or
 * with what they had done already. Their done() may run inside this call, or later. Returns how
 * many are left.
 */
int cr__fd_cancel(struct cr__loop *loop, int fd);

/*
 * Notes that the library has just opened a descriptor for its user, so that a loop that is being
 * debugged can tell which ones were never closed. Returns the descriptor, or the error that it is.
 */
int cr__fd_opened(struct cr__loop *loop, int fd);

/*
 * Forgets and closes a descriptor with nothing in flight. Returns 0, or a negative error of
 * close(2).
 */
int cr__fd_close(struct cr__loop *loop, int fd);

/*
 * Forgets a descriptor that somebody else will close, at once perhaps. Operations on it must have
 * been cancelled before; those whose done() is still to come no longer take the number's
 * directions.
 */
void cr__fd_forget(struct cr__loop *loop, int fd);

/*
 * Which of these events of poll(2) hold right now, without an operation and whoever else is at the
 * descriptor: 0 for none, or POLLERR and its like, which nobody need ask for; -EBADF; -EOPNOTSUPP.
 */
int cr__fd_ready(struct cr__loop *loop, int fd, int events);

/*
 * Sockets, as socket(2), bind(2), listen(2) and so on, through the backend, because sim has its
 * own. They never suspend. New descriptors are close-on-exec and in the mode that the backend
 * wants. Each returns zero or positive, or a negative errno.
 */
int cr__sock_open(struct cr__loop *loop, int domain, int type, int protocol);
int cr__sock_pair(struct cr__loop *loop, int domain, int type, int ret_fds[2]);
int cr__sock_bind(struct cr__loop *loop, int fd, const struct sockaddr *addr, socklen_t length);
int cr__sock_listen(struct cr__loop *loop, int fd, int backlog);
int cr__sock_name(struct cr__loop *loop, int fd, struct sockaddr *addr, socklen_t *length);
int cr__sock_peer(struct cr__loop *loop, int fd, struct sockaddr *addr, socklen_t *length);
int cr__sock_option(struct cr__loop *loop, int fd, int level, int name, const void *value,
                    socklen_t length);
int cr__sock_option_get(struct cr__loop *loop, int fd, int level, int name, void *value,
                        socklen_t *length);
int cr__sock_shutdown(struct cr__loop *loop, int fd, int how);

#endif
