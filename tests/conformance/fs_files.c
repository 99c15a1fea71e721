/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu */
/* qemu-user has neither preadv2(2) nor statx(2) with all its flags. */
/* Files: reading, writing, positions, closing, locks, cancellation. */
#include "in_task.h"
#include "temp_folder.h"

#include <fcntl.h>
#include <sys/uio.h>

static struct temp_folder temp;

static int round_trip(int *unused)
{
	enum { SIZE = 3 * 1000 * 1000 };
	char *data = malloc(SIZE), *back = malloc(SIZE);
	struct stat info;
	cr_file *file;

	(void)unused;
	for (int i = 0; i < SIZE; i++)
		data[i] = (char)(i * 7 + i / 1000);
	temp_folder_open(&temp);
	CHECK_EQ(cr_file_open(temp_path(&temp, "data"), O_RDWR | O_CREAT | O_EXCL, 0640, &file), 0);
	CHECK_EQ(cr_file_write(file, data, SIZE), SIZE);
	CHECK_EQ(cr_file_position(file), SIZE);
	CHECK_EQ(cr_file_read(file, back, SIZE), 0);
	cr_file_position_set(file, 0);
	CHECK_EQ(cr_file_read(file, back, SIZE), SIZE);
	CHECK_MEM(data, back, SIZE);
	CHECK_EQ(cr_file_pread(file, back, 1000, 500), 1000);
	CHECK_MEM(back, data + 500, 1000);
	CHECK_EQ(cr_file_pread(file, back, 1000, SIZE - 10), 10);
	CHECK_EQ(cr_file_pwrite(file, "patch", 5, 1234567), 5);
	CHECK_EQ(cr_file_pread(file, back, 5, 1234567), 5);
	CHECK_MEM(back, "patch", 5);
	CHECK_EQ(cr_file_pread(file, back, 1, -1), -EINVAL);
	CHECK_EQ(cr_file_stat(file, &info), 0);
	CHECK_EQ(info.st_size, SIZE);
	CHECK(S_ISREG(info.st_mode));
	CHECK_EQ(cr_file_truncate(file, 10), 0);
	CHECK_EQ(cr_file_stat(file, &info), 0);
	CHECK_EQ(info.st_size, 10);
	CHECK_EQ(cr_file_truncate(file, -1), -EINVAL);
	CHECK_EQ(cr_file_sync(file), 0);
	CHECK_EQ(cr_file_sync_data(file), 0);
	CHECK_EQ(cr_file_allocate(file, 0, 0), -EINVAL);
	CHECK_EQ(cr_file_allocate(file, 0, 4096), 0);
	CHECK_EQ(cr_file_stat(file, &info), 0);
	CHECK_EQ(info.st_size, 4096);
	CHECK_GE(cr_file_fd(file), 0);
	CHECK_EQ(cr_file_close(file), 0);
	CHECK_EQ(cr_file_close(NULL), 0);
	temp_folder_close(&temp);
	free(data);
	free(back);
	return 0;
}

static int vectors_and_append(int *unused)
{
	char a[4] = {0}, b[8] = {0};
	struct iovec out[2] = {{(char[]){"abc"}, 3}, {(char[]){"defgh"}, 5}};
	struct iovec in[2] = {{a, 3}, {b, 5}};
	cr_file *file;

	(void)unused;
	temp_folder_open(&temp);
	CHECK_EQ(cr_file_open(temp_path(&temp, "v"), O_RDWR | O_CREAT, 0600, &file), 0);
	CHECK_EQ(cr_file_writev(file, out, 2), 8);
	cr_file_position_set(file, 0);
	CHECK_EQ(cr_file_readv(file, in, 2), 8);
	CHECK_STR(a, "abc");
	CHECK_STR(b, "defgh");
	CHECK_EQ(cr_file_pwritev(file, out, 2, 8), 8);
	CHECK_EQ(cr_file_preadv(file, in, 2, 4), 8);
	CHECK_MEM(a, "efg", 3);
	CHECK_MEM(b, "habcd", 5);
	CHECK_EQ(cr_file_preadv(file, in, -1, 4), -EINVAL);
	CHECK_EQ(cr_file_close(file), 0);
	CHECK_EQ(cr_file_open(temp_path(&temp, "v"), O_RDWR | O_APPEND, 0, &file), 0);
	CHECK_EQ(cr_file_write_all(file, "!", 1), 0);
	CHECK_EQ(cr_file_pread(file, a, 3, 15), 2);
	CHECK_MEM(a, "h!", 2);
	CHECK_EQ(cr_file_close(file), 0);
	temp_folder_close(&temp);
	return 0;
}

