/* SPDX-License-Identifier: MIT */

/*
 * SIGTERM and SIGHUP end a run as Ctrl-C does: what is under way is given up and leaves no file,
 * and what is missing is said. A second one has its usual effect.
 */

#include "get.h"

#include <corail/signal.h>

/* Whether nobody asked that the signal be ignored, as nohup(1) does. */
static bool is_wanted(int number)
{
	struct sigaction action;

	return sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_IGN;
}

int stop_on_signal(struct get *get)
{
	static const int candidates[] = {SIGTERM, SIGHUP};
	int numbers[3] = {0}, count = 0;
	cr_signal_info info;
	cr_signal *receiver;
	int r;

	for (int i = 0; i < 2; i++)
		if (is_wanted(candidates[i]))
			numbers[count++] = candidates[i];
	/* Without a receiver, they end the program at once, as they do any other. */
	if (count == 0 || cr_signal_open(numbers, &receiver) < 0)
		return 0;
	r = cr_signal_wait(receiver, &info);
	cr_signal_close(receiver);
	if (r == 0) {
		get->stopped_by = info.number;
		cr_scope_cancel(get->whole);
	}
	return 0;
}
