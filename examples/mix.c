/* SPDX-License-Identifier: MIT */
/*
 * Which for what: each kind of work, done in each way, with the time and the processors that it
 * took.
 *
 *	mix [JOBS [PAGE_MS]]      (24 jobs of each kind; a page takes 20 ms)
 *
 * The kinds of work:
 *	network     downloads a page from a server of this program's own, which takes its time
 *	files       writes a file until the disk has it, and reads it again
 *	computing   counts prime numbers
 *	both        downloads a page, then counts
 *
 * The ways:
 *	one by one        each job when the one before is done
 *	tasks             a coroutine for each job, all on one thread
 *	threads           functions that block, eight at a time
 *	processes         the same in as many processes as there are processors
 *	tasks + threads   a coroutine for each job, which waits; what computes, runs on a thread
 *
 * The percentage is how busy the processors were meanwhile: 100 is one of them all the time. The
 * functions that block download with libcurl itself, so this is linked with it too.
 */

#define _GNU_SOURCE

#include <corail/corail.h>
#include <corail/exec.h>
#include <corail/http.h>
#include <corail/http_server.h>
#include <corail/processes.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE_SIZE_BYTES = 8000, FILE_SIZE = 64 * 1024, PRIMES_BELOW = 60000, THREADS = 8 };

/* One piece of work. No pointers: a job may be copied to another process. */
struct job {
	long number;
	int result;  /* what was downloaded, read or counted */
	cr_nsec cpu; /* what it cost in another process */
};

/* What was there before any process was forked. */
static struct {
	long jobs, page_ms;
	char url[64], folder[64];
} settings = {.jobs = 24, .page_ms = 20};

static cr_http *http; /* of the tasks */

/* ----------------------------------------------------------------------- network and files --- */

static int fetch(struct job *job)
{
	cr_buf page = {0};
	int r = cr_http_get(http, settings.url, &page);

	job->result += (int)page.size;
	cr_buf_free(&page);
	return r;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
static size_t count_bytes(char *data, size_t size, size_t count, void *result)
{
	(void)data;
	*(int *)result += (int)(size * count);
	return size * count;
}

/* The same as most libraries do it: the thread waits. */
static int fetch_blocking(struct job *job)
{
	CURL *curl = curl_easy_init();
	CURLcode code;

	if (!curl)
		return -ENOMEM;
	curl_easy_setopt(curl, CURLOPT_URL, settings.url);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, count_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &job->result);
	code = curl_easy_perform(curl);
	curl_easy_cleanup(curl);
	return code == CURLE_OK ? 0 : -EIO;
}

/* A file that is gone when it is closed. A write to it is done when the disk has it (open(2)). */
static int open_file(const struct job *job)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/corail-mix-%ld-%ld", settings.folder, (long)getpid(),
	         job->number);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_DSYNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

static int write_and_read(struct job *job)
{
	static const char text[FILE_SIZE];
	char back[FILE_SIZE];
	int fd = open_file(job), r;

	if (fd < 0)
		return fd;
	r = cr_fd_write_all(fd, text, sizeof text);
	for (ssize_t n = 1; r == 0 && n > 0;) {
		n = cr_fd_pread(fd, back, sizeof back, job->result);
		r = n < 0 ? (int)n : 0;
		job->result += n > 0 ? (int)n : 0;
	}
	cr_fd_close(fd);
	return r;
}

static int write_and_read_blocking(struct job *job)
{
	static const char text[FILE_SIZE];
	char back[FILE_SIZE];
	int fd = open_file(job), r;
	ssize_t n;

	if (fd < 0)
		return fd;
	r = write(fd, text, sizeof text) == (ssize_t)sizeof text ? 0 : -EIO;
	while (r == 0 && (n = pread(fd, back, sizeof back, job->result)) > 0)
		job->result += (int)n;
	close(fd);
	return r;
}

/* ---------------------------------------------------------------------- computing and both --- */

static int count_primes(struct job *job)
{
	for (int n = 2; n < PRIMES_BELOW; n++) {
		int d = 2;

		while (d * d <= n && n % d)
			d++;
		job->result += d * d > n;
	}
	return 0;
}

