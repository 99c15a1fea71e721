/* SPDX-License-Identifier: MIT */
/* ctest: timeout=120 needs=redis */
/* Cancellation: late answers, blocking commands, the pool of connections. */
#include "fixture.h"

struct asker {
	cr_redis *db;
	unsigned seed;
	int rounds, answers;
};

/* Each answer is the asker's own, however many were given up before. */
static int ask(struct asker *a)
{
	for (int i = 0; i < a->rounds; i++) {
		unsigned size = rand_r(&a->seed) % 3000;
		cr_nsec patience = cr_micros(rand_r(&a->seed) % 4000);
		char text[3100];
		cr_redis_reply reply;
		int r;

		memset(text, 'x', sizeof text);
		snprintf(text + size, sizeof text - size, "%u", rand_r(&a->seed));
		r = cr_timeout(patience,
		               cr_redis_command(a->db, CORAIL_REDIS("ECHO", text), &reply));
		if (r != -ETIMEDOUT)
			CHECK_EQ(r, 0);
		if (r < 0)
			continue;
		CHECK_STR(reply.text, text);
		cr_redis_reply_free(&reply);
		a->answers++;
	}
	return 0;
}

/* 50 tasks, 1,000 rounds; the proof that some were really late is in the figures. */
static int random_cancellation(cr_redis *db)
{
	enum { ASKERS = 50 };
	struct asker askers[ASKERS];
	cr_redis_stats stats;
	int answers = 0;

	for (int i = 0; i < ASKERS; i++)
		askers[i] = (struct asker){db, (unsigned)i + 1, 20, 0};
	CHECK_EQ(cr_gather(ask, askers, ASKERS), 0);
	for (int i = 0; i < ASKERS; i++)
		answers += askers[i].answers;
	CHECK_EQ(REDIS_NUMBER(db, "INCR", "after"), 1);
	cr_redis_stats_get(db, &stats);
	printf("  (%d of %d in time, %ju late)\n", answers, ASKERS * 20, (uintmax_t)stats.dropped);
	CHECK_EQ(stats.in_flight, 0);
	CHECK_EQ(stats.opened, 1);
	return 0;
}

/* Given up while the server is busy with something else: the next answers are not mistaken. */
static int late_answers(cr_redis *db)
{
	cr_redis_stats stats;
	int late = 0;

	/* On a machine that stands still for so long, an answer may be in time. */
	while (late < 3) {
		int r = cr_timeout(cr_millis(5),
		                   cr_redis_command(db, CORAIL_REDIS("DEBUG", "SLEEP", "0.05"),
		                                    NULL));

		CHECK(r == 0 || r == -ETIMEDOUT);
		late += r == -ETIMEDOUT;
	}
	CHECK_EQ(REDIS_NUMBER(db, "INCR", "n"), 1);
	cr_redis_stats_get(db, &stats);
	CHECK_EQ(stats.dropped, 3);
	/* In a cancelled scope nothing is sent. */
	{
		CORAIL_SCOPE(scope);
		cr_scope_cancel(&scope);
		CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("INCR", "n"), NULL), -ECANCELED);
		CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("INCR", "n"), NULL), -ECANCELED);
	}
	CHECK_EQ(REDIS_NUMBER(db, "INCR", "n"), 2);
	return 0;
}

static long blocked_clients(cr_redis *db)
{
	cr_redis_reply reply;
	long count;

	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("INFO", "clients"), &reply), 0);
	count = strtol(strstr(reply.text, "blocked_clients:") + 16, NULL, 10);
	cr_redis_reply_free(&reply);
	return count;
}

