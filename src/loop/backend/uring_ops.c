/* SPDX-License-Identifier: MIT */
#include "loop/backend/uring.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif

#include "loop/backend/direct.h"
#include "loop/offline.h"

/*
 * An operation goes from the asker straight into a submission entry. From then on its record, and
 * the memory that it names, belong to the kernel until its own completion: that holds for cancelled
 * ones too, whose completion is what says that the kernel has let go. A cancel request therefore
 * has no completion of its own, and there are no linked timeouts, whose completions come
 * afterwards.
 *
 * Only an entry that the kernel has not looked at yet can be taken back at once.
 */

/* op->scratch[0]: the position of its entry, as counted by the submission queue's tail. */
enum { POSITION };

/* The kernel transfers no more at once (read(2)), and an entry has 32 bits for it. */
enum { TRANSFER_MAX = 0x7ffff000 };

/* -------------------------------------------------------------------------------- the queue --- */

static void queue_push(struct cr__uring *u, struct cr__op *op, uint32_t state)
{
	op->state |= state;
	op->next = NULL;
	op->prev = u->queue_last;
	if (u->queue_last)
		u->queue_last->next = op;
	else
		u->queue_first = op;
	u->queue_last = op;
}

static void queue_remove(struct cr__uring *u, struct cr__op *op)
{
	if (op->prev)
		op->prev->next = op->next;
	else
		u->queue_first = op->next;
	if (op->next)
		op->next->prev = op->prev;
	else
		u->queue_last = op->prev;
	op->state &= ~(uint32_t)(CR__URING_QUEUED | CR__URING_CANCEL_QUEUED);
}

/* ---------------------------------------------------------------------------------- entries --- */

static uint32_t readiness_of(const struct cr__op *op)
{
	return cr__op_directions(op) == CR__FD_READS ? POLLIN : POLLOUT;
}

/*
 * A receive that would find nothing is not tried before its socket is readable: where the last one
 * had to wait, and left nothing behind (io_uring_prep_recv(3)).
 */
static void fill_receive(const struct cr__uring *u, struct io_uring_sqe *entry,
                         const struct cr__op *op, unsigned size)
{
	io_uring_prep_recv(entry, op->fd, op->buffer, size, (int)op->flags);
	if (u->poll_first && u->fds.slots[op->fd].flags & CR__FD_DRAINED &&
	    !(op->flags & (MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE)))
		entry->ioprio |= IORING_RECVSEND_POLL_FIRST;
}

static void fill(const struct cr__uring *u, struct io_uring_sqe *entry, const struct cr__op *op)
{
	const unsigned size = (unsigned)(op->size < TRANSFER_MAX ? op->size : TRANSFER_MAX);
	const uint64_t here = (uint64_t)-1;

	switch (op->code) {
	case CR__OP_POLL:
		io_uring_prep_poll_add(entry, op->fd, op->flags);
		break;
	case CR__OP_READ:
		io_uring_prep_read(entry, op->fd, op->buffer, size, here);
		break;
	case CR__OP_READV:
		io_uring_prep_readv(entry, op->fd, op->buffer, size, here);
		break;
	case CR__OP_WRITE:
		io_uring_prep_write(entry, op->fd, op->buffer, size, here);
		break;
	case CR__OP_WRITEV:
		io_uring_prep_writev(entry, op->fd, op->buffer, size, here);
		break;
	case CR__OP_PREAD:
		io_uring_prep_read(entry, op->fd, op->buffer, size, (uint64_t)op->offset);
		break;
	case CR__OP_PWRITE:
		io_uring_prep_write(entry, op->fd, op->buffer, size, (uint64_t)op->offset);
		break;
	case CR__OP_RECV:
		fill_receive(u, entry, op, size);
		break;
	case CR__OP_SEND:
		io_uring_prep_send(entry, op->fd, op->buffer, size,
		                   (int)(op->flags | MSG_NOSIGNAL));
		break;
	case CR__OP_SEND_ZC:
		if (op->state & CR__URING_COPIES)
			io_uring_prep_send(entry, op->fd, op->buffer, size, MSG_NOSIGNAL);
		else
			io_uring_prep_send_zc(entry, op->fd, op->buffer, size, MSG_NOSIGNAL, 0);
		break;
	case CR__OP_RECVMSG:
		io_uring_prep_recvmsg(entry, op->fd, op->buffer, op->flags);
		break;
	case CR__OP_SENDMSG:
		io_uring_prep_sendmsg(entry, op->fd, op->buffer, op->flags | MSG_NOSIGNAL);
		break;
	case CR__OP_ACCEPT:
		io_uring_prep_accept(entry, op->fd, op->buffer, op->length,
		                     (int)(op->flags | SOCK_CLOEXEC));
		break;
	case CR__OP_CONNECT:
		io_uring_prep_connect(entry, op->fd, op->buffer, (socklen_t)op->size);
		break;
	default:
		cr__uring_file_fill(entry, op); /* else never entries: cr__direct_only() */
		break;
	}
}

