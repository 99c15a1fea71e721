/* SPDX-License-Identifier: MIT */
/* The simulated disk's faults: errors, a full disk, short transfers, slowness. */
#include <corail/corail.h>
#include <corail/debug.h>
#include <corail/sim.h>

#include "support/test.h"

static int with_seed(uint64_t seed, int (*test)(uint64_t *seed))
{
	const cr_options options = {.backend = CORAIL_BACKEND_SIM, .seed = seed};

	return cr_run_with(&options, test, &seed);
}

static int fails_at_each_step(uint64_t *seed)
{
	cr_buf text = {0};
	uint64_t nth = 1;
	int r, failed = 0;

	(void)seed;
	CHECK_EQ(cr_fs_write_atomic("/tmp/f", "old", 3, 0600), 0);
	do {
		cr_dir_entry entry;
		cr_dir *dir;
		int entries = 0;

		CHECK_EQ(cr_sim_disk_fail(nth, -EIO), 0);
		r = cr_fs_write_atomic("/tmp/f", "newer", 5, 0600);
		CHECK_EQ(cr_sim_disk_fail(0, 0), 0);
		CHECK(r == 0 || r == -EIO);
		failed += r < 0;
		CHECK_EQ(cr_fs_read_all("/tmp/f", &text), 0);
		/* Of the last step, the folder's sync, only the outcome is in doubt. */
		CHECK(strcmp(text.data, "old") == 0 || strcmp(text.data, "newer") == 0);
		cr_buf_clear(&text);
		CHECK_EQ(cr_dir_open("/tmp", &dir), 0);
		while (cr_dir_next(dir, &entry) > 0)
			entries++;
		cr_dir_close(dir);
		CHECK_EQ(entries, 1);
		nth++;
	} while (r < 0);
	CHECK_GE(failed, 6);
	cr_buf_free(&text);
	return 0;
}

static void errors(void)
{
	for (uint64_t seed = 0; seed < 20; seed++)
		CHECK_EQ(with_seed(seed, fails_at_each_step), 0);
}

static int fills_up(uint64_t *seed)
{
	cr_sim_disk disk;
	cr_file *file;
	struct stat info;

	(void)seed;
	CHECK_EQ(cr_sim_disk_get(&disk), 0);
	disk.capacity_bytes = 100;
	CHECK_EQ(cr_sim_disk_set(&disk), 0);
	CHECK_EQ(cr_file_open("/tmp/f", O_RDWR | O_CREAT, 0600, &file), 0);
	CHECK_EQ(cr_file_write(file, (char[150]){0}, 150), 100);
	CHECK_EQ(cr_file_write(file, "x", 1), -ENOSPC);
	CHECK_EQ(cr_file_allocate(file, 0, 200), -ENOSPC);
	CHECK_EQ(cr_fs_write_atomic("/tmp/g", "x", 1, 0600), -ENOSPC);
	CHECK_EQ(cr_fs_stat("/tmp/g", &info), -ENOENT);
	CHECK_EQ(cr_file_truncate(file, 50), 0);
	CHECK_EQ(cr_fs_write_atomic("/tmp/g", "x", 1, 0600), 0);
	CHECK_EQ(cr_file_close(file), 0);
	/* Room comes back with the last name of a file. */
	CHECK_EQ(cr_fs_unlink("/tmp/f"), 0);
	CHECK_EQ(cr_fs_write_atomic("/tmp/f", (char[99]){0}, 99, 0600), 0);
	CHECK_EQ(cr_fs_write_atomic("/tmp/h", "x", 1, 0600), -ENOSPC);
	return 0;
}

static void full(void)
{
	CHECK_EQ(with_seed(1, fills_up), 0);
}

