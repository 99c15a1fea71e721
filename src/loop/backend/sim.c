/* SPDX-License-Identifier: MIT */
#include "loop/backend/sim.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "loop/backend/sim_disk.h"

#include <linux/futex.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where every run begins: not zero, which would hide a forgotten start. */
#define SIM_EPOCH (1000 * (cr_nsec)1000000000)

/*
 * A loop that had work at so many polls in a row has a task that never rests, and would stand
 * still for ever; from then on each poll takes that long. The same for tasks that always wait for
 * operations which are over at once; but a long transfer does that too, so they get more patience.
 */
enum {
	BUSY_POLLS = 1000,
	STILL_POLLS = 100 * 1000,
	BUSY_STEP = 100 * 1000,
};

/* An operation's cr__op.state. */
enum {
	OP_WAITING = 1,
	OP_ATTEMPTED, /* being tried right now */
	OP_DONE,      /* in the list of those whose done() is due */
};

/*
 * SplitMix64 (Steele, Lea and Flood, 2014): a counter and a finaliser; all that a simulation
 * needs.
 */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

__extension__ typedef unsigned __int128 wide;

/* The high word of a product: as even as a remainder for small counts, and without a division. */
static uint64_t random_below(uint64_t *state, uint64_t count)
{
	return (uint64_t)(((wide)random_next(state) * count) >> 64);
}

static uint64_t sim_shuffle(struct cr__loop *loop, uint64_t count)
{
	return random_below(&cr__sim_of(loop)->order_state, count);
}

uint64_t cr__sim_random(struct cr__sim *sim, uint64_t count)
{
	uint64_t number = random_below(&sim->network_state, count);

	cr__loop_trace(sim->loop, number);
	return number;
}

/* ------------------------------------------------------------------------------- operations --- */

static unsigned op_directions(const struct cr__op *op)
{
	switch (op->code) {
	case CR__OP_WRITE:
	case CR__OP_WRITEV:
	case CR__OP_PWRITE:
	case CR__OP_SEND:
	case CR__OP_SENDMSG:
	case CR__OP_CONNECT:
	case CR__OP_SEND_ZC:
	case CR__OP_SENDFILE:
	case CR__OP_SPLICE_OUT:
	case CR__OP_SENDMMSG:
		return 1U << CR__SIM_WRITE;
	case CR__OP_POLL:
		if (!(op->flags & POLLOUT))
			return 1U << CR__SIM_READ;
		return (op->flags & (POLLIN | POLLRDHUP) ? 1U << CR__SIM_READ : 0) |
		       1U << CR__SIM_WRITE;
	default:
		return 1U << CR__SIM_READ;
	}
}

static bool attempt_datagrams(struct cr__sim_sock *sock, struct cr__op *op)
{
	switch (op->code) {
	case CR__OP_POLL:
		op->result = cr__sim_datagram_ready(sock) & (op->flags | POLLERR | POLLHUP);
		return op->result != 0;
	case CR__OP_READ:
	case CR__OP_READV:
	case CR__OP_RECV:
	case CR__OP_RECVMSG:
	case CR__OP_RECVMMSG:
		return cr__sim_datagram_receive(sock, op);
	case CR__OP_WRITE:
	case CR__OP_WRITEV:
	case CR__OP_SEND:
	case CR__OP_SENDMSG:
	case CR__OP_SENDMMSG:
		return cr__sim_datagram_send(sock, op);
	case CR__OP_CONNECT:
		return cr__sim_datagram_connect(sock, op);
	default:
		op->result = -EOPNOTSUPP;
		return true;
	}
}

/* Tries an operation. Returns true when op->result holds. */
static bool attempt(struct cr__sim_sock *sock, struct cr__op *op)
{
	if (sock->datagrams)
		return attempt_datagrams(sock, op);
	switch (op->code) {
	case CR__OP_POLL:
		op->result = cr__sim_ready(sock) & (op->flags | POLLERR | POLLHUP);
		return op->result != 0;
	case CR__OP_READ:
	case CR__OP_READV:
	case CR__OP_RECV:
	case CR__OP_RECVMSG:
		return cr__sim_receive(sock, op);
	case CR__OP_WRITE:
	case CR__OP_WRITEV:
	case CR__OP_SEND:
	case CR__OP_SENDMSG:
	case CR__OP_SEND_ZC:
		return cr__sim_send(sock, op);
	case CR__OP_ACCEPT:
		return cr__sim_accept(sock, op);
	case CR__OP_CONNECT:
		return cr__sim_connect(sock, op);
	case CR__OP_PREAD:
	case CR__OP_PWRITE:
		op->result = -ESPIPE;
		return true;
	default:
		break;
	}
	op->result = -EOPNOTSUPP;
	return true;
}

void cr__sim_op_complete(struct cr__sim *sim, struct cr__op *op, ssize_t result)
{
	op->result = result;
	op->state = OP_DONE;
	op->next = NULL;
	*sim->done_tail = op;
	sim->done_tail = &op->next;
}

