/* SPDX-License-Identifier: MIT */

/*
 * Two greetings at the same time: 1 second.
 *
 * The same coroutine as in bonjour.c, once for each element of an array, all at once: cr_gather().
 * While one sleeps, the other sleeps too, and the program takes as long as the longest.
 */

#include <corail/corail.h>
#include <stdio.h>

struct greeting {
	const char *text;
};

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
	/* Waits for both; if one failed, the other would be cancelled and its error returned. */
	return cr_gather(greet, greetings, 2);
}

int main(void)
{
	struct greeting greetings[] = {{"Bonjour"}, {"Monde"}};
	int r = cr_run(greet_all, greetings);

	if (r < 0)
		fprintf(stderr, "bonjour_gather: %s\n", cr_strerror(r));
	return r < 0;
}
