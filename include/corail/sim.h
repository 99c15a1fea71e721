/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_SIM_H
#define CORAIL_SIM_H

/*
 * The simulator's controls. A loop that runs on the `sim` backend (CORAIL_BACKEND=sim, or
 * cr_options) has a clock of its own, which jumps to the next deadline when every task waits; an
 * order of tasks that a seed shuffles (cr_options.seed, CORAIL_SEED; without one it is first in,
 * first out, as elsewhere); a network in memory, in which every address is local to the loop; and a
 * disk in memory.
 * The same program with the same seed takes the same decisions: cr_debug_trace() is the proof.
 *
 *	cr_sim_network rough = { .latency = cr_millis(20), .jitter = cr_millis(30), .split = 1 };
 *	cr_sim_network_set(&rough);
 *	cr_sim_connect_fail(3, -ECONNREFUSED);
 *
 * Simulated: TCP and UDP over IPv4 and IPv6, multicast, Unix stream sockets (names are the loop's
 * own and vanish when their socket is closed), socket pairs; files and folders, by <corail/fs.h>,
 * on a disk that holds an empty "/tmp" at first. Refused with -EOPNOTSUPP: Unix datagrams, control
 * messages, and the operating system's own descriptors (pipes, files), because nothing in them
 * could be reproduced.
 *
 * Time does not pass while tasks compute. Only a loop that never comes to rest (a task that yields
 * for ever) sees its clock creep on, so that deadlines still come.
 *
 * All calls act on the loop of the calling thread, never suspend, and return -ESRCH when no
 * simulated loop runs there.
 */

#include <corail/base.h>

#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * How the network behaves. Unix sockets and pairs have no latency. With `split`, what is sent is
 * cut into segments, and calls read and write less than they could, at places that the seed
 * chooses.
 */
typedef struct cr_sim_network {
	cr_nsec latency;     /* from one end to the other; at first 50 us. Connecting takes two */
	cr_nsec jitter;      /* up to so much more for each segment; at first 50 us */
	size_t buffer_bytes; /* each end's, of sockets opened from then on; 0: 64 KiB */
	unsigned loss_permille;      /* of datagrams: lost, */
	unsigned duplicate_permille; /* or delivered twice */
	unsigned split : 1;
	unsigned reorder : 1; /* datagrams overtake each other, as the jitter has it */
} cr_sim_network;

/* Reads or changes the network's behaviour, for what is sent from now on. Returns 0 or -ESRCH. */
CORAIL_API int cr_sim_network_get(cr_sim_network *ret_network);
CORAIL_API int cr_sim_network_set(const cr_sim_network *network);

/*
 * The nth connect from now (1 is the next) fails with `error` (negative), after the usual time. One
 * such order is kept; nth 0 takes it back. Returns 0, -EINVAL for an error that is none, or -ESRCH.
 */
CORAIL_API int cr_sim_connect_fail(uint64_t nth, int error);

/*
 * Connects to that address (port 0: to any of its ports) are answered after `delay` instead of the
 * usual time (CORAIL_NEVER: not at all), with `error` when it is negative, else as usual when it
 * is 0. A second rule for the same address replaces the first. Returns 0, -EINVAL, -ENOMEM or
 * -ESRCH.
 */
CORAIL_API int cr_sim_connect_rule(const struct sockaddr *addr, socklen_t length, cr_nsec delay,
                                   int error);

/*
 * The next `count` accepts that find a connection waiting fail with `error` (-EMFILE, say) and
 * leave it waiting. Returns 0, -EINVAL for an error that is none, or -ESRCH.
 */
CORAIL_API int cr_sim_accept_fail(uint64_t count, int error);

/*
 * The next `count` operations started on a descriptor fail with `error`, except polls.
 * Returns 0, -EINVAL for an error that is none, -EBADF, or -ESRCH.
 */
CORAIL_API int cr_sim_fd_fail(int fd, uint64_t count, int error);

/*
 * Resets a connection, as a peer that crashed or a box in between would: what waits on it here ends
 * with -ECONNRESET now, the other end sees the same after the network's latency.
 * Returns 0, -EBADF, -ENOTCONN, or -ESRCH.
 */
CORAIL_API int cr_sim_reset(int fd);

/*
 * Until that point of cr_now()'s clock, the network delivers nothing; then, what was held back, in
 * order. CORAIL_NEVER: until the next call, of which 0 ends it. Unix sockets and pairs go on.
 * Returns 0 or -ESRCH.
 */
CORAIL_API int cr_sim_partition(cr_nsec until);

/*
 * How the disk behaves, from now on. With `short_transfers`, reads and writes do less than they
 * could, as the seed chooses. A disk that is full fails with -ENOSPC, after what still fitted.
 */
typedef struct cr_sim_disk {
	cr_nsec latency;       /* of each operation; at first 50 us */
	cr_nsec jitter;        /* up to so much more; at first 50 us */
	size_t capacity_bytes; /* of all files together; 0: no limit */
	unsigned short_transfers : 1;
} cr_sim_disk;

/* Reads or changes it. Return 0, -ENOMEM, or -ESRCH. */
CORAIL_API int cr_sim_disk_get(cr_sim_disk *ret_disk);
CORAIL_API int cr_sim_disk_set(const cr_sim_disk *disk);

/*
 * The nth operation of the disk from now (1 is the next) fails with `error` (-EIO, say) and does
 * nothing. One such order is kept; nth 0 takes it back. Returns 0, -EINVAL for an error that is
 * none, -ENOMEM, or -ESRCH.
 */
CORAIL_API int cr_sim_disk_fail(uint64_t nth, int error);

/*
 * How many simulated descriptors are open, or -ESRCH: equal before and after means that none
 * leaked.
 */
CORAIL_API int cr_sim_fd_count(void);

#ifdef __cplusplus
}
#endif
#endif
