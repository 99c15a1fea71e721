/* SPDX-License-Identifier: MIT */
#include "exec/zygote.h"

#include "base/alloc.h"
#include "base/list.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The zygote: it waits for packets, for ended children, and for the end of the program. It has no
 * loop and one thread, and may block: on a program that does not read what it says, for instance.
 */

struct child {
	pid_t pid; /* 0: none */
	uint32_t generation;
};

struct pool {
	struct cr__list link;
	struct cr__zygote_pool limits;
	int socket, event;
	struct child *children;
	uint32_t child_count;
};

struct zygote {
	int socket, signals;
	pid_t parent;
	struct cr__list pools;
	size_t pool_count, room;
	struct pollfd *polls;
};

static void children_kill(const struct pool *pool)
{
	for (uint32_t i = 0; i < pool->child_count; i++)
		if (pool->children[i].pid)
			kill(pool->children[i].pid, SIGKILL);
}

/* The program is gone, or going: nobody stays. */
static _Noreturn void end(const struct zygote *z)
{
	for (struct cr__list *node = z->pools.next; node != &z->pools; node = node->next)
		children_kill(CR__CONTAINER(node, struct pool, link));
	_exit(0);
}

/* -------------------------------------------------------------------------------- its birth --- */

/*
 * Signals: the program's handlers are not ours; what a terminal or a service manager sends to all
 * of a group is the program's to decide, with whom we end.
 */
static int signals_init(void)
{
	static const int ignored[] = {SIGINT, SIGQUIT, SIGHUP, SIGTERM, SIGPIPE, SIGTSTP};
	sigset_t set;

	for (int number = 1; number < NSIG; number++)
		sigaction(number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		sigaction(ignored[i], &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Keeps standard output and error, and `socket`. */
static void descriptors_init(int socket)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		if (null != STDIN_FILENO)
			close(null);
	}
	if (socket > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, (unsigned)socket - 1, 0);
	close_range((unsigned)socket + 1, ~0U, 0);
	/* What the program had not flushed yet is not ours to write. */
	__fpurge(stdout);
	__fpurge(stderr);
}

/* ------------------------------------------------------------------------------------ pools --- */

static void pool_close(struct zygote *z, struct pool *pool)
{
	children_kill(pool);
	close(pool->socket);
	close(pool->event);
	cr__list_remove(&pool->link);
	z->pool_count--;
	/* Its children are reaped as nobody's. */
	cr__free(pool->children);
	cr__free(pool);
}

static void pool_open(struct zygote *z)
{
	struct pool *pool = cr__alloc_zero(1, sizeof *pool);
	int fds[2], r;

	if (!pool)
		end(z);
	r = cr__packet_receive(z->socket, &pool->limits, sizeof pool->limits, fds, 2);
	if (r == -ENOMSG)
		end(z);
	if (r < 0 || fds[0] < 0 || fds[1] < 0) {
		cr__zygote_close(fds[0]);
		cr__zygote_close(fds[1]);
		cr__free(pool);
		return;
	}
	pool->socket = fds[0];
	pool->event = fds[1];
	cr__list_push_back(&z->pools, &pool->link);
	z->pool_count++;
}

/* Waits where the program is slow to read. */
static void tell(const struct pool *pool, uint32_t verb, uint32_t number, uint32_t generation,
                 int32_t value)
{
	const struct cr__zygote_note note = {verb, number, generation, value};
	struct pollfd room = {.fd = pool->socket, .events = POLLOUT};

	while (cr__packet_send(pool->socket, &note, sizeof note, NULL, 0) == -EAGAIN)
		poll(&room, 1, -1);
}

static struct child *child_at(struct pool *pool, uint32_t number)
{
	if (number >= pool->child_count) {
		struct child *children = cr__realloc(pool->children,
		                                     (number + 1) * sizeof *children);

		if (!children)
			return NULL;
		memset(children + pool->child_count, 0,
		       (number + 1 - pool->child_count) * sizeof *children);
		pool->children = children;
		pool->child_count = number + 1;
	}
	return &pool->children[number];
}

static void child_start(struct pool *pool, const struct cr__zygote_note *note, const int *fds)
{
	struct child *child = child_at(pool, note->number);
	struct cr__zygote_child born = {
		.pool = &pool->limits,
		.zygote = getpid(),
		.memory = fds[0],
		.socket = fds[1],
		.event = pool->event,
		.number = note->number,
	};
	pid_t pid = -1;
	int error = ENOMEM;

	if (child && fds[0] >= 0 && fds[1] >= 0) {
		pid = fork();
		error = errno;
	}
	if (pid == 0)
		cr__zygote_worker(&born);
	if (pid > 0)
		*child = (struct child){pid, note->generation};
	tell(pool, CR__ZYGOTE_STARTED, note->number, note->generation, pid > 0 ? pid : -error);
}

/* Returns false when the pool is gone. */
static bool pool_serve(struct pool *pool)
{
	struct cr__zygote_note note;
	int fds[2], r = cr__packet_receive(pool->socket, &note, sizeof note, fds, 2);

	if (r < 0)
		return false;
	if (note.verb == CR__ZYGOTE_START)
		child_start(pool, &note, fds);
	else if (note.verb == CR__ZYGOTE_KILL && note.number < pool->child_count &&
	         pool->children[note.number].generation == note.generation &&
	         pool->children[note.number].pid)
		kill(pool->children[note.number].pid, SIGKILL);
	cr__zygote_close(fds[0]);
	cr__zygote_close(fds[1]);
	return true;
}

static void child_ended(const struct zygote *z, pid_t pid, int status)
{
	for (struct cr__list *node = z->pools.next; node != &z->pools; node = node->next) {
		struct pool *pool = CR__CONTAINER(node, struct pool, link);

		for (uint32_t i = 0; i < pool->child_count; i++) {
			if (pool->children[i].pid != pid)
				continue;
			pool->children[i].pid = 0;
			tell(pool, CR__ZYGOTE_ENDED, i, pool->children[i].generation, status);
			return;
		}
	}
}

static void signals_serve(const struct zygote *z)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(z->signals, &info, sizeof info) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		child_ended(z, pid, status);
}

