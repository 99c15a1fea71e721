/* SPDX-License-Identifier: MIT */
/* ctest: timeout=90 */
/* HTTPS: certificates are verified unless told otherwise. The server is the openssl command's. */

#include "http/fixture.h"

#include <corail/curl.h>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/corail-tls-XXXXXX";
static char ca_file[64];

/* A server for each certificate: one that signs itself, and those of an authority. */
enum { SELF_SIGNED, GOOD, EXPIRED, EARLY, SERVERS };

static struct {
	const char *name, *first_day, *last_day;
	pid_t pid;
	int port;
} servers[SERVERS] = {
	[SELF_SIGNED] = {.name = "self"},
	[GOOD] = {.name = "good", .first_day = "20200101000000Z", .last_day = "20991231000000Z"},
	[EXPIRED] = {.name = "expired",
                     .first_day = "20200101000000Z",
                     .last_day = "20200102000000Z"},
	[EARLY] = {.name = "early", .first_day = "20991230000000Z", .last_day = "20991231000000Z"},
};

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

/* openssl req: a certificate that signs itself, or a request for one, in NAME.pem. */
static void make_request(const char *name, bool self_signed)
{
	char key[32], file[32];
	const char *argv[20] = {"openssl",
	                        "req",
	                        "-newkey",
	                        "ec",
	                        "-pkeyopt",
	                        "ec_paramgen_curve:P-256",
	                        "-nodes",
	                        "-keyout",
	                        key,
	                        "-out",
	                        file,
	                        "-subj",
	                        "/CN=localhost",
	                        "-addext",
	                        "subjectAltName=DNS:localhost"};

	snprintf(key, sizeof key, "%s.key", name);
	snprintf(file, sizeof file, "%s.pem", name);
	if (self_signed) {
		argv[15] = "-x509";
		argv[16] = "-days";
		argv[17] = "2";
	}
	run(argv);
}

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "w");
	CHECK(file);
	fputs(text, file);
	fclose(file);
}

/* Only openssl ca signs for any span of time. It keeps a book of what it signed. */
static void make_certificates(void)
{
	write_file("ca.conf", "[ca]\ndefault_ca = us\n[us]\ndatabase = book\nserial = serial\n"
	                      "new_certs_dir = .\ncertificate = self.pem\nprivate_key = self.key\n"
	                      "default_md = sha256\npolicy = any\ncopy_extensions = copy\n"
	                      "unique_subject = no\n[any]\ncommonName = supplied\n");
	write_file("book", "");
	write_file("serial", "01\n");
	make_request("self", true);
	for (int i = GOOD; i < SERVERS; i++) {
		char file[32];
		const char *argv[] = {"openssl",    "ca",
		                      "-config",    "ca.conf",
		                      "-in",        file,
		                      "-out",       file,
		                      "-startdate", servers[i].first_day,
		                      "-enddate",   servers[i].last_day,
		                      "-batch",     "-notext",
		                      NULL};

		make_request(servers[i].name, false);
		snprintf(file, sizeof file, "%s.pem", servers[i].name);
		run(argv);
	}
}

/* "ACCEPT 127.0.0.1:PORT" is how it says that it listens. */
static void start_server(int index)
{
	char key[32], file[32];
	const char *argv[] = {"openssl", "s_server", "-accept", "127.0.0.1:0", "-key",
	                      key,       "-cert",    file,      "-WWW",        NULL};
	char text[256] = "";
	size_t size = 0;
	const char *found = NULL;
	int fd;

	snprintf(key, sizeof key, "%s.key", servers[index].name);
	snprintf(file, sizeof file, "%s.pem", servers[index].name);
	servers[index].pid = start(argv, &fd);
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
	servers[index].port = (int)strtol(found + strlen("ACCEPT 127.0.0.1:"), NULL, 10);
	CHECK_GT(servers[index].port, 0);
	close(fd);
}

static int get_from(struct fixture *f, int server, const char *host, cr_http_detail *detail,
                    cr_buf *body)
{
	char url[128];
	cr_http_request request = {.url = url, .detail = detail};

	CHECK_EQ(cr_dns_host_set("wrong.test", "127.0.0.1"), 0);
	snprintf(url, sizeof url, "https://%s:%d/page.txt", host, servers[server].port);
	return cr_timeout(cr_seconds(20), cr_http_fetch(f->http, &request, body));
}

