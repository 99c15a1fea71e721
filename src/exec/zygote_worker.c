/* SPDX-License-Identifier: MIT */
#include "exec/pool.h"
#include "exec/zygote.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What runs in a worker process: one thread, one job after the other. */

enum { MAPPINGS_KEPT = 16, MAPPINGS_MAX = 256 };

/* A shared buffer, mapped here. Kept for later jobs while they are few. */
struct mapping {
	uint64_t id;
	size_t size;
	void *data;
	int fd;
	uint32_t job; /* that used it last */
};

static struct {
	struct cr__channel *channel; /* NULL: this process is no worker */
	int socket, event;
	uint32_t job;
	struct mapping mappings[MAPPINGS_MAX];
	size_t mapping_count;
} worker;

bool cr__worker_here(void)
{
	return worker.channel != NULL;
}

/* ------------------------------------------------------------------------------------ birth --- */

/* Leaves standard output and error, and three more. */
static void descriptors_init(int fds[3])
{
	unsigned first = STDERR_FILENO + 1;

	/* In ascending order. */
	for (int i = 0; i < 3; i++)
		for (int j = i + 1; j < 3; j++)
			if (fds[j] < fds[i]) {
				int other = fds[i];

				fds[i] = fds[j];
				fds[j] = other;
			}
	for (int i = 0; i < 3; i++) {
		if ((unsigned)fds[i] > first)
			close_range(first, (unsigned)fds[i] - 1, 0);
		first = (unsigned)fds[i] + 1;
	}
	close_range(first, ~0U, 0);
}