static int short_ones(uint64_t *seed)
{
	enum { SIZE = 20000 };
	static char data[SIZE], back[SIZE];
	cr_sim_disk disk;
	cr_buf text = {0};
	cr_file *file;

	(void)seed;
	for (int i = 0; i < SIZE; i++)
		data[i] = (char)(i % 127 + 1);
	CHECK_EQ(cr_sim_disk_get(&disk), 0);
	disk.short_transfers = 1;
	CHECK_EQ(cr_sim_disk_set(&disk), 0);
	CHECK_EQ(cr_file_open("/tmp/f", O_RDWR | O_CREAT, 0600, &file), 0);
	CHECK_EQ(cr_file_write(file, data, SIZE), SIZE);
	CHECK_EQ(cr_file_pread(file, back, SIZE, 0), SIZE);
	CHECK_MEM(data, back, SIZE);
	CHECK_EQ(cr_file_close(file), 0);
	CHECK_EQ(cr_fs_copy("/tmp/f", "/tmp/g"), 0);
	CHECK_EQ(cr_fs_read_all("/tmp/g", &text), 0);
	CHECK_EQ(text.size, SIZE);
	CHECK_MEM(text.data, data, SIZE);
	cr_buf_free(&text);
	return 0;
}

static void short_transfers(void)
{
	for (uint64_t seed = 0; seed < 20; seed++)
		CHECK_EQ(with_seed(seed, short_ones), 0);
}

static int takes_its_time(uint64_t *seed)
{
	cr_nsec start = cr_now();
	cr_file *file;
	struct stat info;

	(void)seed;
	CHECK_EQ(cr_sim_disk_set(&(cr_sim_disk){.latency = cr_seconds(2)}), 0);
	CHECK_EQ(cr_file_open("/tmp/f", O_RDWR | O_CREAT, 0600, &file), 0);
	CHECK_EQ(cr_now() - start, cr_seconds(2));
	/* Taken back, or waited for: the disk decides. */
	start = cr_now();
	int r = cr_timeout(cr_seconds(1), cr_file_sync(file));
	CHECK(r == 0 ? cr_now() - start == cr_seconds(2)
	             : r == -ETIMEDOUT && cr_now() - start == cr_seconds(1));
	CHECK_EQ(cr_file_close(file), 0);
	CHECK_EQ(cr_fs_stat("/tmp/f", &info), 0);
	return 0;
}

static void slow(void)
{
	for (uint64_t seed = 0; seed < 20; seed++)
		CHECK_EQ(with_seed(seed, takes_its_time), 0);
}

struct result {
	uint64_t seed, trace;
};

static int write_one(int *number)
{
	char path[32];

	snprintf(path, sizeof path, "/tmp/%d", *number % 4);
	return cr_fs_write_atomic(path, number, sizeof *number, 0600);
}

static int many_writers(struct result *result)
{
	int numbers[20];

	for (int i = 0; i < 20; i++)
		numbers[i] = i;
	CHECK_EQ(cr_gather(write_one, numbers, 20), 0);
	result->trace = cr_debug_trace();
	return 0;
}

static uint64_t trace_of(uint64_t seed)
{
	const cr_options options = {.backend = CORAIL_BACKEND_SIM, .seed = seed};
	struct result result = {.seed = seed};

	CHECK_EQ(cr_run_with(&options, many_writers, &result), 0);
	return result.trace;
}

static void same_seed_same_trace(void)
{
	CHECK_EQ(trace_of(3), trace_of(3));
	CHECK_NE(trace_of(3), trace_of(4));
}

static void refused_elsewhere(void)
{
	cr_sim_disk disk;

	CHECK_EQ(cr_sim_disk_get(&disk), -ESRCH);
	CHECK_EQ(cr_sim_disk_set(&disk), -ESRCH);
	CHECK_EQ(cr_sim_disk_fail(1, -EIO), -ESRCH);
}

int main(void)
{
	RUN(errors);
	RUN(full);
	RUN(short_transfers);
	RUN(slow);
	RUN(same_seed_same_trace);
	RUN(refused_elsewhere);
	return test_done();
}
