/* SPDX-License-Identifier: MIT */
/* What goes over a connection: one task writes, the driver reads and hands out. */

#include "client.h"

enum { PIECE = 16 * 1024, KEEP = 1 << 20 };

/* Counts an answer for the first slot; the slot goes with its last one. */
static void answer(struct link *link, cr_redis_reply *reply)
{
	struct slot *slot = &link->slots[link->first & link->slot_mask];
	struct batch *batch = slot->batch;
	size_t weight = slot->weight;

	/* Batches are in frames of tasks that have not run for a while: fetch them ahead. */
	__builtin_prefetch(link->slots[(link->first + 3) & link->slot_mask].batch, 1);
	if (batch) {
		cr_redis_call *call = &batch->calls[batch->answered++];

		call->status = reply->kind == CORAIL_REDIS_ERROR ? cr__redis_error_of(reply->text)
		                                                 : 0;
		call->reply = *reply;
	} else {
		cr_redis_reply_free(reply);
		link->redis->dropped++;
	}
	if (--slot->missing > 0)
		return;
	link->first++;
	cr_semaphore_release(&link->permits, weight);
	if (batch)
		cr_event_set(&batch->done);
}

/* Hands out one reply. Returns 0, or -CORAIL_E_REDIS_PROTOCOL for an answer without a question. */
static int hand_out(struct link *link, int type)
{
	cr_redis_reply reply = link->reply;

	link->reply = (cr_redis_reply){0};
	link->reply_size = 0;
	link->failures = link->up ? 0 : link->failures;
#ifdef REDIS_REPLY_PUSH
	/* RESP3: news beside the answers, which nobody has asked for on such a connection. */
	if (type == REDIS_REPLY_PUSH) {
		cr_redis_reply_free(&reply);
		return 0;
	}
#else
	(void)type;
#endif
	if (link->first != link->next) {
		answer(link, &reply);
	} else if (link->on_reply) {
		link->on_reply(link, &reply);
	} else {
		cr_redis_reply_free(&reply);
		return -CORAIL_E_REDIS_PROTOCOL;
	}
	return 0;
}

static int type_of_root(const redisReader *reader)
{
#ifdef REDIS_REPLY_PUSH
	return reader->task && reader->task[0] ? reader->task[0]->type : 0;
#else
	return reader->rstack[0].type;
#endif
}

/* Hands out the replies that are complete, and looks at the size of the one that is not. */
static int take_apart(struct link *link, const char *data, size_t size)
{
	redisReader *reader = link->reader;
	int r = 0;

	if (redisReaderFeed(reader, data, size) != REDIS_OK)
		return cr__redis_reader_error(link);
	while (r == 0) {
		void *reply = NULL;

		if (redisReaderGetReply(reader, &reply) != REDIS_OK)
			return cr__redis_reader_error(link);
		if (!reply)
			break;
		r = hand_out(link, type_of_root(reader));
	}
	if (r == 0 && reader->len - reader->pos > link->redis->options.reply_size_max)
		r = -EMSGSIZE;
	return r;
}

/* Reads one piece. Returns 0 or a negative error. */
static int read_some(struct link *link)
{
	char piece[PIECE];
	ssize_t size = cr_conn_read(link->conn, piece, sizeof piece);

	if (size <= 0)
		return size < 0 ? (int)size : -ECONNRESET;
	return take_apart(link, piece, (size_t)size);
}

/* Writes what was queued so far; meanwhile more may be. */
static int write_queued(struct link *link)
{
	cr_buf full = link->out;
	int r;

	link->out = link->sending;
	link->sending = full;
	cr__turns_wake(&link->sent, 0);
	r = cr_conn_write(link->conn, full.data, full.size);
	if (full.capacity_bytes > KEEP)
		cr_buf_free(&link->sending);
	else
		cr_buf_clear(&link->sending);
	return r;
}

static int keep_writing(struct link **handle)
{
	struct link *link = *handle;
	int r = 0;

	while (r == 0) {
		if (link->out.size > 0) {
			r = write_queued(link);
			continue;
		}
		cr_event_clear(&link->queued);
		r = cr_event_wait(&link->queued);
	}
	return r;
}

int cr__redis_converse(struct link *link)
{
	CORAIL_SCOPE(scope);
	cr_task writer = cr_spawn(&scope, keep_writing, &link);
	int error, r = cr_task_error(writer);

	while (r == 0)
		r = read_some(link);
	/* The writer's failure ends the reader. */
	if (r == -ECANCELED && cr_task_result(writer, &error) == 0 && error < 0)
		r = error;
	return r;
}

int cr__redis_exchange(struct link *link, struct batch *batch)
{
	int r = cr__redis_queue(link, batch, 0);

	if (r == 0)
		r = write_queued(link);
	/* The answer may be there even if the writing failed: too many clients, for one. */
	while ((r == 0 || r == -EPIPE) && !cr_event_is_set(&batch->done)) {
		int error = read_some(link);

		r = error < 0 ? error : r;
	}
	return r == -EPIPE && cr_event_is_set(&batch->done) ? 0 : r;
}
