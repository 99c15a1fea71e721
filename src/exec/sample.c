/* SPDX-License-Identifier: MIT */
#include "exec/sample.h"

#include "exec/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { IDLE, WANTED, FILLING, FILLED, STALE };

static int signal_number(void)
{
	return SIGRTMAX - 5;
}

/* ------------------------------------------------------------------- in the signal handler --- */

static uintptr_t program_counter(const ucontext_t *context)
{
#if defined(__x86_64__)
	return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return (uintptr_t)context->uc_mcontext.pc;
#else
	(void)context;
	return 0;
#endif
}

/*
 * A sleep or poll that was interrupted before, by work of the kernel's own, shows as
 * restart_syscall(2), which a signal ends for good, or not at all if that was just then. What it is
 * stands in the code, which puts the number into its register a few instructions before.
 */
static bool call_number(const struct cr__sample *sample, uintptr_t pc, bool seen,
                        unsigned long *ret_number)
{
	static const unsigned long restartable[] = {
		SYS_clock_nanosleep,
		SYS_nanosleep,
		SYS_futex,
#ifdef SYS_poll
		SYS_poll,
#endif
	};
	enum { FAR = 20 };

	*ret_number = sample->number;
	if (seen && sample->number != SYS_restart_syscall)
		return true;
	for (size_t back = 1; back <= FAR; back++) {
		unsigned long number = ULONG_MAX;
#if defined(__x86_64__)
		const unsigned char *code = (const unsigned char *)pc - 2 - back;
		uint32_t word;

		memcpy(&word, code + 1, sizeof word);
		if (code[0] == 0xb8) /* mov $number, %eax */
			number = word;
#elif defined(__aarch64__)
		uint32_t word = ((const uint32_t *)pc)[-(long)back];

		if ((word & 0x7fe0001f) == 0x52800008) /* mov x8, #number */
			number = word >> 5 & 0xffff;
#endif
		for (size_t i = 0; i < sizeof restartable / sizeof *restartable; i++)
			if (number == restartable[i]) {
				*ret_number = number;
				return true;
			}
	}
	return false;
}

/*
 * Lets the system call begin again that the signal has ended: EINTR, and the one that was seen at
 * this place, or a sleep.
 */
static void begin_again(const struct cr__sample *sample, ucontext_t *context)
{
	const uintptr_t pc = program_counter(context);
	bool seen = sample->in_call && sample->pc == pc;
	unsigned long number;

#if defined(__x86_64__)
	greg_t *registers = context->uc_mcontext.gregs;
	const unsigned char *code = (const unsigned char *)pc - 2;

	seen = seen && (unsigned long)registers[REG_RDI] == sample->arguments[0] &&
	       (unsigned long)registers[REG_RSI] == sample->arguments[1] &&
	       (unsigned long)registers[REG_RDX] == sample->arguments[2];
	if (registers[REG_RAX] != -EINTR || code[0] != 0x0f || code[1] != 0x05 || /* syscall */
	    !call_number(sample, pc, seen, &number))
		return;
	registers[REG_RAX] = (greg_t)number;
	registers[REG_RIP] -= 2;
#elif defined(__aarch64__)
	const uint32_t *code = (const uint32_t *)pc - 1;

	/* Its first argument is gone from the registers: it must be the call that was seen. */
	if ((long)context->uc_mcontext.regs[0] != -EINTR || *code != 0xd4000001 || /* svc #0 */
	    !seen || context->uc_mcontext.regs[1] != sample->arguments[1] ||
	    context->uc_mcontext.regs[2] != sample->arguments[2] ||
	    !call_number(sample, pc, seen, &number))
		return;
	context->uc_mcontext.regs[8] = number;
	context->uc_mcontext.regs[0] = sample->arguments[0];
	context->uc_mcontext.pc -= 4;
#else
	(void)seen;
	(void)number;
#endif
}

/* The frames of what was interrupted, without the handler's. */
static void fill_frames(struct cr__sample *sample, const ucontext_t *context)
{
	void *frames[CR__FRAMES_MAX];
	size_t count = cr__frames_here(frames, CR__FRAMES_MAX), first = 0;
	uintptr_t exact = program_counter(context) + 1;

	while (first < count && (uintptr_t)frames[first] != exact)
		first++;
	if (first == count)
		first = 0;
	sample->count = count - first;
	memcpy(sample->frames, frames + first, sample->count * sizeof *frames);
}

static void fill(struct cr__sched *s, struct cr__sample *sample, const ucontext_t *context)
{
	struct cr__task *task = cr__running(s);
	const char *name = task ? cr__task_name(task) : "";
	size_t size = strnlen(name, sizeof sample->name - 1);

	sample->in_task = task != NULL;
	sample->site = task ? task->site : "";
	memcpy(sample->name, name, size);
	sample->name[size] = '\0';
	fill_frames(sample, context);
}