static int get(struct fixture *f, const char *host, cr_http_detail *detail, cr_buf *body)
{
	return get_from(f, SELF_SIGNED, host, detail, body);
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
	CHECK_EQ(get(f, "wrong.test", &detail, NULL), -CORAIL_E_TLS_WRONG_HOST);
	CHECK_GT(detail.curl_code, 0);
	CHECK_GT(strlen(detail.text), 10);
	CHECK_EQ(get(f, "127.0.0.1", &detail, NULL), -CORAIL_E_TLS_WRONG_HOST);
	cr_buf_free(&body);
	return 0;
}

HTTP_TEST(unknown_authorities_are_not_trusted)
{
	cr_http_detail detail;

	CHECK_EQ(get(f, "localhost", &detail, NULL), -CORAIL_E_TLS_SELF_SIGNED);
	CHECK(*detail.text);
	CHECK_EQ(get_from(f, GOOD, "localhost", NULL, NULL), -CORAIL_E_TLS_UNKNOWN_CA);
	return 0;
}

/* One easy handle after the other is used again: none keeps the reason of its last failure. */
HTTP_TEST_WITH(each_reason_is_told, &trusting)
{
	static const struct {
		int server, error;
		const char *host;
	} cases[] = {
		{GOOD, 200, "localhost"},
		{EXPIRED, -CORAIL_E_TLS_EXPIRED, "localhost"},
		{EARLY, -CORAIL_E_TLS_NOT_YET_VALID, "localhost"},
		{GOOD, -CORAIL_E_TLS_WRONG_HOST, "wrong.test"},
		{EXPIRED, -CORAIL_E_TLS_EXPIRED, "wrong.test"},
		{GOOD, 200, "localhost"},
	};
	cr_http_detail detail;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CHECK_EQ(get_from(f, cases[i].server, cases[i].host, &detail, NULL),
		         cases[i].error);
		if (cases[i].error < 0)
			CHECK_EQ(detail.error, cases[i].error);
	}
	return 0;
}

/* A user's own handle is told the same. */
HTTP_TEST(each_reason_is_told_to_a_handle)
{
	static const struct {
		int server, error;
		const char *host;
	} cases[] = {
		{EXPIRED, -CORAIL_E_TLS_EXPIRED, "localhost"},
		{GOOD, -CORAIL_E_TLS_WRONG_HOST, "127.0.0.1"},
		{GOOD, 0, "localhost"},
	};
	CURL *easy = curl_easy_init();
	char url[128];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CURLcode code = CURLE_OK;

		snprintf(url, sizeof url, "https://%s:%d/page.txt", cases[i].host,
		         servers[cases[i].server].port);
		curl_easy_setopt(easy, CURLOPT_URL, url);
		curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "GET");
		CHECK_EQ(cr_timeout(cr_seconds(20), cr_http_perform_code(f->http, easy, &code)),
		         cases[i].error);
		CHECK_EQ(code, cases[i].error ? CURLE_PEER_FAILED_VERIFICATION : CURLE_OK);
	}
	curl_easy_cleanup(easy);
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
	snprintf(url, sizeof url, "http://127.0.0.1:%d/", servers[SELF_SIGNED].port);
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
	const char *argv[] = {"rm", "-rf", folder, NULL};
	pid_t pid;

	for (int i = 0; i < SERVERS; i++) {
		if (servers[i].pid > 0) {
			kill(servers[i].pid, SIGKILL);
			waitpid(servers[i].pid, NULL, 0);
		}
	}
	if (posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)argv, environ) == 0)
		waitpid(pid, NULL, 0);
}

int main(void)
{
	CHECK(mkdtemp(folder));
	atexit(clean_up);
	snprintf(ca_file, sizeof ca_file, "%s/self.pem", folder);
	make_certificates();
	write_file("page.txt", "a secret page\n");
	for (int i = 0; i < SERVERS; i++)
		start_server(i);
	RUN(a_private_authority);
	RUN(unknown_authorities_are_not_trusted);
	RUN(each_reason_is_told);
	RUN(each_reason_is_told_to_a_handle);
	RUN(unless_told_otherwise);
	RUN(mismatched_schemes);
	RUN(bad_options);
	return test_done();
}
