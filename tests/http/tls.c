/* SPDX-License-Identifier: MIT */
/* ctest: timeout=90 */
/* HTTPS: certificates are verified unless told otherwise. The server is the openssl command's. */

#include "http/fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/corail-tls-XXXXXX";
static char ca_file[64];
static pid_t server;
static int server_port;

/* Starts a program in the folder, its output into a pipe if ret_fd is not NULL. */
static pid_t start(const char *const argv[], int *ret_fd)
{
	posix_spawn_file_actions_t actions;
	int fds[2];
	pid_t pid;

	CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
	CHECK_EQ(posix_spawn_file_actions_init(&actions), 0);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addchdir_np(&actions, folder);
	if (posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ) != 0)
		SKIP("the openssl command is missing");
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	if (ret_fd)
		*ret_fd = fds[0];
	else
		close(fds[0]);
	return pid;
}

static void run(const char *const argv[])
{
	int status = 0;
	pid_t pid = start(argv, NULL);

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	if (status)
		SKIP("the openssl command is missing or too old");
}

static void make_certificate(void)
{
	const char *argv[] = {"openssl",
	                      "req",
	                      "-x509",
	                      "-newkey",
	                      "ec",
	                      "-pkeyopt",
	                      "ec_paramgen_curve:P-256",
	                      "-nodes",
	                      "-keyout",
	                      "key.pem",
	                      "-out",
	                      "cert.pem",
	                      "-days",
	                      "2",
	                      "-subj",
	                      "/CN=localhost",
	                      "-addext",
	                      "subjectAltName=DNS:localhost",
	                      NULL};

	run(argv);
}

/* "ACCEPT 127.0.0.1:PORT" is how it says that it listens. */
static void start_server(void)
{
	const char *argv[] = {"openssl", "s_server", "-accept",  "127.0.0.1:0", "-key",
	                      "key.pem", "-cert",    "cert.pem", "-WWW",        NULL};
	char text[256] = "";
	size_t size = 0;
	const char *found = NULL;
	int fd;

	server = start(argv, &fd);
	while (!found && size < sizeof text - 1) {
		ssize_t n = read(fd, text + size, sizeof text - 1 - size);

		if (n <= 0)
			SKIP("openssl s_server does not start");
		size += (size_t)n;
		text[size] = 0;
		found = strstr(text, "ACCEPT 127.0.0.1:");
		if (found && !strchr(found, '\n'))
			found = NULL;
	}
	CHECK(found);
	server_port = (int)strtol(found + strlen("ACCEPT 127.0.0.1:"), NULL, 10);
	CHECK_GT(server_port, 0);
	close(fd);
}

static void write_page(void)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/page.txt", folder);
	file = fopen(path, "w");
	CHECK(file);
	fputs("a secret page\n", file);
	fclose(file);
}

static int get(struct fixture *f, const char *host, cr_http_detail *detail, cr_buf *body)
{
	char url[128];
	cr_http_request request = {.url = url, .detail = detail};

	CHECK_EQ(cr_dns_host_set("wrong.test", "127.0.0.1"), 0);
	snprintf(url, sizeof url, "https://%s:%d/page.txt", host, server_port);
	return cr_timeout(cr_seconds(20), cr_http_fetch(f->http, &request, body));
}

static cr_http_options trusting = {.ca_file = ca_file};

HTTP_TEST_WITH(a_private_authority, &trusting)
{
	cr_http_detail detail;
	cr_buf body = {0};

	CHECK_EQ(get(f, "localhost", &detail, &body), 200);
	CHECK_STR(body.data, "a secret page\n");
	cr_buf_clear(&body);
	CHECK_EQ(get(f, "localhost", &detail, &body), 200);
	CHECK_STR(body.data, "a secret page\n");
	/* Another name, and an address, are not in the certificate. */
	CHECK_EQ(get(f, "wrong.test", &detail, NULL), -CORAIL_E_TLS_CERTIFICATE);
	CHECK_GT(detail.curl_code, 0);
	CHECK_GT(strlen(detail.text), 10);
	CHECK_EQ(get(f, "127.0.0.1", &detail, NULL), -CORAIL_E_TLS_CERTIFICATE);
	cr_buf_free(&body);
	return 0;
}

HTTP_TEST(unknown_authorities_are_not_trusted)
{
	cr_http_detail detail;

	CHECK_EQ(get(f, "localhost", &detail, NULL), -CORAIL_E_TLS_CERTIFICATE);
	CHECK(*detail.text);
	return 0;
}

static const cr_http_options insecure = {.insecure = 1};

HTTP_TEST_WITH(unless_told_otherwise, &insecure)
{
	cr_buf body = {0};

	CHECK_EQ(get(f, "wrong.test", NULL, &body), 200);
	CHECK_STR(body.data, "a secret page\n");
	cr_buf_free(&body);
	return 0;
}

static int say_no(cr_conn *conn, void *arg)
{
	(void)arg;
	say(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
	return cr_sleep(cr_millis(100));
}

HTTP_TEST(mismatched_schemes)
{
	struct site *site = site_open_raw(f, say_no, NULL);
	char url[64];
	int r;

	snprintf(url, sizeof url, "https://127.0.0.1:%d/", site->port);
	CHECK_EQ(cr_http_get(f->http, url, NULL), -CORAIL_E_TLS_HANDSHAKE);
	snprintf(url, sizeof url, "http://127.0.0.1:%d/", server_port);
	r = cr_timeout(cr_seconds(20), cr_http_get(f->http, url, NULL));
	CHECK(r == -CORAIL_E_HTTP_PROTOCOL || r == -CORAIL_E_HTTP_EMPTY || r == -ECONNRESET);
	return 0;
}

static int open_without_file(struct fixture *f)
{
	cr_http_options options = {.ca_file = "/nonexistent/ca.pem"};
	cr_http *http;

	(void)f;
	CHECK_EQ(cr_http_open(&options, &http), -ENOENT);
	options = (cr_http_options){.proxy = "http://a b:1"};
	CHECK_EQ(cr_http_open(&options, &http), -EINVAL);
	return 0;
}

static void bad_options(void)
{
	fixture_run(open_without_file, NULL, true);
}

static void clean_up(void)
{
	static const char *const names[] = {"key.pem", "cert.pem", "page.txt"};
	char path[128];

	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

int main(void)
{
	CHECK(mkdtemp(folder));
	snprintf(ca_file, sizeof ca_file, "%s/cert.pem", folder);
	make_certificate();
	write_page();
	start_server();
	atexit(clean_up);
	RUN(a_private_authority);
	RUN(unknown_authorities_are_not_trusted);
	RUN(unless_told_otherwise);
	RUN(mismatched_schemes);
	RUN(bad_options);
	return test_done();
}
