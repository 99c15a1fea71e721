/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_DNS_SERVER_H
#define CORAIL_TESTS_DNS_SERVER_H

/*
 * A name server of a few lines, on UDP and TCP of the loopback, in tasks of the loop under test.
 * What it does depends on the first label of the name that it is asked for (RFC 1035 section 4 for
 * the format).
 */

#include "in_task.h"

#include <netinet/in.h>

enum { DNS_A = 1, DNS_CNAME = 5, DNS_AAAA = 28 };
enum { DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_REFUSED = 5 };

struct dns_server {
	int udp;
	cr_listener *tcp;
	char address[32];
	cr_scope *scope;
	int asked;      /* for A records of names below .test */
	int asked_tcp;  /* of those, over TCP */
	int asked_mute; /* of those, for names that begin with "mute" */
	int hold;       /* names that begin with "slow" are not answered as long as this is set */
};

struct dns_query {
	struct dns_server *server;
	unsigned char packet[512];
	size_t size;
	struct sockaddr_in from;
	int over_tcp;
};

/* One question: its name as text and its type. */
static int dns_parse(const struct dns_query *q, char name[256], int *ret_type, size_t *ret_end)
{
	size_t at = 12, n = 0;

	while (at < q->size && q->packet[at]) {
		size_t label = q->packet[at++];

		if (at + label >= q->size || n + label + 2 > 256)
			return -1;
		if (n)
			name[n++] = '.';
		memcpy(name + n, q->packet + at, label);
		n += label;
		at += label;
	}
	name[n] = '\0';
	if (at + 5 > q->size)
		return -1;
	*ret_type = q->packet[at + 1] << 8 | q->packet[at + 2];
	*ret_end = at + 5;
	return 0;
}

/* Appends a record about the name of the question. */
static size_t dns_record(unsigned char *p, int type, unsigned ttl, const void *data, size_t size)
{
	const unsigned char head[] = {0xc0,
	                              12,
	                              0,
	                              (unsigned char)type,
	                              0,
	                              1,
	                              0,
	                              0,
	                              (unsigned char)(ttl >> 8),
	                              (unsigned char)ttl,
	                              0,
	                              (unsigned char)size};

	memcpy(p, head, sizeof head);
	memcpy(p + sizeof head, data, size);
	return sizeof head + size;
}

static int dns_is(const char *name, const char *label)
{
	return strncmp(name, label, strlen(label)) == 0 && name[strlen(label)] == '.';
}

static unsigned dns_ttl(const char *name)
{
	return dns_is(name, "zero") ? 0 : dns_is(name, "brief") ? 1 : 300;
}

/* Writes the answer to a query of that type. Returns its size. */
static size_t dns_answer(const struct dns_query *q, const char *name, int type, size_t end,
                         unsigned char *out)
{
	unsigned char v4[4] = {127, 0, 0, 9}, v6[16] = {[15] = 9};
	int code = 0, count = 0, truncated = 0;
	size_t n = end;

	memcpy(out, q->packet, end);
	memset(out + 6, 0, 6);
	out[2] = 0x84;
	if (dns_is(name, "fail"))
		code = DNS_SERVFAIL;
	else if (dns_is(name, "refuse"))
		code = DNS_REFUSED;
	else if (dns_is(name, "big") && !q->over_tcp)
		truncated = 1;
	else if (!strstr(name, ".test") || strstr(name, ".test.") || dns_is(name, "none"))
		code = DNS_NXDOMAIN;
	else if (dns_is(name, "big") && type == DNS_A)
		for (; count < 30; count++, v4[3]++)
			n += dns_record(out + n, DNS_A, 300, v4, sizeof v4);
	else if (type == DNS_A && !dns_is(name, "six"))
		n += dns_record(out + n, DNS_A, dns_ttl(name), v4, sizeof v4), count = 1;
	else if (type == DNS_AAAA && !dns_is(name, "four"))
		n += dns_record(out + n, DNS_AAAA, dns_ttl(name), v6, sizeof v6), count = 1;
	out[2] |= (unsigned char)(truncated << 1);
	out[3] = (unsigned char)(0x80 | code);
	out[7] = (unsigned char)count;
	if (dns_is(name, "garbage")) {
		memset(out + 12, 0xff, n - 12);
		out[7] = 200;
	}
	return n;
}

