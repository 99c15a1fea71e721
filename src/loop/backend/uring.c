/* SPDX-License-Identifier: MIT */
#include "loop/backend/uring.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/panic.h"
#include "ctx/sanitize.h"
#include "loop/backend/direct.h"
#include "loop/backend/sockets.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/*
 * One ring for each loop, entered by one function. A poll is one io_uring_enter(2) that hands over
 * what was queued during the turn, runs what the kernel put off (DEFER_TASKRUN), and waits. When
 * nothing is queued and the kernel's flag word says that nothing was put off, a poll that need not
 * wait makes no system call at all.
 */

/*
 * Submission entries are used up by one turn and refilled by the next; completions may pile up
 * while the program computes. Both have a way out when they are full, so this only decides how
 * often it is taken.
 */
enum { SUBMISSION_ENTRIES = 256, COMPLETION_ENTRIES = 4096 };

/*
 * A ring's memory may come back at the address of another thread's that has ended: the kernel
 * orders the two, in system calls that ThreadSanitizer does not see. This says the same in terms
 * that it does.
 */
static atomic_uint rings_ended;

int cr__uring_setup(struct io_uring *ring, unsigned entries)
{
	static const unsigned flags[] = {
		/* Linux 6.1 */
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
		/* Linux 6.0, 5.19, 5.18 */
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
			IORING_SETUP_SUBMIT_ALL,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
		IORING_SETUP_SUBMIT_ALL,
		0,
	};
	int r = -EINVAL;

	for (size_t i = 0; i < sizeof flags / sizeof *flags && r == -EINVAL; i++) {
		struct io_uring_params params = {
			.flags = flags[i] | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE,
			.cq_entries = COMPLETION_ENTRIES,
		};

		if (entries < SUBMISSION_ENTRIES)
			params.cq_entries = 2 * entries;
		r = io_uring_queue_init_params(entries, ring, &params);
	}
	if (r < 0)
		return r;
	atomic_load_explicit(&rings_ended, memory_order_acquire);
	if ((ring->features & CR__URING_FEATURES) == CR__URING_FEATURES)
		return 0;
	cr__uring_exit(ring);
	return -EOPNOTSUPP;
}

void cr__uring_exit(struct io_uring *ring)
{
	atomic_fetch_add_explicit(&rings_ended, 1, memory_order_release);
	io_uring_queue_exit(ring);
}

/* ---------------------------------------------------------------------- entering the kernel --- */

/* Publishes the entries filled in so far. Returns how many the kernel has not taken yet. */
static unsigned publish(struct io_uring *ring)
{
	struct io_uring_sq *sq = &ring->sq;

	if (sq->sqe_head != sq->sqe_tail) {
		sq->sqe_head = sq->sqe_tail;
		io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
	}
	return sq->sqe_tail - *sq->khead;
}

/*
 * The one place that enters. Returns zero or positive; -ETIME; -EINTR; -EAGAIN and -EBUSY when the
 * kernel is short of memory, or has too many completions that were not fetched.
 */
static int enter(struct cr__uring *u, unsigned submit, unsigned wait, unsigned flags,
                 struct io_uring_getevents_arg *arg)
{
	struct cr__sigpipe sigpipe;
	int r;

	if (u->ring.enter_ring_fd != u->ring.ring_fd)
		flags |= IORING_ENTER_REGISTERED_RING;
	if (arg)
		flags |= IORING_ENTER_EXT_ARG;
	/* A write that the kernel runs for us in there would raise its SIGPIPE here. */
	if (u->guarded)
		cr__sigpipe_hold(&sigpipe);
	r = io_uring_enter2((unsigned)u->ring.enter_ring_fd, submit, wait, flags, (sigset_t *)arg,
	                    arg ? sizeof *arg : _NSIG / 8);
	if (u->guarded)
		cr__sigpipe_release(&sigpipe);
	/* The kernel knows the ring's owner: anybody else is a bug, not an error to be handled. */
	if (r == -EEXIST)
		cr__panic("a loop is used by two threads");
	return r;
}

struct io_uring_sqe *cr__uring_entry(struct cr__uring *u)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&u->ring);

	if (__builtin_expect(entry != NULL, 1))
		return entry;
	if (enter(u, publish(&u->ring), 0, 0, NULL) < 0)
		return NULL;
	return io_uring_get_sqe(&u->ring);
}

