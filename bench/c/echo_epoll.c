/* SPDX-License-Identifier: MIT */
/* An echo server by hand on epoll: level-triggered, one recv and one send for each message. */
#include "listen.h"

#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 512
#define BUFFER_SIZE 4096

static void watch(int epoll, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		perror("epoll_ctl");
		exit(1);
	}
}

static void accept_one(int epoll, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	bench_nodelay(fd);
	watch(epoll, fd);
}

static void echo(int fd)
{
	char buffer[BUFFER_SIZE];
	ssize_t n = recv(fd, buffer, sizeof buffer, 0);

	if (n <= 0 || send(fd, buffer, (size_t)n, MSG_NOSIGNAL) != n)
		close(fd);
}

int main(void)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int listener = bench_listen(SOCK_NONBLOCK);
	struct epoll_event events[EVENTS];

	watch(epoll, listener);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				accept_one(epoll, listener);
			else
				echo(events[i].data.fd);
		}
	}
}
