/* SPDX-License-Identifier: MIT */
#include "loop/backend/sim.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <poll.h>
#include <string.h>

/* Bytes: sent as segments, received from what has arrived. */

/* The longest piece of a stream that is cut up (cr_sim_network.split). */
enum { PIECE_MAX = 4096 };

/*
 * The buffers of an operation, whatever its kind. Returns false for control messages, which cannot
 * be simulated.
 */
bool cr__sim_vector_of(struct cr__op *op, struct cr__sim_vector *v)
{
	struct msghdr *message = op->buffer;

	v->at = &v->one;
	v->count = 1;
	v->total = 0;
	if (op->code == CR__OP_READV || op->code == CR__OP_WRITEV) {
		v->at = op->buffer;
		v->count = op->size;
	} else if (op->code == CR__OP_RECVMSG || op->code == CR__OP_SENDMSG) {
		if (op->code == CR__OP_SENDMSG && message->msg_controllen)
			return false;
		v->at = message->msg_iov;
		v->count = message->msg_iovlen;
	} else {
		v->one = (struct iovec){op->buffer, op->size};
	}
	for (size_t i = 0; i < v->count; i++)
		v->total += v->at[i].iov_len;
	return true;
}

/* Copies `size` bytes between a plain buffer and what lies `offset` bytes into a vector. */
void cr__sim_vector_copy(const struct cr__sim_vector *v, size_t offset, char *plain, size_t size,
                         bool to_vector)
{
	for (size_t i = 0; i < v->count && size; i++) {
		size_t length = v->at[i].iov_len, part;
		char *base = v->at[i].iov_base;

		if (offset >= length) {
			offset -= length;
			continue;
		}
		part = length - offset < size ? length - offset : size;
		memcpy(to_vector ? base + offset : plain, to_vector ? plain : base + offset, part);
		plain += part;
		size -= part;
		offset = 0;
	}
}

static uint32_t flags_of(const struct cr__op *op)
{
	bool has = op->code == CR__OP_RECV || op->code == CR__OP_SEND ||
	           op->code == CR__OP_RECVMSG || op->code == CR__OP_SENDMSG;

	return has ? op->flags : 0;
}

/* How much of `most` a call transfers, or a segment holds: all, or what the seed says. */
static size_t share(struct cr__sim *sim, size_t most, size_t limit)
{
	if (!sim->network.split || most <= 1)
		return most;
	return 1 + cr__sim_random(sim, most < limit ? most : limit);
}

static size_t room(const struct cr__sim_sock *sock)
{
	size_t most = sock->send_buffer + sock->peer->receive_buffer;

	return sock->peer->queued_bytes < most ? most - sock->peer->queued_bytes : 0;
}

/* Sends `size` bytes of a vector as segments. Returns how many went: fewer when memory is short. */
static size_t send_segments(struct cr__sim_sock *sock, const struct cr__sim_vector *v, size_t size)
{
	struct cr__sim_sock *peer = sock->peer;
	size_t done = 0;

	while (done < size) {
		size_t part = share(sock->sim, size - done, PIECE_MAX);
		struct cr__sim_segment *segment = cr__alloc(sizeof *segment + part);

		if (!segment)
			break;
		*segment = (struct cr__sim_segment){.when = cr__sim_arrival(peer), .size = part};
		cr__sim_vector_copy(v, done, segment->data, part, false);
		*peer->segments_tail = segment;
		peer->segments_tail = &segment->next;
		if (!peer->coming)
			peer->coming = segment;
		peer->queued_bytes += part;
		done += part;
	}
	return done;
}

static int send_check(struct cr__sim_sock *sock)
{
	int error = sock->error;

	if (sock->state != CR__SIM_CONNECTED)
		return sock->domain == AF_UNIX ? -ENOTCONN : -EPIPE;
	sock->error = 0;
	if (error)
		return error;
	if (sock->send_shut)
		return -EPIPE;
	if (sock->domain == AF_UNIX && (!sock->peer || sock->peer->receive_shut))
		return -EPIPE;
	return 0;
}

bool cr__sim_send(struct cr__sim_sock *sock, struct cr__op *op)
{
	struct cr__sim *sim = sock->sim;
	struct cr__sim_vector v;
	size_t size;

	op->result = send_check(sock);
	if (op->result < 0)
		return true;
	op->result = -EOPNOTSUPP;
	if (!cr__sim_vector_of(op, &v) || (flags_of(op) & MSG_OOB))
		return true;
	op->result = (ssize_t)v.total;
	if (v.total == 0)
		return true;
	if (!sock->peer) {
		/* The other end has closed: it takes no bytes any more, and will say so. */
		cr_nsec back = cr__nsec_add(cr__sim_delay(sock), cr__sim_delay(sock));

		if (sock->reset_at == CORAIL_NEVER)
			sock->reset_at = cr__nsec_add(sim->now, back);
		cr__sim_arm(sock);
		return true;
	}
	size = room(sock);
	op->result = -EAGAIN;
	if (size == 0)
		return flags_of(op) & MSG_DONTWAIT;
	size = share(sim, size < v.total ? size : v.total, SIZE_MAX);
	size = send_segments(sock, &v, size);
	op->result = size ? (ssize_t)size : -ENOMEM;
	if (size)
		cr__sim_sent_to(sock->peer);
	return true;
}

