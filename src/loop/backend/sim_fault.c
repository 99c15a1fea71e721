/* SPDX-License-Identifier: MIT */
#include "loop/backend/sim.h"

#include "base/alloc.h"
#include "loop/backend/sim_disk.h"

/* What corail/sim.h declares: the simulation's controls and its scripted faults. */

static struct cr__sim *sim_here(void)
{
	struct cr__loop *loop = cr__loop_self();

	return loop && loop->backend == &cr__backend_sim ? cr__sim_of(loop) : NULL;
}

int cr_sim_network_get(cr_sim_network *ret_network)
{
	struct cr__sim *sim = sim_here();

	if (!sim)
		return -ESRCH;
	*ret_network = sim->network;
	return 0;
}

int cr_sim_network_set(const cr_sim_network *network)
{
	struct cr__sim *sim = sim_here();

	if (!sim)
		return -ESRCH;
	sim->network = *network;
	return 0;
}

int cr_sim_connect_fail(uint64_t nth, int error)
{
	struct cr__sim *sim = sim_here();

	if (!sim)
		return -ESRCH;
	if (nth && error >= 0)
		return -EINVAL;
	sim->connect_fail_in = nth;
	sim->connect_fail_error = error;
	return 0;
}

int cr_sim_connect_rule(const struct sockaddr *addr, socklen_t length, cr_nsec delay, int error)
{
	struct cr__sim *sim = sim_here();
	struct cr__sim_address address;
	struct cr__sim_rule *rule;
	int r;

	if (!sim)
		return -ESRCH;
	r = cr__sim_address_set(&address, addr, length);
	if (r < 0 || error > 0)
		return -EINVAL;
	for (rule = sim->rules; rule; rule = rule->next) {
		if (cr__sim_address_equal(&rule->address, &address))
			break;
	}
	if (!rule) {
		rule = cr__alloc_zero(1, sizeof *rule);
		if (!rule)
			return -ENOMEM;
		rule->address = address;
		rule->next = sim->rules;
		sim->rules = rule;
	}
	rule->delay = delay < 0 ? 0 : delay;
	rule->error = error;
	return 0;
}

int cr_sim_accept_fail(uint64_t count, int error)
{
	struct cr__sim *sim = sim_here();

	if (!sim)
		return -ESRCH;
	if (count && error >= 0)
		return -EINVAL;
	sim->accept_fail_count = count;
	sim->accept_fail_error = error;
	return 0;
}

int cr_sim_fd_fail(int fd, uint64_t count, int error)
{
	struct cr__sim *sim = sim_here();
	struct cr__sim_sock *sock;

	if (!sim)
		return -ESRCH;
	if (count && error >= 0)
		return -EINVAL;
	if (cr__sim_sock_find(sim, fd, &sock) < 0)
		return -EBADF;
	sock->fail_count = count;
	sock->fail_error = error;
	return 0;
}

int cr_sim_reset(int fd)
{
	struct cr__sim *sim = sim_here();
	struct cr__sim_sock *sock;

	if (!sim)
		return -ESRCH;
	if (cr__sim_sock_find(sim, fd, &sock) < 0)
		return -EBADF;
	if (sock->state != CR__SIM_CONNECTED || !sock->peer)
		return -ENOTCONN;
	cr__sim_reset_send(sock);
	cr__sim_reset_here(sock);
	cr__sim_arm(sock);
	cr__sim_sock_kick(sock);
	return 0;
}

int cr_sim_partition(cr_nsec until)
{
	struct cr__sim *sim = sim_here();

	if (!sim)
		return -ESRCH;
	sim->partition_until = until;
	for (struct cr__list *node = sim->socks.next; node != &sim->socks; node = node->next)
		cr__sim_arm(CR__CONTAINER(node, struct cr__sim_sock, link));
	return 0;
}

int cr_sim_fd_count(void)
{
	struct cr__sim *sim = sim_here();

	if (!sim)
		return -ESRCH;
	return (int)(sim->table_used + (sim->disk ? sim->disk->table_used : 0));
}