static void signals_init(void)
{
	sigset_t none;

	sigaction(SIGTERM, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	sigaction(SIGTSTP, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* How much address space there is already. 0: unknown. */
static size_t mapped_bytes(void)
{
	char text[64] = "";
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	return n > 0 ? strtoul(text, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

static void limits_init(const struct cr__zygote_pool *limits)
{
	struct rlimit memory;

	if (limits->nice && setpriority(PRIO_PROCESS, 0, limits->nice) < 0)
		_exit(1);
	if (!limits->memory_limit_bytes)
		return;
	memory.rlim_cur = memory.rlim_max = mapped_bytes() + limits->memory_limit_bytes;
	if (setrlimit(RLIMIT_AS, &memory) < 0)
		_exit(1);
}

/*
 * A job may use so much more processor time than was used before it. The kernel counts in whole
 * seconds: a tenth of one is not worth another.
 */
static void grant_processor(uint32_t seconds)
{
	struct rusage usage;
	struct rlimit limit;
	int64_t used;

	if (!seconds || getrusage(RUSAGE_SELF, &usage) < 0 || getrlimit(RLIMIT_CPU, &limit) < 0)
		return;
	used = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) +
	       usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
	limit.rlim_cur = (rlim_t)((used + 900000) / 1000000) + seconds;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_CPU, &limit);
}

/* ----------------------------------------------------------------------------------- shared --- */

static void tell_program(void)
{
	const uint64_t one = 1;

	/* It says -EAGAIN only when it is full of wake-ups already. */
	while (write(worker.event, &one, sizeof one) < 0 && errno == EINTR)
		;
}

static void mapping_drop(struct mapping *mapping)
{
	munmap(mapping->data, mapping->size);
	close(mapping->fd);
	*mapping = worker.mappings[--worker.mapping_count];
}

/* After a job: its pointers are good no longer, but buffers that are used again stay mapped. */
static void mappings_trim(void)
{
	while (worker.mapping_count > MAPPINGS_KEPT) {
		struct mapping *oldest = worker.mappings;

		for (size_t i = 1; i < worker.mapping_count; i++)
			if (worker.job - worker.mappings[i].job > worker.job - oldest->job)
				oldest = &worker.mappings[i];
		mapping_drop(oldest);
	}
}

/* Asks the program, and maps what it sends. */
static int mapping_make(struct mapping *mapping, uint64_t id)
{
	struct cr__shared_packet packet;
	int fd, r;

	atomic_store(&worker.channel->wanted, id);
	tell_program();
	r = cr__packet_receive(worker.socket, &packet, sizeof packet, &fd, 1);
	if (r < 0 || packet.id != id)
		_exit(1); /* the program is gone */
	if (packet.error < 0)
		return packet.error;
	if (fd < 0)
		return -EMFILE;
	*mapping = (struct mapping){.id = id, .size = packet.size, .fd = fd, .job = worker.job};
	mapping->data = mmap(NULL, mapping->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	r = mapping->data == MAP_FAILED ? -errno : 0;
	if (r < 0)
		close(fd);
	return r;
}

/* Whether the program has closed it since an earlier job: it is cut off then. */
static bool mapping_stale(const struct mapping *mapping)
{
	struct stat info;

	return mapping->job != worker.job && fstat(mapping->fd, &info) == 0 && info.st_size == 0;
}

int cr__worker_shared(uint64_t id, void **ret_data, size_t *ret_size)
{
	struct mapping *mapping = worker.mappings;
	const struct mapping *end = mapping + worker.mapping_count;
	int r;

	while (mapping < end && mapping->id != id)
		mapping++;
	if (mapping < end && mapping_stale(mapping)) {
		mapping_drop(mapping);
		return -ESRCH;
	}
	if (mapping == end) {
		if (!id)
			return -ESRCH;
		if (worker.mapping_count == MAPPINGS_MAX)
			return -EMFILE;
		r = mapping_make(mapping, id);
		if (r < 0)
			return r;
		worker.mapping_count++;
	}
	mapping->job = worker.job;
	*ret_data = mapping->data;
	if (ret_size)
		*ret_size = mapping->size;
	return 0;
}

/* ------------------------------------------------------------------------------------- work --- */

static void run_next(const struct cr__zygote_pool *limits)
{
	struct cr__channel *channel = worker.channel;
	struct cr__cell *cell = &channel->cells[worker.job % CR__CHANNEL_CELLS];
	uint32_t state = CR__CELL_READY;

	if (atomic_compare_exchange_strong(&cell->state, &state, CR__CELL_BEGUN)) {
		grant_processor(limits->cpu_limit_seconds);
		cell->result = cr__fn_call(cell->fn, channel->arena + cell->offset);
		atomic_store_explicit(&cell->state, CR__CELL_DONE, memory_order_release);
	}
	worker.job++;
	atomic_store(&channel->completed, worker.job);
	if (atomic_load(&channel->armed) && atomic_exchange(&channel->armed, 0))
		tell_program();
	mappings_trim();
}

static void wait_for_job(void)
{
	struct cr__channel *channel = worker.channel;

	if (atomic_load_explicit(&channel->submitted, memory_order_acquire) != worker.job)
		return;
	fflush(stdout);
	atomic_store(&channel->sleeping, 1);
	while (atomic_load(&channel->submitted) == worker.job)
		cr__channel_sleep(channel, worker.job);
	atomic_store_explicit(&channel->sleeping, 0, memory_order_relaxed);
}

void cr__zygote_worker(const struct cr__zygote_child *child)
{
	const struct cr__zygote_pool limits = *child->pool;
	int fds[3] = {child->memory, child->socket, child->event};
	char name[32];
	void *memory;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* It may have died before that was said. */
	if (getppid() != child->zygote)
		_exit(1);
	snprintf(name, sizeof name, "%.11s/%u", limits.name, child->number + 1);
	prctl(PR_SET_NAME, name);
	signals_init();
	memory = mmap(NULL, sizeof *worker.channel, PROT_READ | PROT_WRITE, MAP_SHARED,
	              child->memory, 0);
	if (memory == MAP_FAILED)
		_exit(1);
	worker.socket = child->socket;
	worker.event = child->event;
	descriptors_init(fds);
	close(child->memory);
	worker.channel = memory;
	limits_init(&limits);
	while (!limits.jobs_max || worker.job < limits.jobs_max) {
		wait_for_job();
		run_next(&limits);
	}
	fflush(stdout);
	_exit(0);
}
