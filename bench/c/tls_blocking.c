/* SPDX-License-Identifier: MIT */
/*
 * The limit: the same bytes between two processes that do nothing but SSL_write() and SSL_read() on
 * a blocking socket.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCK = 256 * 1024 };

static char block[BLOCK];

static SSL *ssl_of(SSL_CTX *ctx, int fd)
{
	SSL *ssl = SSL_new(ctx);
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (!ssl || !SSL_set_fd(ssl, fd)) {
		fputs("SSL_new\n", stderr);
		exit(1);
	}
	return ssl;
}

static int serve(SSL_CTX *ctx, int listener, int64_t total)
{
	SSL *ssl = ssl_of(ctx, accept(listener, NULL, NULL));

	if (SSL_accept(ssl) != 1)
		return 1;
	for (int64_t sent = 0; sent < total; sent += BLOCK)
		if (SSL_write(ssl, block, BLOCK) != BLOCK)
			return 1;
	SSL_shutdown(ssl);
	/* What is unread at close would reset the connection. */
	SSL_read(ssl, block, 1);
	return 0;
}

static int receive(SSL_CTX *ctx, const struct sockaddr_in *address, int64_t total, const char *name)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), n;
	int64_t got = 0, start;
	SSL *ssl;

	if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0)
		return 1;
	ssl = ssl_of(ctx, fd);
	if (SSL_connect(ssl) != 1)
		return 1;
	start = bench_now();
	while ((n = SSL_read(ssl, block, BLOCK)) > 0)
		got += n;
	if (got < total)
		return 1;
	bench_print(name, (double)got / 1e6 / ((double)(bench_now() - start) / 1e9));
	SSL_shutdown(ssl);
	return 0;
}

/* On a port that the kernel chooses; writes it into the address. */
static int listen_on(struct sockaddr_in *address)
{
	socklen_t size = sizeof *address;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*address = (struct sockaddr_in){.sin_family = AF_INET,
	                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || bind(fd, (struct sockaddr *)address, size) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)address, &size) < 0) {
		perror("listen");
		exit(1);
	}
	return fd;
}

/* NAME MEGABYTES CHAIN KEY */
int main(int argc, char **argv)
{
	int64_t total = bench_argument(argc, argv, 2) * 1000000;
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	struct sockaddr_in address;
	int listener, status, r;
	pid_t child;

	if (argc < 5 || !ctx || SSL_CTX_use_certificate_chain_file(ctx, argv[3]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, argv[4], SSL_FILETYPE_PEM) != 1)
		return 2;
	SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256");
	listener = listen_on(&address);
	child = fork();
	if (child == 0)
		_exit(serve(ctx, listener, total));
	r = receive(ctx, &address, total, argv[1]);
	waitpid(child, &status, 0);
	return r || status;
}