/* ---------------------------------------------------------------------------------- its life -- */

/* What there is to wait for: two of its own, then one for each pool, in order. */
static nfds_t polls_fill(struct zygote *z)
{
	size_t count = 2;

	if (z->pool_count + 2 > z->room) {
		size_t room = 2 * (z->pool_count + 2);
		struct pollfd *polls = cr__realloc(z->polls, room * sizeof *polls);

		if (!polls)
			end(z);
		z->polls = polls;
		z->room = room;
	}
	z->polls[0] = (struct pollfd){.fd = z->socket, .events = POLLIN};
	z->polls[1] = (struct pollfd){.fd = z->signals, .events = POLLIN};
	for (struct cr__list *node = z->pools.next; node != &z->pools; node = node->next)
		z->polls[count++] = (struct pollfd){
			.fd = CR__CONTAINER(node, struct pool, link)->socket, .events = POLLIN};
	return count;
}

static void turn(struct zygote *z)
{
	nfds_t count = polls_fill(z), i = 2;

	if (poll(z->polls, count, -1) < 0)
		return;
	/*
	 * The signal for the end of our parent comes also when only its thread that made us has
	 * ended: so it is that of a child, and the parent is looked at.
	 */
	if (getppid() != z->parent)
		end(z);
	if (z->polls[1].revents)
		signals_serve(z);
	for (struct cr__list *node = z->pools.next, *next; i < count; node = next, i++) {
		struct pool *pool = CR__CONTAINER(node, struct pool, link);

		next = node->next;
		if (z->polls[i].revents && !pool_serve(pool))
			pool_close(z, pool);
	}
	if (z->polls[0].revents)
		pool_open(z);
}

void cr__zygote_main(int socket, pid_t parent)
{
	struct zygote z = {.socket = socket, .parent = parent};

	prctl(PR_SET_NAME, "corail-zygote");
	descriptors_init(socket);
	z.signals = signals_init();
	prctl(PR_SET_PDEATHSIG, SIGCHLD);
	/* It may have died before that was said. */
	if (z.signals < 0 || getppid() != parent)
		_exit(1);
	cr__list_init(&z.pools);
	for (;;)
		turn(&z);
}