/* Copies arrived bytes into a vector, and takes them out unless it is only a look. */
static void take(struct cr__sim_sock *sock, const struct cr__sim_vector *v, size_t offset,
                 size_t size, bool peek)
{
	struct cr__sim_segment *segment = sock->segments;

	if (!peek) {
		sock->arrived_bytes -= size;
		sock->queued_bytes -= size;
	}
	while (size) {
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): so many bytes are there */
		struct cr__sim_segment *next = segment->next;
		size_t left = segment->size - segment->taken, part = left < size ? left : size;

		cr__sim_vector_copy(v, offset, segment->data + segment->taken, part, true);
		offset += part;
		size -= part;
		if (!peek) {
			segment->taken += part;
			if (segment->taken == segment->size) {
				sock->segments = next;
				if (!next)
					sock->segments_tail = &sock->segments;
				cr__free(segment);
			}
		}
		segment = next;
	}
}

/* What a receive gives that finds no bytes. Returns false when it has to wait. */
static bool receive_nothing(struct cr__sim_sock *sock, struct cr__op *op)
{
	op->result = 0;
	if (sock->ended)
		return true;
	if (sock->error) {
		op->result = sock->error;
		sock->error = 0;
		return true;
	}
	if (sock->receive_shut)
		return true;
	op->result = -EAGAIN;
	return flags_of(op) & MSG_DONTWAIT;
}

/* op->scratch[1] counts what a MSG_WAITALL has received so far. */
bool cr__sim_receive(struct cr__sim_sock *sock, struct cr__op *op)
{
	uint32_t flags = flags_of(op);
	bool all = (flags & (MSG_WAITALL | MSG_PEEK)) == MSG_WAITALL;
	struct msghdr *message = op->buffer;
	struct cr__sim_vector v;
	size_t size;

	op->result = sock->domain == AF_UNIX ? -EINVAL : -ENOTCONN;
	if (sock->state != CR__SIM_CONNECTED)
		return true;
	op->result = -EOPNOTSUPP;
	if (!cr__sim_vector_of(op, &v) || (flags & MSG_OOB))
		return true;
	if (op->code == CR__OP_RECVMSG) {
		message->msg_namelen = 0;
		message->msg_controllen = 0;
		message->msg_flags = 0;
	}
	op->result = 0;
	if (v.total == 0)
		return true;
	size = v.total - op->scratch[1];
	if (sock->arrived_bytes) {
		size = size < sock->arrived_bytes ? size : sock->arrived_bytes;
		size = all ? size : share(sock->sim, size, SIZE_MAX);
		take(sock, &v, op->scratch[1], size, flags & MSG_PEEK);
		op->result = (ssize_t)size;
		if (all)
			op->result = (ssize_t)(op->scratch[1] += size);
		cr__sim_sock_kick(sock->peer);
		if (!all || op->scratch[1] == v.total)
			return true;
	}
	if (all && op->scratch[1]) {
		bool over = sock->ended || sock->error || sock->receive_shut ||
		            (flags & MSG_DONTWAIT);

		op->result = (ssize_t)op->scratch[1];
		return over;
	}
	return receive_nothing(sock, op);
}

/* The events of poll(2) that hold. */
uint32_t cr__sim_ready(const struct cr__sim_sock *sock)
{
	bool over = sock->ended || sock->receive_shut;
	uint32_t ready = 0;

	switch (sock->state) {
	case CR__SIM_FRESH:
		return POLLOUT | POLLHUP;
	case CR__SIM_LISTENING:
		return !cr__list_empty(&sock->accept_queue) || sock->accept_shut ? POLLIN : 0;
	case CR__SIM_CONNECTING:
		return 0;
	case CR__SIM_CONNECTED:
		break;
	}
	if (sock->arrived_bytes || over || sock->error)
		ready |= POLLIN | POLLRDNORM;
	if (over)
		ready |= POLLRDHUP;
	if (sock->error)
		ready |= POLLERR;
	if (sock->send_shut || !sock->peer || room(sock))
		ready |= POLLOUT | POLLWRNORM;
	if ((over && sock->send_shut) || (sock->domain == AF_UNIX && !sock->peer))
		ready |= POLLHUP;
	return ready;
}
