/* SPDX-License-Identifier: MIT */
#ifndef CR__IO_FILE_H
#define CR__IO_FILE_H

/* The system calls around files that never wait. */

#include "io/io.h"

/* Whether a descriptor has positions. */
bool cr__io_seekable(int fd);

/* Whether it goes past the page cache: O_DIRECT. */
bool cr__io_direct(int fd);

/* A descriptor for inotify(7) that watches nothing yet, or an error. */
int cr__io_inotify_open(struct cr__loop *loop);

/* Returns 0, or -EINVAL. */
int cr__io_inotify_remove(int fd, int id);

#endif
