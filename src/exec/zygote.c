/* SPDX-License-Identifier: MIT */
#include "exec/zygote.h"

#include "base/alloc.h"
#include "ctx/ctx.h"
#include "ctx/sanitize.h"
#include "exec/processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The zygote, as the program sees it: making it, and packets. */

static struct {
	pthread_mutex_t lock;
	int socket;
	pid_t pid, owner; /* 0: there is none; who made it */
	bool lost;        /* it hung up */
} zygote = {.lock = PTHREAD_MUTEX_INITIALIZER, .socket = -1};

/* ---------------------------------------------------------------------------------- packets --- */

int cr__packet_send(int socket, const void *packet, size_t size, const int *fds, int count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec data = {(void *)(uintptr_t)packet, size};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
	ssize_t n;

	if (count > 0) {
		memset(&control, 0, sizeof control);
		message.msg_control = control.space;
		message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, (size_t)count * sizeof(int));
	}
	do {
		n = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int cr__packet_receive(int socket, void *packet, size_t size, int *ret_fds, int count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec data = {.iov_base = packet, .iov_len = size};
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof control.space,
	};
	ssize_t n;

	for (int i = 0; i < count; i++)
		ret_fds[i] = -1;
	do {
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
	     header = CMSG_NXTHDR(&message, header))
		if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
		    header->cmsg_len <= CMSG_LEN((size_t)count * sizeof(int)))
			memcpy(ret_fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
	if (n == 0)
		return -ENOMSG;
	return n == (ssize_t)size ? 0 : -EBADMSG;
}

int cr__zygote_event(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

int cr__zygote_pair(int ret_fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) < 0 ? -errno : 0;
}

int cr__zygote_memory(const char *name, size_t size, void **ret_memory)
{
	int fd = memfd_create(name, MFD_CLOEXEC), r;
	void *memory;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) == 0) {
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (memory != MAP_FAILED) {
			*ret_memory = memory;
			return fd;
		}
	}
	r = errno == EFBIG || errno == EINVAL ? -ENOMEM : -errno;
	close(fd);
	return r;
}

void cr__zygote_memory_free(void *memory, size_t size)
{
	if (memory)
		munmap(memory, size);
}

void cr__zygote_memory_cut(int fd)
{
	/* Else the pages stay for as long as somebody maps them. */
	int r = ftruncate(fd, 0);

	(void)r;
	close(fd);
}

void cr__zygote_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* ------------------------------------------------------------------------------- the zygote --- */

/*
 * Whether this is the only thread. The thread sanitizer has one of its own, which knows how to live
 * with a fork.
 */
static bool single_thread(void)
{
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *entry;
	int count = 0;

	if (!dir)
		return false;
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count <= 1 + CR__TSAN;
}

struct birth {
	int socket;
	pid_t parent;
};

static int live(const struct birth *birth)
{
	cr__zygote_main(birth->socket, birth->parent);
}

static void never(int result)
{
	(void)result;
	__builtin_trap();
}

static void arrive(void)
{
#if CR__SANITIZED
	struct cr__fiber none = {0};

	cr__fiber_arrive(&none, NULL);
#endif
}

enum { STACK_SIZE = 8 << 20 };

static _Noreturn void be_born_on(char *stack, int socket, pid_t parent)
{
	static struct birth birth;
	static void *sp;

	birth = (struct birth){socket, parent};
	sp = cr__ctx_make(stack + STACK_SIZE, (cr__code)live, &birth, never, arrive);
#if CR__SANITIZED
	{
		struct cr__fiber from = {0}, to;

		cr__fiber_init(&to, stack, STACK_SIZE);
		cr__fiber_leave(&from, &to, true);
	}
#endif
	cr__ctx_jump(sp, 0, &errno);
}

/*
 * In the child. Made in a task, it is on that task's stack, which is small, and its thread seems to
 * run a loop: it gets a stack as a thread has it, and forgets the loop.
 */
static _Noreturn void be_born(int socket, pid_t parent)
{
	char *stack;

	if (cr__loop_self()) {
		cr__loop_of_thread = NULL;
		stack = cr__map_reserve(STACK_SIZE);
		if (stack && cr__map_commit(stack, STACK_SIZE) == 0)
			be_born_on(stack, socket, parent);
	}
	cr__zygote_main(socket, parent);
}

/* In a process that is no longer what it was made for: a fork of the program, or a worker. */
static void forget(void)
{
	if (zygote.socket >= 0)
		close(zygote.socket);
	zygote.socket = -1;
	zygote.pid = 0;
}

/* With the lock held. */
static int make(void)
{
	int pair[2], r;
	pid_t parent = getpid(), pid;

	if (!single_thread())
		return -CORAIL_E_PROCESSES_LATE;
	r = cr__text_note();
	if (r < 0)
		return r;
	r = cr__zygote_pair(pair);
	if (r < 0)
		return r;
	pid = fork();
	if (pid == 0) {
		/* The lock is ours now; a worker may want it. */
		pthread_mutex_unlock(&zygote.lock);
		zygote.pid = 0;
		be_born(pair[1], parent);
	}
	r = pid < 0 ? -errno : 0;
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		return r;
	}
	zygote.socket = pair[0];
	zygote.pid = pid;
	zygote.lost = false;
	zygote.owner = parent;
	return 0;
}

int cr__zygote_start(void)
{
	int r = 0;

	pthread_mutex_lock(&zygote.lock);
	if (zygote.pid && zygote.owner != getpid())
		forget();
	/* Somebody killed it, or is about to have: another one, if that is possible. */
	if (zygote.pid && zygote.lost)
		kill(zygote.pid, SIGKILL);
	if (zygote.pid && waitpid(zygote.pid, NULL, zygote.lost ? 0 : WNOHANG) != 0)
		forget();
	if (!zygote.pid)
		r = make();
	pthread_mutex_unlock(&zygote.lock);
	return r;
}

void cr__zygote_lost(pid_t pid)
{
	pthread_mutex_lock(&zygote.lock);
	if (zygote.pid == pid)
		zygote.lost = true;
	pthread_mutex_unlock(&zygote.lock);
}

int cr__zygote_connect(const struct cr__zygote_pool *pool, int event, pid_t *ret_pid)
{
	int pair[2], fds[2], r = cr__zygote_pair(pair);

	if (r < 0)
		return r;
	fds[0] = pair[1];
	fds[1] = event;
	pthread_mutex_lock(&zygote.lock);
	/* Nobody reads it but the zygote, and that at once: only a crowd of pools fills it. */
	while ((r = cr__packet_send(zygote.socket, pool, sizeof *pool, fds, 2)) == -EAGAIN)
		sched_yield();
	*ret_pid = zygote.pid;
	if (r == -EPIPE || r == -ECONNRESET)
		zygote.lost = true;
	pthread_mutex_unlock(&zygote.lock);
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		return r == -EPIPE || r == -ECONNRESET ? -CORAIL_E_PROCESSES_LOST : r;
	}
	return pair[0];
}
