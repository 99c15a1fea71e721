/* SPDX-License-Identifier: MIT */
#include "loop/backend/sim.h"

#include "base/clock.h"

#include <string.h>

/*
 * Connections: made, waited for, accepted. The other end is allocated when the connect begins, so
 * that the moment at which the network answers has nothing left that could fail for want of
 * memory.
 */

/* What answer() gives besides a result: the listener has no room yet. */
enum { ANSWER_LATER = 1 };

static void connect_forget(struct cr__sim_sock *sock)
{
	if (sock->embryo)
		cr__sim_sock_destroy(sock->embryo);
	sock->embryo = NULL;
	sock->state = CR__SIM_FRESH;
	sock->answer_at = CORAIL_NEVER;
	cr__list_remove(&sock->queue_link);
	cr__sim_arm(sock);
}

static int answer_none(const struct cr__sim_address *target)
{
	if (target->any.sa_family == AF_UNIX && target->local.sun_path[0])
		return -ENOENT;
	return -ECONNREFUSED;
}

static void establish(struct cr__sim_sock *sock, struct cr__sim_sock *listener,
                      const struct cr__sim_address *target)
{
	struct cr__sim_sock *child = sock->embryo;

	child->domain = listener->domain;
	child->local = *target;
	child->remote = sock->local;
	cr__sim_address_meant(&child->remote);
	cr__sim_name_seen_by(listener, &child->local);
	cr__sim_name_seen_by(listener, &child->remote);
	child->send_buffer = listener->send_buffer;
	child->receive_buffer = listener->receive_buffer;
	child->state = sock->state = CR__SIM_CONNECTED;
	child->peer = sock;
	sock->peer = child;
	sock->embryo = NULL;
	cr__list_push_back(&listener->accept_queue, &child->queue_link);
	listener->accept_count++;
}

/* What the target has to say to a connect. Returns 0, an error, or ANSWER_LATER. */
static int answer(struct cr__sim_sock *sock)
{
	struct cr__sim_address target = sock->remote;
	struct cr__sim_sock *listener;
	int r = sock->answer_error;

	sock->answer_at = CORAIL_NEVER;
	cr__sim_address_meant(&target);
	listener = cr__sim_listener_find(sock->sim, &target);
	if (r == 0 && !listener)
		r = answer_none(&target);
	if (r < 0) {
		connect_forget(sock);
		return r;
	}
	/* As Linux counts: one more than the backlog (listen(2)). */
	if (listener->accept_count > listener->backlog) {
		cr__list_push_back(&listener->connect_queue, &sock->queue_link);
		return ANSWER_LATER;
	}
	establish(sock, listener, &target);
	cr__sim_sock_kick(listener);
	return 0;
}

void cr__sim_connect_answer(struct cr__sim_sock *sock)
{
	int r = answer(sock);

	if (r != ANSWER_LATER)
		cr__sim_op_complete(sock->sim, sock->op[CR__SIM_WRITE], r);
}

void cr__sim_connect_abort(struct cr__sim_sock *sock)
{
	connect_forget(sock);
}

/* When the answer comes, and which, unless the listener itself has to say. */
static void answer_plan(struct cr__sim_sock *sock, const struct cr__sim_address *target)
{
	struct cr__sim *sim = sock->sim;
	cr_nsec delay = cr__nsec_add(cr__sim_delay(sock), cr__sim_delay(sock));

	sock->answer_error = 0;
	for (struct cr__sim_rule *rule = sim->rules; rule; rule = rule->next) {
		if (!cr__sim_address_matches(&rule->address, target))
			continue;
		delay = rule->delay;
		sock->answer_error = rule->error;
		break;
	}
	if (sim->connect_fail_in && --sim->connect_fail_in == 0)
		sock->answer_error = sim->connect_fail_error;
	sock->answer_at = cr__nsec_add(sim->now, delay);
}

static int connect_prepare(struct cr__sim_sock *sock, struct cr__op *op,
                           struct cr__sim_address *ret_target)
{
	struct cr__sim_address target;
	int r;

