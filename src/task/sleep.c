/* SPDX-License-Identifier: MIT */
#include "task/sched.h"

#include "base/clock.h"

#include <errno.h>

struct sleeper {
	struct cr__wait wait;
	struct cr__timer timer;
	struct cr__loop *loop;
};

static void sleep_over(struct cr__timer *timer)
{
	cr__unpark(CR__CONTAINER(timer, struct sleeper, timer)->wait.task, 0);
}

static enum cr__abort sleep_abort(struct cr__wait *wait)
{
	struct sleeper *sleeper = CR__CONTAINER(wait, struct sleeper, wait);

	cr__timer_unset(&sleeper->loop->timers, &sleeper->timer);
	return CR__ABORT_DONE;
}

static int sleep_until(cr_nsec when)
{
	struct sleeper sleeper;
	int r;

	sleeper.wait.abort = sleep_abort;
	sleeper.wait.reason = "sleep";
	sleeper.wait.fd = -1;
	sleeper.wait.holder = NULL;
	sleeper.timer.fire = sleep_over;
	sleeper.timer.slot = 0;
	sleeper.loop = cr__loop_self();
	r = cr__timer_set(&sleeper.loop->timers, &sleeper.timer, when);
	return r < 0 ? r : cr__park(&sleeper.wait);
}

int cr_sleep(cr_nsec duration)
{
	int r = cr__park_check("cr_sleep");

	if (r < 0)
		return r;
	if (duration <= 0)
		return cr_yield();
	return sleep_until(cr__nsec_add(cr_now(), duration));
}

int cr_sleep_until(cr_nsec when)
{
	int r = cr__park_check("cr_sleep_until");

	if (r < 0)
		return r;
	return when <= cr_now() ? cr_yield() : sleep_until(when);
}

cr_nsec cr_now(void)
{
	struct cr__loop *loop = cr__loop_self();

	return loop ? cr__loop_now(loop) : cr__clock_monotonic();
}
