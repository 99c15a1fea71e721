/* SPDX-License-Identifier: MIT */
#ifndef CR__REDIS_CLIENT_H
#define CR__REDIS_CLIENT_H

/*
 * The client's inside. A link is one connection with what its owner gave it to send, and who waits
 * for which answer. The shared one of a client, those of a pool and those of subscriptions are all
 * links. A driver task connects, reads and hands answers out; a writer task sends, in one piece,
 * what was given in the same turn. Neither belongs to a caller: so a caller can go at any moment.
 *
 * What keeps answers apart: Redis answers in order, so a queue of slots says whose answer is next.
 * A caller that is cancelled leaves its slot behind without an owner, and what comes for it is
 * dropped.
 */

#include <corail/redis.h>
#include <corail/sync.h>
#include <corail/task.h>

#include <hiredis/read.h>
#include <stdbool.h>

#include "../common/idle.h"
#include "../common/time.h"
#include "../common/turns.h"

/* ---- link ---- */

/* Commands whose answers one caller waits for, in that one's frame. */
struct batch {
	cr_redis_call *calls;
	size_t count, answered;
	cr_event done;
	int error;       /* why answers are missing */
	bool internal;   /* goes through while the client is being closed */
	uint64_t number; /* of its slot */
};

struct slot {
	struct batch *batch; /* NULL: nobody wants the answers any more */
	size_t missing;      /* answers */
	size_t weight;       /* of the limit of commands in flight */
};

struct link {
	cr_redis *redis;
	cr_conn *conn;
	redisReader *reader;
	bool up;     /* logged in */
	bool driven; /* the driver lives */
	bool closed;
	bool keep; /* connect again without being asked */
	cr_task driver;
	struct turns waiting; /* for it to be up */
	unsigned failures;    /* to connect, or to answer anything, in a row */
	cr_nsec next_attempt;
	int64_t id;     /* the server's number for the connection; 0: not known */
	char said[256]; /* by the server, when it refused the connection */

	cr_buf out, sending;
	cr_event queued;      /* there is something to send */
	struct turns sent;    /* wait for room in `out` */
	cr_semaphore permits; /* how many further commands may be in flight */
	size_t in_flight_max;
	struct slot *slots; /* a ring: [first, next) */
	size_t slot_mask;
	uint64_t first, next;

	cr_redis_reply reply; /* being taken apart */
	size_t reply_size;    /* its memory so far */
	int refused;          /* why hiredis was told that there is no memory */

	/*
	 * Of a subscription: called when the link comes up (0 or a negative error), with every
	 * reply that nobody awaits, and when the driver gives up.
	 */
	int (*on_up)(struct link *link);
	void (*on_reply)(struct link *link, cr_redis_reply *reply);
	void (*on_end)(struct link *link, int error);
};

struct cr_redis_conn {
	struct idle_node idle;
	struct link link;
	cr_redis *redis;
	bool busy;
	bool broken;  /* not to be used again */
	bool changed; /* by SELECT and the like: not to be lent again */
	bool multi, watching;
};

struct target {
	char *address; /* what cr_conn_open() takes */
	char *host;    /* whom a certificate must name; NULL without one */
	char *user, *password;
	int64_t database;
	bool tls;
};

struct cr_redis {
	cr_redis_options options;
	char *name;
	struct target target;
	cr_tls_config *own_tls;
	struct link shared;
	bool closed;
	size_t users; /* callers inside, connections lent, subscriptions */
	struct turns left;
	cr_semaphore places; /* how many further connections may be lent */
	struct idle_list idle;
	size_t lent_count;
	cr_redis_sub *subs;
	uint64_t random;
	uint64_t commands, dropped, opened, broken;
	char error[256];
};

/* ---- link.c ---- */

