/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SIM_FUZZ_PROGRAM_H
#define CORAIL_TESTS_SIM_FUZZ_PROGRAM_H

/*
 * Bytes as a program of tasks: spawns, sleeps, scopes, deadlines, shields, cancels, streams. Every
 * task reads its next instruction from the same bytes, so that the order in which tasks run
 * decides what they do; when the bytes are used up, everybody goes home. Whatever the bytes say,
 * the program must end with nothing left, and each call must keep what its header promises.
 */

#include "support/test.h"

#include <corail/loop.h>
#include <corail/net.h>
#include <corail/sync.h>
#include <corail/task.h>

#include <stdbool.h>

enum {
	FUZZ_HANDLES = 64,
	FUZZ_DEPTH = 6,
	FUZZ_TASKS = 300,
};

struct fuzz {
	const uint8_t *bytes;
	size_t size, at;
	cr_task handles[FUZZ_HANDLES];
	unsigned handle_next, spawned;
	cr_event event;
	int frames; /* entered and not left: tasks' bodies and blocks */
};

/* Where an instruction runs: the scopes around it, outermost first. */
struct fuzz_frame {
	struct fuzz *fuzz;
	cr_scope *scopes[FUZZ_DEPTH];
	int depth;
};

static int fuzz_task(struct fuzz_frame *frame);
static int fuzz_block(struct fuzz_frame *frame);

static inline uint8_t fuzz_byte(struct fuzz *f)
{
	return f->at < f->size ? f->bytes[f->at++] : 0;
}

static inline cr_nsec fuzz_duration(struct fuzz *f)
{
	return cr_millis(fuzz_byte(f) % 8) * (fuzz_byte(f) % 16 ? 1 : 1000);
}

static inline cr_task fuzz_handle(struct fuzz *f)
{
	return f->handles[fuzz_byte(f) % FUZZ_HANDLES];
}

/* A suspending call in a cancelled scope must say so; in another one, its own answer. */
#define fuzz_check(cancelled_before, r)                                                            \
	do {                                                                                       \
		if (cancelled_before)                                                              \
			CHECK_EQ((r), -ECANCELED);                                                 \
	} while (0)

static inline void fuzz_sleep(struct fuzz *f)
{
	bool cancelled = cr_cancelled();
	cr_nsec duration = fuzz_duration(f), start = cr_now();
	int r = cr_sleep(duration);

	fuzz_check(cancelled, r);
	if (r == 0)
		CHECK_GE(cr_now() - start, duration);
	else
		CHECK_EQ(r, -ECANCELED);
}

static inline void fuzz_spawn(struct fuzz *f, struct fuzz_frame *frame)
{
	struct fuzz_frame child = {.fuzz = f, .depth = 1};
	cr_task task;

	if (f->spawned >= FUZZ_TASKS)
		return;
	f->spawned++;
	child.scopes[0] = frame->scopes[fuzz_byte(f) % frame->depth];
	task = cr_spawn_copy(child.scopes[0], fuzz_task, &child);
	CHECK(cr_task_error(task) == 0 || cr_task_error(task) == -ESHUTDOWN);
	f->handles[f->handle_next++ % FUZZ_HANDLES] = task;
}

static inline void fuzz_await(struct fuzz *f)
{
	bool cancelled = cr_cancelled();
	cr_task task = fuzz_handle(f);
	int r;

	/* Two tasks that await each other would wait for ever, and rightly so. */
	r = cr_timeout(fuzz_duration(f), cr_await(task));
	fuzz_check(cancelled, r);
}

static inline void fuzz_wait_first(struct fuzz *f)
{
	cr_task tasks[3] = {fuzz_handle(f), fuzz_handle(f), fuzz_handle(f)};
	bool cancelled = cr_cancelled();
	size_t index = 99;
	int r = cr_timeout(fuzz_duration(f), cr_task_wait_first(tasks, 3, &index));

	fuzz_check(cancelled, r);
	if (index != 99)
		CHECK_LT(index, 3);
}

static inline int fuzz_inner_scope(struct fuzz *f, struct fuzz_frame *frame, uint8_t kind)
{
	struct fuzz_frame inner = *frame;
	int r;

	if (frame->depth == FUZZ_DEPTH)
		return 0;
	CORAIL_SCOPE(scope);
	if (kind & 1)
		cr_scope_collect(&scope);
	if (kind & 2)
		cr_scope_timeout_set(&scope, fuzz_duration(f));
	if (kind & 4)
		cr_scope_shield(&scope, fuzz_duration(f));
	inner.scopes[inner.depth++] = &scope;
	r = fuzz_block(&inner);
	if (kind & 8)
		return r;
	if (kind & 16) {
		cr_nsec patience = kind & 32 ? fuzz_duration(f) : CORAIL_NEVER;
		cr_task task;

		while ((r = cr_timeout(patience, cr_scope_next(&scope, &task))) == 0)
			CHECK_EQ(cr_task_error(task), 0);
		CHECK(r == -ENOENT || r == -ECANCELED || r == -ETIMEDOUT);
		return 0;
	}
	return cr_scope_wait(&scope);
}

