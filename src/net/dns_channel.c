/* SPDX-License-Identifier: MIT */
#include "net/dns_channel.h"

#include "base/alloc.h"

#include <ares.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static int error_of(int status)
{
	switch (status) {
	case ARES_ENODATA:
		return -CORAIL_E_DNS_NODATA;
	case ARES_ENOTFOUND:
		return -CORAIL_E_DNS_NOTFOUND;
	case ARES_ETIMEOUT:
		return -CORAIL_E_DNS_TIMEOUT;
	case ARES_EREFUSED:
	case ARES_ECONNREFUSED:
	case ARES_ENOTIMP:
		return -CORAIL_E_DNS_REFUSED;
	case ARES_EBADRESP:
	case ARES_EFORMERR:
	case ARES_EBADQUERY:
		return -CORAIL_E_DNS_BADREPLY;
	case ARES_EBADNAME:
	case ARES_EBADSTR:
		return -CORAIL_E_DNS_BADNAME;
	case ARES_EBADFAMILY:
		return -EAFNOSUPPORT;
	case ARES_ENOMEM:
		return -ENOMEM;
	case ARES_ECANCELLED:
	case ARES_EDESTRUCTION:
		return -ECANCELED;
	default:
		return -CORAIL_E_DNS_SERVFAIL;
	}
}

/* c-ares opens and closes sockets itself; this tells which of them it wants to hear of. */
static void socket_changed(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct cr__dns_channel *channel = arg;

	cr_poller_set(channel->poller, fd, (readable ? POLLIN : 0) | (writable ? POLLOUT : 0),
	              channel);
}

int cr__dns_channel_open(const struct cr__dns_settings *settings, cr_poller *poller,
                         struct cr__dns_channel **ret_channel)
{
	struct cr__dns_channel *channel = cr__alloc_zero(1, sizeof *channel);
	struct ares_options options = {.sock_state_cb = socket_changed,
	                               .sock_state_cb_data = channel};
	int mask = ARES_OPT_SOCK_STATE_CB, status;
	ares_channel ares;

	if (!channel)
		return -ENOMEM;
	channel->poller = poller;
	if (settings->timeout > 0) {
		options.timeout =
			settings->timeout < cr_seconds(3600)
				? (int)((settings->timeout + cr_millis(1) - 1) / cr_millis(1))
				: 3600 * 1000;
		mask |= ARES_OPT_TIMEOUTMS;
	}
	if (settings->try_count > 0) {
		options.tries = settings->try_count;
		mask |= ARES_OPT_TRIES;
	}
	status = ares_init_options(&ares, &options, mask);
	if (status == ARES_SUCCESS && settings->servers) {
		status = ares_set_servers_ports_csv(ares, settings->servers);
		if (status != ARES_SUCCESS)
			ares_destroy(ares);
	}
	if (status != ARES_SUCCESS) {
		cr__free(channel);
		return status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
	}
	channel->ares = ares;
	*ret_channel = channel;
	return 0;
}

void cr__dns_channel_close(struct cr__dns_channel *channel)
{
	ares_destroy(channel->ares);
	cr__free(channel);
}

/* ---------------------------------------------------------------------------------- queries --- */

struct query {
	void (*ended)(void *arg, const struct cr__dns_answer *answer);
	void *arg;
};

/* The whole answer is as old as the oldest alias on the way to it may get. */
static uint32_t alias_ttl(const struct ares_addrinfo *info)
{
	uint32_t ttl = INT32_MAX;

	for (const struct ares_addrinfo_cname *cname = info->cnames; cname; cname = cname->next)
		if (cname->ttl >= 0 && (uint32_t)cname->ttl < ttl)
			ttl = (uint32_t)cname->ttl;
	return ttl;
}

static int answer_fill(struct cr__dns_answer *answer, const struct ares_addrinfo *info)
{
	uint32_t ttl_max = alias_ttl(info);
	int count = 0;

	for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next) {
		cr_dns_address *address = &answer->addresses[count];
		uint32_t ttl = node->ai_ttl > 0 ? (uint32_t)node->ai_ttl : 0;

		if (count == CR__DNS_ADDRS_MAX ||
		    node->ai_addrlen > (ares_socklen_t)sizeof address->addr.storage)
			break;
		memset(address, 0, sizeof *address);
		memcpy(&address->addr.storage, node->ai_addr, node->ai_addrlen);
		address->addr.length = node->ai_addrlen;
		address->ttl_seconds = ttl < ttl_max ? ttl : ttl_max;
		count++;
	}
	return count > 0 ? count : -CORAIL_E_DNS_NODATA;
}

static void query_ended(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct query *query = arg;
	struct cr__dns_answer answer;

	(void)timeouts;
	if (status == ARES_SUCCESS && info)
		answer.status = answer_fill(&answer, info);
	else
		answer.status = error_of(status);
	ares_freeaddrinfo(info);
	query->ended(query->arg, &answer);
	cr__free(query);
}

void cr__dns_channel_ask(struct cr__dns_channel *channel, const char *name, int family,
                         void (*ended)(void *arg, const struct cr__dns_answer *answer), void *arg)
{
	struct ares_addrinfo_hints hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
	struct query *query = cr__alloc(sizeof *query);

	if (!query) {
		struct cr__dns_answer answer = {.status = -ENOMEM};

		ended(arg, &answer);
		return;
	}
	*query = (struct query){ended, arg};
	ares_getaddrinfo(channel->ares, name, NULL, &hints, query_ended, query);
}

void cr__dns_channel_process(struct cr__dns_channel *channel, int fd, int events)
{
	ares_socket_t readable = ARES_SOCKET_BAD, writable = ARES_SOCKET_BAD;

	if (fd >= 0 && (events & ~POLLOUT))
		readable = fd;
	if (fd >= 0 && (events & (POLLOUT | POLLERR)))
		writable = fd;
	ares_process_fd(channel->ares, readable, writable);
}

void cr__dns_channel_cancel(struct cr__dns_channel *channel)
{
	ares_cancel(channel->ares);
}

cr_nsec cr__dns_channel_timeout(struct cr__dns_channel *channel)
{
	struct timeval buffer, *tv = ares_timeout(channel->ares, NULL, &buffer);

	if (!tv)
		return CORAIL_NEVER;
	return (cr_nsec)tv->tv_sec * 1000000000 + (cr_nsec)tv->tv_usec * 1000;
}
