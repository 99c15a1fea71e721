/* SPDX-License-Identifier: MIT */
/*
 * The driver: the one task of a session that makes libcurl work, on a large stack, by
 * curl_multi_socket_action().
 *
 * A turn takes in all that was queued, lets libcurl run the timer and every descriptor that is
 * ready, and only then looks for what is done, once. If something was done, it lets the woken tasks
 * run before it waits: they come back with their next requests, which then share one turn and one
 * wait.
 *
 * Descriptors stay in the poller when libcurl loses interest between two requests, because the next
 * one will ask for the same again; only when something happens on such a descriptor (the server
 * closes it) is it taken out. That is safe for sockets of which we are told before they are closed,
 * and done for those only.
 */

#include "client.h"
#include "misuse.h"

#include <stdlib.h>
#include <unistd.h>

#define EVENTS_MAX 128

/* ----------------------------------------------------------------------------------- lists --- */

static void job_push(struct job_list *list, struct job *job)
{
	job->next = NULL;
	job->prev = list->last;
	if (list->last)
		list->last->next = job;
	else
		list->first = job;
	list->last = job;
}

static void job_unlink(struct job_list *list, struct job *job)
{
	if (job->prev)
		job->prev->next = job->next;
	else
		list->first = job->next;
	if (job->next)
		job->next->prev = job->prev;
	else
		list->last = job->prev;
	job->next = job->prev = NULL;
}

void cr__http_not_inside(const cr_http *http)
{
	if (http->inside)
		cr__http_misuse("a suspending call from a callback of libcurl");
}

void cr__http_driver_wake(cr_http *http)
{
	if (!http->asleep)
		return;
	http->asleep = false;
	cr_poller_wake(http->poller);
}

/* ------------------------------------------------------------------------------ descriptors --- */

/* The entry of a descriptor, or NULL without memory. */
static struct socket_state *socket_get(cr_http *http, curl_socket_t fd)
{
	if ((size_t)fd >= http->socket_count) {
		size_t count = http->socket_count ? http->socket_count : 64;
		struct socket_state *sockets;

		while (count <= (size_t)fd)
			count *= 2;
		sockets = realloc(http->sockets, count * sizeof *sockets);
		if (!sockets)
			return NULL;
		for (size_t i = http->socket_count; i < count; i++)
			sockets[i] = (struct socket_state){0};
		http->sockets = sockets;
		http->socket_count = count;
	}
	return &http->sockets[fd];
}

static int socket_arm(cr_http *http, curl_socket_t fd, struct socket_state *state, int events)
{
	int poll_events = (events & CURL_POLL_IN ? POLLIN : 0) |
	                  (events & CURL_POLL_OUT ? POLLOUT : 0);
	int r;

	if (state->armed == events)
		return 0;
	r = cr_poller_set(http->poller, fd, poll_events, (void *)(uintptr_t)state->generation);
	if (r == 0 || events == 0)
		state->armed = (uint8_t)events;
	return r;
}

int cr__http_on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *unused)
{
	cr_http *http = data;
	struct socket_state *state = socket_get(http, fd);

	(void)easy;
	(void)unused;
	if (!state)
		return -1;
	state->wanted = what == CURL_POLL_REMOVE ? 0 : (uint8_t)what;
	if (state->wanted == 0 && state->owned)
		return 0;
	return socket_arm(http, fd, state, state->wanted) < 0 ? -1 : 0;
}

int cr__http_on_socket_open(void *data, curl_socket_t fd, curlsocktype purpose)
{
	cr_http *http = data;
	struct socket_state *state = socket_get(http, fd);

	(void)purpose;
	if (!state)
		return CURL_SOCKOPT_ERROR;
	state->owned = true;
	state->generation++;
	http->stats.connections_opened++;
	http->stats.connections_alive++;
	return CURL_SOCKOPT_OK;
}