static void on_signal(int number, siginfo_t *info, void *arg)
{
	struct cr__sched *s = cr__sched_self();
	struct cr__sample *sample;
	int saved = errno, expected = WANTED;

	(void)number;
	(void)info;
	if (!s || !s->debug || !s->debug->watchdog)
		return;
	sample = &s->debug->watchdog->sample;
	/* Too late: nobody waits for it any more. */
	if (!atomic_compare_exchange_strong(&sample->state, &expected, FILLING))
		return;
	expected = STALE;
	if (atomic_load(&s->debug->watch.beats) == sample->beats) {
		fill(s, sample, arg);
		expected = FILLED;
	}
	begin_again(sample, arg);
	atomic_store_explicit(&sample->state, expected, memory_order_release);
	errno = saved;
}

/* ----------------------------------------------------------------------------- the handler --- */

static pthread_mutex_t armed_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned armed;
static struct sigaction before_us;

int cr__sample_arm(void)
{
	struct sigaction action = {
		.sa_sigaction = on_signal,
		.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK,
	};
	int r = 0;

	sigemptyset(&action.sa_mask);
	pthread_mutex_lock(&armed_lock);
	if (armed == 0) {
		if (sigaction(signal_number(), NULL, &before_us) || before_us.sa_handler != SIG_DFL)
			r = -EBUSY;
		else if (sigaction(signal_number(), &action, NULL))
			r = -errno;
	}
	if (r == 0)
		armed++;
	pthread_mutex_unlock(&armed_lock);
	return r;
}

void cr__sample_disarm(void)
{
	pthread_mutex_lock(&armed_lock);
	if (--armed == 0) {
		const struct sigaction ignored = {.sa_handler = SIG_IGN};

		/* Forgets one that is pending, which would end the process (signal(7)). */
		sigaction(signal_number(), &ignored, NULL);
		sigaction(signal_number(), &before_us, NULL);
	}
	pthread_mutex_unlock(&armed_lock);
}

/* ------------------------------------------------------------------------------------ proc --- */

/* Reads a file of the thread's folder in proc(5). Returns the size, 0 when there is none. */
static size_t proc_read(pid_t thread, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof path, "/proc/self/task/%d/%s", (int)thread, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	got = read(fd, text, size - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	return got > 0 ? (size_t)got : 0;
}

bool cr__thread_stopped(pid_t thread)
{
	char text[512];
	const char *state;

	if (!proc_read(thread, "stat", text, sizeof text))
		return false;
	/* "12 (name) S ..."; the name may hold anything. */
	state = strrchr(text, ')');
	return state && state[1] == ' ' && (state[2] == 't' || state[2] == 'T');
}

/* "230 0x0 ... (six arguments) sp pc", or "running". */
static void call_read(struct cr__sample *sample, pid_t thread)
{
	char text[256], *at = text, *end;
	unsigned long words[9];

	sample->in_call = false;
	if (!proc_read(thread, "syscall", text, sizeof text))
		return;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		words[i] = strtoul(at, &end, 0);
		if (end == at)
			return;
		at = end;
	}
	sample->number = words[0];
	memcpy(sample->arguments, words + 1, sizeof sample->arguments);
	sample->pc = words[8];
	sample->in_call = (long)words[0] >= 0;
}

/* ---------------------------------------------------------------------------------- asking --- */

static void doze(void)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	nanosleep(&pause, NULL);
}

int cr__sample_take(struct cr__debug *debug, struct cr__sample *sample, pid_t thread,
                    uint64_t beats)
{
	enum { PATIENCE_MS = 500 };
	int expected = WANTED;

	sample->beats = beats;
	call_read(sample, thread);
	atomic_store_explicit(&sample->state, WANTED, memory_order_release);
	if (syscall(SYS_tgkill, getpid(), thread, signal_number()) < 0)
		return -ETIMEDOUT;
	for (int i = 0; i < PATIENCE_MS; i++) {
		if (atomic_load_explicit(&sample->state, memory_order_acquire) > WANTED)
			break;
		doze();
	}
	if (atomic_compare_exchange_strong(&sample->state, &expected, IDLE))
		return atomic_load(&debug->watch.beats) != beats ? -EAGAIN : -ETIMEDOUT;
	while (atomic_load_explicit(&sample->state, memory_order_acquire) == FILLING)
		doze();
	return atomic_load(&sample->state) == FILLED ? 0 : -EAGAIN;
}