static int count_primes_on_thread(struct job *job)
{
	return cr_offload(count_primes, job);
}

static int fetch_and_count(struct job *job)
{
	int r = fetch(job);

	return r < 0 ? r : count_primes(job); /* holds up all other tasks */
}

static int fetch_and_count_blocking(struct job *job)
{
	int r = fetch_blocking(job);

	return r < 0 ? r : count_primes(job);
}

static int fetch_and_count_on_thread(struct job *job)
{
	int r = fetch(job);

	return r < 0 ? r : count_primes_on_thread(job);
}

static const struct kind {
	const char *name;
	int (*task)(struct job *job);     /* suspends, and computes where it is */
	int (*blocking)(struct job *job); /* for threads and processes */
	int (*mixed)(struct job *job);    /* suspends, and computes on a thread */
} kinds[] = {
	{"network", fetch, fetch_blocking, fetch},
	{"files", write_and_read, write_and_read_blocking, write_and_read},
	{"computing", count_primes, count_primes, count_primes_on_thread},
	{"both", fetch_and_count, fetch_and_count_blocking, fetch_and_count_on_thread},
};

/* -------------------------------------------------------------------------------- the ways --- */

static cr_threads *threads;
static cr_processes *processes;

static int run_one_by_one(const struct kind *kind, struct job *jobs, size_t count)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = kind->task(&jobs[i]);
	return r;
}

static int run_tasks(const struct kind *kind, struct job *jobs, size_t count)
{
	return cr_gather(kind->task, jobs, count);
}

static int run_threads(const struct kind *kind, struct job *jobs, size_t count)
{
	return cr_offload_map_with(&(cr_offload_map_options){.pool = threads}, kind->blocking, jobs,
	                           count);
}

