/* SPDX-License-Identifier: MIT */
#ifndef CR__LOOP_BACKEND_URING_H
#define CR__LOOP_BACKEND_URING_H

/*
 * The io_uring backend, in four files: uring.c (the ring, entering the kernel, the backend's
 * table), uring_ops.c (operations: from the asker to an entry and back), uring_file.c (those on
 * files), uring_probe.c (whether it works here).
 */

#include "loop/backend/fds.h"
#include "loop/loop.h"

#include <liburing.h>

/* What the ring must be able to do; all of it came with Linux 5.11. */
#define CR__URING_FEATURES                                                                         \
	(IORING_FEAT_NODROP | IORING_FEAT_RW_CUR_POS | IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG)

/*
 * What `user_data` may be: an operation's address, or one of these. IGNORED is for entries that
 * nobody waits for: cancel requests, and operations taken back before the kernel saw them.
 */
enum { CR__URING_IGNORED = 0, CR__URING_WAKE = 1, CR__URING_SPECIAL_MAX = 7 };

/* op->state. */
enum {
	CR__URING_QUEUED = 1 << 0,        /* in `queue`: needs an entry */
	CR__URING_CANCEL_QUEUED = 1 << 1, /* in `queue`: its cancel request needs an entry */
	CR__URING_CANCELLED = 1 << 2,     /* a cancel request was made */
	CR__URING_POLLING = 1 << 3, /* its entry only waits for readiness; then it starts again */
	CR__URING_GUARDED = 1 << 4, /* may raise SIGPIPE while the kernel runs it for us */
	CR__URING_COPIES = 1 << 5,  /* a SEND_ZC that has to be a SEND */
	CR__URING_SENT = 1 << 6,    /* a SEND_ZC with its result, but the kernel has the memory */
	CR__URING_FILE = 1 << 7,    /* an operation on a file, which took no direction */
	CR__URING_OFFLINE = 1 << 8, /* on a thread of ours, and no business of the ring */
};

struct cr__uring {
	struct cr__fds fds; /* first: shared functions find it here */
	struct io_uring ring;
	struct cr__op *queue_first,
		*queue_last; /* those for which the submission queue had no room */
	uint32_t in_flight;  /* operations that were started and have not ended */
	uint32_t guarded;    /* those among them that may raise SIGPIPE */
	uint32_t ended;      /* in this poll */
	/* positions of entries: the first one since the last poll, and the first one after this */
	uint32_t fresh, polled;
	int wake_fd;
	bool wake_armed, wake_multishot;
	bool closing; /* done() is no longer called */
	bool on_valgrind;
	/* What this kernel knows. */
	bool nosignal;        /* RWF_NOSIGNAL */
	bool poll_first;      /* IORING_RECVSEND_POLL_FIRST */
	uint8_t silent_flags; /* for entries that nobody waits for */
};

static inline struct cr__uring *cr__uring_of(const struct cr__loop *loop)
{
	return loop->backend_state;
}

/*
 * Sets a ring up with the best set of flags that the kernel takes, and checks its features. Returns
 * 0 or a negative error; -EOPNOTSUPP when a feature is missing.
 */
int cr__uring_setup(struct io_uring *ring, unsigned entries);

void cr__uring_exit(struct io_uring *ring);

/*
 * A free entry, handing over those before it if need be; NULL when the kernel takes no more for
 * now.
 */
struct io_uring_sqe *cr__uring_entry(struct cr__uring *u);

/* Turns queued operations and cancel requests into entries, as far as there is room. */
void cr__uring_queue_drain(struct cr__uring *u);

/* What the kernel says about an operation. Calls done() when it has ended. */
void cr__uring_complete(struct cr__uring *u, struct cr__op *op, int32_t result, uint32_t flags);

int cr__uring_op_start(struct cr__loop *loop, struct cr__op *op);
bool cr__uring_op_cancel(struct cr__loop *loop, struct cr__op *op);

/* Hands an operation to the kernel, or to the queue. */
void cr__uring_submit(struct cr__uring *u, struct cr__op *op);

/* uring_file.c: as cr__op_start(), for operations on files. */
int cr__uring_file_start(struct cr__loop *loop, struct cr__op *op);

/* Fills in its entry. Returns false for those that never have one. */
bool cr__uring_file_fill(struct io_uring_sqe *entry, const struct cr__op *op);

/* Looks at a rare answer. Returns true when the operation has to go on. */
bool cr__uring_file_goes_on(struct cr__uring *u, struct cr__op *op, int32_t *result);

int cr__uring_probe(char *why, size_t size);

/* Whether a ring knows the operations that are needed. Returns 0, or as cr__uring_probe(). */
int cr__uring_check(struct io_uring *ring, char *why, size_t size);

#endif
