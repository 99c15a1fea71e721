/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_REDIS_H
#define CORAIL_REDIS_H

/*
 * Redis: commands from many tasks over one connection, connections of one's own for what blocks,
 * transactions, scripts, publish and subscribe. Replies are taken apart by hiredis; link with
 * corail-redis.
 *
 *	cr_redis *db;
 *	cr_redis_reply reply;
 *	int r = cr_redis_open("redis://localhost/0", NULL, &db);
 *	if (r < 0) return r;
 *	r = cr_redis_command(db, CORAIL_REDIS("SET", "name", "coral"), NULL);
 *	if (r == 0) r = cr_redis_command(db, CORAIL_REDIS("GET", "name"), &reply);
 *	if (r == 0) {
 *		puts(reply.text);
 *		cr_redis_reply_free(&reply);
 *	}
 *	cr_redis_close(db);
 *
 * A cr_redis belongs to the loop on which it was opened; any number of tasks use it at once. Their
 * commands share one connection: those that tasks give in the same turn of the loop leave in one
 * write, and the answers go to their owners in order. Commands that would stop or change that
 * connection for everybody (BLPOP, MULTI, SELECT, SUBSCRIBE and the like) are refused there with
 * -EINVAL: they have functions of their own, or want a cr_redis_conn, a connection borrowed by one
 * task with cr_redis_acquire() and given back with cr_redis_release(); a second task on it gets
 * -EBUSY.
 *
 * There is no timeout parameter: cr_timeout() or a scope's deadline. A command that is cancelled
 * may have been run, or may still be; its late answer is read and dropped, and never taken for
 * another's. On a cr_redis_conn a blocking command that is cancelled is ended on the server too,
 * and what it had already taken from a list is returned, not lost.
 *
 * When the connection breaks, the commands in flight fail with -ECONNRESET: whether the server ran
 * them is not known, so none is sent a second time unless you ask for it
 * (cr_redis_command_idempotent). The next command connects again. While the server cannot be
 * reached, pauses between the attempts grow, and commands wait for a few attempts before they fail.
 *
 * Errors that every function with a command may give:
 *	-CORAIL_E_REDIS_ERROR     the server answered with an error: cr_redis_error() has its words
 *	-CORAIL_E_REDIS_TYPE      the key holds a value of another kind (WRONGTYPE)
 *	-CORAIL_E_REDIS_LOGIN     user, password or permission refused (WRONGPASS, NOAUTH, NOPERM)
 *	-CORAIL_E_REDIS_LIMIT     the server has no memory or connections left (OOM)
 *	-CORAIL_E_REDIS_STATE     not now, or not here (LOADING, READONLY, MOVED, BUSY, ...)
 *	-CORAIL_E_REDIS_PROTOCOL  what came is not Redis's protocol: the connection is closed
 *	-ECONNRESET               the connection broke before the answer came
 *	-EMSGSIZE                 the answer is larger than reply_size_max, or nested deeper than
 *	                          hiredis takes apart: the connection is closed
 *	-EINVAL                   no arguments, or a command that this connection cannot take
 *	-ESHUTDOWN                the client is being closed
 *	-ENOMEM, -ECANCELED, and those of cr_conn_open() and cr_tls_connect() when the server cannot
 *	be reached
 * "the errors of a command", below, are these.
 */

#include <corail/base.h>
#include <corail/tls.h>

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cr_redis cr_redis;           /* a client */
typedef struct cr_redis_conn cr_redis_conn; /* a connection of one's own */
typedef struct cr_redis_sub cr_redis_sub;   /* a subscription */

/* -------------------------------------------------------------------------------- arguments --- */

/* One word of a command: any bytes, borrowed until the call that uses it returns; or a number. */
typedef struct cr_redis_arg {
	const void *data; /* NULL: the number */
	size_t size;      /* of data, bytes */
	int64_t integer;
} cr_redis_arg;

/* A word of `size` bytes, zero bytes and all. */
static inline cr_redis_arg cr_redis_blob(const void *data, size_t size)
{
	cr_redis_arg arg;

	arg.data = data ? data : "";
	arg.size = data ? size : 0;
	arg.integer = 0;
	return arg;
}

/* A word up to its terminating zero; NULL is the empty one. */
static inline cr_redis_arg cr_redis_text(const char *text)
{
	return cr_redis_blob(text, text ? strlen(text) : 0);
}

