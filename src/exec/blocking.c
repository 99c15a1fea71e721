/* SPDX-License-Identifier: MIT */
#include "exec/blocking.h"

#include <string.h>
#include <sys/syscall.h>

static const struct cr__blocking known[] = {
	{"sleep", "cr_sleep()"},
	{"usleep", "cr_sleep()"},
	{"nanosleep", "cr_sleep()"},
	{"clock_nanosleep", "cr_sleep()"},
	{"thrd_sleep", "cr_sleep()"},
	{"pause", "cr_event_wait()"},
	{"read", "cr_fd_read()"},
	{"readv", "cr_fd_readv()"},
	{"pread", "cr_fd_pread()"},
	{"preadv", NULL},
	{"write", "cr_fd_write()"},
	{"writev", "cr_fd_writev()"},
	{"pwrite", "cr_fd_pwrite()"},
	{"pwritev", NULL},
	{"recv", "cr_fd_recv()"},
	{"recvfrom", "cr_fd_recvmsg()"},
	{"recvmsg", "cr_fd_recvmsg()"},
	{"recvmmsg", "cr_fd_recvmsg()"},
	{"send", "cr_fd_send()"},
	{"sendto", "cr_fd_sendmsg()"},
	{"sendmsg", "cr_fd_sendmsg()"},
	{"sendfile", NULL},
	{"splice", NULL},
	{"accept", "cr_fd_accept()"},
	{"accept4", "cr_fd_accept()"},
	{"connect", "cr_fd_connect()"},
	{"poll", "cr_fd_poll()"},
	{"ppoll", "cr_fd_poll()"},
	{"select", "cr_fd_poll()"},
	{"pselect", "cr_fd_poll()"},
	{"epoll_wait", "cr_poller_wait()"},
	{"epoll_pwait", "cr_poller_wait()"},
	{"fsync", "cr_file_sync()"},
	{"fdatasync", "cr_file_sync_data()"},
	{"sync", NULL},
	{"syncfs", NULL},
	{"msync", NULL},
	{"open", "cr_file_open()"},
	{"openat", "cr_file_open()"},
	{"close", "cr_fd_close()"},
	{"stat", "cr_fs_stat()"},
	{"fallocate", "cr_file_allocate()"},
	{"flock", "cr_file_lock()"},
	{"lockf", NULL},
	{"fcntl", NULL},
	{"ioctl", NULL},
	{"fread", "cr_fd_read()"},
	{"fwrite", "cr_fd_write()"},
	{"fgets", "cr_fd_read()"},
	{"getline", "cr_fd_read()"},
	{"getdelim", "cr_fd_read()"},
	{"getc", "cr_fd_read()"},
	{"getchar", "cr_fd_read()"},
	{"scanf", "cr_fd_read()"},
	{"fflush", "cr_fd_write()"},
	{"wait", "cr_process_wait()"},
	{"wait4", "cr_process_wait()"},
	{"waitid", "cr_process_wait()"},
	{"waitpid", "cr_process_wait()"},
	{"system", "cr_process_open()"},
	{"pclose", "cr_process_wait()"},
	{"sigwait", "cr_signal_wait()"},
	{"sigwaitinfo", "cr_signal_wait()"},
	{"sigtimedwait", "cr_signal_wait()"},
	{"getaddrinfo", "cr_dns_lookup()"},
	{"gethostbyname", "cr_dns_lookup()"},
	{"gethostbyname_r", "cr_dns_lookup()"},
	{"getnameinfo", NULL},
	{"res_query", NULL},
	{"futex", NULL},
	{"pthread_mutex_lock", "cr_mutex_lock()"},
	{"pthread_mutex_timedlock", "cr_mutex_lock()"},
	{"pthread_rwlock_rdlock", "cr_rwlock_read()"},
	{"pthread_rwlock_wrlock", "cr_rwlock_write()"},
	{"pthread_cond_wait", "cr_cond_wait()"},
	{"pthread_cond_timedwait", "cr_cond_wait()"},
	{"pthread_join", NULL},
	{"pthread_barrier_wait", "cr_barrier_wait()"},
	{"mtx_lock", "cr_mutex_lock()"},
	{"cnd_wait", "cr_cond_wait()"},
	{"thrd_join", NULL},
	{"sem_wait", "cr_sem_acquire()"},
	{"sem_timedwait", "cr_sem_acquire()"},
	{"sqlite3_step", "<corail/sqlite.h>"},
	{"sqlite3_exec", "<corail/sqlite.h>"},
	{"PQexec", "<corail/pg.h>"},
	{"PQexecParams", "<corail/pg.h>"},
	{"PQgetResult", "<corail/pg.h>"},
	{"PQconnectdb", "<corail/pg.h>"},
	{"redisCommand", "<corail/redis.h>"},
	{"redisConnect", "<corail/redis.h>"},
	{"mysql_query", NULL},
	{"mysql_real_query", NULL},
	{"curl_easy_perform", "<corail/http.h>"},
	{"curl_multi_wait", "<corail/http.h>"},
	{"curl_multi_poll", "<corail/http.h>"},
	{"SSL_read", "<corail/tls.h>"},
	{"SSL_write", "<corail/tls.h>"},
	{"SSL_connect", "<corail/tls.h>"},
	{"SSL_accept", "<corail/tls.h>"},
};

