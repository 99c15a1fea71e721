/* SPDX-License-Identifier: MIT */
/*
 * C++ exceptions and tasks: those that suspend while they handle one, or while one is on its way,
 * keep their own, and none of another's. A user's program, C++17.
 */
#include <corail/corail.h>

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			std::printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                \
			failed = true;                                                             \
		}                                                                                  \
	} while (0)

static bool failed;

/* A task that waits in one way or another, `turns` times in each of its handlers. */
struct handler {
	std::string name;
	int turns;
	enum { YIELD, SLEEP, LOCK } way;
	cr_mutex *mutex;
};

static int wait_once(const handler *h)
{
	if (h->way == handler::SLEEP)
		return cr_sleep(cr_millis(1));
	if (h->way == handler::YIELD)
		return cr_yield();
	CORAIL_LOCK(lock, h->mutex);
	return lock.status < 0 ? lock.status : cr_yield();
}

/* In a scope that is being left, too. */
static int wait_a_little(const handler *h)
{
	return cr_shield(cr_seconds(60), wait_once(h));
}

/* Handles two exceptions, the second within the first, and suspends in between. */
static int handle(handler *h)
{
	const std::string first = "the first exception of the task " + h->name;
	const std::string second = "the second exception of the task " + h->name;

	CHECK(std::uncaught_exceptions() == 0);
	CHECK(!std::current_exception());
	try {
		throw std::runtime_error(first);
	} catch (const std::runtime_error &outer) {
		for (int i = 0; i < h->turns; i++)
			CHECK(wait_a_little(h) == 0);
		try {
			throw std::logic_error(second);
		} catch (const std::logic_error &inner) {
			for (int i = 0; i < h->turns; i++)
				CHECK(wait_a_little(h) == 0);
			CHECK(inner.what() == second);
		}
		CHECK(outer.what() == first);
		try {
			throw;
		} catch (const std::exception &again) {
			CHECK(again.what() == first);
			CHECK(wait_a_little(h) == 0);
		}
	}
	CHECK(!std::current_exception());
	return 0;
}

/* An exception that leaves a scope: the scope's end suspends with it on its way. */
static int leave_scope(handler *h)
{
	try {
		handler child{h->name + "'s child", h->turns, h->way, h->mutex};
		CORAIL_SCOPE(scope);

		cr_spawn(&scope, handle, &child);
		CHECK(cr_scope_wait(&scope) == 0);
		cr_spawn(&scope, handle, &child);
		throw std::runtime_error(h->name);
	} catch (const std::runtime_error &error) {
		CHECK(wait_a_little(h) == 0);
		CHECK(error.what() == h->name);
	}
	CHECK(std::uncaught_exceptions() == 0);
	return 0;
}

static int test_main(cr_mutex *mutex)
{
	handler handlers[] = {
		{"one", 1, handler::YIELD, mutex},   {"two", 3, handler::YIELD, mutex},
		{"three", 2, handler::SLEEP, mutex}, {"four", 1, handler::LOCK, mutex},
		{"five", 4, handler::LOCK, mutex},
	};

	CHECK(!std::current_exception());
	CHECK(cr_gather(handle, handlers, 5) == 0);
	for (handler &h : handlers)
		h.turns = 1;
	return cr_gather(leave_scope, handlers, 3);
}

int main()
{
	cr_mutex mutex = {};

	/* cr_run() itself may be called by a handler. */
	try {
		throw std::runtime_error("outside");
	} catch (const std::runtime_error &outside) {
		CHECK(cr_run(test_main, &mutex) == 0);
		CHECK(outside.what() == std::string("outside"));
		try {
			throw;
		} catch (const std::runtime_error &again) {
			CHECK(again.what() == std::string("outside"));
		}
	}
	CHECK(!std::current_exception());
	return failed;
}
