/* SPDX-License-Identifier: MIT */
/* libuv's processes, one after the other.   process NAME COUNT */
#include "../c/bench.h"

#include <uv.h>

static long left, failed;

static void spawn(void);

static void on_close(uv_handle_t *process)
{
	(void)process;
	if (--left > 0)
		spawn();
}

static void on_end(uv_process_t *process, int64_t status, int number)
{
	failed += status != 0 || number != 0;
	uv_close((uv_handle_t *)process, on_close);
}

static void spawn(void)
{
	static uv_process_t process;
	static char *arguments[] = {(char *)"true", NULL};
	uv_process_options_t options = {.file = "/bin/true", .args = arguments, .exit_cb = on_end};

	if (uv_spawn(uv_default_loop(), &process, &options) < 0)
		exit(1);
}

int main(int argc, char **argv)
{
	long count = bench_argument(argc, argv, 2);
	int64_t before = bench_now();

	left = count;
	spawn();
	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
	if (failed)
		return 1;
	bench_print(argv[1], (double)(bench_now() - before) / 1e3 / (double)count);
	return 0;
}