static int refusals(int *unused)
{
	cr_file *file = (void *)1;
	char byte;

	(void)unused;
	temp_folder_open(&temp);
	CHECK_EQ(cr_file_open(temp_path(&temp, "none"), O_RDONLY, 0, &file), -ENOENT);
	CHECK(file == (void *)1);
	CHECK_EQ(cr_file_open(temp_path(&temp, "none/x"), O_RDONLY | O_CREAT, 0, &file), -ENOENT);
	CHECK_EQ(cr_file_open(temp_path(&temp, ""), O_RDWR, 0, &file), -EISDIR);
	CHECK_EQ(cr_file_wrap(-1, &file), -EBADF);
	CHECK_EQ(cr_file_open(temp_path(&temp, "f"), O_WRONLY | O_CREAT, 0600, &file), 0);
	CHECK_EQ(cr_file_read(file, &byte, 1), -EBADF);
	CHECK_EQ(cr_file_close(file), 0);
	CHECK_EQ(cr_file_open(temp_path(&temp, "f"), O_WRONLY | O_CREAT | O_EXCL, 0600, &file),
	         -EEXIST);
	CHECK_EQ(cr_file_open(temp_path(&temp, "f/x"), O_RDONLY, 0, &file), -ENOTDIR);
	temp_folder_close(&temp);
	return 0;
}

struct reader {
	cr_file *file;
	int64_t offset;
	ssize_t result;
	char data[4096];
};

static int read_at(struct reader *reader)
{
	reader->result = cr_file_pread(reader->file, reader->data, sizeof reader->data,
	                               reader->offset);
	return 0;
}

static int many_at_once(int *unused)
{
	enum { READERS = 64 };
	static struct reader readers[READERS];
	static char block[4096];
	cr_file *file;

	(void)unused;
	CHECK_EQ(cr_file_open_temp(NULL, &file), 0);
	for (int i = 0; i < READERS; i++) {
		memset(block, i, sizeof block);
		CHECK_EQ(cr_file_write_all(file, block, sizeof block), 0);
		readers[i] = (struct reader){.file = file, .offset = i * 4096};
	}
	CHECK_EQ(cr_gather(read_at, readers, READERS), 0);
	for (int i = 0; i < READERS; i++) {
		CHECK_EQ(readers[i].result, 4096);
		CHECK_EQ(readers[i].data[4095], i);
	}
	CHECK_EQ(cr_file_close(file), 0);
	return 0;
}

static int open_cancelled(int *unused)
{
	cr_file *file = NULL;
	char byte;

	(void)unused;
	CHECK_EQ(cr_file_open_temp(NULL, &file), 0);
	CHECK_EQ(cr_file_write_all(file, "x", 1), 0);
	{
		CORAIL_SCOPE(scope);
		cr_file *other = NULL;
		struct stat info;
		cr_buf buf = {0};

		cr_scope_cancel(&scope);
		CHECK_EQ(cr_file_open("/tmp", O_RDONLY, 0, &other), -ECANCELED);
		CHECK(other == NULL);
		CHECK_EQ(cr_file_pread(file, &byte, 1, 0), -ECANCELED);
		CHECK_EQ(cr_file_read(file, &byte, 1), -ECANCELED);
		CHECK_EQ(cr_file_write(file, "y", 1), -ECANCELED);
		CHECK_EQ(cr_file_sync(file), -ECANCELED);
		CHECK_EQ(cr_file_stat(file, &info), -ECANCELED);
		CHECK_EQ(cr_file_truncate(file, 0), -ECANCELED);
		CHECK_EQ(cr_file_try_lock(file, CORAIL_LOCK_SHARED), -ECANCELED);
		CHECK_EQ(cr_fs_stat("/tmp", &info), -ECANCELED);
		CHECK_EQ(cr_fs_read_all("/tmp/x", &buf), -ECANCELED);
		CHECK_EQ(cr_fs_write_atomic("/tmp/corail-never", "x", 1, 0600), -ECANCELED);
		CHECK_EQ(cr_fs_remove_all("/tmp/corail-never"), -ECANCELED);
		/* Closing goes through. */
		CHECK_EQ(cr_file_close(file), 0);
	}
	return 0;
}

