/* SPDX-License-Identifier: MIT */
#ifndef CR__EXEC_ZYGOTE_H
#define CR__EXEC_ZYGOTE_H

/*
 * The zygote: a fork of the program from when that had one thread, of which the workers of all
 * pools are forks. Each pool has a connection to it; messages go both ways, one packet each.
 *
 *	zygote.c         the program's side: making it, connections, packets
 *	zygote_main.c    the zygote itself: forks, kills and reaps
 *	zygote_worker.c  what runs in a worker
 *
 * None of this but zygote.c runs where there is a loop: the zygote and the workers block as they
 * like.
 */

#include "exec/zygote_channel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What all workers of a pool have in common. */
struct cr__zygote_pool {
	char name[16];
	uint64_t jobs_max;
	uint64_t memory_limit_bytes;
	uint32_t cpu_limit_seconds;
	int32_t nice;
};

enum cr__zygote_verb {
	CR__ZYGOTE_START, /* with two descriptors: the channel's memory, a socket */
	CR__ZYGOTE_KILL,
	CR__ZYGOTE_STARTED, /* value: the process, or a negative error */
	CR__ZYGOTE_ENDED,   /* value: the status, as waitpid(2) gives it */
};

/* A packet on a pool's connection. */
struct cr__zygote_note {
	uint32_t verb;
	uint32_t number, generation; /* of the worker */
	int32_t value;
};

/* What a worker gets along. */
struct cr__zygote_child {
	const struct cr__zygote_pool *pool;
	pid_t zygote;
	int memory, socket, event;
	uint32_t number;
};

/* ---- zygote.c ---- */

/* The zygote, made if need be. Returns 0, or as cr_processes_prepare(). */
int cr__zygote_start(void);

/*
 * Introduces a pool, whose workers will write to `event`. Returns the pool's connection and the
 * zygote's number, or a negative error.
 */
int cr__zygote_connect(const struct cr__zygote_pool *pool, int event, pid_t *ret_pid);

/* It hung up: it is dead, or about to be. */
void cr__zygote_lost(pid_t pid);

/*
 * A packet with up to two descriptors, which stay the caller's. Never waits. Returns 0, -EAGAIN
 * when there is no room, or a negative error.
 */
int cr__packet_send(int socket, const void *packet, size_t size, const int *fds, int count);

/*
 * Waits for a packet of that size with up to `count` descriptors, which are close-on-exec; those
 * missing are -1. Returns 0; -ENOMSG at the end; -EBADMSG; or a negative error.
 */
int cr__packet_receive(int socket, void *packet, size_t size, int *ret_fds, int count);

/* New descriptors and memory, for the files that may not make them. Negative errors. */
int cr__zygote_event(void);
int cr__zygote_pair(int ret_fds[2]);
int cr__zygote_memory(const char *name, size_t size, void **ret_memory);
void cr__zygote_memory_free(void *memory, size_t size);
/* Closes such a file, and takes its pages from all who map it. */
void cr__zygote_memory_cut(int fd);
void cr__zygote_close(int fd);

/* ---- zygote_main.c ---- */

_Noreturn void cr__zygote_main(int socket, pid_t parent);

/* ---- zygote_worker.c ---- */

_Noreturn void cr__zygote_worker(const struct cr__zygote_child *child);

/* Maps a shared buffer that the worker has not, or finds it. Returns 0, or a negative error. */
int cr__worker_shared(uint64_t id, void **ret_data, size_t *ret_size);

/* Whether this process is a worker. */
bool cr__worker_here(void);

/* The answer to a worker that wants a shared buffer; with a descriptor if the error is zero. */
struct cr__shared_packet {
	uint64_t id, size;
	int32_t error, unused;
};

#endif
