/* SPDX-License-Identifier: MIT */
/*
 * The limit: contexts in a ring that hand the processor to their neighbour with nothing but the
 * register swap of swap.S. Two of them give the figure `limit`; rings of 1,000 and 100,000, with
 * shifted stack tops and the stack pointers in an array of their own, say what the caches cost.
 *
 *   limit NAME CONTEXTS SWITCHES
 */
#include "bench.h"

#include <sys/mman.h>

#define STACK_SIZE 4096
#define COLOURS 48     /* stack tops start on one of so many cache lines of their page */
#define FRAME_WORDS 32 /* more than either processor's swap loads */

void swap(void **save_sp, void *load_sp);

static void **stack_pointers;
static long contexts;
static long rounds;
static long running;
static void *main_sp;
static int64_t started, ended;

/*
 * Hands over to the neighbour. Who that is comes from `running` and the array, not from anything
 * kept on the stack that is just being entered: the processor can then fetch ahead.
 */
static inline __attribute__((always_inline)) void hand_over(void)
{
	void **own = &stack_pointers[running];

	running = running + 1 == contexts ? 0 : running + 1;
	swap(own, stack_pointers[running]);
}

static void ring_member(void)
{
	for (long i = 0; i < 3; i++)
		hand_over();
	if (running == 0)
		started = bench_now();
	for (long i = 0; i < rounds; i++)
		hand_over();
	if (running != 0)
		abort();
	ended = bench_now();
	swap(&stack_pointers[0], main_sp);
}

static void *stack_prepare(char *stack, long index)
{
	void **top = (void **)(stack + STACK_SIZE - 64 * (index % COLOURS));
	void **sp = top - FRAME_WORDS;

	memset(sp, 0, FRAME_WORDS * sizeof *sp);
#if defined(__x86_64__)
	sp[6] = (void *)
		ring_member; /* after the six registers; rsp is then 16n + 8, as after a call */
	if (((uintptr_t)&sp[7] & 15) != 8) {
		sp[6] = NULL;
		sp++;
		sp[6] = (void *)ring_member;
	}
#else
	sp[1] = (void *)ring_member;
#endif
	return sp;
}

int main(int argc, char **argv)
{
	long switches;
	char *arena;

	contexts = bench_argument(argc, argv, 2);
	switches = bench_argument(argc, argv, 3);
	rounds = switches / contexts;
	arena = mmap(NULL, (size_t)contexts * STACK_SIZE, PROT_READ | PROT_WRITE,
	             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	stack_pointers = malloc((size_t)contexts * sizeof *stack_pointers);
	if (arena == MAP_FAILED || !stack_pointers) {
		perror("memory");
		return 1;
	}
	madvise(arena, (size_t)contexts * STACK_SIZE, MADV_NOHUGEPAGE);
	for (long i = 0; i < contexts; i++)
		stack_pointers[i] = stack_prepare(arena + i * STACK_SIZE, i);
	swap(&main_sp, stack_pointers[0]);
	bench_print(argv[1], (double)(ended - started) / (double)(rounds * contexts));
	return 0;
}