static inline int fuzz_started(struct fuzz *f)
{
	f->frames++;
	if (fuzz_byte(f) & 1)
		cr_sleep(fuzz_duration(f));
	if (fuzz_byte(f) & 1)
		cr_task_started(fuzz_byte(f));
	cr_sleep(fuzz_duration(f));
	f->frames--;
	return fuzz_byte(f) & 1 ? -EIO : 7;
}

static inline void fuzz_start(struct fuzz *f, struct fuzz_frame *frame)
{
	cr_scope *scope = frame->scopes[frame->depth - 1];
	bool cancelled = cr_cancelled();
	cr_task task = {0};
	int r;

	if (f->spawned++ >= FUZZ_TASKS)
		return;
	r = cr_scope_start(scope, fuzz_started, f, &task);
	fuzz_check(cancelled, r);
	if (r >= 0)
		CHECK_GT(task.id, 0);
}

static inline int fuzz_element(int *element)
{
	int r = cr_sleep(cr_millis(*element % 5));

	return r < 0 ? r : *element % 7 == 0 ? -EPROTO : *element;
}

static inline void fuzz_gather(struct fuzz *f)
{
	int elements[5], statuses[5], r;
	bool cancelled = cr_cancelled();
	uint8_t kind = fuzz_byte(f);
	size_t index = 99;

	for (int i = 0; i < 5; i++)
		elements[i] = fuzz_byte(f);
	if (kind % 4 == 0)
		r = cr_gather(fuzz_element, elements, 5);
	else if (kind % 4 == 1)
		r = cr_gather_limit(fuzz_element, elements, 5, 1 + (size_t)kind % 3);
	else if (kind % 4 == 2)
		r = cr_gather_collect(fuzz_element, elements, 5, statuses);
	else
		r = cr_gather_first(fuzz_element, elements, 5, &index);
	fuzz_check(cancelled, r);
	if (kind % 4 == 2 && r >= 0)
		for (int i = 0; i < 5; i++)
			CHECK_EQ(statuses[i], elements[i] % 7 ? elements[i] : -EPROTO);
	if (kind % 4 == 3 && r >= 0)
		CHECK_EQ(r, elements[index]);
}

struct fuzz_stream {
	struct fuzz *fuzz;
	cr_conn *conn;
	size_t size, done;
};

static inline int fuzz_stream_write(struct fuzz_stream *stream)
{
	static const char zeros[4096];
	int r = 0;

	stream->fuzz->frames++;
	while (r == 0 && stream->done < stream->size) {
		r = cr_conn_write(stream->conn, zeros, sizeof zeros);
		stream->done += r == 0 ? sizeof zeros : 0;
	}
	cr_conn_close(stream->conn);
	stream->fuzz->frames--;
	return 0;
}

static inline int fuzz_stream_read(struct fuzz_stream *stream)
{
	char buffer[1000];
	ssize_t n;

	stream->fuzz->frames++;
	while ((n = cr_conn_read(stream->conn, buffer, sizeof buffer)) > 0)
		stream->done += (size_t)n;
	cr_conn_close(stream->conn);
	stream->fuzz->frames--;
	return 0;
}

static inline void fuzz_stream(struct fuzz *f)
{
	cr_conn *conns[2];
	struct fuzz_stream writer = {.fuzz = f, .size = 4096 * (size_t)(fuzz_byte(f) % 100)};
	struct fuzz_stream reader = {.fuzz = f};

	if (f->spawned + 2 >= FUZZ_TASKS)
		return;
	f->spawned += 2;
	CHECK_EQ(cr_conn_pair(conns), 0);
	writer.conn = conns[0];
	reader.conn = conns[1];
	CORAIL_SCOPE(scope);
	if (fuzz_byte(f) & 1)
		cr_scope_timeout_set(&scope, fuzz_duration(f));
	f->handles[f->handle_next++ % FUZZ_HANDLES] = cr_spawn(&scope, fuzz_stream_write, &writer);
	f->handles[f->handle_next++ % FUZZ_HANDLES] = cr_spawn(&scope, fuzz_stream_read, &reader);
	if (cr_scope_wait(&scope) == 0 && reader.done == writer.size)
		CHECK_EQ(writer.done, writer.size);
	CHECK_LE(reader.done, writer.size);
}