	if (sock->state != CR__SIM_FRESH)
		return sock->state == CR__SIM_CONNECTING ? -EALREADY : -EISCONN;
	r = cr__sim_address_set(&target, op->buffer, (socklen_t)op->size);
	if (r < 0)
		return r;
	if (target.any.sa_family != sock->domain)
		return sock->domain == AF_UNIX ? -EINVAL : -EAFNOSUPPORT;
	sock->remote = target;
	cr__sim_address_meant(&target);
	if (target.any.sa_family == sock->domain)
		sock->remote = target;
	r = cr__sim_name_auto(sock, &target);
	if (r < 0)
		return r;
	r = cr__sim_sock_create(sock->sim, sock->domain, &sock->embryo);
	if (r < 0)
		return r;
	*ret_target = target;
	return 0;
}

bool cr__sim_connect(struct cr__sim_sock *sock, struct cr__op *op)
{
	struct cr__sim_address target;
	int r = connect_prepare(sock, op, &target);

	if (r == 0) {
		sock->state = CR__SIM_CONNECTING;
		answer_plan(sock, &target);
		r = ANSWER_LATER;
		if (sock->domain == AF_UNIX && sock->answer_at <= sock->sim->now)
			r = answer(sock);
		else
			cr__sim_arm(sock);
	}
	op->result = r;
	return r != ANSWER_LATER;
}

/* There is room in the queue: whoever has waited longest comes in. */
static void connect_next(struct cr__sim_sock *listener)
{
	struct cr__list *node = cr__list_first(&listener->connect_queue);
	struct cr__sim_sock *sock;

	if (!node)
		return;
	sock = CR__CONTAINER(node, struct cr__sim_sock, queue_link);
	cr__list_remove(node);
	cr__sim_connect_answer(sock);
}

bool cr__sim_accept(struct cr__sim_sock *sock, struct cr__op *op)
{
	struct cr__sim *sim = sock->sim;
	struct cr__list *node = cr__list_first(&sock->accept_queue);
	struct cr__sim_sock *child;

	op->result = -EINVAL;
	if (sock->state != CR__SIM_LISTENING || sock->accept_shut)
		return true;
	if (!node)
		return false;
	if (sim->accept_fail_count) {
		sim->accept_fail_count--;
		op->result = sim->accept_fail_error;
		return true;
	}
	child = CR__CONTAINER(node, struct cr__sim_sock, queue_link);
	op->result = cr__sim_sock_number(child);
	if (op->result < 0)
		return true;
	cr__list_remove(node);
	sock->accept_count--;
	if (op->buffer && op->length)
		cr__sim_address_get(&child->remote, op->buffer, op->length);
	connect_next(sock);
	return true;
}

/* A listener that is being closed: those in its queue are reset, those before it are refused. */
void cr__sim_listener_end(struct cr__sim_sock *sock)
{
	struct cr__list *node;

	sock->accept_shut = true;
	while ((node = cr__list_first(&sock->accept_queue))) {
		struct cr__sim_sock *child = CR__CONTAINER(node, struct cr__sim_sock, queue_link);

		child->reset_on_close = true;
		cr__sim_stream_close(child);
		cr__sim_sock_destroy(child);
	}
	while ((node = cr__list_first(&sock->connect_queue))) {
		cr__list_remove(node);
		cr__sim_connect_answer(CR__CONTAINER(node, struct cr__sim_sock, queue_link));
	}
}

int cr__sim_sock_listen(struct cr__loop *loop, int fd, int backlog)
{
	struct cr__sim *sim = cr__sim_of(loop);
	struct cr__sim_sock *sock;
	int r = cr__sim_sock_find(sim, fd, &sock);

	if (r < 0)
		return r;
	if (sock->state != CR__SIM_FRESH && sock->state != CR__SIM_LISTENING)
		return -EINVAL;
	if (!sock->local.length) {
		struct cr__sim_address any = {.any.sa_family = (sa_family_t)sock->domain};
		socklen_t size = sock->domain == AF_INET ? sizeof any.v4 : sizeof any.v6;

		if (sock->domain == AF_UNIX)
			return -EINVAL;
		r = cr__sim_sock_bind(loop, fd, &any.any, size);
		if (r < 0)
			return r;
	}
	if (sock->state == CR__SIM_FRESH && cr__sim_name_taken(sock))
		return -EADDRINUSE;
	sock->state = CR__SIM_LISTENING;
	sock->backlog = backlog < 0 ? 0 : (size_t)backlog;
	return 0;
}
