/* SPDX-License-Identifier: MIT */
#ifndef CR__IO_MOVE_H
#define CR__IO_MOVE_H

/* Pipes, and files that are sent from, for those who move bytes between descriptors. */

#include "loop/op.h"

/* A new pipe, close-on-exec. Returns 0, -EMFILE, -ENFILE; -EOPNOTSUPP in the simulator. */
int cr__io_pipe(struct cr__loop *loop, int ret_fds[2]);

/* Takes what a pipe of ours holds. Returns how much; does not wait. */
size_t cr__io_pipe_empty(int fd, void *buffer, size_t size);

/* Whether reading a file there would wait for no disk; a hint. */
bool cr__io_file_cached(int fd, int64_t offset);

/*
 * Reads a file at a position, if possible without holding the loop up. Returns as pread(2).
 * Suspends.
 */
ssize_t cr__io_file_read(int fd, void *buffer, size_t size, int64_t offset);

#endif
