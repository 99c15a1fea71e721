/* SPDX-License-Identifier: MIT */
#ifndef CR__EXEC_PROCESSES_H
#define CR__EXEC_PROCESSES_H

/*
 * What the files of the process pool share, on the program's side.
 *
 *	processes.c         life and death of pools
 *	processes_call.c    tasks that wait for jobs
 *	processes_map.c     arrays
 *	processes_queue.c   who gets which job
 *	processes_worker.c  workers as the pool sees them: starting them, handing them jobs
 *	processes_hear.c    hearing from workers and from the zygote, burying the dead
 *	processes_shared.c  shared memory
 *	processes_text.c    which functions workers know
 *
 * All of a pool belongs to its loop's thread. A job is in the pool's queue, or in a cell of one
 * worker's channel (see zygote_channel.h), or it is its owner's. A worker is certainly dead when
 * the zygote has reported it, and only then is it looked at what it left behind.
 */

#include <corail/processes.h>

#include "base/list.h"
#include "exec/zygote.h"
#include "exec/zygote_channel.h"
#include "loop/loop.h"
#include "task/park.h"

#include <stdbool.h>

enum { CR__PROCESSES_MAX = 256 };

struct cr__crewman;

/* In its owner's memory. */
struct cr__errand {
	struct cr__list link; /* in the pool's queue */
	struct cr_processes *pool;
	struct cr__crewman *worker; /* who has it; NULL: it is queued */
	uint32_t cell;
	cr__fn fn;
	const void *arg;
	size_t size;
	cr_processes_fault *fault;
	bool cancelled; /* its worker is being killed for it */
	int result;
	/* Its result is there; it is the owner's again. On the loop's stack, must not suspend. */
	void (*done)(struct cr__errand *errand);
};

/* A worker as the pool sees it. */
struct cr__crewman {
	struct cr_processes *pool;
	struct cr__list idle; /* in the pool's list while nothing is in its channel */
	uint32_t number, generation;
	bool alive;      /* there is a process, or the zygote was asked for one */
	bool start_owed; /* the zygote's socket was full: ask again */
	bool killed, kill_owed;
	bool dirty;                  /* cells were filled that it has not been told of */
	pid_t pid;                   /* 0: not known yet */
	int memory, socket;          /* for the process that is to be started; our end */
	int their_socket;            /* goes to it */
	struct cr__channel *channel; /* NULL: not alive */
	uint32_t submitted, consumed;
	uint32_t live; /* jobs among the cells between the two */
	uint32_t head, tail;
	struct cr__errand *errands[CR__CHANNEL_CELLS];
	uint32_t ends[CR__CHANNEL_CELLS]; /* where its part of the arena ends */
};

/* What listens to workers, or to the zygote. */
struct cr__ear {
	struct cr__op op;
	struct cr__post post;
	struct cr_processes *pool;
	bool zygote, listens, posted;
};

struct cr_processes {
	struct cr__loop *loop;
	bool sim; /* jobs run in this process */
	struct cr__list queue;
	size_t queued, running, sim_running;
	uint64_t jobs, deaths;
	unsigned stillborn;   /* workers in a row that died without having begun anything */
	struct cr__list idle; /* last in first out: the warmest gets the next job */
	size_t alive;
	bool lost; /* the zygote hung up */
	bool closing, posted;
	bool holding;         /* nothing is handed out now: that comes when all has been heard */
	int start_error;      /* the last attempt to start a worker failed */
	struct cr__post post; /* hands out what tasks have queued in this turn */
	struct cr__wait closer;
	bool closer_parked;

	/* Workers write to the first, the zygote to the second. */
	int event, zygote;
	pid_t zygote_pid;
	struct cr__ear events_ear, zygote_ear;
	bool deaf;
	uint64_t events;
	struct cr__zygote_note note;

	/* Constant once opened. */
	struct cr__zygote_pool limits;
	size_t queue_limit, crew_count;
	struct cr__crewman crew[];
};

/* ---- processes_call.c ---- */

/* Whether a job may be handed in: 0, or why not. */
int cr__processes_check(const struct cr_processes *pool, cr__fn fn, size_t size,
                        const char *caller);

/* ---- processes_queue.c ---- */

/* Takes a job: done() will be called. Returns 0, or -EAGAIN for a full queue, if `refuse`. */
int cr__errand_submit(struct cr_processes *pool, struct cr__errand *errand, bool refuse);

/* Takes a job back that was not begun. Returns true when done() will not be called. */
bool cr__errand_withdraw(struct cr__errand *errand);

/*
 * Takes a job back, or has its worker killed. Returns true when done() will not be called; false
 * when it is still to come, with the job's result or -ECANCELED.
 */
bool cr__errand_cancel(struct cr__errand *errand);

/* Hands out what is queued. */
void cr__crew_dispatch(struct cr_processes *pool);

/* Ends all that is queued with an error. */
void cr__queue_fail(struct cr_processes *pool, int error);

/* ---- processes_worker.c ---- */

/* Starts a process for a record that has none. Returns 0, or a negative error. */
int cr__crewman_start(struct cr__crewman *worker);

/* Puts a job into its channel. Returns false when there is no room. */
bool cr__crewman_hand(struct cr__crewman *worker, struct cr__errand *errand);

/* Tells it what it was handed. */
void cr__crewman_publish(struct cr__crewman *worker);

/*
 * Takes jobs back that it has not begun, the latest first, to the front of the queue, which they
 * leave in their old order. Returns how many.
 */
size_t cr__crewman_take_back(struct cr__crewman *worker, size_t most);

/* Ends it by force; jobs that it has not begun are taken back. */
void cr__crewman_kill(struct cr__crewman *worker);

/* Asks the zygote again for what its socket had no room for. Returns 0, or a negative error. */
int cr__crewman_remind(struct cr__crewman *worker);

/* Ends the job of the oldest cell, with its result if there is one. `fault`: why not; or NULL. */
void cr__crewman_consume(struct cr__crewman *worker, const cr_processes_fault *fault);

/* Its process is gone, or never came: the record is free. */
void cr__crewman_forget(struct cr__crewman *worker);

/* ---- processes_hear.c ---- */

/* Starts hearing from workers and the zygote. Returns 0, or a negative error. */
int cr__crew_listen(struct cr_processes *pool);

/* Stops it. Returns false when that is not certain yet: pool->closer is woken when to try again. */
bool cr__crew_deafen(struct cr_processes *pool);

/* ---- processes_shared.c ---- */

/* Sends the descriptor of a buffer that a worker asked for. */
void cr__shared_answer(int socket, uint64_t id);

/* ---- processes_text.c ---- */

/* Notes, before the zygote is made, what code there is. Returns 0, or -ENOMEM. */
int cr__text_note(void);

/* Whether a function was there, at this address, when that was noted. */
bool cr__text_known(cr__fn fn);

#endif
