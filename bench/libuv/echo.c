/* SPDX-License-Identifier: MIT */
/* An echo server on libuv: answers with uv_try_write, and queues what the socket would not take. */
#include "../c/bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <uv.h>

#define BUFFER_SIZE 4096

struct peer {
	uv_tcp_t tcp;
	char buffer[BUFFER_SIZE];
};

struct rest {
	uv_write_t request;
	char data[];
};

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void on_written(uv_write_t *request, int status)
{
	(void)status;
	free(request->data);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct peer *peer = (struct peer *)handle->data;

	(void)suggested;
	*buffer = uv_buf_init(peer->buffer, BUFFER_SIZE);
}

/* What the kernel would not take at once waits in a copy. */
static void rest_write(uv_stream_t *stream, const char *data, size_t size)
{
	struct rest *rest = malloc(sizeof *rest + size);
	uv_buf_t buffer;

	if (!rest)
		abort();
	memcpy(rest->data, data, size);
	rest->request.data = rest;
	buffer = uv_buf_init(rest->data, (unsigned)size);
	uv_write(&rest->request, stream, &buffer, 1, on_written);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	uv_buf_t answer;
	int written;

	if (n < 0) {
		uv_close((uv_handle_t *)stream, on_closed);
		return;
	}
	answer = uv_buf_init(buffer->base, (unsigned)n);
	written = uv_try_write(stream, &answer, 1);
	if (written < 0)
		written = 0;
	if (written < n)
		rest_write(stream, buffer->base + written, (size_t)(n - written));
}

static void on_connection(uv_stream_t *server, int status)
{
	struct peer *peer = malloc(sizeof *peer);

	if (status < 0 || !peer)
		abort();
	uv_tcp_init(server->loop, &peer->tcp);
	peer->tcp.data = peer;
	uv_accept(server, (uv_stream_t *)&peer->tcp);
	uv_tcp_nodelay(&peer->tcp, 1);
	uv_read_start((uv_stream_t *)&peer->tcp, on_allocate, on_read);
}

int main(void)
{
	uv_loop_t *loop = uv_default_loop();
	struct sockaddr_in address;
	int size = sizeof address;
	uv_tcp_t server;

	uv_tcp_init(loop, &server);
	uv_ip4_addr("127.0.0.1", 0, &address);
	uv_tcp_bind(&server, (const struct sockaddr *)&address, 0);
	if (uv_listen((uv_stream_t *)&server, 4096, on_connection) < 0)
		return 1;
	uv_tcp_getsockname(&server, (struct sockaddr *)&address, &size);
	printf("PORT %d\n", ntohs(address.sin_port));
	fflush(stdout);
	return uv_run(loop, UV_RUN_DEFAULT);
}
