/* SPDX-License-Identifier: MIT */
#ifndef CR__EXEC_ZYGOTE_CHANNEL_H
#define CR__EXEC_ZYGOTE_CHANNEL_H

/*
 * The memory that the program and one worker process share: a ring of cells, one for each job, in
 * the order in which they are run, and an arena for their arguments.
 *
 * The program fills cells and raises `submitted`; the worker runs them and raises `completed`. A
 * cell's state is what both agree about: who moves it away from READY, the worker to begin the job
 * or the program to take it back, has it. So the program knows of each job of a worker that died
 * whether it was begun.
 *
 * Each side sleeps only after it has said so and looked again: the worker on `submitted` itself,
 * a futex; the program in its loop, woken by an eventfd that all workers of a pool share, and by
 * one of them only if it has `armed` the channel.
 *
 * A worker that runs wild may write anything here. Nothing that the program relies on is kept in
 * this memory alone, and no other worker maps it.
 */

#include <corail/task.h>

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	CR__CHANNEL_CELLS = 64,
	CR__CHANNEL_ARENA = 256 * 1024,
	CR__CHANNEL_ALIGN = 64,
};

enum cr__cell_state {
	CR__CELL_FREE,
	CR__CELL_READY,
	CR__CELL_BEGUN,
	CR__CELL_DONE,
	CR__CELL_WITHDRAWN,
};

struct cr__cell {
	_Atomic uint32_t state;
	uint32_t offset; /* of the arguments, in the arena */
	cr__fn fn;
	int32_t result;
	uint32_t unused[3];
};

struct cr__channel {
	_Alignas(64) _Atomic uint32_t submitted;
	_Alignas(64) _Atomic uint32_t completed;
	_Atomic uint32_t sleeping; /* the worker does, or is about to */
	_Atomic uint64_t wanted;   /* a shared buffer that it asks for; 0: none */
	_Alignas(64) _Atomic uint32_t armed;
	_Alignas(64) struct cr__cell cells[CR__CHANNEL_CELLS];
	_Alignas(64) char arena[CR__CHANNEL_ARENA];
};

/* The worker: sleeps while no more than that was submitted. May return early. */
static inline void cr__channel_sleep(struct cr__channel *channel, uint32_t submitted)
{
	syscall(SYS_futex, &channel->submitted, FUTEX_WAIT, submitted, NULL, NULL, 0);
}

/* Two processes: it is not a private futex. errno is kept. */
static inline void cr__channel_wake(struct cr__channel *channel)
{
	int saved = errno;

	syscall(SYS_futex, &channel->submitted, FUTEX_WAKE, 1, NULL, NULL, 0);
	errno = saved;
}

#endif