static bool kernel_wants_us(const struct cr__uring *u)
{
	return __atomic_load_n(u->ring.sq.kflags, __ATOMIC_RELAXED) &
	       (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

/* ----------------------------------------------------------------------------------- waking --- */

/*
 * A poll request on the eventfd that stays armed: each write gives one completion, and the counter
 * need not be read. A kernel without such requests refuses; then the request is made anew each
 * time, which must not find the counter as the last one left it.
 */
static void wake_arm(struct cr__uring *u)
{
	struct io_uring_sqe *entry = cr__uring_entry(u);

	u->wake_armed = entry != NULL;
	if (!entry)
		return;
	if (u->wake_multishot)
		io_uring_prep_poll_multishot(entry, u->wake_fd, POLLIN);
	else
		io_uring_prep_poll_add(entry, u->wake_fd, POLLIN);
	entry->user_data = CR__URING_WAKE;
}

static void wake_seen(struct cr__uring *u, int32_t result, uint32_t flags)
{
	uint64_t count;

	if (flags & IORING_CQE_F_MORE)
		return;
	if (result == -EINVAL)
		u->wake_multishot = false;
	if (read(u->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
		cr__panic("somebody else closed the descriptor that wakes a loop");
	wake_arm(u);
}

static void uring_wake(struct cr__loop *loop)
{
	cr__eventfd_signal(cr__uring_of(loop)->wake_fd);
}

/* ---------------------------------------------------------------------------------- polling --- */

/* Fetches the completions that are there now, and no more: done() may cause others. */
static void reap(struct cr__uring *u)
{
	struct io_uring_cq *cq = &u->ring.cq;
	unsigned head = *cq->khead, tail = io_uring_smp_load_acquire(cq->ktail);

	while (head != tail) {
		const struct io_uring_cqe *completion = &cq->cqes[head & cq->ring_mask];
		const uint64_t data = completion->user_data;
		const int32_t result = completion->res;
		const uint32_t flags = completion->flags;

		/* Given back before done(), which may enter the kernel and need the room. */
		io_uring_smp_store_release(cq->khead, ++head);
		if (head != tail)
			__builtin_prefetch(
				(void *)(uintptr_t)cq->cqes[head & cq->ring_mask].user_data);
		if (data > CR__URING_SPECIAL_MAX)
			cr__uring_complete(u, (struct cr__op *)(uintptr_t)data, result, flags);
		else if (data == CR__URING_WAKE)
			wake_seen(u, result, flags);
	}
}

/*
 * Valgrind (3.19) lets no other thread run while one is inside io_uring_enter(2), so that nobody
 * could ever wake us: there we look, and sleep a little, which it knows to block.
 */
static int submit_and_wait_on_valgrind(struct cr__uring *u, unsigned submit, cr_nsec until)
{
	const struct timespec pause = {.tv_nsec = 200000};
	int r = enter(u, submit, 0, IORING_ENTER_GETEVENTS, NULL);

	while (r >= 0 && !io_uring_cq_ready(&u->ring) && cr__clock_monotonic() < until) {
		if (nanosleep(&pause, NULL) < 0)
			return -errno;
		r = enter(u, publish(&u->ring), 0, IORING_ENTER_GETEVENTS, NULL);
	}
	return r;
}

/* Hands over and waits. Returns 0, or what ends the loop. */
static int submit_and_wait(struct cr__uring *u, unsigned submit, cr_nsec until)
{
	struct __kernel_timespec time;
	struct io_uring_getevents_arg arg = {.ts = (uint64_t)(uintptr_t)&time};
	const bool limited = until != CORAIL_NEVER;
	unsigned wait = until != 0;
	int r;

	if (wait && limited) {
		cr_nsec duration = until - cr__clock_monotonic();

		wait = duration > 0;
		time.tv_sec = duration / 1000000000;
		time.tv_nsec = duration % 1000000000;
	}
	if (wait && __builtin_expect(u->on_valgrind, 0))
		r = submit_and_wait_on_valgrind(u, submit, until);
	else
		r = enter(u, submit, wait, IORING_ENTER_GETEVENTS, wait && limited ? &arg : NULL);
	/*
	 * A signal ends a wait so that the loop can look at it; the rest is cured by fetching
	 * completions.
	 */
	if (r >= 0 || r == -ETIME || r == -EINTR || r == -EAGAIN || r == -EBUSY)
		return 0;
	return r;
}

static int uring_poll(struct cr__loop *loop, cr_nsec until)
{
	struct cr__uring *u = cr__uring_of(loop);
	unsigned submit;
	int r = 0;

	if (u->queue_first)
		cr__uring_queue_drain(u);
	if (__builtin_expect(!u->wake_armed, 0))
		wake_arm(u);
	u->fresh = u->polled;
	u->polled = u->ring.sq.sqe_tail;
	submit = publish(&u->ring);
	/* Not before everything is with the kernel, nor while completions lie ready. */
	if (u->queue_first || !u->wake_armed || io_uring_cq_ready(&u->ring))
		until = 0;
	if (submit || until != 0 || kernel_wants_us(u))
		r = submit_and_wait(u, submit, until);
	u->ended = 0;
	reap(u);
	return r < 0 ? r : (int)u->ended;
}

static cr_nsec uring_now(struct cr__loop *loop)
{
	(void)loop;
	return cr__clock_monotonic();
}

/* ------------------------------------------------------------------------------------- life --- */

/*
 * Whether the loop's own ring does what is needed: no other is set up to find that out, for the
 * kernel does part of a ring's end in the thread that owned it, and interrupts what that thread
 * waits for then. Hands over what was queued. Returns 0 or a negative error.
 */
static int check(struct cr__uring *u)
{
	static atomic_bool known;
	int r;

	if (!atomic_load_explicit(&known, memory_order_relaxed)) {
		r = cr__uring_check(&u->ring, NULL, 0);
		if (r < 0)
			return r;
		atomic_store_explicit(&known, true, memory_order_relaxed);
	}
	/* A sandbox may allow the set-up and forbid the rest. */
	r = enter(u, publish(&u->ring), 0, 0, NULL);
	return r < 0 && r != -EINTR && r != -EAGAIN && r != -EBUSY ? r : 0;
}

static int setup(struct cr__uring *u)
{
	int r = -ENOMEM;

	/* Old kernels count rings against RLIMIT_MEMLOCK. */
	for (unsigned entries = SUBMISSION_ENTRIES; r == -ENOMEM && entries >= 4; entries /= 4)
		r = cr__uring_setup(&u->ring, entries);
	if (r < 0)
		return r;
	/*
	 * Saves looking the descriptor up at each entry, where the kernel can; no harm where not.
	 */
	io_uring_register_ring_fd(&u->ring);
	u->nosignal = cr__nosignal_works();
	u->on_valgrind = cr__on_valgrind();
	/* Came with the same kernel, 5.19. */
	u->poll_first = u->ring.flags & (IORING_SETUP_COOP_TASKRUN | IORING_SETUP_DEFER_TASKRUN);
	u->silent_flags = u->ring.features & IORING_FEAT_CQE_SKIP ? IOSQE_CQE_SKIP_SUCCESS : 0;
	u->wake_multishot = true;
	wake_arm(u);
	r = check(u);
	if (r < 0)
		cr__uring_exit(&u->ring);
	return r;
}

static int uring_open(struct cr__loop *loop)
{
	struct cr__uring *u = cr__alloc_zero(1, sizeof *u);
	int r;

	if (!u)
		return -ENOMEM;
	u->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = u->wake_fd < 0 ? -errno : setup(u);
	if (r < 0) {
		if (u->wake_fd >= 0)
			close(u->wake_fd);
		cr__free(u);
		return r == -EMFILE || r == -ENFILE || r == -ENOMEM ? r : -ENOSYS;
	}
	loop->backend_state = u;
	return 0;
}

static void uring_close(struct cr__loop *loop)
{
	struct cr__uring *u = cr__uring_of(loop);

	u->closing = true;
	for (uint32_t fd = 0; fd < u->fds.count; fd++) {
		const struct cr__fd_slot *slot = &u->fds.slots[fd];

		if (slot->reader)
			cr__uring_op_cancel(loop, slot->reader);
		if (slot->writer)
			cr__uring_op_cancel(loop, slot->writer);
	}
	/* Until its completion the kernel may write to an operation's memory, cancelled or not. */
	while (u->in_flight > 0) {
		int r;

		cr__uring_queue_drain(u);
		r = submit_and_wait(u, publish(&u->ring), CORAIL_NEVER);
		if (r < 0)
			cr__panic("io_uring_enter(2) fails with %s while a loop ends",
			          cr_err_name(r));
		reap(u);
	}
	io_uring_unregister_ring_fd(&u->ring);
	cr__uring_exit(&u->ring);
	close(u->wake_fd);
	cr__fds_free(&u->fds);
	cr__free(u);
	loop->backend_state = NULL;
}

/* ------------------------------------------------------------------------------ descriptors --- */

static int uring_fd_close(struct cr__loop *loop, int fd)
{
	CR__ASSERT(cr__fds_busy(loop, fd) == 0);
	cr__fds_drop(&cr__uring_of(loop)->fds, fd);
	return cr__descriptor_close(fd);
}

static void uring_fd_forget(struct cr__loop *loop, int fd)
{
	cr__fds_drop(&cr__uring_of(loop)->fds, fd);
}

/* Blocking ones: io_uring waits by itself, and would return -EAGAIN for others. */
static int uring_sock_open(struct cr__loop *loop, int domain, int type, int protocol)
{
	return cr__sockets_open(loop, domain, type, protocol, 0);
}

static int uring_sock_pair(struct cr__loop *loop, int domain, int type, int ret_fds[2])
{
	return cr__sockets_pair(loop, domain, type, 0, ret_fds);
}

const struct cr__backend cr__backend_uring = {
	.name = "uring",
	.probe = cr__uring_probe,
	.open = uring_open,
	.close = uring_close,
	.poll = uring_poll,
	.wake = uring_wake,
	.now = uring_now,
	.op_start = cr__uring_op_start,
	.op_cancel = cr__uring_op_cancel,
	.fd_busy = cr__fds_busy,
	.fd_cancel = cr__fds_cancel,
	.fd_close = uring_fd_close,
	.fd_forget = uring_fd_forget,
	.fd_ready = cr__direct_ready,
	.sock_open = uring_sock_open,
	.sock_pair = uring_sock_pair,
	.sock_bind = cr__sockets_bind,
	.sock_listen = cr__sockets_listen,
	.sock_name = cr__sockets_name,
	.sock_peer = cr__sockets_peer,
	.sock_option = cr__sockets_option,
	.sock_option_get = cr__sockets_option_get,
	.sock_shutdown = cr__sockets_shutdown,
};