int cr__http_on_socket_close(void *data, curl_socket_t fd)
{
	cr_http *http = data;
	struct socket_state *state = socket_get(http, fd);

	if (state) {
		if (state->armed && http->poller)
			socket_arm(http, fd, state, 0);
		state->armed = state->wanted = 0;
		state->owned = false;
		state->generation++;
	}
	http->stats.connections_alive--;
	return close(fd);
}

int cr__http_on_timer(CURLM *multi, long timeout_ms, void *data)
{
	cr_http *http = data;

	(void)multi;
	if (timeout_ms < 0)
		http->timer = CORAIL_NEVER;
	else
		http->timer = timeout_ms ? cr_now() + cr_millis(timeout_ms) : 0;
	if (http->timer < http->timer_armed)
		cr__http_driver_wake(http);
	return 0;
}

/* ------------------------------------------------------------------------------------- jobs --- */

void cr__http_job_start(cr_http *http, struct job *job)
{
	job->code = CURLE_OK;
	job->error = 0;
	job->os_errno = 0;
	cr_event_clear(&job->event);
	if (http->over || http->closing) {
		job->state = JOB_DONE;
		job->error = -ESHUTDOWN;
		cr_event_set(&job->event);
		return;
	}
	job->state = JOB_QUEUED;
	job_push(&http->queue, job);
	cr__http_driver_wake(http);
}

static void unpause_forget(cr_http *http, struct job *job)
{
	struct job **link = &http->unpause;

	if (!job->unpause_queued)
		return;
	while (*link && *link != job)
		link = &(*link)->unpause_next;
	if (*link)
		*link = job->unpause_next;
	job->unpause_queued = false;
}

/* libcurl lets go of an active job. */
static void job_leave(cr_http *http, struct job *job)
{
	unpause_forget(http, job);
	job_unlink(&http->active, job);
	job->state = JOB_DONE;
	http->inside = true;
	curl_multi_remove_handle(http->multi, job->easy);
	http->inside = false;
}

void cr__http_job_abort(cr_http *http, struct job *job)
{
	if (job->state == JOB_QUEUED) {
		job_unlink(&http->queue, job);
		job->state = JOB_DONE;
	} else if (job->state == JOB_ACTIVE) {
		job_leave(http, job);
	}
}

void cr__http_job_unpause(cr_http *http, struct job *job)
{
	if (job->unpause_queued || job->state != JOB_ACTIVE)
		return;
	job->unpause_queued = true;
	job->unpause_next = http->unpause;
	http->unpause = job;
	cr__http_driver_wake(http);
}

static void job_add(cr_http *http, struct job *job)
{
	CURLMcode code;

	job_unlink(&http->queue, job);
	http->inside = true;
	code = curl_multi_add_handle(http->multi, job->easy);
	http->inside = false;
	if (code == CURLM_OK) {
		job->state = JOB_ACTIVE;
		job_push(&http->active, job);
		return;
	}
	job->state = JOB_DONE;
	job->error = code == CURLM_ADDED_ALREADY ? -EBUSY : -ENOMEM;
	cr_event_set(&job->event);
}

/* Adds what is queued and continues what was paused. */
static void jobs_take_in(cr_http *http)
{
	while (http->queue.first)
		job_add(http, http->queue.first);
	while (http->unpause) {
		struct job *job = http->unpause;

		http->unpause = job->unpause_next;
		job->unpause_queued = false;
		http->inside = true;
		curl_easy_pause(job->easy, CURLPAUSE_CONT);
		http->inside = false;
	}
}

/* The job of a handle: a user's own, or one of ours, which carries its address. */
static struct job *job_of(cr_http *http, CURL *easy)
{
	struct job *job = NULL;

	if (http->foreign_count) {
		job = http->foreign[(uintptr_t)easy / 64 % HTTP_FOREIGN_BUCKETS];
		while (job && job->easy != easy)
			job = job->foreign_next;
	}
	if (!job)
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&job);
	return job;
}

