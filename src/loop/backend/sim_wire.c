/* SPDX-License-Identifier: MIT */
#include "loop/backend/sim.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/panic.h"

/* The wire: when things arrive, and how connections end. */

/* How long something takes from a socket to its peer. */
cr_nsec cr__sim_delay(struct cr__sim_sock *sock)
{
	struct cr__sim *sim = sock->sim;
	cr_nsec delay = sim->network.latency;

	if (sock->domain == AF_UNIX)
		return 0;
	if (sim->network.jitter > 0)
		delay = cr__nsec_add(delay,
		                     (cr_nsec)cr__sim_random(sim, (uint64_t)sim->network.jitter));
	return delay;
}

static cr_nsec earlier(cr_nsec a, cr_nsec b)
{
	return a < b ? a : b;
}

static bool is_cut_off(const struct cr__sim_sock *sock)
{
	return sock->domain != AF_UNIX && sock->sim->now < sock->sim->partition_until;
}

/* Sets the socket's timer to what comes next. */
void cr__sim_arm(struct cr__sim_sock *sock)
{
	struct cr__sim *sim = sock->sim;
	cr_nsec when = earlier(earlier(sock->end_at, sock->reset_at), sock->answer_at);
	int r;

	if (sock->coming)
		when = earlier(when, sock->coming->when);
	if (sock->datagrams)
		when = earlier(sock->flying ? sock->flying->when : CORAIL_NEVER, sock->refused_at);
	if (is_cut_off(sock) && when < sim->partition_until)
		when = sim->partition_until;
	cr__timer_unset(&sim->timers, &sock->timer);
	r = cr__timer_set(&sim->timers, &sock->timer, when);
	CR__ASSERT(r == 0);
}

/* What was on its way, and is due, is here. */
void cr__sim_arrive(struct cr__timer *timer)
{
	struct cr__sim_sock *sock = CR__CONTAINER(timer, struct cr__sim_sock, timer);
	cr_nsec now = sock->sim->now;

	if (sock->datagrams && !is_cut_off(sock)) {
		cr__sim_datagram_arrive(sock);
	} else if (!is_cut_off(sock)) {
		if (sock->answer_at <= now)
			cr__sim_connect_answer(sock);
		while (sock->coming && sock->coming->when <= now) {
			sock->arrived_bytes += sock->coming->size;
			sock->coming = sock->coming->next;
		}
		if (!sock->coming && sock->end_at <= now) {
			sock->end_at = CORAIL_NEVER;
			sock->ended = true;
		}
		if (!sock->coming && sock->reset_at <= now)
			cr__sim_reset_here(sock);
	}
	cr__sim_arm(sock);
	cr__sim_sock_kick(sock);
}

/* Something has been sent to a socket: between Unix sockets it is there at once. */
void cr__sim_sent_to(struct cr__sim_sock *sock)
{
	if (sock->domain == AF_UNIX)
		cr__sim_arrive(&sock->timer);
	else
		cr__sim_arm(sock);
}

/* When something that is sent now to a socket gets there: behind everything before it. */
cr_nsec cr__sim_arrival(struct cr__sim_sock *sock)
{
	cr_nsec when = cr__nsec_add(sock->sim->now, cr__sim_delay(sock));

	if (sock->last_at < when)
		sock->last_at = when;
	return sock->last_at;
}

static void end_send(struct cr__sim_sock *sock)
{
	struct cr__sim_sock *peer = sock->peer;

	if (sock->send_shut)
		return;
	sock->send_shut = true;
	if (!peer)
		return;
	peer->end_at = cr__sim_arrival(peer);
	cr__sim_sent_to(peer);
}

/* Resets the peer, if there is one, and takes leave of it. */
void cr__sim_reset_send(struct cr__sim_sock *sock)
{
	struct cr__sim_sock *peer = sock->peer;

	if (!peer)
		return;
	sock->peer = peer->peer = NULL;
	peer->reset_at = earlier(peer->reset_at, cr__sim_arrival(peer));
	cr__sim_sent_to(peer);
}

/* A reset has come. What had arrived can still be read; what had not never will. */
void cr__sim_reset_here(struct cr__sim_sock *sock)
{
	struct cr__sim_segment **link = &sock->segments;

	while (*link != sock->coming)
		link = &(*link)->next;
	sock->segments_tail = link;
	while (sock->coming) {
		struct cr__sim_segment *segment = sock->coming;

		sock->coming = segment->next;
		sock->queued_bytes -= segment->size;
		cr__free(segment);
	}
	*link = NULL;
	sock->end_at = sock->reset_at = CORAIL_NEVER;
	/* After an orderly end, Linux has only the writer hear of it (tcp_reset()). */
	sock->error = sock->ended ? -EPIPE : -ECONNRESET;
	sock->send_shut = sock->receive_shut = true;
}

/*
 * A connected socket is being closed. Bytes that it has not read, or that are still on their way
 * to it, turn the end into a reset (RFC 1122, 4.2.2.13, and RFC 2525, 2.17).
 */
void cr__sim_stream_close(struct cr__sim_sock *sock)
{
	struct cr__sim_sock *peer = sock->peer;

	if (!peer)
		return;
	if (!sock->reset_on_close && sock->arrived_bytes == 0)
		end_send(sock);
	if (sock->reset_on_close || sock->queued_bytes > 0) {
		cr__sim_reset_send(sock);
		return;
	}
	sock->peer = peer->peer = NULL;
	if (peer->domain == AF_UNIX)
		cr__sim_sock_kick(peer);
}

int cr__sim_sock_shutdown(struct cr__loop *loop, int fd, int how)
{
	struct cr__sim_sock *sock;
	int r = cr__sim_sock_find(cr__sim_of(loop), fd, &sock);

	if (r < 0)
		return r;
	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return -EINVAL;
	if (sock->state == CR__SIM_LISTENING && how != SHUT_WR) {
		sock->accept_shut = true;
		cr__sim_sock_kick(sock);
		return 0;
	}
	if (sock->state != CR__SIM_CONNECTED || (!sock->peer && sock->send_shut))
		return -ENOTCONN;
	if (how != SHUT_RD)
		end_send(sock);
	if (how != SHUT_WR)
		sock->receive_shut = true;
	cr__sim_sock_kick(sock);
	cr__sim_sock_kick(sock->peer);
	return 0;
}
