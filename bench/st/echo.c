/* SPDX-License-Identifier: MIT */
/* An echo server on State Threads with its epoll engine, a thread for each connection. */
#include "../c/listen.h"

#include <st.h>

#define BUFFER_SIZE 4096

static void *serve(void *argument)
{
	st_netfd_t client = (st_netfd_t)argument;
	char buffer[BUFFER_SIZE];
	ssize_t n;

	while ((n = st_read(client, buffer, sizeof buffer, ST_UTIME_NO_TIMEOUT)) > 0)
		if (st_write(client, buffer, (size_t)n, ST_UTIME_NO_TIMEOUT) != n)
			break;
	st_netfd_close(client);
	return NULL;
}

int main(void)
{
	st_netfd_t listener;

	st_set_eventsys(ST_EVENTSYS_ALT);
	if (st_init() < 0)
		return 1;
	st_randomize_stacks(1);
	listener = st_netfd_open_socket(bench_listen(0));
	for (;;) {
		st_netfd_t client = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT);

		if (!client)
			continue;
		bench_nodelay(st_netfd_fileno(client));
		if (!st_thread_create(serve, client, 0, 0))
			st_netfd_close(client);
	}
}