/* The C library's own names ("__libc_read", "__GI___poll", "read@@GLIBC_2.2.5"), a sanitizer's. */
static size_t plain(const char **name)
{
	static const char *const prefixes[] = {"__GI_",        "__libc_",     "__interceptor_",
	                                       "interceptor_", "__internal_", "_"};
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
			size_t size = strlen(prefixes[i]);

			if (strncmp(*name, prefixes[i], size) == 0) {
				*name += size;
				again = true;
			}
		}
	}
	return strcspn(*name, "@.");
}

static const struct cr__blocking *look_up(const char *name)
{
	size_t size = plain(&name);

	if (size > 2 && strncmp(name + size - 2, "64", 2) == 0)
		size -= 2;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strlen(known[i].name) == size && strncmp(known[i].name, name, size) == 0)
			return &known[i];
	return NULL;
}

const struct cr__blocking *cr__blocking_find(const struct cr__symbol *symbols, size_t count)
{
	const struct cr__blocking *found = NULL;

	for (size_t i = 0; i < count && symbols[i].library; i++) {
		const struct cr__blocking *here = look_up(symbols[i].name);

		if (here)
			found = here;
	}
	return found;
}

/*
 * Where no function has a name that is known: in a C library without symbols for its inner ones, or
 * linked statically.
 */
const struct cr__blocking *cr__blocking_call(unsigned long number)
{
	static const struct {
		unsigned long number;
		const char *name;
	} calls[] = {
		{SYS_futex, "futex"},
		{SYS_read, "read"},
		{SYS_write, "write"},
		{SYS_clock_nanosleep, "clock_nanosleep"},
		{SYS_recvfrom, "recvfrom"},
		{SYS_recvmsg, "recvmsg"},
		{SYS_sendto, "sendto"},
		{SYS_sendmsg, "sendmsg"},
		{SYS_accept4, "accept4"},
		{SYS_connect, "connect"},
		{SYS_ppoll, "ppoll"},
		{SYS_pselect6, "pselect"},
		{SYS_epoll_pwait, "epoll_pwait"},
		{SYS_fsync, "fsync"},
		{SYS_fdatasync, "fdatasync"},
		{SYS_openat, "openat"},
		{SYS_flock, "flock"},
		{SYS_fcntl, "fcntl"},
		{SYS_wait4, "wait4"},
		{SYS_waitid, "waitid"},
#ifdef SYS_poll
		{SYS_poll, "poll"},
#endif
	};

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (calls[i].number == number)
			return look_up(calls[i].name);
	return NULL;
}
