/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu */
/* A file that many replace at once, and whose replacement is given up, is whole at any moment. */
#include "in_task.h"
#include "temp_folder.h"

enum { WRITERS = 8, ROUNDS = 5, SIZE = 3 * 1024 * 1024 + 17 };

static struct temp_folder temp;
static char path[256];

static void open_folder(void)
{
	temp_folder_open(&temp);
	snprintf(path, sizeof path, "%s/file", temp.path.data);
}

/* All bytes are the same. Returns which, or -1 for a file that is not there. */
static int what_is_there(size_t *ret_size)
{
	cr_buf buf = {0};
	int r = cr_fs_read_all(path, &buf), first = -1;

	if (r < 0) {
		CHECK_EQ(r, -ENOENT);
		return -1;
	}
	CHECK_GT(buf.size, 0);
	first = (unsigned char)buf.data[0];
	for (size_t i = 1; i < buf.size; i++)
		if ((unsigned char)buf.data[i] != first)
			FAIL("half of one, half of another");
	*ret_size = buf.size;
	cr_buf_free(&buf);
	return first;
}

static int writing;

static int write_often(int *number)
{
	char data[4096];

	memset(data, 'a' + *number, sizeof data);
	for (int i = 0; i < ROUNDS; i++)
		CHECK_EQ(cr_fs_write_atomic(path, data, sizeof data - (size_t)*number, 0600), 0);
	writing--;
	return 0;
}

/* Each size goes with one letter. */
static int read_often(int *unused)
{
	size_t size;

	(void)unused;
	while (writing > 0) {
		int letter = what_is_there(&size);

		if (letter >= 0)
			CHECK_EQ(4096 - size, letter - 'a');
		CHECK_EQ(cr_yield(), 0);
	}
	return 0;
}

static int many_at_once(int *unused)
{
	int numbers[WRITERS], nothing = 0;

	(void)unused;
	open_folder();
	writing = WRITERS;
	{
		CORAIL_SCOPE(scope);

		for (int i = 0; i < WRITERS; i++) {
			numbers[i] = i;
			cr_spawn(&scope, write_often, &numbers[i]);
		}
		cr_spawn(&scope, read_often, &nothing);
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	CHECK_EQ(temp_folder_count(&temp), 1);
	temp_folder_close(&temp);
	return 0;
}

/* Cancelled sooner and later, the file is the old or the new one, as the result says. */
static int given_up(int *unused)
{
	char *data = malloc(SIZE);
	int done = 0, patience = 0;
	size_t size;

	(void)unused;
	CHECK(data != NULL);
	memset(data, 'n', SIZE);
	open_folder();
	while (done < 3) {
		int r;

		CHECK_EQ(cr_fs_write_atomic(path, "ooo", 3, 0600), 0);
		r = cr_timeout(cr_micros(patience), cr_fs_write_atomic(path, data, SIZE, 0600));
		if (r == 0)
			done++;
		else
			CHECK_EQ(r, -ETIMEDOUT);
		CHECK_EQ(what_is_there(&size), r == 0 ? 'n' : 'o');
		CHECK_EQ(size, r == 0 ? SIZE : 3);
		CHECK_EQ(temp_folder_count(&temp), 1);
		patience = patience * 2 + 50;
	}
	temp_folder_close(&temp);
	free(data);
	return 0;
}

int main(void)
{
	RUN_TASK(many_at_once);
	RUN_TASK(given_up);
	return test_done();
}