static cr_nsec processor_time(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return cr_seconds((double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	                  (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

/* A job and what does it, in another process: a function has the same address there. */
struct errand {
	int (*work)(struct job *job);
	struct job job;
};

static int run_errand(struct errand *errand)
{
	cr_nsec before = processor_time();
	int r = errand->work(&errand->job);

	errand->job.cpu = processor_time() - before;
	return r;
}

static int run_processes(const struct kind *kind, struct job *jobs, size_t count)
{
	struct errand *errands = calloc(count, sizeof *errands);
	int r = errands ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < count; i++)
		errands[i] = (struct errand){kind->blocking, jobs[i]};
	if (r == 0)
		r = cr_processes_map(processes, run_errand, errands, count);
	for (size_t i = 0; r == 0 && i < count; i++)
		jobs[i] = errands[i].job;
	free(errands);
	return r;
}

static int run_mixed(const struct kind *kind, struct job *jobs, size_t count)
{
	return cr_gather(kind->mixed, jobs, count);
}

static const struct way {
	const char *name;
	int (*run)(const struct kind *kind, struct job *jobs, size_t count);
} ways[] = {
	{"one by one", run_one_by_one}, {"tasks", run_tasks},           {"threads", run_threads},
	{"processes", run_processes},   {"tasks + threads", run_mixed},
};

/* ------------------------------------------------------------------------------- measuring --- */

enum { WAYS = sizeof ways / sizeof *ways, KINDS = sizeof kinds / sizeof *kinds };

/* Runs one kind of work in one way, and prints how it went. All ways must find the same. */
static int measure(const struct kind *kind, const struct way *way, struct job *jobs, long *found)
{
	cr_nsec began = cr_now(), cpu = processor_time(), elapsed;
	size_t count = (size_t)settings.jobs;
	long sum = 0;
	int r;

	for (size_t i = 0; i < count; i++)
		jobs[i] = (struct job){.number = (long)i};
	r = way->run(kind, jobs, count);
	elapsed = cr_now() - began;
	cpu = processor_time() - cpu;
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		sum += jobs[i].result;
		cpu += jobs[i].cpu;
	}
	printf(" %7.0f ms %3.0f %%", (double)elapsed / 1e6, 100 * (double)cpu / (double)elapsed);
	fflush(stdout);
	if (*found >= 0 && *found != sum)
		return -EBADMSG;
	*found = sum;
	return 0;
}

static int measure_all(struct job *jobs)
{
	int r = 0;

	printf("%ld jobs of each kind, %zu processors\n\n%-10s", settings.jobs, cr_cpu_count(), "");
	for (size_t i = 0; i < WAYS; i++)
		printf(" %16s", ways[i].name);
	putchar('\n');
	for (size_t k = 0; r == 0 && k < KINDS; k++) {
		long found = -1;

		printf("%-10s", kinds[k].name);
		for (size_t i = 0; r == 0 && i < WAYS; i++)
			r = measure(&kinds[k], &ways[i], jobs, &found);
		putchar('\n');
	}
	return r;
}

/* Opens what the ways need: a session, and pools of threads and processes. */
static int measure_with_pools(struct job *jobs)
{
	cr_threads_options options = {.name = "blocking", .thread_count_max = THREADS};
	int r = cr_http_open(NULL, &http);

	if (r == 0)
		r = cr_threads_open(&options, &threads);
	if (r == 0)
		r = cr_processes_open(NULL, &processes);
	if (r == 0)
		r = measure_all(jobs);
	cr_processes_close(processes);
	cr_threads_close(threads);
	cr_http_close(http);
	return r;
}

/* ------------------------------------------------------------------------------ the server --- */

static int serve_page(cr_http_exchange *exchange, void *user)
{
	static const char page[PAGE_SIZE_BYTES];
	int r = cr_sleep(cr_millis(settings.page_ms));

	(void)user;
	return r < 0 ? r : cr_http_reply(exchange, 200, "text/plain", page, sizeof page);
}

static int serve(const int *pipe)
{
	cr_http_server *server = NULL;
	cr_listener *listener;
	int r = cr_listener_open("127.0.0.1:0", NULL, &listener), port;

	if (r < 0)
		return r;
	port = cr_listener_port(listener);
	r = cr_http_server_open(NULL, listener, serve_page, NULL, &server);
	if (r == 0)
		r = cr_fd_write_all(*pipe, &port, sizeof port);
	if (r == 0)
		r = cr_http_server_run(server);
	cr_http_server_close(server);
	cr_listener_close(listener);
	return r;
}

/* In a process of its own, so that what it costs is not counted. Ends when this one does. */
static pid_t start_server(void)
{
	pid_t parent = getpid(), child;
	int ends[2], port;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			cr_run(serve, (const int *)&ends[1]);
		_exit(1);
	}
	close(ends[1]);
	if (child > 0 && read(ends[0], &port, sizeof port) == (ssize_t)sizeof port) {
		snprintf(settings.url, sizeof settings.url, "http://127.0.0.1:%d/", port);
	} else if (child > 0) {
		waitpid(child, NULL, 0);
		child = -1;
	}
	close(ends[0]);
	return child;
}

int main(int argc, char **argv)
{
	const char *folder = getenv("TMPDIR");
	struct job *jobs;
	pid_t server;
	int r;

	settings.jobs = argc > 1 ? strtol(argv[1], NULL, 10) : settings.jobs;
	settings.page_ms = argc > 2 ? strtol(argv[2], NULL, 10) : settings.page_ms;
	snprintf(settings.folder, sizeof settings.folder, "%s", folder ? folder : "/tmp");
	if (settings.jobs < 1 || settings.jobs > 100000 || settings.page_ms < 0) {
		fprintf(stderr, "usage: mix [JOBS [PAGE_MS]]\n");
		return 2;
	}
	server = start_server();
	jobs = calloc((size_t)settings.jobs, sizeof *jobs);
	if (server < 0 || !jobs || curl_global_init(CURL_GLOBAL_DEFAULT)) {
		fprintf(stderr, "mix: cannot start\n");
		free(jobs);
		return 1;
	}
	r = cr_processes_prepare(); /* while there is one thread */
	if (r == 0)
		r = cr_run(measure_with_pools, jobs);
	if (r < 0)
		fprintf(stderr, "mix: %s\n", cr_strerror(r));
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	free(jobs);
	return r < 0;
}
