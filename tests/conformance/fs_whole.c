/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu */
/* Whole files, lines, and what is no regular file. */
#include "in_task.h"
#include "temp_folder.h"

#include <dirent.h>

static struct temp_folder temp;

static int read_all(int *unused)
{
	static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 1 << 20, 2500000};
	char *data = malloc(2500000);

	(void)unused;
	temp_folder_open(&temp);
	for (size_t i = 0; i < 2500000; i++)
		data[i] = (char)(i % 251);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		const size_t size = sizes[i];
		cr_buf buf = {0};

		CHECK_EQ(cr_fs_write_atomic(temp_path(&temp, "f"), data, size, 0600), 0);
		CHECK_EQ(cr_fs_read_all(temp_path(&temp, "f"), &buf), 0);
		CHECK_EQ(buf.size, size);
		if (size) {
			CHECK_MEM(buf.data, data, size);
			CHECK_EQ(buf.data[size], 0);
		}
		cr_buf_free(&buf);
		buf.limit_bytes = size;
		if (size)
			CHECK_EQ(cr_fs_read_all(temp_path(&temp, "f"), &buf), 0);
		cr_buf_clear(&buf);
		if (size > 1) {
			buf.limit_bytes = size - 1;
			CHECK_EQ(cr_fs_read_all(temp_path(&temp, "f"), &buf), -EMSGSIZE);
			CHECK_EQ(buf.size, 0);
		}
		cr_buf_free(&buf);
	}
	free(data);
	temp_folder_close(&temp);
	return 0;
}

static int appended(int *unused)
{
	cr_buf buf = {0};

	(void)unused;
	temp_folder_open(&temp);
	CHECK_EQ(cr_fs_write_atomic(temp_path(&temp, "f"), "two", 3, 0600), 0);
	CHECK_EQ(cr_buf_append(&buf, "one ", 4), 0);
	CHECK_EQ(cr_fs_read_all(temp_path(&temp, "f"), &buf), 0);
	CHECK_STR(buf.data, "one two");
	CHECK_EQ(cr_fs_read_all(temp_path(&temp, "none"), &buf), -ENOENT);
	CHECK_EQ(cr_fs_read_all(temp.path.data, &buf), -EISDIR);
	CHECK_STR(buf.data, "one two");
	cr_buf_free(&buf);
	temp_folder_close(&temp);
	return 0;
}

static int atomic(int *unused)
{
	struct stat info;
	cr_buf buf = {0};

	(void)unused;
	temp_folder_open(&temp);
	CHECK_EQ(cr_fs_write_atomic(temp_path(&temp, "f"), "old", 3, 0640), 0);
	CHECK_EQ(cr_fs_stat(temp_path(&temp, "f"), &info), 0);
	CHECK_EQ(info.st_mode & 07777, 0640);
	/* What is there keeps its permissions. */
	CHECK_EQ(cr_fs_write_atomic(temp_path(&temp, "f"), "newer", 5, 0600), 0);
	CHECK_EQ(cr_fs_stat(temp_path(&temp, "f"), &info), 0);
	CHECK_EQ(info.st_mode & 07777, 0640);
	CHECK_EQ(info.st_size, 5);
	CHECK_EQ(temp_folder_count(&temp), 1);
	CHECK_EQ(cr_fs_write_atomic(temp_path(&temp, "none/f"), "x", 1, 0600), -ENOENT);
	CHECK_EQ(cr_fs_write_atomic(temp_path(&temp, ""), "x", 1, 0600), -EISDIR);
	CHECK_EQ(cr_fs_mkdir(temp_path(&temp, "d"), 0700), 0);
	CHECK_EQ(cr_fs_write_atomic(temp_path(&temp, "d"), "x", 1, 0600), -EISDIR);
	/* A link is replaced, not followed. */
	CHECK_EQ(cr_fs_symlink("f", temp_path(&temp, "s")), 0);
	CHECK_EQ(cr_fs_write_atomic(temp_path(&temp, "s"), "link", 4, 0600), 0);
	CHECK_EQ(cr_fs_read_all(temp_path(&temp, "f"), &buf), 0);
	CHECK_STR(buf.data, "newer");
	CHECK_EQ(temp_folder_count(&temp), 3);
	cr_buf_free(&buf);
	temp_folder_close(&temp);
	return 0;
}

static void expect_line(cr_lines *lines, const char *text)
{
	char *line;
	size_t size;

	CHECK_EQ(cr_lines_next(lines, &line, &size), 1);
	CHECK_STR(line, text);
	CHECK_EQ(size, strlen(text));
}

