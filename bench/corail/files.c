/* SPDX-License-Identifier: MIT */
/*
 * Corail's files: the same programs as their twins.
 *
 *   files small NAME FOLDER COUNT    reads FOLDER/0 to COUNT-1, 64 at once: files per second
 *   files large NAME FILE            reads one file in blocks of 256 KiB: MB per second
 *   files random NAME FILE COUNT     4 KiB at random places, 64 at once, O_DIRECT: per second
 *   files atomic NAME FOLDER COUNT   durable replacements, one after the other: per second
 */
#define _GNU_SOURCE
#include "../c/bench.h"

#include <corail/corail.h>

enum { AT_ONCE = 64, BLOCK = 4096, LARGE = 256 * 1024 };

static const char *path;
static long count, next;
static uint64_t blocks;
static cr_file *file;

static int small(long *bytes)
{
	cr_buf buf = {0};
	char name[512];
	int r = 0;

	while (r == 0 && next < count) {
		snprintf(name, sizeof name, "%s/%ld", path, next++);
		cr_buf_clear(&buf);
		r = cr_fs_read_all(name, &buf);
		*bytes += (long)buf.size;
	}
	cr_buf_free(&buf);
	return r;
}

static int at_random(long *bytes)
{
	char *block = aligned_alloc(BLOCK, BLOCK);
	ssize_t n = block ? BLOCK : -ENOMEM;

	while (n == BLOCK && next < count) {
		uint64_t at = (uint64_t)next++ * UINT64_C(0x9e3779b97f4a7c15) % blocks;

		n = cr_file_pread(file, block, BLOCK, (int64_t)at * BLOCK);
		*bytes += n;
	}
	free(block);
	return n == BLOCK ? 0 : -EIO;
}

static int run_at_once(const char *name, int (*task)(long *bytes))
{
	long bytes[AT_ONCE] = {0};
	int64_t before = bench_now();
	int r = cr_gather(task, bytes, AT_ONCE);

	bench_print(name, (double)count * BENCH_SECOND / (double)(bench_now() - before));
	return r;
}

static int run_large(const char *name)
{
	char *block = malloc(LARGE);
	int64_t before = bench_now();
	double total = 0;
	ssize_t n;
	int r = cr_file_open(path, O_RDONLY, 0, &file);

	if (r < 0 || !block)
		return r < 0 ? r : -ENOMEM;
	while ((n = cr_file_read(file, block, LARGE)) > 0)
		total += (double)n;
	bench_print(name, total / 1e6 * BENCH_SECOND / (double)(bench_now() - before));
	cr_file_close(file);
	free(block);
	return (int)n;
}

static int run_random(const char *name)
{
	struct stat info;
	int r = cr_file_open(path, O_RDONLY | O_DIRECT, 0, &file);

	if (r == 0)
		r = cr_file_stat(file, &info);
	if (r < 0)
		return r;
	blocks = (uint64_t)info.st_size / BLOCK;
	r = run_at_once(name, at_random);
	cr_file_close(file);
	return r;
}

static int run_atomic(const char *name)
{
	static const char data[4096];
	int64_t before = bench_now();
	char target[512];
	int r = 0;

	snprintf(target, sizeof target, "%s/atomic", path);
	for (long i = 0; i < count && r == 0; i++)
		r = cr_fs_write_atomic(target, data, sizeof data, 0644);
	bench_print(name, (double)count * BENCH_SECOND / (double)(bench_now() - before));
	return r;
}

static int run(char **argv)
{
	switch (*argv[1]) {
	case 's':
		return run_at_once(argv[2], small);
	case 'l':
		return run_large(argv[2]);
	case 'r':
		return run_random(argv[2]);
	default:
		return run_atomic(argv[2]);
	}
}

int main(int argc, char **argv)
{
	int r;

	if (argc < 4)
		return 2;
	path = argv[3];
	count = argc > 4 ? bench_argument(argc, argv, 4) : 0;
	r = cr_run(run, argv);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", argv[2], cr_strerror(r));
	return r < 0;
}
