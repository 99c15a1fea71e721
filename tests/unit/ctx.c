/* SPDX-License-Identifier: MIT */
/* ctest: labels=novalgrind */
/* Only the scheduler tells Valgrind of stacks; here there is none. */
/* The context switch by itself: where a context starts, what a switch keeps, how it ends. */

#include "support/test.h"

#include "ctx/ctx.h"
#include "ctx/sanitize.h"

#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>

enum { STACK_SIZE = 65536 };

static alignas(64) char stack_memory[4][STACK_SIZE];
static struct cr__slot main_ctx, ctx[4];
static char words[64];
static int finished;

static void say(char letter)
{
	size_t size = strlen(words);

	CHECK_LT(size + 1, sizeof words);
	words[size] = letter;
	words[size + 1] = '\0';
}

static int hand_over(struct cr__slot *from, const struct cr__slot *to)
{
	return cr__ctx_switch(&from->sp, to, &errno);
}

static void arrive(void)
{
	say('>');
}

static _Noreturn void finish(int result)
{
	finished = result;
	say('.');
	cr__ctx_jump(main_ctx.sp, main_ctx.value, &errno);
}

static void begin(int i, int (*fn)(int *), int *arg, void (*first)(void))
{
	ctx[i].sp = cr__ctx_make(stack_memory[i] + STACK_SIZE - 64, (cr__code)fn, arg, finish,
	                         first);
	words[0] = '\0';
	finished = 0;
	main_ctx.value = 0;
	ctx[i].value = 0;
}

static int simply_return(int *number)
{
	say('a');
	return *number;
}

static void a_function_runs_and_its_result_arrives(void)
{
	int number = -77;

	begin(0, simply_return, &number, arrive);
	main_ctx.value = 5;
	CHECK_EQ(hand_over(&main_ctx, &ctx[0]), 5);
	CHECK_STR(words, ">a.");
	CHECK_EQ(finished, -77);
}

static void nobody_need_be_called_first(void)
{
	int number = 12;

	begin(0, simply_return, &number, NULL);
	hand_over(&main_ctx, &ctx[0]);
	CHECK_STR(words, "a.");
	CHECK_EQ(finished, 12);
}

static int sum_values(int *rounds)
{
	int sum = 0;

	for (int i = 0; i < *rounds; i++)
		sum += hand_over(&ctx[0], &main_ctx);
	return sum;
}

static void values_are_handed_over(void)
{
	int rounds = 100, sum = 0;

	begin(0, sum_values, &rounds, NULL);
	hand_over(&main_ctx, &ctx[0]);
	for (int i = 1; i <= rounds; i++) {
		ctx[0].value = i * 3;
		main_ctx.value = i;
		CHECK_EQ(hand_over(&main_ctx, &ctx[0]), i);
		sum += i * 3;
	}
	CHECK_EQ(finished, sum);
}

/*
 * Addresses of locals of a type whose alignment the compiler may rely on, at several sizes of
 * frames.
 */
static int look_at_alignment(int *unused)
{
	alignas(16) volatile char local[48];
	volatile __uint128_t wide = 1;
	double numbers[3] = {1.5, 2.5, 3.5};
	char text[64];

	(void)unused;
	local[0] = 1;
	CHECK_EQ((uintptr_t)local % 16, 0);
	CHECK_EQ((uintptr_t)&wide % 16, 0);
	/* Variadic calls with floating point save vector registers with aligned moves. */
	snprintf(text, sizeof text, "%g %g %g", numbers[0], numbers[1], numbers[2]);
	CHECK_STR(text, "1.5 2.5 3.5");
	return local[0];
}

static void the_stack_is_aligned_from_any_top(void)
{
	for (int shift = 0; shift < 64; shift++) {
		begin(0, look_at_alignment, NULL, arrive);
		ctx[0].sp = cr__ctx_make(stack_memory[0] + STACK_SIZE - shift,
		                         (cr__code)look_at_alignment, NULL, finish, arrive);
		hand_over(&main_ctx, &ctx[0]);
		CHECK_EQ(finished, 1);
	}
}

/* Enough live values that compilers must keep some in every callee-saved register. */
static long churn(long seed, int self, int next, int rounds)
{
	long a = seed, b = seed * 3, c = seed * 5, d = seed * 7, e = seed * 11, f = seed * 13;
	double x = (double)seed, y = x * 0.5;

	for (int i = 0; i < rounds; i++) {
		hand_over(&ctx[self], &ctx[next]);
		a += b ^ i;
		b += c ^ i;
		c += d ^ i;
		d += e ^ i;
		e += f ^ i;
		f += a ^ i;
		x += y;
		y += 0.25;
	}
	return a ^ b ^ c ^ d ^ e ^ f ^ (long)(x + y);
}

static long expected_of(long seed, int rounds)
{
	long a = seed, b = seed * 3, c = seed * 5, d = seed * 7, e = seed * 11, f = seed * 13;
	double x = (double)seed, y = x * 0.5;

	for (int i = 0; i < rounds; i++) {
		a += b ^ i;
		b += c ^ i;
		c += d ^ i;
		d += e ^ i;
		e += f ^ i;
		f += a ^ i;
		x += y;
		y += 0.25;
	}
	return a ^ b ^ c ^ d ^ e ^ f ^ (long)(x + y);
}

static int left_to_run;

static int churn_task(int *self)
{
	int rounds = 1000, next = (*self + 1) % 4;

	CHECK_EQ(churn(*self + 1, *self, next, rounds), expected_of(*self + 1, rounds));
	/* The ring goes on until the last of them has come this far. */
	left_to_run--;
	while (left_to_run > 0)
		hand_over(&ctx[*self], &ctx[next]);
	return 0;
}

static void registers_survive_in_a_ring_of_four(void)
{
	int selves[4] = {0, 1, 2, 3};

	left_to_run = 4;
	for (int i = 0; i < 4; i++)
		begin(i, churn_task, &selves[i], NULL);
	hand_over(&main_ctx, &ctx[0]);
	CHECK_EQ(left_to_run, 0);
	CHECK_STR(words, ".");
}

static int recurse(int *depth)
{
	volatile char frame[200];

	frame[0] = (char)*depth;
	if (*depth == 0)
		return hand_over(&ctx[0], &main_ctx);
	(*depth)--;
	return recurse(depth) + (frame[0] != 0);
}

static void suspends_at_any_depth(void)
{
	int depth = 100;

	begin(0, recurse, &depth, NULL);
	hand_over(&main_ctx, &ctx[0]);
	CHECK_EQ(depth, 0);
	ctx[0].value = 1000;
	hand_over(&main_ctx, &ctx[0]);
	CHECK_EQ(finished, 1100);
}

int main(void)
{
	if (CR__SANITIZED)
		SKIP("sanitizers must be told of each switch, which the scheduler does");
	/* So near to each other, Valgrind would take a switch for a very large frame. */
	for (int i = 0; i < 4; i++)
		cr__stack_register(stack_memory[i], stack_memory[i] + STACK_SIZE - 1);
	RUN(a_function_runs_and_its_result_arrives);
	RUN(nobody_need_be_called_first);
	RUN(values_are_handed_over);
	RUN(the_stack_is_aligned_from_any_top);
	RUN(registers_survive_in_a_ring_of_four);
	RUN(suspends_at_any_depth);
	return test_done();
}
