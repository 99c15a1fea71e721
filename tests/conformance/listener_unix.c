/* SPDX-License-Identifier: MIT */
/* Unix socket files: replaced when stale, removed at close, and never somebody else's. */
#include "in_task.h"

#include <sys/stat.h>
#include <sys/un.h>

static char directory[] = "/tmp/corail-test-XXXXXX";
static char path[64], target[80];

static int exists(void)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

/* What a server leaves that was killed: a bound socket file, and nobody behind it. */
static void leave_stale(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
	CHECK_EQ(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	CHECK_EQ(close(fd), 0);
}

static int removed_at_close(int *unused)
{
	cr_listener *listener;
	cr_conn *conn;

	(void)unused;
	CHECK_EQ(cr_conn_open(target, &conn), -ENOENT);
	CHECK_EQ(cr_listener_open(target, NULL, &listener), 0);
	CHECK(exists());
	CHECK_EQ(cr_listener_port(listener), -EAFNOSUPPORT);
	cr_listener_close(listener);
	CHECK(!exists());
	return 0;
}

static int stale_is_replaced(int *unused)
{
	cr_listener *listener;
	cr_conn *here, *there;

	(void)unused;
	leave_stale();
	CHECK_EQ(cr_conn_open(target, &here), -ECONNREFUSED);
	CHECK_EQ(cr_listener_open(target, NULL, &listener), 0);
	CHECK_EQ(cr_conn_open(target, &here), 0);
	CHECK_EQ(cr_listener_accept(listener, &there), 0);
	cr_conn_close(here);
	cr_conn_close(there);
	cr_listener_close(listener);
	CHECK(!exists());
	return 0;
}

static int living_is_kept(int *unused)
{
	cr_listener *first, *second;

	(void)unused;
	CHECK_EQ(cr_listener_open(target, NULL, &first), 0);
	CHECK_EQ(cr_listener_open(target, NULL, &second), -EADDRINUSE);
	CHECK(exists());
	cr_listener_close(first);
	return 0;
}

/* One that is alive, but has not accepted anybody for so long that its backlog is full. */
static int full_is_kept(int *unused)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fds[8], count = 0;
	cr_listener *listener;
	cr_nsec begin;

	(void)unused;
	snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
	CHECK_EQ(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	CHECK_EQ(listen(fd, 0), 0);
	do {
		CHECK_LT(count, 8);
		fds[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	} while (connect(fds[count++], (struct sockaddr *)&un, sizeof un) == 0);
	CHECK_EQ(errno, EAGAIN);
	begin = cr_now();
	CHECK_EQ(cr_timeout(cr_seconds(20), cr_listener_open(target, NULL, &listener)),
	         -EADDRINUSE);
	CHECK_LT(cr_now() - begin, cr_seconds(15));
	CHECK(exists());
	while (count > 0)
		close(fds[--count]);
	close(fd);
	unlink(path);
	return 0;
}

static int other_files_are_kept(int *unused)
{
	cr_listener *listener;
	FILE *file = fopen(path, "w");

	(void)unused;
	CHECK_EQ(fclose(file), 0);
	CHECK_EQ(cr_listener_open(target, NULL, &listener), -EADDRINUSE);
	CHECK(exists());
	CHECK_EQ(unlink(path), 0);
	return 0;
}

/* Another server has put its own file there meanwhile. */
static int successor_is_kept(int *unused)
{
	cr_listener *first, *second;

	(void)unused;
	CHECK_EQ(cr_listener_open(target, NULL, &first), 0);
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(cr_listener_open(target, NULL, &second), 0);
	cr_listener_close(first);
	CHECK(exists());
	cr_listener_close(second);
	CHECK(!exists());
	return 0;
}

/* More clients than the backlog holds: they wait, and are all served. */
static int client(int *unused)
{
	cr_conn *conn;
	int r = cr_conn_open(target, &conn);

	(void)unused;
	if (r == 0)
		cr_conn_close(conn);
	return r;
}

static int full_backlog(int *unused)
{
	enum { CLIENTS = 12 };
	cr_listener_options options = {.backlog = 1};
	cr_listener *listener;

	CHECK_EQ(cr_listener_open(target, &options, &listener), 0);
	{
		CORAIL_SCOPE(scope);
		for (int i = 0; i < CLIENTS; i++)
			cr_spawn(&scope, client, unused);
		CHECK_EQ(cr_sleep(cr_millis(20)), 0);
		for (int i = 0; i < CLIENTS; i++) {
			cr_conn *conn;

			CHECK_EQ(cr_listener_accept(listener, &conn), 0);
			cr_conn_close(conn);
		}
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	cr_listener_close(listener);
	return 0;
}

int main(void)
{
	if (on_sim())
		SKIP("Unix socket files are the operating system's; the simulator has names only");
	CHECK(mkdtemp(directory) != NULL);
	snprintf(path, sizeof path, "%s/socket", directory);
	snprintf(target, sizeof target, "unix:%s", path);
	RUN_TASK(removed_at_close);
	RUN_TASK(stale_is_replaced);
	RUN_TASK(living_is_kept);
	RUN_TASK(full_is_kept);
	RUN_TASK(other_files_are_kept);
	RUN_TASK(successor_is_kept);
	RUN_TASK(full_backlog);
	CHECK_EQ(rmdir(directory), 0);
	return test_done();
}
