/* SPDX-License-Identifier: MIT */
#ifndef CR__IO_TERMINAL_H
#define CR__IO_TERMINAL_H

/* Terminals, and the descriptors that a program is started with. */

#include <corail/base.h>

#include <stdbool.h>
#include <termios.h>

/* How a terminal was found, to be restored. */
struct cr__terminal {
	struct termios found;
};

bool cr__terminal_is(int fd);

/* Asks how a terminal is set. Returns 0 or -ENOTTY. */
int cr__terminal_find(int fd, struct cr__terminal *ret_terminal);

/* Changes it: every key at once and, if `raw`, nothing translated. Returns 0 or -EIO. */
int cr__terminal_keys(int fd, const struct cr__terminal *found, bool raw);

/* Makes it as it was found. Returns 0 or -EIO. */
int cr__terminal_restore(int fd, const struct cr__terminal *found);

int cr__terminal_size(int fd, int *ret_columns, int *ret_rows);

/*
 * A descriptor of our own for one that others have too: a terminal is opened anew, for a mode of
 * its own; of anything else it is a duplicate. Returns it, or a negative error.
 */
int cr__standard_open(int fd, bool for_writing);

#endif