/* Fills in an entry for an operation, or for the wait that precedes its next try. */
static void issue(struct cr__uring *u, struct io_uring_sqe *entry, struct cr__op *op)
{
	op->scratch[POSITION] = u->ring.sq.sqe_tail - 1;
	if (op->state & CR__URING_POLLING)
		io_uring_prep_poll_add(entry, op->fd, readiness_of(op));
	else
		fill(u, entry, op);
	if (u->nosignal && (op->code == CR__OP_WRITE || op->code == CR__OP_WRITEV) &&
	    !(op->state & CR__URING_POLLING))
		entry->rw_flags = RWF_NOSIGNAL;
	entry->user_data = (uint64_t)(uintptr_t)op;
}

static void issue_cancel(const struct cr__uring *u, struct io_uring_sqe *entry, struct cr__op *op)
{
	io_uring_prep_cancel(entry, op, 0);
	entry->flags |= u->silent_flags;
	entry->user_data = CR__URING_IGNORED;
}

void cr__uring_submit(struct cr__uring *u, struct cr__op *op)
{
	struct io_uring_sqe *entry = u->queue_first ? NULL : cr__uring_entry(u);

	if (entry)
		issue(u, entry, op);
	else
		queue_push(u, op, CR__URING_QUEUED);
}

void cr__uring_queue_drain(struct cr__uring *u)
{
	while (u->queue_first) {
		struct io_uring_sqe *entry = cr__uring_entry(u);
		struct cr__op *op = u->queue_first;
		bool cancel = op->state & CR__URING_CANCEL_QUEUED;

		if (!entry)
			return;
		queue_remove(u, op);
		if (cancel)
			issue_cancel(u, entry, op);
		else
			issue(u, entry, op);
	}
}

/* --------------------------------------------------------------------------------- starting --- */

/* io_uring ignores the offset where there is none; pread(2) and pwrite(2) refuse. */
static bool seekable(struct cr__uring *u, int fd)
{
	struct cr__fd_slot *slot = &u->fds.slots[fd];

	if (!(slot->flags & CR__FD_SEEKABLE)) {
		if (lseek(fd, 0, SEEK_CUR) < 0 && errno == ESPIPE)
			return false;
		slot->flags |= CR__FD_SEEKABLE;
	}
	return true;
}

/* A system call, for what the ring does not know. Returns false when it has to wait. */
static bool attempt(struct cr__uring *u, struct cr__op *op)
{
	uint32_t known = u->fds.slots[op->fd].flags;

	op->result = cr__direct_try(op, &known);
	return op->result != -EAGAIN || cr__op_takes_eagain(op);
}

int cr__uring_op_start(struct cr__loop *loop, struct cr__op *op)
{
	struct cr__uring *u = cr__uring_of(loop);
	int r;

	if (__builtin_expect(op->code >= CR__OP_FILE, 0))
		return cr__uring_file_start(loop, op);
	r = cr__fds_claim(&u->fds, op);
	if (r < 0)
		return r;
	op->state = 0;
	switch (op->code) {
	case CR__OP_PREAD:
	case CR__OP_PWRITE:
		if (!seekable(u, op->fd)) {
			cr__fds_release(&u->fds, op);
			op->result = -ESPIPE;
			return 1;
		}
		break;
	case CR__OP_WRITE:
	case CR__OP_WRITEV:
		if (!u->nosignal) {
			op->state = CR__URING_GUARDED;
			u->guarded++;
		}
		break;
	case CR__OP_SENDFILE:
	case CR__OP_SPLICE_IN:
	case CR__OP_SPLICE_OUT:
	case CR__OP_RECVMMSG:
	case CR__OP_SENDMMSG:
		if (attempt(u, op)) {
			cr__fds_release(&u->fds, op);
			return 1;
		}
		op->state = CR__URING_POLLING;
		break;
	default:
		break;
	}
	u->in_flight++;
	cr__uring_submit(u, op);
	return 0;
}