/* Returns 0 or -ENOMEM. */
int cr__redis_link_init(struct link *link, cr_redis *redis, size_t in_flight_max);
/* Ends the driver, fails who waits with -ESHUTDOWN, frees. Goes through when cancelled. */
void cr__redis_link_close(struct link *link);
/* Starts the driver unless it lives. Returns 0 or a negative error. */
int cr__redis_link_drive(struct link *link);
/* Waits until the link is up. Returns 0 or a negative error. */
int cr__redis_link_need(struct link *link);
/* Breaks the connection; the driver cleans up. */
void cr__redis_link_break(struct link *link);
/* Fails those who wait for answers; these will be dropped. */
void cr__redis_link_disown(struct link *link, int error);

/* ---- converse.c ---- */

/* Sends what is queued and hands out what comes, until the connection breaks. Returns why. */
int cr__redis_converse(struct link *link);
/* Writes a batch and reads its answers, before the link is up. Returns 0 or a negative error. */
int cr__redis_exchange(struct link *link, struct batch *batch);

/* ---- login.c ---- */

/* Dials and logs in. Returns 0 or a negative error, with what the server said in link->said. */
int cr__redis_login(struct link *link);

/* ---- batch.c ---- */

/*
 * Queues a batch at once, whatever the state of the link; it gives `weight` permits back when it is
 * answered. Returns 0 or -ENOMEM.
 */
int cr__redis_queue(struct link *link, struct batch *batch, size_t weight);
/* Queues a batch when the link is up and there is room. Returns 0 or a negative error. */
int cr__redis_send(struct link *link, struct batch *batch);
/* Gives up: answers that are still to come will be dropped. */
void cr__redis_abandon(struct link *link, struct batch *batch);
/* Fills in what has no answer. Returns the first failure. */
int cr__redis_batch_finish(struct batch *batch);
/* Sends a batch and waits for the answers. Returns what broke it; statuses are filled in. */
int cr__redis_run(struct link *link, struct batch *batch);

/* ---- command.c ---- */

/* Who is inside, for closing. */
void cr__redis_enter(cr_redis *redis);
int cr__redis_leave(cr_redis *redis, int result);
/* The single reply of a call that has ended. Returns its status. */
int cr__redis_result(cr_redis *redis, cr_redis_call *call, int result, cr_redis_reply *ret_reply);
/* Keeps the words of the first call that the server refused. */
void cr__redis_note(cr_redis *redis, const cr_redis_call *calls, size_t count);

/* ---- words.c: what is sent ---- */

enum {
	WORDS_OWN = 1,    /* not on the shared connection */
	WORDS_NEVER = 2,  /* on none */
	WORDS_BLOCK = 4,  /* may wait on the server */
	WORDS_CHANGE = 8, /* leaves the connection in another state */
	WORDS_MULTI = 16, /* begins a transaction */
	WORDS_END = 32,   /* ends one */
	WORDS_WATCH = 64,
};

/* What a command does to a connection. */
unsigned cr__redis_words_class(const cr_redis_arg *args, size_t count);
/* Appends commands in the form of the protocol, all or nothing. Returns 0 or -ENOMEM. */
int cr__redis_words_append(cr_buf *out, const cr_redis_call *calls, size_t count);

/* ---- reply.c: what comes ---- */

redisReader *cr__redis_reader_new(struct link *link);
/* Why the reader gave up, as a negative error. */
int cr__redis_reader_error(const struct link *link);
/* The negative error of an error reply's text. */
int cr__redis_error_of(const char *text);

/* ---- transaction.c ---- */

/* Runs `calls` between MULTI and EXEC by way of run(arg, batch). Returns the first failure. */
int cr__redis_transact(cr_redis_call *calls, size_t count, int (*run)(void *arg, struct batch *),
                       void *arg);

/* ---- pool.c ---- */

void cr__redis_pool_init(cr_redis *redis);

/* ---- pool.c, subscribe.c: their part of closing ---- */

void cr__redis_pool_close(cr_redis *redis);
void cr__redis_subs_stop(cr_redis *redis);

/* ---- url.c ---- */

/* Returns 0, -EINVAL or -ENOMEM. */
int cr__redis_target_parse(const char *url, struct target *ret_target);
void cr__redis_target_free(struct target *target);

#endif
