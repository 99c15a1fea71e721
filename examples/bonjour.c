/* SPDX-License-Identifier: MIT */

/*
 * Two greetings, one after the other: 2 seconds.
 *
 * Any C function `int f(T *)` can be a coroutine. When it sleeps, only its task sleeps: the thread
 * goes on with others. Here there are no others, so two sleeps in a row take their sum. Compare
 * with bonjour_gather.c.
 */

#include <corail/corail.h>
#include <stdio.h>

struct greeting {
	const char *text;
};

/* A coroutine. cr_sleep() suspends it; 0 is success, a negative number an error. */
static int greet(struct greeting *greeting)
{
	int r = cr_sleep(cr_seconds(1));

	if (r < 0)
		return r;
	puts(greeting->text);
	return 0;
}

static int greet_all(struct greeting *greetings)
{
	int r = greet(&greetings[0]); /* a plain call: greet() suspends the task we are in */

	if (r < 0)
		return r;
	return greet(&greetings[1]);
}

int main(void)
{
	struct greeting greetings[] = {{"Bonjour"}, {"Monde"}};

	/* Runs greet_all() as the first task of an event loop, until it has ended. */
	int r = cr_run(greet_all, greetings);

	if (r < 0)
		fprintf(stderr, "bonjour: %s\n", cr_strerror(r));
	return r < 0;
}
