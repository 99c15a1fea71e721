/* SPDX-License-Identifier: MIT */
/* Standard input and output, whatever they are; terminals; pipes. */
#include "in_task.h"

#include <corail/stdio.h>

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

/* Puts something in the place of descriptor 0 or 1, and what was there back. */
struct replaced {
	int number, old;
};

static struct replaced replace(int number, int fd)
{
	struct replaced r = {number, fcntl(number, F_DUPFD_CLOEXEC, 10)};

	fflush(stdout);
	CHECK_GE(r.old, 0);
	CHECK_EQ(dup2(fd, number), number);
	return r;
}

static void restore(struct replaced r)
{
	CHECK_EQ(dup2(r.old, r.number), r.number);
	close(r.old);
}

/* The shared open file must not have been touched. */
static void check_blocking(int fd)
{
	CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

/* Reads with nothing there, is cancelled; then there is something, and then the end. */
static void reads(int input, int feed)
{
	struct replaced r = replace(0, input);
	char line[32];
	cr_conn *in;

	CHECK_EQ(cr_stdin_open(&in), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(cr_timeout(cr_millis(10), cr_conn_read(in, line, sizeof line)),
		         -ETIMEDOUT);
	check_blocking(0);
	CHECK_EQ(write(feed, "hello\nworld\n", 12), 12);
	CHECK_EQ(cr_conn_read_line(in, line, sizeof line), 5);
	CHECK_STR(line, "hello");
	CHECK_EQ(cr_conn_read_line(in, line, sizeof line), 5);
	CHECK_STR(line, "world");
	CHECK_EQ(cr_timeout(cr_millis(5), cr_conn_read(in, line, 1)), -ETIMEDOUT);
	check_blocking(0);
	CHECK_EQ(cr_conn_close(in), 0);
	/* Descriptor 0 is as it was. */
	CHECK_EQ(write(feed, "x\n", 2), 2);
	CHECK_EQ(read(0, line, sizeof line), 2);
	restore(r);
}

static int input_from_a_pipe(int *unused)
{
	int ends[2];

	(void)unused;
	CHECK_EQ(pipe(ends), 0);
	reads(ends[0], ends[1]);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static int input_from_a_socket(int *unused)
{
	int ends[2];

	(void)unused;
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	reads(ends[0], ends[1]);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static void terminal_open(int *ret_master, int *ret_slave)
{
	struct winsize size = {.ws_col = 81, .ws_row = 25};
	struct termios mode;

	CHECK_EQ(openpty(ret_master, ret_slave, NULL, NULL, &size), 0);
	CHECK_EQ(tcgetattr(*ret_slave, &mode), 0);
	mode.c_lflag &= ~(tcflag_t)ECHO;
	CHECK_EQ(tcsetattr(*ret_slave, TCSANOW, &mode), 0);
}

static int input_from_a_terminal(int *unused)
{
	int master, slave;

	(void)unused;
	terminal_open(&master, &slave);
	reads(slave, master);
	close(master);
	close(slave);
	return 0;
}

static int input_from_files(int *unused)
{
	char path[] = "/tmp/corail-test-XXXXXX", text[16] = {0};
	int file = mkstemp(path), nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct replaced r;
	cr_conn *in;

	(void)unused;
	unlink(path);
	CHECK_EQ(write(file, "contents", 8), 8);
	CHECK_EQ(lseek(file, 3, SEEK_SET), 3);
	r = replace(0, file);
	CHECK_EQ(cr_stdin_open(&in), 0);
	CHECK_EQ(cr_conn_read(in, text, 2), 2);
	CHECK_STR(text, "te");
	/* The position is shared: the next process goes on from here. */
	CHECK_EQ(lseek(file, 0, SEEK_CUR), 5);
	CHECK_EQ(cr_conn_read(in, text, sizeof text), 3);
	CHECK_EQ(cr_conn_read(in, text, sizeof text), 0);
	{
		CORAIL_SCOPE(scope);
		cr_scope_cancel(&scope);
		CHECK_EQ(cr_conn_read(in, text, sizeof text), -ECANCELED);
	}
	cr_conn_close(in);
	restore(r);
	close(file);

	r = replace(0, nothing);
	CHECK_EQ(cr_stdin_open(&in), 0);
	CHECK_EQ(cr_tty_is(in), 0);
	CHECK_EQ(cr_conn_read(in, text, sizeof text), 0);
	cr_conn_close(in);
	restore(r);
	close(nothing);
	return 0;
}

static int none(int *unused)
{
	int old = fcntl(0, F_DUPFD_CLOEXEC, 10);
	cr_conn *in;

	(void)unused;
	close(0);
	CHECK_EQ(cr_stdin_open(&in), -EBADF);
	CHECK_EQ(dup2(old, 0), 0);
	close(old);
	return 0;
}

/* Nobody reads: the writer waits, can be cancelled, and the shared mode stays. */
static void writes(int output, int drain)
{
	static char block[300000], back[65536];
	struct replaced r = replace(1, output);
	cr_conn *out;
	ssize_t n;

	CHECK_EQ(cr_stdout_open(&out), 0);
	CHECK_EQ(cr_conn_write(out, "first\n", 6), 0);
	CHECK_GE(read(drain, back, sizeof back), 6);
	n = cr_timeout(cr_millis(20), cr_conn_write(out, block, sizeof block));
	check_blocking(1);
	CHECK_EQ(cr_conn_close(out), 0);
	restore(r);
	CHECK_EQ(n, -ETIMEDOUT);
	CHECK_GT(read(drain, back, sizeof back), 0);
}

static int output(int *unused)
{
	int ends[2], file;
	char path[] = "/tmp/corail-test-XXXXXX";
	struct replaced r;
	cr_conn *out;

	(void)unused;
	CHECK_EQ(pipe(ends), 0);
	writes(ends[1], ends[0]);
	close(ends[0]);
	close(ends[1]);
	terminal_open(&ends[0], &ends[1]);
	writes(ends[1], ends[0]);
	close(ends[0]);
	close(ends[1]);
	file = mkstemp(path);
	unlink(path);
	r = replace(2, file);
	CHECK_EQ(cr_stderr_open(&out), 0);
	CHECK_EQ(cr_conn_write(out, "error", 5), 0);
	CHECK_EQ(lseek(2, 0, SEEK_CUR), 5);
	cr_conn_close(out);
	restore(r);
	close(file);
	return 0;
}

/* ------------------------------------------------------------------------------- terminals --- */

static tcflag_t local_flags(int fd)
{
	struct termios mode;

	CHECK_EQ(tcgetattr(fd, &mode), 0);
	return mode.c_lflag;
}

static int terminal_modes(int *unused)
{
	int master, slave, columns = 0, rows = 0;
	struct winsize size = {.ws_col = 99, .ws_row = 33};
	struct replaced r;
	tcflag_t found;
	cr_conn *in;
	char key;

	(void)unused;
	terminal_open(&master, &slave);
	r = replace(0, slave);
	found = local_flags(slave);
	CHECK_EQ(cr_stdin_open(&in), 0);
	CHECK_EQ(cr_tty_is(in), 1);
	CHECK_EQ(cr_tty_size(in, &columns, &rows), 0);
	CHECK_EQ(columns, 81);
	CHECK_EQ(rows, 25);
	CHECK_EQ(ioctl(master, TIOCSWINSZ, &size), 0);
	CHECK_EQ(cr_tty_size(in, &columns, &rows), 0);
	CHECK_EQ(columns, 99);
	CHECK_EQ(cr_tty_mode_set(in, (cr_tty_mode)77), -EINVAL);
	CHECK_EQ(cr_tty_mode_set(in, CORAIL_TTY_KEYS), 0);
	CHECK_EQ(local_flags(slave) & (ICANON | ECHO | ISIG), ISIG);
	CHECK_EQ(cr_tty_mode_set(in, CORAIL_TTY_RAW), 0);
	CHECK_EQ(local_flags(slave) & (ICANON | ECHO | ISIG), 0);
	/* A key without a line, and Ctrl-C as a byte. */
	CHECK_EQ(write(master, "k\3", 2), 2);
	CHECK_EQ(cr_conn_read_exactly(in, &key, 1), 0);
	CHECK_EQ(key, 'k');
	CHECK_EQ(cr_conn_read_exactly(in, &key, 1), 0);
	CHECK_EQ(key, 3);
	CHECK_EQ(cr_tty_mode_set(in, CORAIL_TTY_NORMAL), 0);
	CHECK_EQ(local_flags(slave), found);
	/* However it is closed. */
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(cr_tty_mode_set(in, CORAIL_TTY_RAW), 0);
		CHECK_NE(local_flags(slave), found);
		if (i)
			cr_conn_abort(in);
		else
			CHECK_EQ(cr_conn_close(in), 0);
		CHECK_EQ(local_flags(slave), found);
		if (i == 0)
			CHECK_EQ(cr_stdin_open(&in), 0);
	}
	restore(r);
	close(master);
	close(slave);
	return 0;
}

static int no_terminal(int *unused)
{
	int columns, rows;
	cr_conn *c[2];

	(void)unused;
	CHECK_EQ(cr_conn_pair(c), 0);
	CHECK_EQ(cr_tty_is(c[0]), 0);
	CHECK_EQ(cr_tty_mode_set(c[0], CORAIL_TTY_RAW), -ENOTTY);
	CHECK_EQ(cr_tty_size(c[0], &columns, &rows), on_sim() ? -EBADF : -ENOTTY);
	cr_conn_close(c[0]);
	cr_conn_close(c[1]);
	return 0;
}

/* ----------------------------------------------------------------------------------- pipes --- */

static int write_long(cr_conn *conn)
{
	static char block[1 << 20];
	int r = cr_conn_write(conn, block, sizeof block);

	cr_conn_close(conn);
	return r;
}

static int pipes(int *unused)
{
	static char block[65536];
	cr_conn *reader, *writer;
	size_t total = 0;
	ssize_t n;

	(void)unused;
	CHECK_EQ(cr_pipe_open(&reader, &writer), 0);
	CHECK(fcntl(cr_conn_fd(reader), F_GETFD) & FD_CLOEXEC);
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, write_long, writer);
		while ((n = cr_conn_read(reader, block, sizeof block)) > 0)
			total += (size_t)n;
		CHECK_EQ(n, 0);
		CHECK_EQ(total, 1 << 20);
	}
	cr_conn_close(reader);
	CHECK_EQ(cr_pipe_open(&reader, &writer), 0);
	cr_conn_close(reader);
	CHECK_EQ(cr_conn_write(writer, "x", 1), -EPIPE);
	CHECK_EQ(cr_conn_shutdown_write(writer), -EOPNOTSUPP);
	cr_conn_close(writer);
	return 0;
}

static int refused_by_the_simulator(int *unused)
{
	cr_conn *conn, *other;

	(void)unused;
	CHECK_EQ(cr_stdin_open(&conn), -EOPNOTSUPP);
	CHECK_EQ(cr_stdout_open(&conn), -EOPNOTSUPP);
	CHECK_EQ(cr_stderr_open(&conn), -EOPNOTSUPP);
	CHECK_EQ(cr_pipe_open(&conn, &other), -EOPNOTSUPP);
	return 0;
}

int main(void)
{
	RUN_TASK(no_terminal);
	if (on_sim()) {
		RUN_TASK(refused_by_the_simulator);
		return test_done();
	}
	RUN_TASK(input_from_a_pipe);
	RUN_TASK(input_from_a_socket);
	RUN_TASK(input_from_a_terminal);
	RUN_TASK(input_from_files);
	RUN_TASK(none);
	RUN_TASK(output);
	RUN_TASK(terminal_modes);
	RUN_TASK(pipes);
	return test_done();
}
