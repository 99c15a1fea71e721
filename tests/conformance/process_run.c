/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu */
/* A program from start to end in one call: its output, its status, its surroundings. */

#include "in_task.h"
#include "support/processes.h"

#include <fcntl.h>

static int output_and_status(int *unused)
{
	cr_process_status status;
	cr_buf out = {0}, err = {0};

	(void)unused;
	CHECK_EQ(cr_process_run(SH("echo out; echo err >&2; exit 7"), NULL, &out, &err, &status),
	         7);
	CHECK_STR(out.data, "out\n");
	CHECK_STR(err.data, "err\n");
	CHECK_EQ(status.code, 7);
	CHECK_EQ(status.signal, 0);
	cr_buf_free(&out);
	cr_buf_free(&err);
	CHECK_EQ(cr_process_run(CORAIL_ARGV("true"), NULL, NULL, NULL, NULL), 0);
	CHECK_EQ(cr_process_run(CORAIL_ARGV("false"), NULL, NULL, NULL, NULL), 1);
	return 0;
}

static int ended_by_a_signal(int *unused)
{
	cr_process_status status;

	(void)unused;
	CHECK_EQ(cr_process_run(SH("kill -USR1 $$"), NULL, NULL, NULL, &status), 128 + SIGUSR1);
	CHECK_EQ(status.code, -1);
	CHECK_EQ(status.signal, SIGUSR1);
	return 0;
}

static int input_goes_through(int *unused)
{
	enum { SIZE = 256 * 1024 };
	static char data[SIZE];
	cr_process_options options = {.input = data, .input_size = sizeof data};
	cr_buf out = {0};

	(void)unused;
	for (int i = 0; i < SIZE; i++)
		data[i] = (char)(i * 31 + i / 257);
	CHECK_EQ(cr_process_run(CORAIL_ARGV("cat"), &options, &out, NULL, NULL), 0);
	CHECK_EQ(out.size, SIZE);
	CHECK_MEM(out.data, data, SIZE);
	cr_buf_clear(&out);
	/* Nobody reads all of it: no error, no SIGPIPE. */
	CHECK_EQ(cr_process_run(SH("head -c 3 | tr a-z A-Z"), &options, &out, NULL, NULL), 0);
	CHECK_EQ(cr_process_run(CORAIL_ARGV("true"), &options, NULL, NULL, NULL), 0);
	CHECK_EQ(out.size, 3);
	cr_buf_free(&out);
	return 0;
}

static int merged_errors(int *unused)
{
	cr_process_options options = {.err = CORAIL_STDIO_MERGE};
	cr_buf out = {0};

	(void)unused;
	CHECK_EQ(cr_process_run(SH("echo a; echo b >&2; echo c"), NULL, &out, &out, NULL), 0);
	CHECK_STR(out.data, "a\nb\nc\n");
	cr_buf_clear(&out);
	CHECK_EQ(cr_process_run(SH("echo a; echo b >&2; echo c"), &options, &out, NULL, NULL), 0);
	CHECK_STR(out.data, "a\nb\nc\n");
	cr_buf_free(&out);
	return 0;
}

static int output_has_a_limit(int *unused)
{
	cr_buf out = {.limit_bytes = 1000}, exact = {.limit_bytes = 5};

	(void)unused;
	CHECK_EQ(cr_process_run(SH("yes"), NULL, &out, NULL, NULL), -EMSGSIZE);
	CHECK_EQ(out.size, 1000);
	CHECK(no_child_left());
	cr_buf_free(&out);
	CHECK_EQ(cr_process_run(SH("echo four"), NULL, &exact, NULL, NULL), 0);
	CHECK_STR(exact.data, "four\n");
	cr_buf_free(&exact);
	return 0;
}

static int environment(int *unused)
{
	cr_process_options all = {.env = CORAIL_ARGV("ONE=1", "TWO=2")};
	cr_process_options changes = {
		.env_changes = CORAIL_ARGV("CR_GONE", "CR_NEW=b", "CR_NEW=c", "CR_STAYS=y")};
	cr_process_options both = {.env = CORAIL_ARGV("ONE=1", "TWO=2"),
	                           .env_changes = CORAIL_ARGV("ONE", "ONEMORE=3")};
	cr_buf out = {0};

	(void)unused;
	CHECK_EQ(cr_process_run(CORAIL_ARGV("/usr/bin/env"), &all, &out, NULL, NULL), 0);
	CHECK_STR(out.data, "ONE=1\nTWO=2\n");
	cr_buf_clear(&out);
	CHECK_EQ(setenv("CR_GONE", "1", 1), 0);
	CHECK_EQ(setenv("CR_STAYS", "x", 1), 0);
	CHECK_EQ(setenv("CR_OTHER", "z", 1), 0);
	CHECK_EQ(cr_process_run(SH("echo $CR_GONE-$CR_NEW-$CR_STAYS-$CR_OTHER"), &changes, &out,
	                        NULL, NULL),
	         0);
	CHECK_STR(out.data, "-c-y-z\n");
	cr_buf_clear(&out);
	CHECK_EQ(cr_process_run(CORAIL_ARGV("/usr/bin/env"), &both, &out, NULL, NULL), 0);
	CHECK_STR(out.data, "TWO=2\nONEMORE=3\n");
	cr_buf_free(&out);
	return 0;
}

