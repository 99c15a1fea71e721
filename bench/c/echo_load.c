/* SPDX-License-Identifier: MIT */
/*
 * The load generator of the echo benchmarks, one and the same for every server: it opens so many
 * connections, keeps one 64-byte message in flight on each, checks what comes back, and reads the
 * server's own processor clock (all its threads) before and after the messages that count.
 *
 *   echo_load NAME PORT CONNECTIONS MESSAGES SERVER_PID    prints: NAME microseconds-per-message
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_SIZE 64
#define EVENTS 256

struct connection {
	int fd;
	size_t received;
};

static char message[MESSAGE_SIZE];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void connection_open(struct connection *connection, long port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int one = 1;

	connection->received = 0;
	connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connection->fd < 0)
		fail("socket");
	if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) < 0)
		fail("connect");
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void message_send(const struct connection *connection)
{
	if (send(connection->fd, message, MESSAGE_SIZE, MSG_NOSIGNAL) != MESSAGE_SIZE)
		fail("send");
}

/* Takes what has come. Returns whether a whole message is back. */
static int message_receive(struct connection *connection)
{
	char buffer[MESSAGE_SIZE];
	ssize_t n = recv(connection->fd, buffer, MESSAGE_SIZE - connection->received, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		fail("recv");
	if (memcmp(buffer, message + connection->received, (size_t)n) != 0) {
		fprintf(stderr, "the server sent something else back\n");
		exit(1);
	}
	connection->received += (size_t)n;
	if (connection->received < MESSAGE_SIZE)
		return 0;
	connection->received = 0;
	return 1;
}

/* One message in flight on each connection, until so many `messages` were sent and are back. */
static void messages_exchange(int epoll, struct connection *connections, long count, long messages)
{
	struct epoll_event events[EVENTS];
	long sent = 0, back = 0;

	for (; sent < count; sent++)
		message_send(&connections[sent]);
	while (back < sent) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct connection *connection = (struct connection *)events[i].data.ptr;

			if (!message_receive(connection))
				continue;
			back++;
			if (sent < messages) {
				message_send(connection);
				sent++;
			}
		}
	}
}

int main(int argc, char **argv)
{
	long port = bench_argument(argc, argv, 2);
	long count = bench_argument(argc, argv, 3);
	long messages = bench_argument(argc, argv, 4);
	long pid = bench_argument(argc, argv, 5);
	struct connection *connections = calloc((size_t)count, sizeof *connections);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	clockid_t server;
	int64_t before;

	if (!connections || epoll < 0)
		fail("set-up");
	errno = clock_getcpuclockid((pid_t)pid, &server);
	if (errno)
		fail("the server's clock");
	for (size_t i = 0; i < MESSAGE_SIZE; i++)
		message[i] = (char)('0' + i);
	for (long i = 0; i < count; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};

		connection_open(&connections[i], port);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event) < 0)
			fail("epoll_ctl");
	}
	messages_exchange(epoll, connections, count, messages / 10 + 2 * count);
	before = bench_clock(server);
	messages_exchange(epoll, connections, count, messages);
	bench_print(argv[1], (double)(bench_clock(server) - before) / 1000.0 / (double)messages);
	return 0;
}
