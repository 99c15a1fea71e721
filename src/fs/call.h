/* SPDX-License-Identifier: MIT */
#ifndef CR__FS_CALL_H
#define CR__FS_CALL_H

/* One operation on files and the task that waits for it, on that task's stack. */

#include <corail/fs.h>

#include "base/list.h"
#include "loop/op.h"
#include "task/park.h"

struct cr__fs_call {
	struct cr__wait wait;
	struct cr__op op;
	struct cr__loop *loop;
	bool waited; /* it could not be done at once */
};

/*
 * Runs call->op and suspends until it has ended. Returns its result; -ECANCELED before it was
 * started, or when it was undone; or why it could not be started.
 */
ssize_t cr__fs_run(struct cr__fs_call *call, const char *caller, const char *reason);

/*
 * The same for clean-up and for the last step of what must not be left halfway: in a cancelled
 * scope, too, and not ended by cancellation. It takes as long as the disk does.
 */
ssize_t cr__fs_run_always(struct cr__fs_call *call, const char *reason);

/* Closes a descriptor that no file was made of. */
void cr__fs_close_fd(int fd);

/* statx(2) into what a program expects. `flags` are AT_*. Returns 0 or an error. */
int cr__fs_stat_at(int fd, const char *path, int flags, struct stat *ret_info, const char *caller);

/* Opens relative to a folder. Returns the descriptor or an error. */
int cr__fs_open_at(int folder, const char *path, int flags, mode_t mode, const char *caller);

/* Removes a name; `always` as cr__fs_run_always(). Returns 0 or an error. */
int cr__fs_unlink_at(int folder, const char *path, int flags, bool always);

/* A name that nobody has: appends `prefix` and random characters. Returns 0, -ENOMEM, -EMSGSIZE. */
int cr__fs_name_random(cr_buf *path, const char *prefix);

/*
 * How many bytes of a path lead to its last part, with the slash; 0: it is in the current folder.
 */
size_t cr__fs_folder_size(const char *path);

#endif