static int a_blocking_pop_is_cancelled(cr_redis *db)
{
	cr_redis_conn *conn;
	cr_redis_reply reply;
	cr_redis_stats stats;

	CHECK_EQ(cr_redis_acquire(db, &conn), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(cr_timeout(cr_millis(i),
		                    cr_redis_conn_command(conn, CORAIL_REDIS("BLPOP", "q", "0"),
		                                          &reply)),
		         -ETIMEDOUT);
	CHECK_EQ(blocked_clients(db), 0);
	CHECK_EQ(REDIS_NUMBER(db, "LPUSH", "q", "7"), 1);
	CHECK_EQ(cr_redis_conn_command(conn, CORAIL_REDIS("BLPOP", "q", "0"), &reply), 0);
	CHECK_STR(reply.elements[1].text, "7");
	cr_redis_reply_free(&reply);
	cr_redis_release(conn);
	cr_redis_stats_get(db, &stats);
	CHECK_EQ(stats.broken, 0);
	CHECK_EQ(stats.conn_count_idle, 1);
	return 0;
}

struct queue {
	cr_redis *db;
	unsigned seed;
	int *over;
	int64_t sum;
};

static int pop(struct queue *q)
{
	while (!*q->over) {
		cr_redis_conn *conn;
		cr_redis_reply reply;
		int64_t number;
		int r;

		CHECK_EQ(cr_redis_acquire(q->db, &conn), 0);
		r = cr_timeout(cr_micros(rand_r(&q->seed) % 1500),
		               cr_redis_conn_command(conn, CORAIL_REDIS("BLPOP", "q", "0"),
		                                     &reply));
		if (r == 0) {
			CHECK_EQ(reply.count, 2);
			CHECK_EQ(cr_redis_reply_int(&reply.elements[1], &number), 0);
			q->sum += number;
			cr_redis_reply_free(&reply);
		} else {
			CHECK_EQ(r, -ETIMEDOUT);
		}
		cr_redis_release(conn);
	}
	return 0;
}

/* Elements pushed while pops are being cancelled: none is lost, none comes twice. */
static int no_element_is_lost(cr_redis *db)
{
	enum { POPPERS = 5, ELEMENTS = 150 };
	struct queue queues[POPPERS];
	cr_redis_stats stats;
	int over = 0;
	int64_t sum = 0;

	{
		CORAIL_SCOPE(scope);
		for (int i = 0; i < POPPERS; i++) {
			queues[i] = (struct queue){db, (unsigned)i + 1, &over, 0};
			cr_spawn(&scope, pop, &queues[i]);
		}
		for (int i = 1; i <= ELEMENTS; i++) {
			CHECK_EQ(cr_redis_command(db,
			                          CORAIL_REDIS_ARGS(cr_redis_text("RPUSH"),
			                                            cr_redis_text("q"),
			                                            cr_redis_int(i)),
			                          NULL),
			         0);
			sum += i;
		}
		while (REDIS_NUMBER(db, "LLEN", "q") > 0)
			CHECK_EQ(cr_sleep(cr_millis(1)), 0);
		over = 1;
		CHECK_EQ(cr_scope_wait(&scope), 0);
	}
	for (int i = 0; i < POPPERS; i++)
		sum -= queues[i].sum;
	CHECK_EQ(sum, 0);
	cr_redis_stats_get(db, &stats);
	CHECK_EQ(stats.broken, 0);
	CHECK_EQ(stats.conn_count_lent, 0);
	CHECK_LE(stats.conn_count, POPPERS);
	return 0;
}

static int pop_for_ever(cr_redis_conn **conn)
{
	return cr_redis_conn_command(*conn, CORAIL_REDIS("BLPOP", "q", "0"), NULL);
}

static int one_task_at_a_time(cr_redis *db)
{
	cr_redis_call call = {.args = NULL};
	cr_redis_conn *conn;

	CHECK_EQ(cr_redis_acquire(db, &conn), 0);
	{
		CORAIL_SCOPE(scope);
		cr_spawn(&scope, pop_for_ever, &conn);
		CHECK_EQ(cr_yield(), 0);
		CHECK_EQ(cr_redis_conn_command(conn, CORAIL_REDIS("PING"), NULL), -EBUSY);
	}
	CHECK_EQ(cr_redis_conn_command(conn, CORAIL_REDIS("PING"), NULL), 0);
	CHECK_EQ(cr_redis_conn_command(conn, CORAIL_REDIS("SUBSCRIBE", "c"), NULL), -EINVAL);
	CHECK_EQ(cr_redis_conn_pipeline(conn, &call, 1), -EINVAL);
	CHECK_EQ(call.status, -EINVAL);
	cr_redis_release(conn);
	return 0;
}

static int comes_back_as_it_went(cr_redis *db)
{
	cr_redis_call calls[] = {{.args = (cr_redis_arg[]){cr_redis_text("PING")}, .arg_count = 1},
	                         {.args = (cr_redis_arg[]){cr_redis_text("PING")}, .arg_count = 1}};
	cr_redis_conn *conn, *same;
	cr_redis_reply reply;
	cr_redis_stats stats;

	CHECK_EQ(cr_redis_acquire(db, &conn), 0);
	CHECK_EQ(cr_redis_conn_command(conn, CORAIL_REDIS("MULTI"), NULL), 0);
	CHECK_EQ(cr_redis_conn_command(conn, CORAIL_REDIS("SET", "a", "1"), &reply), 0);
	CHECK_STR(reply.text, "QUEUED");
	cr_redis_reply_free(&reply);
	cr_redis_release(conn);
	CHECK_EQ(cr_redis_acquire(db, &same), 0);
	CHECK(same == conn);
	CHECK_EQ(cr_redis_conn_pipeline(same, calls, 2), 0);
	CHECK_STR(calls[1].reply.text, "PONG");
	cr_redis_calls_free(calls, 2);
	CHECK_EQ(REDIS_NUMBER(db, "EXISTS", "a"), 0);
	/* One that talks to another database is not lent again. */
	CHECK_EQ(cr_redis_conn_command(same, CORAIL_REDIS("SELECT", "3"), NULL), 0);
	CHECK_EQ(cr_redis_conn_command(same, CORAIL_REDIS("SET", "a", "1"), NULL), 0);
	cr_redis_release(same);
	cr_redis_stats_get(db, &stats);
	CHECK_EQ(stats.conn_count, 0);
	CHECK_EQ(REDIS_NUMBER(db, "EXISTS", "a"), 0);
	return 0;
}

/* A command that nothing can stop: the connection goes, and its place is free again. */
static int unstoppable(cr_redis *db)
{
	cr_redis_conn *conn;
	cr_redis_stats stats;
	int r;

	CHECK_EQ(cr_redis_acquire(db, &conn), 0);
	/* On a machine that stands still for so long, it is answered in time. */
	do {
		r = cr_timeout(cr_millis(5),
		               cr_redis_conn_command(conn, CORAIL_REDIS("DEBUG", "SLEEP", "0.2"),
		                                     NULL));
	} while (r == 0);
	CHECK_EQ(r, -ETIMEDOUT);
	CHECK_EQ(cr_redis_conn_command(conn, CORAIL_REDIS("PING"), NULL), -ECONNRESET);
	CHECK_EQ(cr_timeout(cr_millis(5), cr_redis_acquire(db, &conn)), -ETIMEDOUT);
	cr_redis_release(conn);
	CHECK_EQ(cr_redis_acquire(db, &conn), 0);
	CHECK_EQ(cr_redis_conn_command(conn, CORAIL_REDIS("PING"), NULL), 0);
	cr_redis_release(conn);
	cr_redis_release(NULL);
	cr_redis_stats_get(db, &stats);
	CHECK_EQ(stats.conn_count, 1);
	return 0;
}

static int wait_for_one(struct asker *a)
{
	cr_redis_conn *conn;

	a->answers = cr_redis_acquire(a->db, &conn);
	return 0;
}

static int sleep_there(struct asker *a)
{
	a->answers = cr_redis_command(a->db, CORAIL_REDIS("DEBUG", "SLEEP", "0.05"), NULL);
	return 0;
}

static int close_it(cr_redis **db)
{
	cr_redis_close(*db);
	return 0;
}

/* Closing turns those away who wait, and waits for what is lent. */
static int closing(cr_redis *unused)
{
	cr_redis_options one = {.conn_count_max = 1};
	struct asker waits = {0}, asks = {0};
	char url[256];
	cr_redis_conn *conn;
	cr_redis *db;

	(void)unused;
	snprintf(url, sizeof url, "unix:%s?db=2", redis_setting("REDIS_SOCKET"));
	CHECK_EQ(cr_redis_open(url, &one, &db), 0);
	CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("PING"), NULL), 0);
	CHECK_EQ(cr_redis_acquire(db, &conn), 0);
	waits.db = asks.db = db;
	{
		CORAIL_SCOPE(scope);
		cr_task tasks[3];

		tasks[0] = cr_spawn(&scope, wait_for_one, &waits);
		tasks[1] = cr_spawn(&scope, sleep_there, &asks);
		CHECK_EQ(cr_yield(), 0);
		tasks[2] = cr_spawn(&scope, close_it, &db);
		CHECK_EQ(cr_await(tasks[0]), 0);
		CHECK_EQ(cr_await(tasks[1]), 0);
		CHECK_EQ(waits.answers, -ESHUTDOWN);
		CHECK_EQ(asks.answers, -ESHUTDOWN);
		CHECK_EQ(cr_redis_conn_command(conn, CORAIL_REDIS("PING"), NULL), 0);
		CHECK_EQ(cr_redis_command(db, CORAIL_REDIS("PING"), NULL), -ESHUTDOWN);
		cr_redis_release(conn);
		CHECK_EQ(cr_await(tasks[2]), 0);
	}
	cr_redis_close(NULL);
	return 0;
}

int main(void)
{
	static const cr_redis_options five = {.conn_count_max = 5, .cancel_grace = 10000000000};
	static const cr_redis_options hasty = {.conn_count_max = 1, .cancel_grace = 1000000};

	RUN_REDIS(random_cancellation);
	RUN_REDIS(late_answers);
	RUN_REDIS_WITH(a_blocking_pop_is_cancelled, &five);
	RUN_REDIS_WITH(no_element_is_lost, &five);
	RUN_REDIS_WITH(one_task_at_a_time, &five);
	RUN_REDIS_WITH(comes_back_as_it_went, &five);
	RUN_REDIS_WITH(unstoppable, &hasty);
	RUN_REDIS(closing);
	return test_done();
}
