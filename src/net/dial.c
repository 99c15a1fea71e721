/* SPDX-License-Identifier: MIT */
#include "net/dial.h"

#include "net/addr.h"
#include "net/conn.h"

#include <corail/dns.h>
#include <corail/io.h>
#include <corail/task.h>

#include "loop/loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

/*
 * Dialling: RFC 8305. Attempts are tasks of a scope; the dialler starts the next one when 250 ms
 * have passed or the last one has failed, and the first to succeed ends the scope.
 */

/* RFC 8305 section 5: "Connection Attempt Delay", recommended. */
#define STEP cr_millis(250)

enum { ADDRS_MAX = 16 };

struct attempt {
	const cr_addr *addr;
	int fd; /* connected, or -1 */
	cr_task task;
};

/* Connects a new socket. Returns its descriptor, or an error. */
static int connect_addr(const cr_addr *addr)
{
	int fd, r;

	fd = cr__sock_open(cr__loop_self(), addr->storage.ss_family, SOCK_STREAM, 0);
	if (fd < 0)
		return fd;
	r = cr_fd_connect(fd, (const struct sockaddr *)&addr->storage, addr->length);
	if (r == 0)
		return fd;
	cr_fd_close(fd);
	return r;
}

static int attempt_run(struct attempt *attempt)
{
	int fd = connect_addr(attempt->addr);

	if (fd < 0)
		return fd;
	attempt->fd = fd;
	return 0;
}

/* How much a failure says about the target, the most last. */
static int weight(int error)
{
	static const int order[] = {-EAFNOSUPPORT, -EADDRNOTAVAIL, -ENETUNREACH, -ENETDOWN,
	                            -EHOSTDOWN,    -EHOSTUNREACH,  -ETIMEDOUT};

	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		if (order[i] == error)
			return (int)i + 1;
	return error == 0 ? 0 : 100;
}

/* Which of two errors of failed attempts says more to the caller. */
static int telling(int a, int b)
{
	return weight(b) > weight(a) ? b : a;
}

void cr__dial_interleave(cr_addr *addrs, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		int family = addrs[i - 1].storage.ss_family;
		size_t other = i;
		cr_addr moved;

		while (other < count && addrs[other].storage.ss_family == family)
			other++;
		if (other == count)
			return;
		moved = addrs[other];
		memmove(&addrs[i + 1], &addrs[i], (other - i) * sizeof *addrs);
		addrs[i] = moved;
	}
}

static struct attempt *attempt_of(struct attempt *attempts, size_t count, cr_task task)
{
	for (size_t i = 0; i < count; i++)
		if (attempts[i].task.id == task.id)
			return &attempts[i];
	return NULL;
}

static int attempt_start(cr_scope *scope, struct attempt *attempt, const cr_addr *addr)
{
	*attempt = (struct attempt){.addr = addr, .fd = -1};
	attempt->task = cr_spawn(scope, attempt_run, attempt);
	return cr_task_error(attempt->task);
}

/* Starts attempts and waits until one has succeeded or all have failed. Returns its descriptor. */
static int race(cr_scope *scope, struct attempt *attempts, const cr_addr *addrs, size_t count)
{
	size_t started = 0, running = 0;
	int error = 0;

	while (started < count || running > 0) {
		struct attempt *ended;
		cr_task task;
		int r;

		if (started < count) {
			r = attempt_start(scope, &attempts[started], &addrs[started]);
			if (r < 0)
				return r;
			started++;
			running++;
		}
		r = cr_timeout(started < count ? STEP : CORAIL_NEVER, cr_scope_next(scope, &task));
		if (r == -ETIMEDOUT)
			continue;
		if (r < 0)
			return r;
		running--;
		ended = attempt_of(attempts, started, task);
		if (ended && ended->fd >= 0)
			return ended->fd;
		if (cr_task_result(task, &r) == 0)
			error = telling(error, r);
	}
	return error;
}

/* Ends the race: whoever else has come through is closed. */
static void losers_close(cr_scope *scope, struct attempt *attempts, size_t count, int winner)
{
	cr_scope_cancel(scope);
	cr_scope_wait(scope);
	for (size_t i = 0; i < count; i++)
		if (attempts[i].fd >= 0 && attempts[i].fd != winner)
			cr_fd_close(attempts[i].fd);
}

static int dial_many(const cr_addr *addrs, size_t count)
{
	struct attempt attempts[ADDRS_MAX];
	int fd;

	for (size_t i = 0; i < count; i++)
		attempts[i].fd = -1;

	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	fd = race(&scope, attempts, addrs, count);
	losers_close(&scope, attempts, count, fd);
	return fd;
}

int cr_conn_open_addrs(const cr_addr *addrs, size_t count, cr_conn **ret_conn)
{
	int family, fd, r = cr__park_check(__func__);
	cr_addr addr = {.length = sizeof addr.storage};

	if (r < 0)
		return r;
	if (count == 0)
		return -EINVAL;
	fd = count == 1 ? connect_addr(addrs)
	                : dial_many(addrs, count < ADDRS_MAX ? count : ADDRS_MAX);
	if (fd < 0)
		return fd;
	r = cr__sock_name(cr__loop_self(), fd, (struct sockaddr *)&addr.storage, &addr.length);
	family = r < 0 ? AF_UNSPEC : addr.storage.ss_family;
	r = cr__conn_from_socket(fd, family, ret_conn);
	if (r < 0)
		cr_fd_close(fd);
	return r;
}

int cr_conn_open(const char *target, cr_conn **ret_conn)
{
	cr_dns_address found[ADDRS_MAX];
	cr_addr addrs[ADDRS_MAX];
	char host[CR__HOST_SIZE];
	int port, count, r = cr__park_check(__func__);

	if (r < 0)
		return r;
	if (strncmp(target, "unix:", 5) == 0) {
		r = cr_addr_parse(target, addrs);
		return r < 0 ? r : cr_conn_open_addrs(addrs, 1, ret_conn);
	}
	port = cr__target_split(target, host);
	if (port < 0)
		return port;
	if (cr__addr_parse_ip(host, port, addrs) == 0)
		return cr_conn_open_addrs(addrs, 1, ret_conn);
	count = cr_dns_lookup(host, AF_UNSPEC, found, ADDRS_MAX);
	if (count < 0)
		return count;
	for (int i = 0; i < count; i++) {
		addrs[i] = found[i].addr;
		cr_addr_port_set(&addrs[i], port);
	}
	cr__dial_interleave(addrs, (size_t)count);
	return cr_conn_open_addrs(addrs, (size_t)count, ret_conn);
}