/* ----------------------------------------------------------------------------------- ending --- */

/* The operation is the asker's again. */
static void detach(struct cr__uring *u, struct cr__op *op)
{
	if (op->state & (CR__URING_QUEUED | CR__URING_CANCEL_QUEUED))
		queue_remove(u, op);
	if (op->state & CR__URING_GUARDED)
		u->guarded--;
	if (!(op->state & CR__URING_FILE))
		cr__fds_release(&u->fds, op);
	u->in_flight--;
}

/* Whether the kernel has not looked at the operation's entry yet; *ret_entry is that entry. */
static bool still_ours(struct cr__uring *u, const struct cr__op *op,
                       struct io_uring_sqe **ret_entry)
{
	const struct io_uring_sq *sq = &u->ring.sq;
	const unsigned position = (unsigned)op->scratch[POSITION];
	struct io_uring_sqe *entry = &sq->sqes[position & sq->ring_mask];

	/* The second condition is for an operation in flight while positions go once around. */
	if (position - *sq->khead >= sq->sqe_tail - *sq->khead ||
	    entry->user_data != (uint64_t)(uintptr_t)op)
		return false;
	*ret_entry = entry;
	return true;
}

/*
 * Takes back what a zero-copy send has handed over: a connection that is no more has no bytes to
 * send again. connect(2): AF_UNSPEC dissolves the association; TCP resets.
 */
static void disconnect(const struct cr__op *op)
{
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

	(void)connect(op->fd, &nowhere, sizeof nowhere);
}

bool cr__uring_op_cancel(struct cr__loop *loop, struct cr__op *op)
{
	struct cr__uring *u = cr__uring_of(loop);
	struct io_uring_sqe *entry;

	if (op->state & CR__URING_OFFLINE)
		return cr__offline_cancel(op);
	if (op->state & CR__URING_CANCELLED)
		return false;
	if (op->state & CR__URING_QUEUED) {
		detach(u, op);
		return true;
	}
	if (op->state & CR__URING_SENT) {
		op->state |= CR__URING_CANCELLED;
		op->result = -ECANCELED;
		disconnect(op);
		return false;
	}
	if (still_ours(u, op, &entry)) {
		io_uring_prep_nop(entry);
		entry->flags |= u->silent_flags;
		entry->user_data = CR__URING_IGNORED;
		detach(u, op);
		return true;
	}
	op->state |= CR__URING_CANCELLED;
	entry = u->queue_first ? NULL : cr__uring_entry(u);
	if (entry)
		issue_cancel(u, entry, op);
	else
		queue_push(u, op, CR__URING_CANCEL_QUEUED);
	return false;
}

/* Memcheck does not know what the kernel writes on its own. */
/* NOLINTNEXTLINE(readability-function-size): each of memcheck's macros is a dozen statements */
static void tell_memcheck(const struct cr__op *op, int32_t result)
{
#ifdef VALGRIND_MAKE_MEM_DEFINED
	size_t left = (size_t)result, count = 0;
	const struct iovec *vector = NULL;

	if (op->code == CR__OP_READ || op->code == CR__OP_PREAD || op->code == CR__OP_RECV ||
	    op->code == CR__OP_READ_AT)
		(void)VALGRIND_MAKE_MEM_DEFINED(op->buffer, left);
	if (op->code == CR__OP_ACCEPT && op->length)
		(void)VALGRIND_MAKE_MEM_DEFINED(op->length, sizeof *op->length);
	if (op->code == CR__OP_ACCEPT && op->length && op->buffer)
		(void)VALGRIND_MAKE_MEM_DEFINED(op->buffer, *op->length);
	if (op->code == CR__OP_STAT)
		(void)VALGRIND_MAKE_MEM_DEFINED(op->second, sizeof(struct statx));
	if (op->code == CR__OP_READV || op->code == CR__OP_READV_AT) {
		vector = op->buffer;
		count = op->size;
	} else if (op->code == CR__OP_RECVMSG) {
		const struct msghdr *message = op->buffer;

		(void)VALGRIND_MAKE_MEM_DEFINED(message, sizeof *message);
		(void)VALGRIND_MAKE_MEM_DEFINED(message->msg_name, message->msg_namelen);
		(void)VALGRIND_MAKE_MEM_DEFINED(message->msg_control, message->msg_controllen);
		vector = message->msg_iov;
		count = message->msg_iovlen;
	}
	for (size_t i = 0; i < count && left > 0; i++) {
		size_t size = vector[i].iov_len < left ? vector[i].iov_len : left;

		(void)VALGRIND_MAKE_MEM_DEFINED(vector[i].iov_base, size);
		left -= size;
	}
#else
	(void)op;
	(void)result;
#endif
}