static int directory_and_name(int *unused)
{
	cr_process_options options = {.directory = "/usr", .program = "/bin/sh"};
	cr_buf out = {0};

	(void)unused;
	CHECK_EQ(cr_process_run(CORAIL_ARGV("fancy", "-c", "pwd; echo $0"), &options, &out, NULL,
	                        NULL),
	         0);
	CHECK_STR(out.data, "/usr\nfancy\n");
	cr_buf_free(&out);
	return 0;
}

static int what_cannot_be_started(int *unused)
{
	cr_process_options nowhere = {.directory = "/nowhere/at/all"};
	cr_process_options file = {.directory = "/dev/null"};
	cr_process_options closed = {.in = CORAIL_STDIO_FD, .in_fd = 987};
	cr_process_options merged = {.out = CORAIL_STDIO_MERGE};
	cr_process_options taken = {.in = CORAIL_STDIO_NULL, .input = "x", .input_size = 1};
	cr_process_options strange = {.err = (enum cr_stdio)99};
	cr_buf out = {0};
	int fds = test_open_fds();

	(void)unused;
	CHECK_EQ(cr_process_run(CORAIL_ARGV("no-such-program-here"), NULL, &out, NULL, NULL),
	         -ENOENT);
	CHECK_EQ(cr_process_run(CORAIL_ARGV("/no/such/path"), NULL, &out, &out, NULL), -ENOENT);
	CHECK_EQ(cr_process_run(CORAIL_ARGV(""), NULL, &out, &out, NULL), -ENOENT);
	CHECK_EQ(cr_process_run(CORAIL_ARGV("/etc/passwd"), NULL, &out, NULL, NULL), -EACCES);
	CHECK_EQ(cr_process_run(CORAIL_ARGV("/tmp"), NULL, &out, NULL, NULL), -EACCES);
	CHECK_EQ(cr_process_run(CORAIL_ARGV("true"), &nowhere, &out, NULL, NULL), -ENOTDIR);
	CHECK_EQ(cr_process_run(CORAIL_ARGV("true"), &file, &out, NULL, NULL), -ENOTDIR);
	CHECK_EQ(cr_process_run(CORAIL_ARGV("true"), &closed, &out, NULL, NULL), -EBADF);
	CHECK_EQ(cr_process_run(CORAIL_ARGV("true"), &merged, NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(cr_process_run(CORAIL_ARGV("true"), &taken, NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(cr_process_run(CORAIL_ARGV("true"), &strange, NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(cr_process_run((const char *const[]){NULL}, NULL, &out, NULL, NULL), -EINVAL);
	CHECK_EQ(test_open_fds(), fds);
	CHECK(no_child_left());
	cr_buf_free(&out);
	return 0;
}

/* A deadline around a run terminates, then kills, and reaps. */
static int deadline(int *unused)
{
	cr_process_options options = {.grace = cr_millis(1)};

	(void)unused;
	CHECK_EQ(cr_timeout(cr_millis(30),
	                    cr_process_run(CORAIL_ARGV("sleep", "1000"), NULL, NULL, NULL, NULL)),
	         -ETIMEDOUT);
	CHECK(no_child_left());
	CHECK_EQ(cr_timeout(cr_millis(30), cr_process_run(SH("trap '' TERM; while :; do :; done"),
	                                                  &options, NULL, NULL, NULL)),
	         -ETIMEDOUT);
	CHECK(no_child_left());
	return 0;
}

static int cancelled_before(int *unused)
{
	(void)unused;
	CORAIL_SCOPE(scope);
	cr_scope_cancel(&scope);
	CHECK_EQ(cr_process_run(SH("echo no; touch /no"), NULL, NULL, NULL, NULL), -ECANCELED);
	CHECK(no_child_left());
	return 0;
}

/* Someone else holds the pipe: enough is enough. */
static int grandchildren_do_not_hold_a_run_up(int *unused)
{
	cr_process_options options = {.drain = cr_millis(20), .new_group = 1};
	cr_buf out = {0};

	(void)unused;
	CHECK_EQ(cr_process_run(SH("echo done; sleep 1000 & exit 0"), &options, &out, NULL, NULL),
	         0);
	CHECK_STR(out.data, "done\n");
	cr_buf_free(&out);
	return 0;
}

/* The largest one that is given wins: the order of the numbers here must not matter. */
static int descriptors_in_any_order(int *unused)
{
	cr_buf out = {0};
	int in, fds[2];

	(void)unused;
	in = open("/dev/zero", O_RDONLY); /* not close-on-exec: must not get into the child */
	CHECK_GE(in, 0);
	CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
	{
		/* The child's 3 is our fds[1], its 4 our `in`, which are 3 to 5 here. */
		cr_process_options options = {.fds = (int[]){fds[1], in}, .fd_count = 2};

		CHECK_EQ(cr_process_run(SH("head -c 2 <&4 | od -An -tx1 >&3; ls -m /proc/$$/fd; :"),
		                        &options, &out, NULL, NULL),
		         0);
	}
	close(fds[1]);
	{
		char text[16] = "";

		CHECK_EQ(cr_fd_read(fds[0], text, sizeof text - 1), 7);
		CHECK_STR(text, " 00 00\n");
	}
	CHECK_STR(out.data, "0, 1, 2, 3, 4\n");
	cr_buf_free(&out);
	CHECK_EQ(cr_fd_close(fds[0]), 0);
	close(in);
	return 0;
}

/* A set of signals from proc(5) status, without the real-time ones: the C library keeps two. */
static unsigned long long mask_of(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	CHECK(at != NULL);
	return strtoull(at + strlen(name), NULL, 16) & 0x7fffffff;
}

/* In the child: only what is wanted, no signal blocked, none ignored. */
static int a_clean_child(int *unused)
{
	cr_process_options options = {.in = CORAIL_STDIO_NULL, .err = CORAIL_STDIO_NULL};
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
	const char *const *look = CORAIL_ARGV("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status");
	int extra = open("/dev/zero", O_RDONLY);
	cr_buf out = {0};
	sigset_t set, before;

	(void)unused;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, &before), 0);
	CHECK_EQ(sigaction(SIGHUP, &ignore, &old), 0);
	CHECK_EQ(cr_process_run(SH("ls -m /proc/$$/fd; :"), &options, &out, NULL, NULL), 0);
	CHECK_STR(out.data, "0, 1, 2\n");
	cr_buf_clear(&out);
	CHECK_EQ(cr_process_run(look, &options, &out, NULL, NULL), 0);
	CHECK_EQ(mask_of(out.data, "SigBlk:"), 0);
	CHECK_EQ(mask_of(out.data, "SigIgn:"), 0);
	cr_buf_clear(&out);
	options.keep_signals = 1;
	CHECK_EQ(cr_process_run(look, &options, &out, NULL, NULL), 0);
	CHECK_EQ(mask_of(out.data, "SigBlk:"), 1 << (SIGUSR2 - 1));
	CHECK_EQ(mask_of(out.data, "SigIgn:") & 1 << (SIGHUP - 1), 1 << (SIGHUP - 1));
	cr_buf_free(&out);
	CHECK_EQ(sigaction(SIGHUP, &old, NULL), 0);
	CHECK_EQ(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
	close(extra);
	return 0;
}

struct many {
	int code;
};

static int run_one(struct many *one)
{
	char text[16];

	snprintf(text, sizeof text, "exit %d", one->code);
	CHECK_EQ(cr_process_run(SH(text), NULL, NULL, NULL, NULL), one->code);
	return 0;
}

static int many_at_once(int *unused)
{
	struct many many[20];

	(void)unused;
	for (int i = 0; i < 20; i++)
		many[i].code = i;
	CHECK_EQ(cr_gather(run_one, many, 20), 0);
	CHECK(no_child_left());
	return 0;
}

int main(void)
{
	need_processes();
	RUN_TASK(output_and_status);
	RUN_TASK(ended_by_a_signal);
	RUN_TASK(input_goes_through);
	RUN_TASK(merged_errors);
	RUN_TASK(output_has_a_limit);
	RUN_TASK(environment);
	RUN_TASK(directory_and_name);
	RUN_TASK(what_cannot_be_started);
	RUN_TASK(deadline);
	RUN_TASK(cancelled_before);
	RUN_TASK(grandchildren_do_not_hold_a_run_up);
	RUN_TASK(descriptors_in_any_order);
	RUN_TASK(a_clean_child);
	RUN_TASK(many_at_once);
	CHECK(no_child_left());
	return test_done();
}
