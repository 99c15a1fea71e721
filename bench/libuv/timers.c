/* SPDX-License-Identifier: MIT */
/* libuv's timers: callbacks, no tasks.   timers NAME COUNT DELAY_MS SPREAD_MS */
#include "../c/bench.h"

#include <uv.h>

static long fired;

static void on_timer(uv_timer_t *timer)
{
	fired++;
	uv_close((uv_handle_t *)timer, NULL);
}

int main(int argc, char **argv)
{
	long count = bench_argument(argc, argv, 2);
	long delay = bench_argument(argc, argv, 3);
	long spread = bench_argument(argc, argv, 4);
	uv_timer_t *timers = malloc((size_t)count * sizeof *timers);
	uv_loop_t *loop = uv_default_loop();
	int64_t before = bench_cpu();

	if (!timers)
		return 1;
	for (long i = 0; i < count; i++) {
		int64_t offset = bench_scatter(i, count, spread * BENCH_MILLISECOND);

		uv_timer_init(loop, &timers[i]);
		uv_timer_start(&timers[i], on_timer, (uint64_t)(delay + offset / BENCH_MILLISECOND),
		               0);
	}
	uv_run(loop, UV_RUN_DEFAULT);
	if (fired != count)
		return 1;
	bench_print(argv[1], (double)(bench_cpu() - before) / (double)count);
	return 0;
}
