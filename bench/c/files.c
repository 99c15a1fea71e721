/* SPDX-License-Identifier: MIT */
/* Plain blocking calls, one after the other, on one thread: see ../corail/files.c. */
#define _GNU_SOURCE
#include "bench.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 4096, LARGE = 256 * 1024 };

static char buffer[LARGE] __attribute__((aligned(BLOCK)));

static void check(int failed)
{
	if (!failed)
		return;
	perror("files");
	exit(1);
}

static double small(const char *folder, long count)
{
	char name[512];

	for (long i = 0; i < count; i++) {
		int fd;

		snprintf(name, sizeof name, "%s/%ld", folder, i);
		fd = open(name, O_RDONLY | O_CLOEXEC);
		check(fd < 0);
		while (read(fd, buffer, sizeof buffer) > 0)
			;
		close(fd);
	}
	return (double)count;
}

static double large(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	double total = 0;
	ssize_t n;

	check(fd < 0);
	while ((n = read(fd, buffer, LARGE)) > 0)
		total += (double)n;
	close(fd);
	return total / 1e6;
}

static double at_random(const char *path, long count)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
	struct stat info;

	check(fd < 0 || fstat(fd, &info) < 0);
	for (long i = 0; i < count; i++) {
		uint64_t blocks = (uint64_t)info.st_size / BLOCK;
		uint64_t at = (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15) % blocks;

		check(pread(fd, buffer, BLOCK, (off_t)(at * BLOCK)) != BLOCK);
	}
	close(fd);
	return (double)count;
}

static double atomic(const char *folder, long count)
{
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	check(dir < 0);
	for (long i = 0; i < count; i++) {
		int fd = openat(dir, ".temporary", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

		check(fd < 0 || write(fd, buffer, BLOCK) != BLOCK || fsync(fd) < 0);
		check(close(fd) < 0 || renameat(dir, ".temporary", dir, "atomic") < 0);
		check(fsync(dir) < 0);
	}
	close(dir);
	return (double)count;
}

int main(int argc, char **argv)
{
	long count = argc > 4 ? bench_argument(argc, argv, 4) : 0;
	int64_t before = bench_now();
	double amount;

	if (argc < 4)
		return 2;
	amount = *argv[1] == 's'   ? small(argv[3], count)
	         : *argv[1] == 'l' ? large(argv[3])
	         : *argv[1] == 'r' ? at_random(argv[3], count)
	                           : atomic(argv[3], count);
	bench_print(argv[2], amount * BENCH_SECOND / (double)(bench_now() - before));
	return 0;
}