/*
 * A zero-copy send has two completions: its result, and the word that the kernel no longer needs
 * the memory. Returns true when the operation has to go on.
 */
static bool zerocopy_goes_on(struct cr__uring *u, struct cr__op *op, int32_t *result,
                             uint32_t flags)
{
	const bool cancelled = op->state & CR__URING_CANCELLED || u->closing;

	if (flags & IORING_CQE_F_NOTIF) {
		op->state &= ~(uint32_t)CR__URING_SENT;
		*result = (int32_t)op->result;
	} else if (flags & IORING_CQE_F_MORE) {
		op->state |= CR__URING_SENT;
		op->result = *result;
		if (cancelled && *result > 0) {
			op->result = -ECANCELED;
			disconnect(op);
		}
		return true;
	}
	/* An older kernel, or a kind of socket that cannot do it. */
	if ((*result != -EINVAL && *result != -EOPNOTSUPP) || op->state & CR__URING_COPIES ||
	    cancelled)
		return false;
	op->state |= CR__URING_COPIES;
	cr__uring_submit(u, op);
	return true;
}

/*
 * The rare answers. Returns true when the operation has to go on: a descriptor whose owner made it
 * O_NONBLOCK answers -EAGAIN on some kernels and for some files; then readiness is waited for, by
 * the same operation, and it is issued anew. An interrupted one is issued anew, unless we
 * interrupted it.
 */
static bool goes_on(struct cr__uring *u, struct cr__op *op, int32_t *result)
{
	const bool polling = op->state & CR__URING_POLLING;
	bool again = false;

	op->state &= ~(uint32_t)CR__URING_POLLING;
	if ((polling && *result >= 0) || *result == -EINTR) {
		again = true;
	} else if (*result == -EAGAIN ? !cr__op_takes_eagain(op)
	                              : *result == -EINPROGRESS || *result == -EALREADY) {
		op->state |= CR__URING_POLLING;
		again = true;
	}
	if (!again)
		return false;
	if (op->state & CR__URING_CANCELLED || u->closing) {
		*result = -ECANCELED;
		return false;
	}
	if (polling && cr__direct_only(op)) {
		if (attempt(u, op)) {
			*result = (int32_t)op->result;
			return false;
		}
		op->state |= CR__URING_POLLING;
	}
	cr__uring_submit(u, op);
	return true;
}

/*
 * Whether an operation ended in the very poll that handed it over: with a busy peer its data had
 * come already.
 */
static bool prompt(const struct cr__uring *u, const struct cr__op *op)
{
	return (unsigned)op->scratch[POSITION] - u->fresh < u->ring.sq.sqe_tail - u->fresh;
}

void cr__uring_complete(struct cr__uring *u, struct cr__op *op, int32_t result, uint32_t flags)
{
	if (__builtin_expect(op->code == CR__OP_SEND_ZC, 0) &&
	    zerocopy_goes_on(u, op, &result, flags))
		return;
	if (__builtin_expect(result == -EAGAIN || result == -EINTR || result == -EINPROGRESS ||
	                             result == -EALREADY || op->state & CR__URING_POLLING,
	                     0) &&
	    (op->state & CR__URING_FILE ? cr__uring_file_goes_on(u, op, &result)
	                                : goes_on(u, op, &result)))
		return;
	if (op->code == CR__OP_RECV) {
		uint32_t *known = &u->fds.slots[op->fd].flags;

		if (result > 0 && !(flags & IORING_CQE_F_SOCK_NONEMPTY) && !prompt(u, op))
			*known |= CR__FD_DRAINED;
		else
			*known &= ~(uint32_t)CR__FD_DRAINED;
	} else if (op->code == CR__OP_ACCEPT && result >= 0) {
		cr__fds_adopt(&u->fds, result, CR__FD_OWN);
	}
	detach(u, op);
	op->result = result;
	u->ended++;
	if (__builtin_expect(u->on_valgrind, 0) && result >= 0)
		tell_memcheck(op, result);
	if (!u->closing)
		op->done(op);
	else if ((op->code == CR__OP_ACCEPT || op->code == CR__OP_OPEN) && result >= 0)
		close(result);
}