/* Answers one query. Returns the size of the answer, 0 for none. */
static size_t dns_handle(struct dns_query *q, unsigned char *out)
{
	char name[256];
	size_t end;
	int type;

	if (dns_parse(q, name, &type, &end) < 0)
		return 0;
	if (type == DNS_A && strstr(name, ".test") && !strstr(name, ".test.")) {
		q->server->asked++;
		q->server->asked_tcp += q->over_tcp;
		q->server->asked_mute += dns_is(name, "mute");
	}
	if (dns_is(name, "mute"))
		return 0;
	while (dns_is(name, "slow") && q->server->hold)
		if (cr_sleep(cr_millis(1)) < 0)
			return 0;
	return dns_answer(q, name, type, end, out);
}

static int dns_udp_one(struct dns_query *q)
{
	unsigned char out[2048];
	struct iovec one = {out, dns_handle(q, out)};
	struct msghdr message = {.msg_name = &q->from,
	                         .msg_namelen = sizeof q->from,
	                         .msg_iov = &one,
	                         .msg_iovlen = 1};

	if (one.iov_len > 0)
		sendmsg(q->server->udp, &message, MSG_DONTWAIT);
	return 0;
}

static int dns_udp(struct dns_server *server)
{
	for (;;) {
		struct dns_query q = {.server = server};
		struct iovec one = {q.packet, sizeof q.packet};
		struct msghdr message = {.msg_name = &q.from,
		                         .msg_namelen = sizeof q.from,
		                         .msg_iov = &one,
		                         .msg_iovlen = 1};
		ssize_t n = cr_fd_recvmsg(server->udp, &message, 0);

		if (n == -ECANCELED)
			return 0;
		if (n < 0)
			continue;
		q.size = (size_t)n;
		cr_spawn_copy(server->scope, dns_udp_one, &q);
	}
}

static int dns_tcp_one(cr_conn *conn, void *arg)
{
	struct dns_query q = {.server = arg, .over_tcp = 1};
	unsigned char head[2], out[2048];

	while (cr_conn_read_exactly(conn, head, 2) == 0) {
		q.size = (size_t)(head[0] << 8 | head[1]);
		if (q.size > sizeof q.packet || cr_conn_read_exactly(conn, q.packet, q.size) < 0)
			return 0;
		q.size = dns_handle(&q, out + 2);
		out[0] = (unsigned char)(q.size >> 8);
		out[1] = (unsigned char)q.size;
		if (cr_conn_write(conn, out, q.size + 2) < 0)
			return 0;
	}
	return 0;
}

static int dns_tcp(struct dns_server *server)
{
	cr_listener_serve(server->tcp, NULL, dns_tcp_one, server);
	return 0;
}

/* Starts a server in a scope and makes this loop use it. UDP and TCP have the same port. */
__attribute__((unused)) static void dns_server_start(struct dns_server *server, cr_scope *scope)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int r = -EADDRINUSE;

	server->scope = scope;
	for (int i = 0; i < 20 && r == -EADDRINUSE; i++) {
		CHECK_EQ(cr_listener_open("127.0.0.1:0", NULL, &server->tcp), 0);
		server->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		a.sin_port = htons((uint16_t)cr_listener_port(server->tcp));
		r = bind(server->udp, (struct sockaddr *)&a, sizeof a) < 0 ? -errno : 0;
		if (r < 0) {
			close(server->udp);
			cr_listener_close(server->tcp);
		}
	}
	CHECK_EQ(r, 0);
	snprintf(server->address, sizeof server->address, "127.0.0.1:%d",
	         cr_listener_port(server->tcp));
	CHECK_EQ(cr_dns_servers_set(server->address), 0);
	CHECK_EQ(cr_dns_retry_set(cr_seconds(10), 2), 0);
	cr_spawn(scope, dns_udp, server);
	cr_spawn(scope, dns_tcp, server);
}

__attribute__((unused)) static void dns_server_stop(struct dns_server *server)
{
	cr_fd_close(server->udp);
	cr_listener_close(server->tcp);
}

#endif
