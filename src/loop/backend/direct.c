/* SPDX-License-Identifier: MIT */
#include "loop/backend/direct.h"

#include "loop/backend/fds.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* ---------------------------------------------------------------------------------- SIGPIPE --- */

bool cr__nosignal_works(void)
{
	enum { UNKNOWN, WORKS, MISSING };
	static atomic_int known = UNKNOWN;
	struct iovec byte = {.iov_base = (char[]){0}, .iov_len = 1};
	int ends[2], verdict = MISSING;

	if (atomic_load_explicit(&known, memory_order_relaxed) != UNKNOWN)
		return atomic_load_explicit(&known, memory_order_relaxed) == WORKS;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	close(ends[0]);
	/* An unknown flag is refused before anything is written: neither way is there a signal. */
	if (pwritev2(ends[1], &byte, 1, -1, RWF_NOSIGNAL) < 0 && errno == EPIPE)
		verdict = WORKS;
	close(ends[1]);
	atomic_store_explicit(&known, verdict, memory_order_relaxed);
	return verdict == WORKS;
}

void cr__sigpipe_hold(struct cr__sigpipe *sigpipe)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, &sigpipe->old);
}

void cr__sigpipe_release(const struct cr__sigpipe *sigpipe)
{
	const struct timespec at_once = {0, 0};
	sigset_t set;

	/*
	 * Where SIGPIPE was blocked all along it may have been pending before us: it is not ours to
	 * take.
	 */
	if (sigismember(&sigpipe->old, SIGPIPE))
		return;
	sigpending(&set);
	if (sigismember(&set, SIGPIPE)) {
		sigemptyset(&set);
		sigaddset(&set, SIGPIPE);
		sigtimedwait(&set, NULL, &at_once);
	}
	pthread_sigmask(SIG_SETMASK, &sigpipe->old, NULL);
}

/* ------------------------------------------------------------------------- reading, writing --- */

/* What READ, READV, WRITE and WRITEV transfer, as a vector. */
struct vector {
	struct iovec one;
	const struct iovec *data;
	int count;
};

static void vector_of(const struct cr__op *op, struct vector *vector)
{
	if (op->code == CR__OP_READV || op->code == CR__OP_WRITEV) {
		vector->data = op->buffer;
		vector->count = (int)op->size;
		return;
	}
	vector->one = (struct iovec){.iov_base = op->buffer, .iov_len = op->size};
	vector->data = &vector->one;
	vector->count = 1;
}

static bool ready(int fd, short events)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};

	return poll(&poll_fd, 1, 0) > 0;
}

static ssize_t write_quietly(int fd, const struct vector *vector, int flags)
{
	struct cr__sigpipe sigpipe;
	ssize_t n;

	if (cr__nosignal_works()) {
		n = CR__RESULT_OF(
			pwritev2(fd, vector->data, vector->count, -1, flags | RWF_NOSIGNAL));
		/*
		 * Refused for descriptors without vectored writing (an eventfd): those raise
		 * nothing.
		 */
		if (n != -EOPNOTSUPP || flags != 0)
			return n;
		return CR__RESULT_OF(writev(fd, vector->data, vector->count));
	}
	cr__sigpipe_hold(&sigpipe);
	n = CR__RESULT_OF(pwritev2(fd, vector->data, vector->count, -1, flags));
	cr__sigpipe_release(&sigpipe);
	return n;
}

static ssize_t socket_transfer(struct cr__op *op, const struct vector *vector, bool writes)
{
	struct msghdr message = {.msg_iov = (struct iovec *)vector->data,
	                         .msg_iovlen = (size_t)vector->count};

	return writes ? CR__RESULT_OF(sendmsg(op->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL))
	              : CR__RESULT_OF(recvmsg(op->fd, &message, MSG_DONTWAIT));
}