static int lines_of(int *unused)
{
	enum { LONG = 200 * 1000 };
	char *line, *data = malloc(LONG + 100);
	cr_lines *lines;
	size_t size;

	(void)unused;
	temp_folder_open(&temp);
	memset(data, 'x', LONG + 100);
	memcpy(data, "first\n\nthird\n", 13);
	data[LONG] = '\n';
	memcpy(data + LONG + 1, "after\nlast", 10);
	CHECK_EQ(cr_fs_write_atomic(temp_path(&temp, "f"), data, LONG + 11, 0600), 0);
	CHECK_EQ(cr_lines_open(temp_path(&temp, "f"), 1000, &lines), 0);
	expect_line(lines, "first");
	expect_line(lines, "");
	expect_line(lines, "third");
	CHECK_EQ(cr_lines_next(lines, &line, &size), -EMSGSIZE);
	expect_line(lines, "after");
	expect_line(lines, "last");
	CHECK_EQ(cr_lines_next(lines, &line, &size), 0);
	CHECK_EQ(cr_lines_next(lines, &line, &size), 0);
	cr_lines_close(lines);
	cr_lines_close(NULL);
	/* Exactly as long as may be, and one more. */
	CHECK_EQ(cr_fs_write_atomic(temp_path(&temp, "f"), "1234\n12345\n1234", 15, 0600), 0);
	CHECK_EQ(cr_lines_open(temp_path(&temp, "f"), 4, &lines), 0);
	expect_line(lines, "1234");
	CHECK_EQ(cr_lines_next(lines, &line, &size), -EMSGSIZE);
	expect_line(lines, "1234");
	CHECK_EQ(cr_lines_next(lines, &line, &size), 0);
	cr_lines_close(lines);
	CHECK_EQ(cr_lines_open(temp_path(&temp, "none"), 0, &lines), -ENOENT);
	free(data);
	temp_folder_close(&temp);
	return 0;
}

static int many_lines(int *unused)
{
	enum { COUNT = 30000 };
	cr_buf text = {0};
	cr_lines *lines;
	char *line;
	size_t size;
	long i = 0;

	(void)unused;
	temp_folder_open(&temp);
	for (i = 0; i < COUNT; i++)
		CHECK_EQ(cr_buf_printf(&text, "%ld\n", i), 0);
	CHECK_EQ(cr_fs_write_atomic(temp_path(&temp, "f"), text.data, text.size, 0600), 0);
	CHECK_EQ(cr_lines_open(temp_path(&temp, "f"), 0, &lines), 0);
	for (i = 0; cr_lines_next(lines, &line, &size) > 0; i++)
		CHECK_EQ(strtol(line, NULL, 10), i);
	CHECK_EQ(i, COUNT);
	cr_lines_close(lines);
	cr_buf_free(&text);
	temp_folder_close(&temp);
	return 0;
}

static int write_later(cr_file *file)
{
	int r = cr_yield();

	return r < 0 ? r : cr_file_write_all(file, "through", 7);
}

/* A pipe is a file without positions. */
static int pipes(int *unused)
{
	cr_file *reader, *writer;
	char data[16];
	int ends[2];

	(void)unused;
	if (on_sim())
		return 0;
	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	CHECK_EQ(cr_file_wrap(ends[0], &reader), 0);
	CHECK_EQ(cr_file_wrap(ends[1], &writer), 0);
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, write_later, writer);
		CHECK_EQ(cr_file_read(reader, data, sizeof data), 7);
		CHECK_MEM(data, "through", 7);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	CHECK_EQ(cr_file_pread(reader, data, 1, 0), -ESPIPE);
	CHECK_EQ(cr_timeout(cr_millis(1), cr_file_read(reader, data, 1)), -ETIMEDOUT);
	CHECK_EQ(cr_file_close(reader), 0);
	CHECK_EQ(cr_file_write(writer, "x", 1), -EPIPE);
	CHECK_EQ(cr_file_close(writer), 0);
	return 0;
}

static int special(int *unused)
{
	cr_buf buf = {0};
	cr_file *file;
	char data[8];

	(void)unused;
	if (on_sim())
		return 0;
	CHECK_EQ(cr_fs_read_all("/proc/self/status", &buf), 0);
	CHECK_GT(buf.size, 100);
	cr_buf_free(&buf);
	buf.limit_bytes = 100 * 1000;
	CHECK_EQ(cr_fs_read_all("/dev/zero", &buf), -EMSGSIZE);
	cr_buf_free(&buf);
	CHECK_EQ(cr_file_open("/dev/full", O_WRONLY, 0, &file), 0);
	CHECK_EQ(cr_file_write(file, "x", 1), -ENOSPC);
	CHECK_EQ(cr_file_close(file), 0);
	CHECK_EQ(cr_file_open("/dev/null", O_RDWR, 0, &file), 0);
	CHECK_EQ(cr_file_write(file, "x", 1), 1);
	CHECK_EQ(cr_file_read(file, data, sizeof data), 0);
	CHECK_EQ(cr_file_close(file), 0);
	return 0;
}

int main(void)
{
	RUN_TASK(read_all);
	RUN_TASK(appended);
	RUN_TASK(atomic);
	RUN_TASK(lines_of);
	RUN_TASK(many_lines);
	RUN_TASK(pipes);
	RUN_TASK(special);
	return test_done();
}
