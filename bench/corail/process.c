/* SPDX-License-Identifier: MIT */
/* Starts a program, waits for it, and closes it, one after the other.
 *
 *   process NAME COUNT
 */
#include "../c/bench.h"

#include <corail/corail.h>

static const char *name;

static int spawn(long *count)
{
	int64_t before = bench_now();

	for (long i = 0; i < *count; i++) {
		cr_process_status status;
		cr_process *process;
		int r = cr_process_open(CORAIL_ARGV("/bin/true"), NULL, &process);

		if (r == 0) {
			r = cr_process_wait(process, &status);
			cr_process_close(process);
		}
		if (r < 0 || status.code != 0)
			return r < 0 ? r : -EIO;
	}
	bench_print(name, (double)(bench_now() - before) / 1e3 / (double)*count);
	return 0;
}

int main(int argc, char **argv)
{
	long count = bench_argument(argc, argv, 2);

	name = argv[1];
	return cr_run(spawn, &count) != 0;
}
