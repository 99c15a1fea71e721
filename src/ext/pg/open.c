/* SPDX-License-Identifier: MIT */
/* A database: opening, closing, figures. */

#include "client.h"

#include <corail/loop.h>

#include <stdlib.h>

#include "../common/options.h"

static void database_free(cr_pg *pg)
{
	free(pg->target);
	free(pg->init);
	free(pg->reset);
	free(pg);
}

static void set_defaults(cr_pg_options *options)
{
	cr__default_size(&options->conn_count_max, 10);
	cr__default_size(&options->conn_count_idle_max, options->conn_count_max);
	cr__default_size(&options->statement_count_max, 256);
	cr__default_size(&options->result_size_max, (size_t)256 << 20);
	cr__default_time(&options->idle_max, cr_seconds(600));
	cr__default_time(&options->lifetime_max, cr_seconds(3600));
	cr__default_time(&options->check_after, cr_seconds(30));
	cr__default_time(&options->connect_max, cr_seconds(30));
	cr__default_time(&options->cancel_grace, cr_millis(500));
}

static int copy_text(const char *text, char **ret_copy)
{
	*ret_copy = text ? strdup(text) : NULL;
	return text && !*ret_copy ? -ENOMEM : 0;
}

/* Whether libpq understands a target. Returns 0, -EINVAL or -ENOMEM, with the reason. */
static int check_target(const char *target, cr_sql_error *ret_error)
{
	char *message = NULL;
	PQconninfoOption *options = PQconninfoParse(target, &message);
	int r = options ? 0 : message ? -EINVAL : -ENOMEM;

	if (r < 0 && ret_error)
		cr__pg_error_set(ret_error, r, message);
	PQconninfoFree(options);
	PQfreemem(message);
	return r;
}

int cr_pg_open(const char *target, const cr_pg_options *options, cr_pg **ret_pg,
               cr_sql_error *ret_error)
{
	const char *backend = cr_loop_backend();
	cr_pg *pg;
	int r;

	if (!backend)
		return -ESRCH;
	if (strcmp(backend, "sim") == 0)
		return -EOPNOTSUPP;
	r = check_target(target, ret_error);
	if (r < 0)
		return r;
	pg = calloc(1, sizeof *pg);
	if (!pg)
		return -ENOMEM;
	if (options)
		pg->options = *options;
	set_defaults(&pg->options);
	cr__pg_pool_init(pg);
	r = copy_text(target, &pg->target);
	if (r == 0)
		r = copy_text(pg->options.init, &pg->init);
	if (r == 0)
		r = copy_text(pg->options.reset, &pg->reset);
	if (r < 0) {
		database_free(pg);
		return r;
	}
	*ret_pg = pg;
	return 0;
}

void cr_pg_close(cr_pg *pg)
{
	if (!pg)
		return;
	cr__pg_pool_close(pg);
	database_free(pg);
}

void cr_pg_stats_get(const cr_pg *pg, cr_pg_stats *ret_stats)
{
	*ret_stats = (cr_pg_stats){
		.conn_count = pg->count,
		.conn_count_idle = pg->idle.count,
		.waiting = pg->turns.count,
		.opened = pg->opened,
		.discarded = pg->discarded,
		.cancelled = pg->cancelled,
	};
}