struct fuzz_post {
	struct fuzz *fuzz;
	cr_task task;
};

static inline void fuzz_posted(void *arg)
{
	struct fuzz_post *post = arg;

	cr_task_cancel(post->task);
	free(post);
}

static inline void fuzz_post_cancel(struct fuzz *f)
{
	struct fuzz_post *post = malloc(sizeof *post);

	*post = (struct fuzz_post){f, fuzz_handle(f)};
	CHECK_EQ(cr_loop_post(fuzz_posted, post), 0);
}

/* One event for all: whoever sets it wakes whoever waits, and nobody else. */
static inline void fuzz_event(struct fuzz *f)
{
	bool cancelled = cr_cancelled(), set = cr_event_is_set(&f->event);
	int r;

	switch (fuzz_byte(f) % 4) {
	case 0:
		cr_event_set(&f->event);
		break;
	case 1:
		cr_event_clear(&f->event);
		break;
	default:
		r = cr_timeout(fuzz_duration(f), cr_event_wait(&f->event));
		fuzz_check(cancelled, r);
		if (set && !cancelled)
			CHECK(r == 0 || r == -ETIMEDOUT);
		break;
	}
}

/* What is done to a scope or a task, by whoever has it in reach. */
static inline int fuzz_interfere(struct fuzz *f, struct fuzz_frame *frame, uint8_t byte)
{
	cr_scope *scope = frame->scopes[frame->depth - 1];
	bool own = frame->depth > 1;
	int result;

	switch (byte % 5) {
	case 0:
		if (own)
			cr_scope_cancel(scope);
		break;
	case 1:
		cr_task_cancel(fuzz_handle(f));
		break;
	case 2:
		if (own)
			cr_scope_timeout_set(scope, fuzz_duration(f));
		break;
	case 3:
		cr_task_result(fuzz_handle(f), &result);
		fuzz_post_cancel(f);
		break;
	case 4:
		return byte > 150 ? -EIO : 0;
	}
	return 0;
}

static inline int fuzz_yield(void)
{
	bool cancelled = cr_cancelled();
	int r = cr_yield();

	fuzz_check(cancelled, r);
	return r;
}

static inline int fuzz_instruction(struct fuzz *f, struct fuzz_frame *frame)
{
	int r = 0;

	switch (fuzz_byte(f) % 24) {
	case 0:
	case 1:
	case 2:
		fuzz_sleep(f);
		break;
	case 3:
		r = fuzz_yield();
		break;
	case 4:
	case 5:
	case 6:
		fuzz_spawn(f, frame);
		break;
	case 7:
	case 8:
	case 9:
		r = fuzz_inner_scope(f, frame, fuzz_byte(f));
		break;
	case 10:
	case 11:
		fuzz_await(f);
		break;
	case 12:
		r = cr_timeout(fuzz_duration(f), fuzz_block(frame));
		break;
	case 13:
		r = cr_shield(fuzz_duration(f), cr_sleep(fuzz_duration(f)));
		break;
	case 14:
		fuzz_gather(f);
		break;
	case 15:
		fuzz_stream(f);
		break;
	case 16:
		fuzz_wait_first(f);
		break;
	case 17:
		fuzz_start(f, frame);
		break;
	case 18:
		fuzz_event(f);
		break;
	default:
		r = fuzz_interfere(f, frame, fuzz_byte(f));
		break;
	}
	return r;
}

/* A few instructions; the first error that comes to somebody's mind ends the block. */
static int fuzz_block(struct fuzz_frame *frame)
{
	struct fuzz *f = frame->fuzz;
	int count = fuzz_byte(f) % 8, r = 0;

	f->frames++;
	while (count-- > 0 && r >= 0 && f->at < f->size) {
		r = fuzz_instruction(f, frame);
		if (r < 0 && fuzz_byte(f) % 4)
			r = 0;
	}
	f->frames--;
	return r;
}

static int fuzz_task(struct fuzz_frame *frame)
{
	struct fuzz *f = frame->fuzz;
	int r;

	f->frames++;
	do {
		r = fuzz_block(frame);
	} while (r >= 0 && fuzz_byte(f) % 4);
	f->frames--;
	return r;
}

/* The main task: runs the whole program in a scope of its own. */
static inline int fuzz_main(struct fuzz *f)
{
	struct fuzz_frame frame = {.fuzz = f, .depth = 1};

	CORAIL_SCOPE(scope);
	cr_scope_collect(&scope);
	frame.scopes[0] = &scope;
	while (f->at < f->size) {
		fuzz_block(&frame);
		cr_sleep(cr_millis(1));
	}
	cr_scope_wait(&scope);
	return 0;
}

#endif
