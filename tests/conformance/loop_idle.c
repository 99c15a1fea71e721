/* SPDX-License-Identifier: MIT */
/* ctest: labels=noasan,notsan,noqemu */
/* An idle program makes no system call for as long as nothing happens: strace(1) watches it. */

#include "support/asleep.h"
#include "support/core.h"

#include <corail/io.h>
#include <corail/sync.h>

#include <signal.h>
#include <sys/wait.h>

static int wait_for_ever(cr_event *event)
{
	return cr_event_wait(event);
}

static int sleep_for_ever(cr_event *event)
{
	(void)event;
	return cr_sleep(CORAIL_NEVER);
}

/* Says that it is about to be idle, and is, until it is killed. */
TEST(be_idle)
{
	cr_event event = {0};

	CORAIL_SCOPE(scope);
	for (int i = 0; i < 10; i++) {
		cr_spawn(&scope, wait_for_ever, &event);
		cr_spawn(&scope, sleep_for_ever, &event);
	}
	CHECK_EQ(cr_sleep(cr_millis(10)), 0);
	/*
	 * A timer in the future costs nothing either; where time is virtual, it would come at once.
	 */
	if (!on_sim())
		cr_scope_timeout_set(&scope, cr_seconds(3600));
	if (write(STDOUT_FILENO, "idle\n", 5) != 5)
		return -EPIPE;
	return cr_scope_wait(&scope);
}

/* A child that runs be_idle() with its standard output in a pipe; ret_out is where to read. */
static pid_t start_idle(const char *self, int *ret_out)
{
	int fds[2];
	char word[8] = "";
	pid_t pid;

	CHECK_EQ(pipe(fds), 0);
	pid = fork();
	CHECK_GE(pid, 0);
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execl(self, self, "idle", (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	CHECK_EQ(read(fds[0], word, 5), 5);
	CHECK_STR(word, "idle\n");
	*ret_out = fds[0];
	return pid;
}

/* ret_words is its standard error. */
static pid_t start_strace(pid_t watched, const char *log_path, FILE **ret_words)
{
	char number[16];
	int fds[2];
	pid_t pid;

	snprintf(number, sizeof number, "%d", (int)watched);
	CHECK_EQ(pipe(fds), 0);
	pid = fork();
	CHECK_GE(pid, 0);
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		execlp("strace", "strace", "-f", "-o", log_path, "-p", number, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	*ret_words = fdopen(fds[0], "r");
	CHECK(*ret_words != NULL);
	return pid;
}

/* Whether strace says that it has attached, once it has; it gives up where it may not. */
static bool attached(FILE *words)
{
	char line[256];

	while (fgets(line, sizeof line, words))
		if (strstr(line, " attached"))
			return true;
	return false;
}

/* How many of its lines are calls that began while it was watched. */
static int calls_in(const char *log_path, char *ret_first, size_t size)
{
	FILE *log = fopen(log_path, "r");
	char line[512];
	int count = 0;

	CHECK(log != NULL);
	ret_first[0] = '\0';
	while (fgets(line, sizeof line, log)) {
		/* What it was in when strace came, and its end: a wait. */
		if (strstr(line, "resumed") || strstr(line, "+++") || strstr(line, "---"))
			continue;
		count++;
		if (count == 2)
			snprintf(ret_first, size, "%s", line);
	}
	fclose(log);
	return count;
}

static void watch_idle(const char *self)
{
	char log_path[] = "/tmp/corail-idle-XXXXXX", second[512];
	int out, status, log_fd = mkstemp(log_path);
	pid_t idle, strace;
	FILE *words;
	bool watched;

	CHECK_GE(log_fd, 0);
	close(log_fd);
	idle = start_idle(self, &out);
	until_asleep(idle);
	strace = start_strace(idle, log_path, &words);
	watched = attached(words);
	if (watched)
		sleep(2); /* in which nothing may happen */
	kill(strace, SIGINT);
	CHECK_EQ(waitpid(strace, &status, 0), strace);
	fclose(words);
	kill(idle, SIGKILL);
	CHECK_EQ(waitpid(idle, &status, 0), idle);
	close(out);
	if (!watched) {
		unlink(log_path);
		SKIP("strace(1) cannot watch here");
	}
	/* The wait that it was in, and nothing after it. */
	status = calls_in(log_path, second, sizeof second);
	if (status > 1)
		fprintf(stderr, "%d calls while idle; the second: %s", status, second);
	CHECK_LE(status, 1);
	unlink(log_path);
	printf("- idle\n");
	test_count++;
}

int main(int argc, char **argv)
{
	void *nothing = NULL;

	if (argc > 1 && strcmp(argv[1], "idle") == 0)
		return cr_run(be_idle, nothing) < 0;
	if (system("command -v strace >/dev/null 2>&1") != 0)
		SKIP("strace(1) is not installed");
	watch_idle(argv[0]);
	return test_done();
}
