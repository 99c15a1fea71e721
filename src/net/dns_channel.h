/* SPDX-License-Identifier: MIT */
#ifndef CR__NET_DNS_CHANNEL_H
#define CR__NET_DNS_CHANNEL_H

/*
 * c-ares, wrapped: a channel knows servers and has queries under way. Everything here runs on the
 * loop's stack: c-ares is never entered from a task, and never from its own callbacks.
 */

#include "net/dns_cache.h"

#include <corail/io.h>

#include <stdbool.h>

struct cr__dns_settings {
	char *servers; /* "127.0.0.1:5353,..."; NULL: the system's */
	cr_nsec timeout;
	int try_count;
};

struct cr__dns_channel {
	struct cr__list link; /* for the owner */
	void *ares;
	cr_poller *poller;   /* the owner's, for the sockets of all its channels */
	size_t flight_count; /* queries under way; for the owner */
	size_t wanted_count; /* those that somebody waits for; for the owner */
	bool retired;        /* the settings have changed; for the owner */
};

/* Returns 0, -ENOMEM, -EINVAL for servers that are none, -EMFILE and the like. */
int cr__dns_channel_open(const struct cr__dns_settings *settings, cr_poller *poller,
                         struct cr__dns_channel **ret_channel);

/* Ends all queries (with -ECANCELED) and frees. */
void cr__dns_channel_close(struct cr__dns_channel *channel);

/*
 * Asks. ended(arg, answer) is called once: now, in cr__dns_channel_process(), _cancel() or
 * _close().
 */
void cr__dns_channel_ask(struct cr__dns_channel *channel, const char *name, int family,
                         void (*ended)(void *arg, const struct cr__dns_answer *answer), void *arg);

/*
 * Handles what a socket is ready for (its poll events), or, without a descriptor (-1), what is
 * late.
 */
void cr__dns_channel_process(struct cr__dns_channel *channel, int fd, int events);

/* Ends all queries under way with -ECANCELED. */
void cr__dns_channel_cancel(struct cr__dns_channel *channel);

/* How long until something will be late; CORAIL_NEVER when nothing is under way. */
cr_nsec cr__dns_channel_timeout(struct cr__dns_channel *channel);

#endif
