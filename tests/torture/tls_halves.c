/* SPDX-License-Identifier: MIT */
/* ctest: timeout=240 needs=tls */
/*
 * TLS where its two directions meet, tortured: half of a message for OpenSSL itself has come, which
 * who writes needs whole, while somebody else reads.
 */

#include "support/torture.h"

#include "tls/raw.h"

/* A handshake for each point is dear; memory is tls.c's, which has all that is allocated here. */
static int spares(const struct torture *t)
{
	return t->seed > 1 || torture_short_of_memory(t);
}

/* The other half comes, and a word behind it. Whether the connection still stands is not said. */
static int send_rest(struct raw *raw)
{
	int r = cr_sleep(cr_micros(50));

	if (r == 0)
		r = raw_send(raw, 0);
	return r < 0 ? r : raw_write(raw, "back", 4);
}

static int read_back(cr_conn *conn)
{
	char word[4];

	return cr_conn_read_exactly(conn, word, sizeof word);
}

static int write_word(cr_conn *conn)
{
	int r = cr_conn_write(conn, "word", 4);

	return r < 0 ? r : cr_conn_shutdown_write(conn);
}

/* Reader, writer, or both, in either order, behind half a ticket. */
static int behind_half_a_ticket(struct torture *t, int (*first)(cr_conn *),
                                int (*second)(cr_conn *))
{
	struct raw raw;
	cr_conn *conn;
	char word[4];
	int r;

	if (spares(t))
		return 0;
	raw_send_some(&raw, raw_large_ticket(&raw, &conn));
	raw_take_in(conn);
	torture_begin(t);
	{
		CORAIL_SCOPE(helpers);
		cr_scope_collect(&helpers);
		cr_spawn(&helpers, send_rest, &raw);
		{
			CORAIL_SCOPE(scope);
			torture_victim(t, &scope);
			cr_spawn(&scope, first, conn);
			cr_spawn(&scope, second, conn);
			r = cr_scope_wait(&scope);
			torture_victim(t, NULL);
		}
	}
	torture_end(t);
	if (!torture_delivered(t)) {
		CHECK_EQ(r, 0);
		CHECK_EQ(raw_read(&raw, word, 4), 0);
		CHECK_MEM(word, "word", 4);
	}
	raw_close(&raw);
	cr_conn_close(conn);
	return r;
}

static int reader_first(struct torture *t)
{
	return behind_half_a_ticket(t, read_back, write_word);
}

static int writer_first(struct torture *t)
{
	return behind_half_a_ticket(t, write_word, read_back);
}

/* One of the two alone is cancelled: the other one goes on. */
static int survives(struct torture *t, int (*victim)(cr_conn *), int (*other)(cr_conn *))
{
	struct raw raw;
	cr_conn *conn;
	int r, survivor;

	if (spares(t))
		return 0;
	raw_send_some(&raw, raw_large_ticket(&raw, &conn));
	raw_take_in(conn);
	torture_begin(t);
	{
		CORAIL_SCOPE(helpers);
		cr_task task;

		cr_scope_collect(&helpers);
		cr_spawn(&helpers, send_rest, &raw);
		task = cr_spawn(&helpers, other, conn);
		{
			CORAIL_SCOPE(scope);
			torture_victim(t, &scope);
			r = victim(conn);
			torture_victim(t, NULL);
		}
		survivor = cr_await(task);
	}
	torture_end(t);
	if (!torture_excused(t))
		CHECK_EQ(survivor, 0);
	raw_close(&raw);
	cr_conn_close(conn);
	return r;
}

static int reader_survives(struct torture *t)
{
	return survives(t, write_word, read_back);
}

static int writer_survives(struct torture *t)
{
	return survives(t, read_back, write_word);
}

int main(void)
{
	pki_open();
	torture_marked = 1;
	TORTURE(reader_first);
	TORTURE(writer_first);
	TORTURE(reader_survives);
	TORTURE(writer_survives);
	return test_done();
}