static bool regular(int fd)
{
	struct stat info;

	return fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

/*
 * A blocking write of more than fits would hold the loop up. Where poll(2) says that a pipe has
 * room there is room for PIPE_BUF bytes (pipe(7)); terminals have more.
 */
static void vector_limit(struct vector *vector)
{
	int i = 0;

	if (vector->count == 0)
		return;
	while (i < vector->count - 1 && vector->data[i].iov_len == 0)
		i++;
	vector->one = vector->data[i];
	if (vector->one.iov_len > PIPE_BUF)
		vector->one.iov_len = PIPE_BUF;
	vector->data = &vector->one;
	vector->count = 1;
}

/*
 * In order: as a socket, which knows MSG_DONTWAIT; with RWF_NOWAIT, which not every descriptor
 * knows; and else only if poll(2) says that it will not wait. In the last case another process that
 * shares a blocking descriptor can be faster than we are: such a descriptor should be O_NONBLOCK.
 */
static ssize_t transfer(struct cr__op *op, uint32_t *known)
{
	const bool writes = op->code == CR__OP_WRITE || op->code == CR__OP_WRITEV;
	struct vector vector;
	ssize_t n;

	vector_of(op, &vector);
	if (!(*known & CR__FD_NOT_SOCKET)) {
		n = socket_transfer(op, &vector, writes);
		if (n != -ENOTSOCK)
			return n;
		*known |= CR__FD_NOT_SOCKET;
	}
	n = writes ? write_quietly(op->fd, &vector, RWF_NOWAIT)
	           : CR__RESULT_OF(preadv2(op->fd, vector.data, vector.count, -1, RWF_NOWAIT));
	if (n != -EOPNOTSUPP)
		return n;
	if (regular(op->fd))
		return -ENOTBLK;
	if (!ready(op->fd, writes ? POLLOUT : POLLIN))
		return -EAGAIN;
	if (!writes)
		return CR__RESULT_OF(readv(op->fd, vector.data, vector.count));
	vector_limit(&vector);
	return write_quietly(op->fd, &vector, 0);
}

/* At a position: as far as memory goes; else whoever asked has to wait for a disk. */
static ssize_t transfer_at(const struct cr__op *op)
{
	const struct iovec one = {.iov_base = op->buffer, .iov_len = op->size};
	ssize_t n = op->code == CR__OP_PREAD
	                    ? CR__RESULT_OF(preadv2(op->fd, &one, 1, op->offset, RWF_NOWAIT))
	                    : CR__RESULT_OF(pwritev2(op->fd, &one, 1, op->offset, RWF_NOWAIT));

	return n == -EAGAIN || n == -EOPNOTSUPP ? -ENOTBLK : n;
}

ssize_t cr__direct_wait(const struct cr__op *op)
{
	struct vector vector;

	if (op->code == CR__OP_PREAD)
		return CR__RESULT_OF(pread(op->fd, op->buffer, op->size, op->offset));
	if (op->code == CR__OP_PWRITE)
		return CR__RESULT_OF(pwrite(op->fd, op->buffer, op->size, op->offset));

	vector_of(op, &vector);
	if (op->code == CR__OP_WRITE || op->code == CR__OP_WRITEV)
		return write_quietly(op->fd, &vector, 0);
	return CR__RESULT_OF(readv(op->fd, vector.data, vector.count));
}

/* ------------------------------------------------------------------------------- the others --- */

/*
 * POLLRDHUP is always reported, like POLLERR and POLLHUP: io_uring does, and so the two backends
 * agree.
 */
static ssize_t poll_now(const struct cr__op *op)
{
	struct pollfd poll_fd = {.fd = op->fd, .events = (short)(op->flags | POLLRDHUP)};
	ssize_t n = CR__RESULT_OF(poll(&poll_fd, 1, 0));

	if (n < 0)
		return n;
	if (poll_fd.revents & POLLNVAL)
		return -EBADF;
	return n ? poll_fd.revents : -EAGAIN;
}

/*
 * accept(2) and connect(2) have no flag to say "do not wait": the descriptor itself must. Ours are;
 * those of others become O_NONBLOCK, and stay so.
 */
static int nonblocking_ensure(int fd, uint32_t known)
{
	int flags;

	if (known & CR__FD_OWN)
		return 0;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return -errno;
	if (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static ssize_t accept_now(const struct cr__op *op, uint32_t known)
{
	int r = nonblocking_ensure(op->fd, known);

	if (r < 0)
		return r;
	return CR__RESULT_OF(accept4(op->fd, op->buffer, op->length,
	                             (int)op->flags | SOCK_CLOEXEC | SOCK_NONBLOCK));
}

/*
 * Called again once the socket is writable, connect(2) tells how the first call ended, whether or
 * not the wake-up meant that.
 */
static ssize_t connect_now(struct cr__op *op, uint32_t known)
{
	ssize_t r = nonblocking_ensure(op->fd, known);

	if (r == 0)
		r = CR__RESULT_OF(connect(op->fd, op->buffer, (socklen_t)op->size));
	if (r == -EALREADY)
		return -EINPROGRESS;
	return r == -EISCONN && op->state ? 0 : r;
}

/* ---------------------------------------------------------------------------- MSG_WAITALL --- */

/* recv(2): the flag means nothing to datagrams. */
static bool is_stream(int fd)
{
	int type = 0;
	socklen_t length = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM;
}

/* The room that is left of a receive of which so many bytes have come: the next piece of it. */
static struct iovec room_after(const struct cr__op *op, size_t done)
{
	const struct msghdr *message = op->buffer;
	struct iovec whole = {op->buffer, op->size};
	const struct iovec *vector = &whole;
	size_t count = 1;

	if (op->code == CR__OP_RECVMSG) {
		vector = message->msg_iov;
		count = message->msg_iovlen;
	}
	for (; count > 0; vector++, count--) {
		if (done < vector->iov_len)
			return (struct iovec){(char *)vector->iov_base + done,
			                      vector->iov_len - done};
		done -= vector->iov_len;
	}
	return (struct iovec){NULL, 0};
}

/*
 * A receive that has given something, or -EAGAIN once it has: goes on until all of it has come, the
 * stream ends or fails. Only the first call of a message brings its other parts.
 */
static ssize_t receive_rest(struct cr__op *op, ssize_t n)
{
	size_t *done = &op->scratch[0];
	bool first = *done == 0;

	while (n > 0) {
		struct iovec room;

		*done += (size_t)n;
		room = room_after(op, *done);
		if (room.iov_len == 0 || (first && !is_stream(op->fd)))
			return (ssize_t)*done;
		first = false;
		n = CR__RESULT_OF(recv(op->fd, room.iov_base, room.iov_len, MSG_DONTWAIT));
	}
	if (n == -EAGAIN && !(op->flags & MSG_DONTWAIT))
		return n;
	return *done > 0 ? (ssize_t)*done : n;
}

static ssize_t receive(struct cr__op *op)
{
	const int flags = (int)op->flags | MSG_DONTWAIT;
	const bool all = cr__direct_whole(op);
	ssize_t n;

	if (all && op->scratch[0] > 0) {
		struct iovec room = room_after(op, op->scratch[0]);

		n = CR__RESULT_OF(recv(op->fd, room.iov_base, room.iov_len, MSG_DONTWAIT));
	} else if (op->code == CR__OP_RECVMSG) {
		n = CR__RESULT_OF(recvmsg(op->fd, op->buffer, flags));
	} else {
		n = CR__RESULT_OF(recv(op->fd, op->buffer, op->size, flags));
	}
	return all ? receive_rest(op, n) : n;
}

ssize_t cr__direct_try(struct cr__op *op, uint32_t *known)
{
	const int send_flags = (int)op->flags | MSG_DONTWAIT | MSG_NOSIGNAL;

	switch (op->code) {
	case CR__OP_POLL:
		return poll_now(op);
	case CR__OP_READ:
	case CR__OP_WRITE:
	case CR__OP_READV:
	case CR__OP_WRITEV:
		return transfer(op, known);
	case CR__OP_PREAD:
	case CR__OP_PWRITE:
		return transfer_at(op);
	case CR__OP_RECV:
	case CR__OP_RECVMSG:
		return receive(op);
	case CR__OP_SEND:
	case CR__OP_SEND_ZC:
		return CR__RESULT_OF(send(op->fd, op->buffer, op->size, send_flags));
	case CR__OP_SENDMSG:
		return CR__RESULT_OF(sendmsg(op->fd, op->buffer, send_flags));
	case CR__OP_ACCEPT:
		return accept_now(op, *known);
	case CR__OP_CONNECT:
		return connect_now(op, *known);
	case CR__OP_SENDFILE:
	case CR__OP_SPLICE_IN:
	case CR__OP_SPLICE_OUT:
	case CR__OP_RECVMMSG:
	case CR__OP_SENDMMSG:
		return cr__direct_move(op);
	default:
		return -EOPNOTSUPP;
	}
}

int cr__direct_ready(struct cr__loop *loop, int fd, int events)
{
	const struct cr__op op = {.fd = fd, .flags = (uint32_t)events};
	ssize_t n = fd < 0 ? -EBADF : poll_now(&op);

	(void)loop;
	return n == -EAGAIN ? 0 : (int)n;
}