void cr__sim_sock_kick(struct cr__sim_sock *sock)
{
	for (int i = CR__SIM_READ; sock && i <= CR__SIM_WRITE; i++) {
		struct cr__op *op = sock->op[i];

		if (!op || op->state != OP_WAITING || op->code == CR__OP_CONNECT)
			continue;
		op->state = OP_ATTEMPTED;
		if (attempt(sock, op))
			cr__sim_op_complete(sock->sim, op, op->result);
		else
			op->state = OP_WAITING;
	}
}

static void op_release(struct cr__sim_sock *sock, struct cr__op *op)
{
	for (int i = CR__SIM_READ; sock && i <= CR__SIM_WRITE; i++) {
		if (sock->op[i] == op)
			sock->op[i] = NULL;
	}
}

static bool fail_scripted(struct cr__sim_sock *sock, struct cr__op *op)
{
	if (sock->fail_count == 0 || op->code == CR__OP_POLL)
		return false;
	sock->fail_count--;
	op->result = sock->fail_error;
	return true;
}

static int sim_op_start(struct cr__loop *loop, struct cr__op *op)
{
	struct cr__sim *sim = cr__sim_of(loop);
	struct cr__sim_sock *sock;
	unsigned directions = op_directions(op);
	int r;

	if (op->code >= CR__OP_FILE)
		return cr__sim_disk_start(loop, op);
	r = cr__sim_sock_find(sim, op->fd, &sock);
	if (r < 0)
		return r;
	for (int i = CR__SIM_READ; i <= CR__SIM_WRITE; i++) {
		if ((directions & 1U << i) && sock->op[i])
			return -EBUSY;
	}
	op->state = OP_ATTEMPTED;
	op->scratch[0] = (uint64_t)(uintptr_t)sock;
	op->scratch[1] = 0;
	if (fail_scripted(sock, op) || attempt(sock, op)) {
		cr__loop_trace(loop, (uint64_t)op->result);
		/* Now, as epoll would, or later, as io_uring would: callers must live with both. */
		if (cr__sim_random(sim, 4))
			return 1;
		cr__sim_op_complete(sim, op, op->result);
	} else {
		op->state = OP_WAITING;
	}
	for (int i = CR__SIM_READ; i <= CR__SIM_WRITE; i++) {
		if (directions & 1U << i)
			sock->op[i] = op;
	}
	return 0;
}

static bool sim_op_cancel(struct cr__loop *loop, struct cr__op *op)
{
	struct cr__sim_sock *sock = (struct cr__sim_sock *)(uintptr_t)op->scratch[0];

	if (op->code >= CR__OP_FILE)
		return cr__sim_disk_cancel(loop, op);
	if (op->state != OP_WAITING)
		return false;
	if (op->code == CR__OP_CONNECT)
		cr__sim_connect_abort(sock);
	if (op->scratch[1] > 0) {
		/* A part of a MSG_WAITALL: no byte is lost. */
		cr__sim_op_complete(sock->sim, op, (ssize_t)op->scratch[1]);
		return false;
	}
	/* Undone at once, or later: the contract allows both, and so both are to be met. */
	if (cr__sim_random(cr__sim_of(loop), 4) == 0) {
		cr__sim_op_complete(sock->sim, op, -ECANCELED);
		return false;
	}
	op_release(sock, op);
	return true;
}

/*
 * Calls done() for what was complete when the poll began; what they start waits for the next one.
 */
static int done_run(struct cr__sim *sim)
{
	struct cr__op *op = sim->done_head, *next;
	int count = 0;

	sim->done_head = NULL;
	sim->done_tail = &sim->done_head;
	for (; op; op = next) {
		next = op->next;
		op_release((struct cr__sim_sock *)(uintptr_t)op->scratch[0], op);
		cr__loop_trace(sim->loop, (uint64_t)op->fd << 8 | op->code);
		cr__loop_trace(sim->loop, (uint64_t)op->result ^ (uint64_t)sim->now);
		count++;
		op->done(op);
	}
	return count;
}

static int sim_fd_busy(struct cr__loop *loop, int fd)
{
	struct cr__sim_sock *sock;

	if (cr__sim_sock_find(cr__sim_of(loop), fd, &sock) < 0)
		return 0;
	return (sock->op[CR__SIM_READ] != NULL) +
	       (sock->op[CR__SIM_WRITE] && sock->op[CR__SIM_WRITE] != sock->op[CR__SIM_READ]);
}

static int sim_fd_cancel(struct cr__loop *loop, int fd)
{
	struct cr__sim *sim = cr__sim_of(loop);
	struct cr__sim_sock *sock;

	if (cr__sim_sock_find(sim, fd, &sock) < 0)
		return 0;
	for (int i = CR__SIM_READ; i <= CR__SIM_WRITE; i++) {
		struct cr__op *op = sock->op[i];

		if (!op || op->state != OP_WAITING)
			continue;
		if (sim_op_cancel(loop, op)) {
			op->result = -ECANCELED;
			op->done(op);
		}
	}
	return sim_fd_busy(loop, fd);
}

/* --------------------------------------------------------------------------------- the loop --- */

static int sim_probe(char *why, size_t size)
{
	if (size)
		why[0] = 0;
	return 0;
}