/* A number, written in decimal. */
static inline cr_redis_arg cr_redis_int(int64_t number)
{
	cr_redis_arg arg;

	arg.data = NULL;
	arg.size = 0;
	arg.integer = number;
	return arg;
}

/*
 * A command of C strings, as the two arguments (array, count) of a function: CORAIL_REDIS("SET",
 * key, value). It lives as long as the call (in C, as the block around it).
 */
#define CORAIL_REDIS(...) CORAIL__REDIS_TEXTS(__VA_ARGS__)

/* The same of words of any kind: CORAIL_REDIS_ARGS(cr_redis_text("GET"), cr_redis_blob(k, 5)). */
#define CORAIL_REDIS_ARGS(...) CORAIL__REDIS_WORDS(__VA_ARGS__)

#ifdef __cplusplus
} /* templates have no C names */

template <size_t count> struct cr__redis_list {
	cr_redis_arg words[count];
	const cr_redis_arg *data() const
	{
		return words;
	}
};

template <typename... T> inline cr__redis_list<sizeof...(T)> cr__redis_texts(T... texts)
{
	return {{cr_redis_text(texts)...}};
}

template <typename... T> inline cr__redis_list<sizeof...(T)> cr__redis_words(T... words)
{
	return {{words...}};
}

template <typename... T> char (&cr__redis_count(const T &...))[sizeof...(T)];

