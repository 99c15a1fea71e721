/* SPDX-License-Identifier: MIT */
/*
 * Boost.Fiber with its round-robin scheduler. Stacks come from a pool: Boost's own for short-lived
 * fibers, one arena of small stacks for a million of them (Boost's allocators touch two pages
 * each).
 *
 *   fiber yield|yield-mixed NAME TASKS YIELDS      fiber spawn NAME COUNT
 *   fiber alive NAME TASKS ROUNDS                  fiber sleep NAME TASKS
 *   fiber timers NAME TASKS DELAY_MS SPREAD_MS     fiber mutex NAME COUNT
 */
#include "../c/bench.h"

#include <boost/fiber/all.hpp>
#include <chrono>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace fibers = boost::fibers;
using nanoseconds = std::chrono::nanoseconds;

static const std::size_t stack_size = 64 * 1024;
static int64_t started, ended;
static long tasks, rounds, asleep, fired;

/* One reservation for all stacks, handed out in order and never given back. */
class arena {
public:
	explicit arena(long count) : size_(static_cast<std::size_t>(count) * stack_size)
	{
		void *memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (memory == MAP_FAILED) {
			perror("mmap");
			exit(1);
		}
		madvise(memory, size_, MADV_NOHUGEPAGE);
		next_ = static_cast<char *>(memory);
	}

	boost::context::stack_context allocate()
	{
		boost::context::stack_context context;

		next_ += stack_size;
		context.size = stack_size;
		context.sp = next_;
		return context;
	}

private:
	std::size_t size_;
	char *next_;
};

class arena_allocator {
public:
	explicit arena_allocator(arena *arena) : arena_(arena)
	{
	}

	boost::context::stack_context allocate()
	{
		return arena_->allocate();
	}

	void deallocate(boost::context::stack_context &)
	{
	}

private:
	arena *arena_;
};

static void member(bool first)
{
	for (int i = 0; i < 3; i++)
		boost::this_fiber::yield();
	if (first)
		started = bench_now();
	for (long i = 0; i < rounds; i++)
		boost::this_fiber::yield();
	if (first)
		ended = bench_now();
}

static void other_member()
{
	for (long i = 0; i < rounds + 3; i++)
		boost::this_fiber::yield();
}

static void run_yield(const char *name, long yields, bool mixed)
{
	fibers::pooled_fixedsize_stack stacks(stack_size);
	std::vector<fibers::fiber> members;

	rounds = yields / tasks;
	for (long i = 0; i < tasks; i++) {
		if (mixed && i == 1)
			members.emplace_back(std::allocator_arg, stacks, other_member);
		else
			members.emplace_back(std::allocator_arg, stacks, member, i == 0);
	}
	for (fibers::fiber &each : members)
		each.join();
	bench_print(name, double(ended - started) / double(rounds * tasks));
}

static void run_spawn(const char *name, long count)
{
	fibers::pooled_fixedsize_stack stacks(stack_size);
	int64_t before = bench_now();

	for (long i = 0; i < count; i++)
		fibers::fiber(std::allocator_arg, stacks, [] {}).join();
	bench_print(name, double(bench_now() - before) / double(count));
}

static void run_alive(const char *name, long times)
{
	fibers::pooled_fixedsize_stack stacks(stack_size);
	int64_t before = 0;

	for (long round = 0; round <= times; round++) {
		std::vector<fibers::fiber> members;

		if (round == 1)
			before = bench_now();
		for (long i = 0; i < tasks; i++)
			members.emplace_back(std::allocator_arg, stacks,
					     [] { boost::this_fiber::yield(); });
		for (fibers::fiber &each : members)
			each.join();
	}
	bench_print(name, double(bench_now() - before) / double(times * tasks));
}

static void run_sleep(const char *name)
{
	arena memory(tasks);
	arena_allocator stacks(&memory);
	char start_name[64];
	int64_t memory_before = bench_memory();
	int64_t before = bench_now();

	for (long i = 0; i < tasks; i++)
		fibers::fiber(std::allocator_arg, stacks, [] {
			asleep++;
			boost::this_fiber::sleep_for(std::chrono::minutes(10));
		}).detach();
	while (asleep < tasks)
		boost::this_fiber::yield();
	snprintf(start_name, sizeof start_name, "%s-start", name);
	bench_print(start_name, double(bench_now() - before) / double(BENCH_SECOND));
	snprintf(start_name, sizeof start_name, "%s-bytes", name);
	bench_print(start_name, double(bench_memory() - memory_before) / double(tasks));
	_exit(0);
}

static void run_timers(const char *name, long delay, long spread)
{
	arena memory(tasks);
	arena_allocator stacks(&memory);
	int64_t before = bench_cpu();

	for (long i = 0; i < tasks; i++) {
		int64_t wait = delay * BENCH_MILLISECOND +
			       bench_scatter(i, tasks, spread * BENCH_MILLISECOND);

		fibers::fiber(std::allocator_arg, stacks, [wait] {
			boost::this_fiber::sleep_for(nanoseconds(wait));
			fired++;
		}).detach();
	}
	while (fired < tasks)
		boost::this_fiber::sleep_for(std::chrono::milliseconds(10));
	bench_print(name, double(bench_cpu() - before) / double(tasks));
	_exit(0);
}

/*
 * Its mutex goes to whoever asks first once it is free: without giving way in between, the one who
 * had it would keep it.
 */
static void locker(fibers::mutex &mutex)
{
	for (long i = 0; i < tasks / 2; i++) {
		mutex.lock();
		boost::this_fiber::yield();
		mutex.unlock();
		boost::this_fiber::yield();
	}
}

static void run_mutex(const char *name)
{
	fibers::mutex mutex;
	int64_t before = bench_now();
	fibers::fiber one([&mutex] { locker(mutex); }), two([&mutex] { locker(mutex); });

	one.join();
	two.join();
	bench_print(name, double(bench_now() - before) / double(tasks));
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	tasks = bench_argument(argc, argv, 3);
	if (strcmp(what, "yield") == 0)
		run_yield(argv[2], bench_argument(argc, argv, 4), false);
	else if (strcmp(what, "yield-mixed") == 0)
		run_yield(argv[2], bench_argument(argc, argv, 4), true);
	else if (strcmp(what, "spawn") == 0)
		run_spawn(argv[2], tasks);
	else if (strcmp(what, "alive") == 0)
		run_alive(argv[2], bench_argument(argc, argv, 4));
	else if (strcmp(what, "mutex") == 0)
		run_mutex(argv[2]);
	else if (strcmp(what, "sleep") == 0)
		run_sleep(argv[2]);
	else if (strcmp(what, "timers") == 0)
		run_timers(argv[2], bench_argument(argc, argv, 4), bench_argument(argc, argv, 5));
	else
		return 2;
	return 0;
}