static int close_file(cr_file *file)
{
	return cr_file_close(file);
}

/* Whoever reads while the file is closed gets its bytes or -ECANCELED, and never another file's. */
static int closed_underfoot(int *unused)
{
	(void)unused;
	for (int round = 0; round < 20; round++) {
		struct reader reader = {.offset = 0};
		cr_file *file;

		CHECK_EQ(cr_file_open_temp(NULL, &file), 0);
		CHECK_EQ(cr_file_write_all(file, "x", 1), 0);
		reader.file = file;
		{
			CORAIL_SCOPE(scope);
			cr_spawn(&scope, read_at, &reader);
			cr_spawn(&scope, close_file, file);
			CHECK_EQ(cr_scope_wait(&scope), 0);
		}
		CHECK(reader.result == 1 || reader.result == -ECANCELED);
	}
	return 0;
}

static int lock_it(cr_file *file)
{
	return cr_file_lock(file, CORAIL_LOCK_EXCLUSIVE);
}

static int locks(int *unused)
{
	cr_file *a, *b;
	cr_task task;

	(void)unused;
	temp_folder_open(&temp);
	CHECK_EQ(cr_file_open(temp_path(&temp, "lock"), O_RDWR | O_CREAT, 0600, &a), 0);
	CHECK_EQ(cr_file_open(temp_path(&temp, "lock"), O_RDWR, 0, &b), 0);
	CHECK_EQ(cr_file_lock(a, CORAIL_LOCK_SHARED), 0);
	CHECK_EQ(cr_file_try_lock(b, CORAIL_LOCK_SHARED), 0);
	CHECK_EQ(cr_file_try_lock(b, CORAIL_LOCK_EXCLUSIVE), -EBUSY);
	CHECK_EQ(cr_file_unlock(b), 0);
	CHECK_EQ(cr_file_lock(a, CORAIL_LOCK_EXCLUSIVE), 0);
	CHECK_EQ(cr_file_try_lock(b, CORAIL_LOCK_SHARED), -EBUSY);
	CHECK_EQ(cr_timeout(cr_millis(5), cr_file_lock(b, CORAIL_LOCK_EXCLUSIVE)), -ETIMEDOUT);
	{
		CORAIL_SCOPE(scope);
		task = cr_spawn(&scope, lock_it, b);
		for (int i = 0; i < 10; i++)
			CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(cr_file_unlock(a), 0);
		CHECK_EQ(cr_await(task), 0);
	}
	CHECK_EQ(cr_file_try_lock(a, CORAIL_LOCK_SHARED), -EBUSY);
	CHECK_EQ(cr_file_close(b), 0);
	CHECK_EQ(cr_file_try_lock(a, CORAIL_LOCK_SHARED), 0);
	CHECK_EQ(cr_file_close(a), 0);
	temp_folder_close(&temp);
	return 0;
}

int main(void)
{
	RUN_TASK(round_trip);
	RUN_TASK(vectors_and_append);
	RUN_TASK(refusals);
	RUN_TASK(many_at_once);
	RUN_TASK(open_cancelled);
	RUN_TASK(closed_underfoot);
	RUN_TASK(locks);
	return test_done();
}
