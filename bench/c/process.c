/* SPDX-License-Identifier: MIT */
/* The limit of process-spawn: posix_spawn(3) and waitpid(2), one after the other.
 *
 *   process NAME COUNT
 */
#include "bench.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv)
{
	char *const arguments[] = {(char *)"true", NULL};
	long count = bench_argument(argc, argv, 2);
	int64_t before = bench_now();

	for (long i = 0; i < count; i++) {
		int status;
		pid_t pid;

		if (posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ) != 0 ||
		    waitpid(pid, &status, 0) != pid || status != 0)
			return 1;
	}
	bench_print(argv[1], (double)(bench_now() - before) / 1e3 / (double)count);
	return 0;
}