/* Collects what is done. Returns whether anything was. */
static bool jobs_collect(cr_http *http)
{
	CURLMsg *message;
	int left;
	bool any = false;

	while ((message = curl_multi_info_read(http->multi, &left))) {
		struct job *job;

		if (message->msg != CURLMSG_DONE)
			continue;
		job = job_of(http, message->easy_handle);
		job->code = message->data.result;
		if (job->code)
			curl_easy_getinfo(job->easy, CURLINFO_OS_ERRNO, &job->os_errno);
		job_leave(http, job);
		cr_event_set(&job->event);
		any = true;
	}
	return any;
}

/* ------------------------------------------------------------------------------------ turns --- */

static void action(cr_http *http, curl_socket_t fd, int bits)
{
	int running;

	http->inside = true;
	curl_multi_socket_action(http->multi, fd, bits, &running);
	http->inside = false;
}

static void on_event(cr_http *http, const cr_poller_event *event)
{
	struct socket_state *state = socket_get(http, event->fd);
	int bits = 0;

	if (!state || !state->armed || (uintptr_t)event->data != state->generation)
		return;
	if (state->wanted == 0) {
		socket_arm(http, event->fd, state, 0);
		return;
	}
	if (event->events & POLLIN)
		bits |= CURL_CSELECT_IN;
	if (event->events & POLLOUT)
		bits |= CURL_CSELECT_OUT;
	if (event->events & (POLLERR | POLLHUP | POLLNVAL))
		bits |= CURL_CSELECT_ERR;
	action(http, event->fd, bits);
}

/* Waits for events, a wake-up or libcurl's timer. Returns how many events, or -ECANCELED. */
static int wait_for_events(cr_http *http, cr_poller_event *events)
{
	int r;

	http->timer_armed = http->timer;
	http->asleep = true;
	if (http->timer == CORAIL_NEVER) {
		r = cr_poller_wait(http->poller, events, EVENTS_MAX);
	} else {
		cr_nsec left = http->timer - cr_now();

		r = cr_timeout(left, cr_poller_wait(http->poller, events, EVENTS_MAX));
	}
	http->asleep = false;
	http->timer_armed = 0;
	return r == -ETIMEDOUT ? 0 : r;
}

/* Ends what is left: the session is closed, or its loop ends. */
static void driver_end(cr_http *http)
{
	http->closing = true;
	cr__http_gate_close(&http->gate);
	for (size_t i = 0; i < HTTP_HOST_BUCKETS; i++) {
		for (struct host *host = http->hosts[i]; host; host = host->next)
			cr__http_gate_close(&host->gate);
	}
	while (http->queue.first || http->active.first) {
		struct job *job = http->queue.first ? http->queue.first : http->active.first;

		cr__http_job_abort(http, job);
		job->error = -ECANCELED;
		cr_event_set(&job->event);
	}
	while (http->spare) {
		struct transfer *transfer = http->spare;

		http->spare = transfer->spare_next;
		cr__http_transfer_free(transfer);
	}
	curl_multi_cleanup(http->multi);
	http->multi = NULL;
	http->over = true;
}

int cr__http_driver(cr_http *http)
{
	cr_poller_event events[EVENTS_MAX];
	cr_poller *poller = http->poller;
	int r = 0;

	while (!http->closing) {
		bool busy = r > 0;

		jobs_take_in(http);
		if (http->timer <= cr_now()) {
			http->timer = CORAIL_NEVER;
			action(http, CURL_SOCKET_TIMEOUT, 0);
		}
		/*
		 * A driver that always finds something ready must not keep the others from running.
		 */
		busy |= jobs_collect(http) || http->queue.first || http->unpause;
		if (busy) {
			r = cr_yield();
			if (r < 0)
				break;
			continue;
		}
		r = wait_for_events(http, events);
		if (r < 0)
			break;
		for (int i = 0; i < r; i++)
			on_event(http, &events[i]);
	}
	driver_end(http);
	http->poller = NULL;
	cr_poller_close(poller);
	cr_event_set(&http->ended);
	cr__http_unref(http);
	return 0;
}