extern "C" {
#define CORAIL__REDIS_TEXTS(...)                                                                   \
	cr__redis_texts(__VA_ARGS__).data(), sizeof(cr__redis_count(__VA_ARGS__))
#define CORAIL__REDIS_WORDS(...)                                                                   \
	cr__redis_words(__VA_ARGS__).data(), sizeof(cr__redis_count(__VA_ARGS__))
#else
#define CORAIL__REDIS_COUNT(type, ...) (sizeof((type[]){__VA_ARGS__}) / sizeof(type))
#define CORAIL__REDIS_TEXTS(...)                                                                   \
	cr__redis_texts((cr_redis_arg[CORAIL__REDIS_COUNT(const char *, __VA_ARGS__)]){{NULL, 0,   \
	                                                                                0}},       \
	                (const char *const[]){__VA_ARGS__},                                        \
	                CORAIL__REDIS_COUNT(const char *, __VA_ARGS__)),                           \
		CORAIL__REDIS_COUNT(const char *, __VA_ARGS__)
#define CORAIL__REDIS_WORDS(...)                                                                   \
	(const cr_redis_arg[]){__VA_ARGS__}, CORAIL__REDIS_COUNT(cr_redis_arg, __VA_ARGS__)

static inline const cr_redis_arg *cr__redis_texts(cr_redis_arg *args, const char *const *texts,
                                                  size_t count)
{
	for (size_t i = 0; i < count; i++)
		args[i] = cr_redis_text(texts[i]);
	return args;
}
#endif

/* ---------------------------------------------------------------------------------- replies --- */

enum cr_redis_kind {
	CORAIL_REDIS_NIL = 0,
	CORAIL_REDIS_STATUS,  /* "OK": text */
	CORAIL_REDIS_TEXT,    /* any bytes: text, size */
	CORAIL_REDIS_INTEGER, /* integer */
	CORAIL_REDIS_ARRAY,   /* elements, count */
	CORAIL_REDIS_ERROR,   /* inside of an array only: text */
	/* With the option resp3 only: */
	CORAIL_REDIS_MAP,  /* elements: key, value, key, ... and count of both */
	CORAIL_REDIS_SET,  /* elements, count */
	CORAIL_REDIS_REAL, /* real, and text as the server wrote it */
	CORAIL_REDIS_BOOL, /* integer */
};

/*
 * A reply: a value in your own frame that owns its memory; cr_redis_reply_free() when done. All
 * zero is nil.
 */
typedef struct cr_redis_reply {
	enum cr_redis_kind kind;
	char *text;  /* followed by a zero byte; NULL for kinds without text */
	size_t size; /* of text, bytes */
	int64_t integer;
	double real;
	struct cr_redis_reply *elements;
	size_t count; /* of elements */
} cr_redis_reply;

/* Frees what a reply owns; it is nil then. Accepts NULL. */
CORAIL_API void cr_redis_reply_free(cr_redis_reply *reply);

/*
 * The number in a reply, which the server gives as an integer or as a text. Returns 0;
 * -CORAIL_E_REDIS_TYPE when it is neither; -ERANGE.
 */
CORAIL_API int cr_redis_reply_int(const cr_redis_reply *reply, int64_t *ret_number);

/*
 * The value that follows a name in an array or map of names and values, as HGETALL and CONFIG GET
 * give; NULL when it is not there. Valid as long as the reply.
 */
CORAIL_API const cr_redis_reply *cr_redis_reply_field(const cr_redis_reply *reply,
                                                      const char *name);

/* ----------------------------------------------------------------------------------- client --- */

/* All zero means the defaults. Texts are copied. */
typedef struct cr_redis_options {
	const char *user, *password; /* instead of the URL's */
	const char *name;            /* for CLIENT LIST; NULL: "corail" */
	cr_tls_config *tls;          /* for rediss://, borrowed; NULL: the system's authorities */
	size_t in_flight_max;        /* commands whose answers are awaited; more wait; 0: 1,024 */
	/* bytes of commands that wait to be sent, past which further ones wait; 0: 1 MiB */
	size_t unsent_size_max;
	size_t reply_size_max;      /* most memory for one reply, bytes; 0: 256 MiB */
	size_t conn_count_max;      /* most connections lent by cr_redis_acquire(); 0: 10 */
	size_t conn_count_idle_max; /* most that are kept while nobody uses them; 0: as many */
	size_t message_count_max;   /* messages kept for a subscriber who does not read; 0: 1,024 */
	cr_nsec idle_max;           /* one unused for longer is closed; 0: 10 minutes */
	cr_nsec connect_max;        /* an attempt to connect is given up after so long; 0: 10 s */
	/* after the first attempt that failed; doubles, with jitter; 0: 50 ms */
	cr_nsec pause_min;
	cr_nsec pause_max;  /* ... up to this; 0: 5 s */
	size_t attempt_max; /* attempts before who waits gets the error; 0: 3 */
	/* for the server to end what was cancelled on a connection of one's own; 0: 500 ms */
	cr_nsec cancel_grace;
	cr_nsec keepalive;  /* of silence, before TCP asks for a sign of life; 0: 1 minute */
	unsigned resp3 : 1; /* speak RESP3: maps, sets, truth values come as such */
} cr_redis_options;

/*
 * Opens a client. `url` is redis://[[user]:password@]host[:port][/database], the same with
 * rediss:// for TLS, or unix:/path[?db=database]; characters may be written as %XX. Connects when
 * the first command needs it. `options` may be NULL. You own it: cr_redis_close(). Does not
 * suspend. Returns 0; -EINVAL for a URL that is none; -EOPNOTSUPP for resp3 when the library was
 * built with a hiredis before 1.0, which cannot read it; the errors of cr_tls_config_open();
 * -ESRCH outside a loop; -ENOMEM.
 */
CORAIL_API int cr_redis_open(const char *url, const cr_redis_options *options,
                             cr_redis **ret_redis);

/*
 * Closes: commands under way and who waits get -ESHUTDOWN, idle connections are closed, and the
 * call waits until connections that are lent, and subscriptions, have come back. Goes through even
 * in a cancelled scope. Accepts NULL.
 */
CORAIL_API CORAIL_SUSPENDS void cr_redis_close(cr_redis *redis);

/* What a client holds and has done. */
typedef struct cr_redis_stats {
	size_t in_flight;       /* answers awaited on the shared connection */
	size_t conn_count;      /* connections of cr_redis_acquire(), lent or idle */
	size_t conn_count_idle; /* of those, idle */
	size_t conn_count_lent;
	uint64_t commands; /* given to the shared connection since the beginning */
	uint64_t dropped;  /* late answers to cancelled commands */
	uint64_t opened;   /* connections of all kinds, logged in */
	uint64_t broken;   /* of those, lost */
} cr_redis_stats;

/* Writes a client's figures of this moment. */
CORAIL_API void cr_redis_stats_get(const cr_redis *redis, cr_redis_stats *ret_stats);

/*
 * What the server said when the caller's last call on this client, or on a connection or
 * subscription of it, failed; "" if it was not the server. Valid until the caller suspends.
 */
CORAIL_API const char *cr_redis_error(const cr_redis *redis);

/* --------------------------------------------------------------------------------- commands --- */

/*
 * Runs a command. The reply goes to *ret_reply, yours to free; NULL when it does not matter.
 * Returns 0 or the errors of a command.
 */
CORAIL_API CORAIL_SUSPENDS int cr_redis_command(cr_redis *redis, const cr_redis_arg *args,
                                                size_t count, cr_redis_reply *ret_reply);

/*
 * The same for a command that may be run twice without harm (GET, SET, DEL; not INCR, not LPUSH):
 * when the connection breaks before the answer came, it is sent again, up to attempt_max times.
 */
CORAIL_API CORAIL_SUSPENDS int cr_redis_command_idempotent(cr_redis *redis,
                                                           const cr_redis_arg *args, size_t count,
                                                           cr_redis_reply *ret_reply);

/* One command of several. You fill in the first two. */
typedef struct cr_redis_call {
	const cr_redis_arg *args;
	size_t arg_count;
	int status; /* 0, or its error */
	cr_redis_reply
		reply; /* yours: cr_redis_reply_free(); of kind ERROR when the server said no */
} cr_redis_call;

/* Frees the replies of `count` calls. */
CORAIL_API void cr_redis_calls_free(cr_redis_call *calls, size_t count);

/*
 * Sends several commands in one piece, and waits for all answers: one round trip. Each is run,
 * whatever becomes of the others; other tasks' commands do not come in between. Statuses and
 * replies are filled in for all, on failure too. Returns 0; the first failure's error; -ECANCELED,
 * or what broke the connection, which the calls without an answer then have as well.
 */
CORAIL_API CORAIL_SUSPENDS int cr_redis_pipeline(cr_redis *redis, cr_redis_call *calls,
                                                 size_t count);

/*
 * As cr_redis_pipeline(), as one transaction (MULTI, EXEC): nobody sees a part of it. If the server
 * does not accept one of the commands it runs none: that one has its error, the others
 * -CORAIL_E_REDIS_ABORTED. One that fails when it is run does not stop the others, and nothing is
 * rolled back. To watch keys: cr_redis_conn_transaction().
 */
CORAIL_API CORAIL_SUSPENDS int cr_redis_transaction(cr_redis *redis, cr_redis_call *calls,
                                                    size_t count);

/* ---------------------------------------------------------------------------------- scripts --- */

/*
 * A script in Lua: cr_redis_script inc = {.text = "return redis.call('incr', KEYS[1])"}. The
 * library keeps the name (SHA-1) by which the server knows it.
 */
typedef struct cr_redis_script {
	const char *text; /* yours, as long as the script is used */
	char cr__sha[48];
} cr_redis_script;

/*
 * Runs a script (EVALSHA); a server that does not know it is given its text first. Either list may
 * be NULL, 0. Returns 0 or the errors of a command; -CORAIL_E_REDIS_ERROR is also what the script
 * itself raises.
 */
CORAIL_API CORAIL_SUSPENDS int cr_redis_script_run(cr_redis *redis, cr_redis_script *script,
                                                   const cr_redis_arg *keys, size_t key_count,
                                                   const cr_redis_arg *args, size_t arg_count,
                                                   cr_redis_reply *ret_reply);

/* --------------------------------------------------------------- a connection of one's own --- */

/*
 * Borrows a connection: an idle one, a new one below the limit, else waits for one to come back,
 * first come first served. For commands that block (BLPOP, XREAD BLOCK, WAIT) and for WATCH. Give
 * it back with cr_redis_release(), on every way out. Returns 0; -CORAIL_E_REDIS_LOGIN;
 * -CORAIL_E_REDIS_LIMIT when the server takes no more; the errors of connecting; -ESHUTDOWN;
 * -ENOMEM; -ECANCELED.
 */
CORAIL_API CORAIL_SUSPENDS int cr_redis_acquire(cr_redis *redis, cr_redis_conn **ret_conn);

/*
 * Gives a connection back. What was watched or begun with MULTI is undone; if that is not done
 * within cancel_grace, or if SELECT, AUTH or the like have changed the connection, it is closed
 * instead. Goes through even in a cancelled scope. Accepts NULL.
 */
CORAIL_API CORAIL_SUSPENDS void cr_redis_release(cr_redis_conn *conn);

/*
 * Runs any command on it, except those that change how the server talks (SUBSCRIBE, MONITOR, HELLO,
 * QUIT, CLIENT REPLY, ...: -EINVAL). Inside MULTI the reply is "QUEUED". Cancelled, it ends what
 * blocks (CLIENT UNBLOCK) and waits for the answer, at most for the time of cancel_grace: an
 * element that was taken by then is returned, with 0. Else -ECANCELED, and if no answer came the
 * connection is closed: all further calls on it give -ECONNRESET. Returns 0, the errors of a
 * command, -EBUSY.
 */
CORAIL_API CORAIL_SUSPENDS int cr_redis_conn_command(cr_redis_conn *conn, const cr_redis_arg *args,
                                                     size_t count, cr_redis_reply *ret_reply);

/* As cr_redis_pipeline(), on it. */
CORAIL_API CORAIL_SUSPENDS int cr_redis_conn_pipeline(cr_redis_conn *conn, cr_redis_call *calls,
                                                      size_t count);

/*
 * As cr_redis_transaction(), on it. When a key that it watches ("WATCH", before) was changed by
 * somebody, nothing is run and all is -CORAIL_E_REDIS_ABORTED: read again, and try again.
 */
CORAIL_API CORAIL_SUSPENDS int cr_redis_conn_transaction(cr_redis_conn *conn, cr_redis_call *calls,
                                                         size_t count);

/* -------------------------------------------------------------------- publish and subscribe --- */

enum cr_redis_message_kind {
	CORAIL_REDIS_MESSAGE,
	/* The connection was lost and stands again: what was published meanwhile was missed. */
	CORAIL_REDIS_MISSED,
};

/* A message; its texts are valid until the next call on the subscription. */
typedef struct cr_redis_message {
	enum cr_redis_message_kind kind;
	const char *channel, *pattern; /* pattern: NULL unless it came by one. Zero-terminated */
	size_t channel_size, pattern_size;
	const char *data; /* followed by a zero byte */
	size_t size;
} cr_redis_message;

/*
 * Opens a subscription, with a connection of its own and no channels yet. You own it:
 * cr_redis_sub_close(). Does not suspend. Returns 0, -ENOMEM, -ESHUTDOWN.
 */
CORAIL_API int cr_redis_sub_open(cr_redis *redis, cr_redis_sub **ret_sub);

/* Closes it; who waits on it gets -ESHUTDOWN. Goes through even when cancelled. Accepts NULL. */
CORAIL_API CORAIL_SUSPENDS void cr_redis_sub_close(cr_redis_sub *sub);

/*
 * Subscribes to a channel, or to all channels that match a pattern (the server's globs), and waits
 * until the server has said so: what is published from then on comes. It stays subscribed over
 * reconnections, and is so to be when this fails or is cancelled after the command was sent: the
 * caller may try again, unsubscribe or close. Returns 0 (also when it was already) or the errors of
 * a command.
 */
CORAIL_API CORAIL_SUSPENDS int cr_redis_subscribe(cr_redis_sub *sub, cr_redis_arg channel);
CORAIL_API CORAIL_SUSPENDS int cr_redis_psubscribe(cr_redis_sub *sub, cr_redis_arg pattern);

/*
 * Ends one; messages that have come stay to be read. Does not suspend. Returns 0, -ENOENT when
 * there is none, -ENOMEM.
 */
CORAIL_API int cr_redis_unsubscribe(cr_redis_sub *sub, cr_redis_arg channel);
CORAIL_API int cr_redis_punsubscribe(cr_redis_sub *sub, cr_redis_arg pattern);

/*
 * Waits for the next message. When the connection breaks it connects and subscribes again by
 * itself, and then gives a message of kind CORAIL_REDIS_MISSED. A cancelled wait loses none. A task
 * that does not read stops the connection once message_count_max are kept; the server cuts it off
 * some time later (client-output-buffer-limit), which is told as CORAIL_REDIS_MISSED too.
 * Returns 0; -EBUSY when another task waits; -ECANCELED; -ESHUTDOWN; when attempt_max attempts to
 * connect have failed, the last one's error: the next call goes on trying.
 */
CORAIL_API CORAIL_SUSPENDS int cr_redis_sub_next(cr_redis_sub *sub, cr_redis_message *ret_message);

#ifdef __cplusplus
}
#endif
#endif
