/* SPDX-License-Identifier: MIT */
/* A user's program: valid C11 and C++17, and nothing but the public headers. */

#include <corail/corail.h>
#include <corail/http.h>

#include <stdio.h>

struct number {
	int value;
};

static int twice(struct number *n)
{
	int r = cr_yield();

	if (r < 0)
		return r;
	n->value *= 2;
	return n->value;
}

static int program(struct number *numbers)
{
	int r = cr_gather(twice, numbers, 3);

	if (r < 0)
		return r;

	CORAIL_SCOPE(sc);
	cr_task task = cr_spawn(&sc, twice, &numbers[2]);
	cr_task copy = cr_spawn_copy(&sc, twice, &numbers[2]);

	r = cr_timeout(cr_seconds(60), cr_await(task));
	if (r != 12 || cr_await(copy) != 12)
		return -EBADMSG;
	r = cr_shield(cr_seconds(1), cr_sleep(cr_millis(1)));
	return r < 0 ? r : cr_scope_wait(&sc);
}

int main(void)
{
	struct number numbers[3] = {{1}, {2}, {3}};
	int r = cr_run(program, numbers);

	if (r < 0) {
		fprintf(stderr, "%s: %s\n", cr_err_name(r), cr_strerror(r));
		return 1;
	}
	printf("%d %d %d\n", numbers[0].value, numbers[1].value, numbers[2].value);
	return numbers[0].value == 2 && numbers[1].value == 4 && numbers[2].value == 12 ? 0 : 1;
}
