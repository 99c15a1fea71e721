/* SPDX-License-Identifier: MIT */
#include "loop/backend/uring.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop/backend/direct.h"
#include "loop/offline.h"

/*
 * Operations on files. They take no direction of a descriptor, and the kernel runs most of them on
 * threads of its own. What it does not know at all goes to a thread of ours.
 */

/* The kernel transfers no more at once (read(2)), and an entry has 32 bits for it. */
enum { TRANSFER_MAX = 0x7ffff000 };

/* The code in the ring, or -1. */
static int ring_code(const struct cr__op *op)
{
	switch (op->code) {
	case CR__OP_OPEN:
		return IORING_OP_OPENAT;
	case CR__OP_STAT:
		return IORING_OP_STATX;
	case CR__OP_READ_AT:
		return IORING_OP_READ;
	case CR__OP_WRITE_AT:
		return IORING_OP_WRITE;
	case CR__OP_READV_AT:
		return IORING_OP_READV;
	case CR__OP_WRITEV_AT:
		return IORING_OP_WRITEV;
	case CR__OP_SYNC:
		return IORING_OP_FSYNC;
	case CR__OP_ALLOCATE:
		return IORING_OP_FALLOCATE;
	case CR__OP_RENAME:
		return IORING_OP_RENAMEAT;
	case CR__OP_UNLINK:
		return IORING_OP_UNLINKAT;
	case CR__OP_MKDIR:
		return IORING_OP_MKDIRAT;
	case CR__OP_LINK:
		return IORING_OP_LINKAT;
	case CR__OP_SYMLINK:
		return IORING_OP_SYMLINKAT;
	default:
		return -1;
	}
}

/* Which codes this kernel knows, as bits: the same for every ring, so it is asked once. */
static uint64_t ring_codes(struct cr__uring *u)
{
	static _Atomic uint64_t known;
	uint64_t codes = atomic_load_explicit(&known, memory_order_relaxed);
	struct io_uring_probe *probe;

	if (codes)
		return codes;
	probe = io_uring_get_probe_ring(&u->ring);
	for (int code = 0; probe && code < 64; code++)
		codes |= (uint64_t)(io_uring_opcode_supported(probe, code) != 0) << code;
	io_uring_free_probe(probe);
	atomic_store_explicit(&known, codes, memory_order_relaxed);
	return codes;
}

bool cr__uring_file_fill(struct io_uring_sqe *entry, const struct cr__op *op)
{
	const unsigned size = (unsigned)(op->size < TRANSFER_MAX ? op->size : TRANSFER_MAX);
	const uint64_t offset = (uint64_t)op->offset;

	switch (op->code) {
	case CR__OP_OPEN:
		io_uring_prep_openat(entry, op->fd, op->path, (int)op->flags | O_CLOEXEC,
		                     (mode_t)op->size);
		break;
	case CR__OP_STAT:
		io_uring_prep_statx(entry, op->fd, op->path, (int)op->flags, (unsigned)op->size,
		                    op->second);
		break;
	case CR__OP_READ_AT:
		io_uring_prep_read(entry, op->fd, op->buffer, size, offset);
		break;
	case CR__OP_WRITE_AT:
		io_uring_prep_write(entry, op->fd, op->buffer, size, offset);
		break;
	case CR__OP_READV_AT:
		io_uring_prep_readv(entry, op->fd, op->buffer, size, offset);
		break;
	case CR__OP_WRITEV_AT:
		io_uring_prep_writev(entry, op->fd, op->buffer, size, offset);
		break;
	case CR__OP_SYNC:
		io_uring_prep_fsync(entry, op->fd, op->flags ? IORING_FSYNC_DATASYNC : 0);
		break;
	case CR__OP_ALLOCATE:
		io_uring_prep_fallocate(entry, op->fd, (int)op->flags, op->offset, (off_t)op->size);
		break;
	case CR__OP_RENAME:
		io_uring_prep_renameat(entry, op->fd, op->path, op->other, op->second, op->flags);
		break;
	case CR__OP_UNLINK:
		io_uring_prep_unlinkat(entry, op->fd, op->path, (int)op->flags);
		break;
	case CR__OP_MKDIR:
		io_uring_prep_mkdirat(entry, op->fd, op->path, (mode_t)op->size);
		break;
	case CR__OP_LINK:
		io_uring_prep_linkat(entry, op->fd, op->path, op->other, op->second,
		                     (int)op->flags);
		break;
	case CR__OP_SYMLINK:
		io_uring_prep_symlinkat(entry, op->second, op->fd, op->path);
		break;
	default:
		return false;
	}
	return true;
}

int cr__uring_file_start(struct cr__loop *loop, struct cr__op *op)
{
	struct cr__uring *u = cr__uring_of(loop);
	const int code = ring_code(op);

	if (op->flags & CR__OP_TRY && (op->code == CR__OP_READ_AT || op->code == CR__OP_READV_AT)) {
		op->result = cr__direct_file_try(op);
		if (op->result != -EAGAIN)
			return 1;
	}
	if (code < 0 || !(ring_codes(u) >> code & 1)) {
		op->state = CR__URING_OFFLINE;
		return cr__offline_start(loop, op, NULL);
	}
	op->state = CR__URING_FILE;
	u->in_flight++;
	cr__uring_submit(u, op);
	return 0;
}

/*
 * The rare answers for files: a read by the ring was interrupted, or its owner made the file
 * O_NONBLOCK, which io_uring takes at its word and pread(2) does not.
 */
bool cr__uring_file_goes_on(struct cr__uring *u, struct cr__op *op, int32_t *result)
{
	int r;

	if (*result != -EINTR && *result != -EAGAIN)
		return false;
	if (op->state & CR__URING_CANCELLED || u->closing) {
		*result = -ECANCELED;
		return false;
	}
	if (*result == -EINTR) {
		cr__uring_submit(u, op);
		return true;
	}
	r = cr__offline_start(cr__loop_self(), op, NULL);
	if (r < 0) {
		*result = r;
		return false;
	}
	op->state = CR__URING_OFFLINE;
	u->in_flight--;
	return true;
}
