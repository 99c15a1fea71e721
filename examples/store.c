/* SPDX-License-Identifier: MIT */
/*
 * Downloads pages into a database, ten at a time.
 *
 *	store [-d DATABASE] [-q QUEUE] [URL...]
 *
 *	-d FILE or postgres://...   SQLite, the default (pages.db), or PostgreSQL
 *	-q redis://...              a queue that several programs share: the URLs are added to it,
 *	                            then taken from it, whoever added them, until it is empty
 *
 * A URL that was taken from the queue stays in a second list until its page is stored, so that one
 * whose program died can be found there.
 */

#define _GNU_SOURCE

#include <corail/corail.h>
#include <corail/http.h>
#include <corail/pg.h>
#include <corail/redis.h>
#include <corail/sqlite.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS = 10 };

static const char queue_list[] = "corail:urls", taken_list[] = "corail:taken";

struct program {
	const char *database, *queue;
	char **urls;
	size_t url_count, next;
	cr_http *http;
	cr_sqlite *sqlite; /* one of the two */
	cr_pg *pg;
	cr_redis *redis; /* NULL without a queue */
	size_t stored, failed;
};

/* ---------------------------------------------------------------------------- the database --- */

static const char create_sqlite[] =
	"create table if not exists pages (url text primary key, body blob, at text)";
static const char create_pg[] =
	"create table if not exists pages (url text primary key, body bytea, at timestamptz)";

static int open_database(struct program *p)
{
	int r;

	if (strncmp(p->database, "postgres", 8) == 0) {
		r = cr_pg_open(p->database, NULL, &p->pg, NULL);
		return r < 0 ? r : cr_pg_query(p->pg, create_pg, NULL, 0, NULL);
	}
	r = cr_sqlite_open(p->database, NULL, &p->sqlite, NULL);
	return r < 0 ? r : cr_sqlite_query(p->sqlite, create_sqlite, NULL, 0, NULL);
}

/* The same call for both: any task, any connection of the pool. */
static int store(struct program *p, const char *url, const cr_buf *body)
{
	cr_sql_value blob = cr_sql_blob(body->data, body->size);

	if (p->pg)
		return cr_pg_query(p->pg,
		                   "insert into pages values ($1, $2, now()) on conflict (url)"
		                   " do update set body = excluded.body, at = excluded.at",
		                   CORAIL_SQL(cr_sql_text(url), blob), NULL);
	return cr_sqlite_query(p->sqlite,
	                       "insert into pages values (?1, ?2, datetime()) on conflict (url)"
	                       " do update set body = excluded.body, at = excluded.at",
	                       CORAIL_SQL(cr_sql_text(url), blob), NULL);
}

/* ------------------------------------------------------------------------------- the queue --- */

static int fill_queue(struct program *p)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->url_count; i++)
		r = cr_redis_command(p->redis, CORAIL_REDIS("RPUSH", queue_list, p->urls[i]), NULL);
	return r;
}

/* Gives the next URL, yours to free. Returns 1; 0 when there is none; or a negative error. */
static int take(struct program *p, char **ret_url)
{
	cr_redis_reply reply;
	int r;

	if (!p->redis) {
		if (p->next == p->url_count)
			return 0;
		*ret_url = strdup(p->urls[p->next++]);
		return *ret_url ? 1 : -ENOMEM;
	}
	r = cr_redis_command(p->redis,
	                     CORAIL_REDIS("LMOVE", queue_list, taken_list, "LEFT", "RIGHT"),
	                     &reply);
	if (r < 0)
		return r;
	r = reply.kind == CORAIL_REDIS_TEXT;
	if (r) {
		*ret_url = strdup(reply.text);
		r = *ret_url ? 1 : -ENOMEM;
	}
	cr_redis_reply_free(&reply);
	return r;
}

static int put_away(struct program *p, const char *url)
{
	return p->redis ? cr_redis_command(p->redis, CORAIL_REDIS("LREM", taken_list, "1", url),
	                                   NULL)
	                : 0;
}

/* ------------------------------------------------------------------------------- the pages --- */

/* A page that fails is reported, and the others go on. A database that fails ends the program. */
static int fetch_and_store(struct program *p, const char *url)
{
	cr_buf body = {0};
	int r = cr_timeout(cr_seconds(30), cr_http_get(p->http, url, &body));

	if (r < 0 && r != -ECANCELED) {
		fprintf(stderr, "%s: %s\n", url, cr_strerror(r));
		p->failed++;
		return put_away(p, url);
	}
	if (r == 0)
		r = store(p, url, &body);
	if (r == 0) {
		printf("%s: %zu bytes\n", url, body.size);
		p->stored++;
		r = put_away(p, url);
	}
	cr_buf_free(&body);
	return r;
}

static int work(struct program *p)
{
	char *url;
	int r;

	while ((r = take(p, &url)) == 1) {
		r = fetch_and_store(p, url);
		free(url);
		if (r < 0)
			break;
	}
	return r;
}

static int work_all(struct program *p)
{
	CORAIL_SCOPE(scope);

	for (int i = 0; i < WORKERS; i++)
		cr_spawn(&scope, work, p);
	return cr_scope_wait(&scope); /* the first failure cancels the others */
}

static int run(struct program *p)
{
	int r = cr_http_open(NULL, &p->http);

	if (r == 0)
		r = open_database(p);
	if (r == 0 && p->queue)
		r = cr_redis_open(p->queue, NULL, &p->redis);
	if (r == 0 && p->redis)
		r = fill_queue(p);
	if (r == 0)
		r = work_all(p);
	cr_redis_close(p->redis); /* closing accepts what was never opened */
	cr_pg_close(p->pg);
	cr_sqlite_close(p->sqlite);
	cr_http_close(p->http);
	return r;
}

int main(int argc, char **argv)
{
	struct program p = {.database = "pages.db"};
	int option, r;

	while ((option = getopt(argc, argv, "d:q:")) != -1) {
		if (option == '?') {
			fprintf(stderr, "usage: store [-d DATABASE] [-q QUEUE] [URL...]\n");
			return 2;
		}
		*(option == 'd' ? &p.database : &p.queue) = optarg;
	}
	p.urls = argv + optind;
	p.url_count = (size_t)(argc - optind);
	r = cr_run(run, &p);
	if (r < 0)
		fprintf(stderr, "store: %s\n", cr_strerror(r));
	printf("%zu pages stored, %zu failed\n", p.stored, p.failed);
	return r < 0 || p.failed > 0;
}