static int sim_open(struct cr__loop *loop)
{
	struct cr__sim *sim = cr__alloc_zero(1, sizeof *sim);

	if (!sim)
		return -ENOMEM;
	sim->port_use = cr__alloc_zero(UINT16_MAX + 1, sizeof *sim->port_use);
	if (!sim->port_use || cr__timers_init(&sim->timers, 2 * CR__SIM_FD_MAX) < 0) {
		cr__free(sim->port_use);
		cr__free(sim);
		return -ENOMEM;
	}
	sim->loop = loop;
	sim->now = SIM_EPOCH;
	sim->order_state = loop->seed;
	sim->network_state = ~loop->seed;
	sim->network = (cr_sim_network){.latency = cr_micros(50), .jitter = cr_micros(50)};
	sim->done_tail = &sim->done_head;
	cr__list_init(&sim->socks);
	cr__list_init(&sim->bound);
	loop->backend_state = sim;
	return 0;
}

static void sim_close(struct cr__loop *loop)
{
	struct cr__sim *sim = cr__sim_of(loop);
	struct cr__list *node;

	cr__sim_disk_end(sim);
	while ((node = cr__list_first(&sim->socks)))
		cr__sim_sock_destroy(CR__CONTAINER(node, struct cr__sim_sock, link));
	while (sim->rules) {
		struct cr__sim_rule *rule = sim->rules;

		sim->rules = rule->next;
		cr__free(rule);
	}
	cr__timers_destroy(&sim->timers);
	cr__free(sim->table);
	cr__free(sim->port_use);
	cr__free(sim);
	loop->backend_state = NULL;
}

/*
 * What is due on the network comes before the clock moves on, and the clock moves to the next
 * arrival or to `until`, whichever is first. With neither, only another thread can change
 * anything: that wait is real.
 */
static int sim_poll(struct cr__loop *loop, cr_nsec until)
{
	struct cr__sim *sim = cr__sim_of(loop);

	if (until > sim->now)
		sim->busy_polls = 0;
	if (++sim->still_polls > STILL_POLLS || ++sim->busy_polls > BUSY_POLLS)
		sim->now = cr__nsec_add(sim->now, BUSY_STEP);
	for (;;) {
		cr_nsec next;
		int count;

		cr__timers_fire(&sim->timers, sim->now);
		count = done_run(sim);
		if (count || atomic_exchange(&sim->woken, 0) || until <= sim->now)
			return count;
		next = cr__timers_next(&sim->timers);
		if (next <= sim->now)
			continue;
		sim->still_polls = 0;
		if (next <= until && next != CORAIL_NEVER)
			sim->now = next;
		else if (until != CORAIL_NEVER)
			sim->now = until;
		else
			syscall(SYS_futex, &sim->woken, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	}
}

static bool sim_still(struct cr__loop *loop)
{
	struct cr__sim *sim = cr__sim_of(loop);

	return !sim->done_head && cr__timers_next(&sim->timers) == CORAIL_NEVER &&
	       !atomic_load(&sim->woken);
}

static void sim_wake(struct cr__loop *loop)
{
	struct cr__sim *sim = cr__sim_of(loop);
	int saved = errno;

	atomic_store(&sim->woken, 1);
	syscall(SYS_futex, &sim->woken, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	errno = saved;
}

static cr_nsec sim_now(struct cr__loop *loop)
{
	return cr__sim_of(loop)->now;
}

/* A simulated descriptor dies when it is closed: nobody else could close it. */
static int sim_fd_ready(struct cr__loop *loop, int fd, int events)
{
	struct cr__sim_sock *sock;
	int r = cr__sim_sock_find(cr__sim_of(loop), fd, &sock);
	uint32_t ready;

	if (r < 0)
		return r;
	ready = sock->datagrams ? cr__sim_datagram_ready(sock) : cr__sim_ready(sock);
	return (int)ready & (events | POLLERR | POLLHUP);
}

static void sim_fd_forget(struct cr__loop *loop, int fd)
{
	(void)loop;
	(void)fd;
}

const struct cr__backend cr__backend_sim = {
	.name = "sim",
	.probe = sim_probe,
	.open = sim_open,
	.close = sim_close,
	.poll = sim_poll,
	.wake = sim_wake,
	.now = sim_now,
	.op_start = sim_op_start,
	.op_cancel = sim_op_cancel,
	.fd_busy = sim_fd_busy,
	.fd_cancel = sim_fd_cancel,
	.fd_close = cr__sim_fd_close,
	.fd_forget = sim_fd_forget,
	.fd_ready = sim_fd_ready,
	.sock_open = cr__sim_sock_open,
	.sock_pair = cr__sim_sock_pair,
	.sock_bind = cr__sim_sock_bind,
	.sock_listen = cr__sim_sock_listen,
	.sock_name = cr__sim_sock_name,
	.sock_peer = cr__sim_sock_peer,
	.sock_option = cr__sim_sock_option,
	.sock_option_get = cr__sim_sock_option_get,
	.sock_shutdown = cr__sim_sock_shutdown,
	.shuffle = sim_shuffle,
	.still = sim_still,
};
