/* SPDX-License-Identifier: MIT */
/*
 * Pages into memory with libcurl's multi interface on a bare epoll loop: curl_multi_socket_action,
 * one easy handle for each connection, used again for page after page.
 *
 *   pages_curl NAME PORT CONNECTIONS PAGES SIZE    prints: NAME pages-per-second
 */
#include "bench.h"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 256

struct transfer {
	CURL *easy;
	char *body;
	size_t size, capacity;
};

static CURLM *multi;
static int epoll;
static int64_t timer_at = -1; /* when libcurl wants to be called, or -1 */
static long port, pages, page_size, started, done;

static void fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static size_t on_body(char *data, size_t one, size_t size, void *argument)
{
	struct transfer *transfer = (struct transfer *)argument;

	(void)one;
	if (transfer->size + size > transfer->capacity) {
		transfer->capacity = 2 * (transfer->size + size);
		transfer->body = realloc(transfer->body, transfer->capacity);
		if (!transfer->body)
			fail("no memory");
	}
	memcpy(transfer->body + transfer->size, data, size);
	transfer->size += size;
	return size;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *unused, void *known)
{
	struct epoll_event event = {.data.fd = fd};

	(void)easy;
	(void)unused;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	epoll_ctl(epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
	if (!known)
		curl_multi_assign(multi, fd, &epoll);
	return 0;
}

static int on_timer(CURLM *of, long milliseconds, void *unused)
{
	(void)of;
	(void)unused;
	timer_at = milliseconds < 0 ? -1 : bench_now() + milliseconds * BENCH_MILLISECOND;
	return 0;
}

/* Gives the next page to a transfer, if one is left. */
static void transfer_start(struct transfer *transfer)
{
	char url[64];

	if (started == pages)
		return;
	snprintf(url, sizeof url, "http://127.0.0.1:%ld/%ld.html", port, started++ % 100);
	transfer->size = 0;
	curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
	curl_multi_add_handle(multi, transfer->easy);
}

static void finished_take(void)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(multi, &left))) {
		CURL *easy = message->easy_handle;
		CURLcode code = message->data.result;
		struct transfer *transfer;
		long status;

		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		curl_multi_remove_handle(multi, easy);
		if (code != CURLE_OK || status != 200 || transfer->size != (size_t)page_size)
			fail(curl_easy_strerror(code));
		done++;
		transfer_start(transfer);
	}
}

static int timeout_milliseconds(void)
{
	int64_t left;

	if (timer_at < 0)
		return -1;
	left = timer_at - bench_now();
	return left <= 0 ? 0 : (int)((left + BENCH_MILLISECOND - 1) / BENCH_MILLISECOND);
}

static void turn(void)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll, events, EVENTS, timeout_milliseconds());
	int running;

	for (int i = 0; i < n; i++) {
		int what = 0;

		if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			what |= CURL_CSELECT_IN;
		if (events[i].events & EPOLLOUT)
			what |= CURL_CSELECT_OUT;
		curl_multi_socket_action(multi, events[i].data.fd, what, &running);
	}
	if (timer_at >= 0 && timer_at <= bench_now()) {
		timer_at = -1;
		curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	finished_take();
}

static void transfer_prepare(struct transfer *transfer)
{
	transfer->easy = curl_easy_init();
	if (!transfer->easy)
		fail("no easy handle");
	curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(transfer->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(transfer->easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(transfer->easy, CURLOPT_NOSIGNAL, 1L);
}

int main(int argc, char **argv)
{
	long connections = bench_argument(argc, argv, 3);
	struct transfer *transfers = calloc((size_t)connections, sizeof *transfers);
	int64_t before;

	port = bench_argument(argc, argv, 2);
	pages = bench_argument(argc, argv, 4);
	page_size = bench_argument(argc, argv, 5);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	curl_global_init(CURL_GLOBAL_ALL);
	multi = curl_multi_init();
	if (!transfers || epoll < 0 || !multi)
		fail("set-up");
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, connections);
	before = bench_now();
	for (long i = 0; i < connections; i++) {
		transfer_prepare(&transfers[i]);
		transfer_start(&transfers[i]);
	}
	while (done < pages)
		turn();
	bench_print(argv[1], (double)pages * 1e9 / (double)(bench_now() - before));
	return 0;
}
