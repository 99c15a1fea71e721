/* SPDX-License-Identifier: MIT */
/* A user's own easy handle, awaited as it is: found again by its address, nothing set on it. */

#include "client.h"

#include <corail/curl.h>

static struct job **bucket_of(cr_http *http, CURL *easy)
{
	return &http->foreign[(uintptr_t)easy / 64 % HTTP_FOREIGN_BUCKETS];
}

static struct job *find(cr_http *http, CURL *easy)
{
	struct job *job = *bucket_of(http, easy);

	while (job && job->easy != easy)
		job = job->foreign_next;
	return job;
}

static void forget(cr_http *http, struct job *job)
{
	struct job **link = bucket_of(http, job->easy);

	while (*link != job)
		link = &(*link)->foreign_next;
	*link = job->foreign_next;
	http->foreign_count--;
}

static int run(cr_http *http, struct job *job, CURLcode *ret_code)
{
	struct job **bucket = bucket_of(http, job->easy);
	int r;

	job->foreign_next = *bucket;
	*bucket = job;
	http->foreign_count++;
	http->stats.requests++;
	http->stats.in_flight++;
	cr__http_job_start(http, job);
	r = cr_event_wait(&job->event);
	if (r < 0 && job->state != JOB_DONE) {
		cr__http_job_abort(http, job);
	} else {
		r = cr__http_job_error(job);
		if (ret_code && job->error == 0)
			*ret_code = job->code;
	}
	http->stats.in_flight--;
	forget(http, job);
	return r;
}

int cr_http_perform_code(cr_http *http, CURL *easy, CURLcode *ret_code)
{
	struct job job = {.easy = easy};
	int r;

	cr__http_not_inside(http);
	if (cr_cancelled())
		return -ECANCELED;
	if (find(http, easy))
		return -EBUSY;
	http->references++;
	r = cr__http_gate_enter(&http->gate, &http->waiting);
	if (r == 0) {
		r = find(http, easy) ? -EBUSY : run(http, &job, ret_code);
		cr__http_gate_leave(&http->gate);
	}
	cr__http_unref(http);
	return r;
}

int cr_http_perform(cr_http *http, CURL *easy)
{
	return cr_http_perform_code(http, easy, NULL);
}

int cr_http_unpause(cr_http *http, CURL *easy)
{
	struct job *job = find(http, easy);

	if (!job)
		return -ENOENT;
	cr__http_job_unpause(http, job);
	return 0;
}
