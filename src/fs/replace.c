/* SPDX-License-Identifier: MIT */
#include "fs/call.h"

#include "exec/pool.h"
#include "loop/loop.h"

#include <corail/io.h>

#include <errno.h>
#include <string.h>

/*
 * A file that is replaced without ever being half there. Its steps depend on one another, each has
 * to wait for the disk, and no kernel does them without a thread: so one job does them all, and the
 * task goes to a thread and back once. The simulator's disk is the loop's own, and takes them one
 * by one.
 */

/* The most at once: between two pieces the job looks whether it is still wanted. */
enum { CHUNK_BYTES = 1024 * 1024 };

struct replacement {
	const char *folder_path, *name, *temporary;
	const void *data;
	size_t size;
	mode_t mode;
	bool simulated;
	int folder, file; /* open; or negative */
	bool taken;       /* the temporary name was somebody's */
};

static ssize_t step(const struct replacement *it, struct cr__op op, const char *reason)
{
	struct cr__fs_call call = {.op = op};

	if (it->simulated)
		return cr__fs_run(&call, "cr_fs_write_atomic", reason);
	return cr_offload_cancelled() ? -ECANCELED : cr__op_block(&call.op);
}

/* A file that is there keeps its permissions. */
static int keep_mode(struct replacement *it)
{
	struct statx x;
	struct cr__op op = {.code = CR__OP_STAT,
	                    .fd = it->folder,
	                    .path = it->name,
	                    .flags = AT_SYMLINK_NOFOLLOW,
	                    .second = &x,
	                    .size = STATX_TYPE | STATX_MODE};
	int r = (int)step(it, op, "stat");

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): written by .second */
	if (S_ISDIR(x.stx_mode))
		return -EISDIR;
	if (S_ISREG(x.stx_mode))
		it->mode = x.stx_mode;
	return 0;
}

/* The folder is opened once, and all else is relative to it: nobody can swap it underneath. */
static int open_both(struct replacement *it)
{
	struct cr__op folder = {.code = CR__OP_OPEN,
	                        .fd = AT_FDCWD,
	                        .path = it->folder_path,
	                        .flags = O_RDONLY | O_DIRECTORY};
	struct cr__op file = {.code = CR__OP_OPEN,
	                      .path = it->temporary,
	                      .flags = O_WRONLY | O_CREAT | O_EXCL,
	                      .size = 0600};
	int r = 0;

	if (it->folder < 0) {
		it->folder = (int)step(it, folder, "open");
		r = it->folder < 0 ? it->folder : keep_mode(it);
	}
	if (r < 0)
		return r;
	file.fd = it->folder;
	it->file = (int)step(it, file, "open");
	it->taken = it->file == -EEXIST;
	return it->file < 0 ? it->file : 0;
}

/* Its permissions are set before it gets its name: nobody may see it with others. */
static int fill(const struct replacement *it)
{
	struct cr__op chmod = {.code = CR__OP_CHMOD, .fd = it->file, .size = it->mode & 07777};
	struct cr__op sync = {.code = CR__OP_SYNC, .fd = it->file};
	int r;

	for (size_t done = 0; done < it->size;) {
		size_t left = it->size - done;
		struct cr__op write = {.code = CR__OP_WRITE_AT,
		                       .fd = it->file,
		                       .buffer = (char *)(uintptr_t)it->data + done,
		                       .size = left < CHUNK_BYTES ? left : CHUNK_BYTES,
		                       .offset = (int64_t)done};
		ssize_t n = step(it, write, "write");

		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		done += (size_t)n;
	}
	r = (int)step(it, chmod, "fchmod");
	return r < 0 ? r : (int)step(it, sync, "fsync");
}

/* Once the new name is there it is not left without its sync: that step is not cancelled. */
static int sync_folder(const struct replacement *it)
{
	struct cr__fs_call call = {.op = {.code = CR__OP_SYNC, .fd = it->folder}};

	if (it->simulated)
		return (int)cr__fs_run_always(&call, "fsync");
	return (int)cr__op_block(&call.op);
}

/* The job, or in the simulator a part of the task. */
static int replace(struct replacement *it)
{
	struct cr__op rename = {.code = CR__OP_RENAME,
	                        .path = it->temporary,
	                        .second = (void *)(uintptr_t)it->name};
	int r = open_both(it);

	if (r == 0)
		r = fill(it);
	rename.fd = rename.other = it->folder;
	if (r == 0)
		r = (int)step(it, rename, "rename");
	if (r < 0)
		return r;
	it->temporary = NULL;
	return sync_folder(it);
}

static int replace_somewhere(struct replacement *it)
{
	const cr_offload_options options = {.pool = cr__files_pool()};

	if (it->simulated)
		return replace(it);
	return cr_offload_with(&options, replace, it);
}

/* Closes what is open, and removes what has not become the file. */
static void clean_up(const struct replacement *it)
{
	if (it->file >= 0) {
		cr__fs_close_fd(it->file);
		if (it->temporary)
			cr__fs_unlink_at(it->folder, it->temporary, 0, true);
	}
	if (it->folder >= 0)
		cr__fs_close_fd(it->folder);
}

int cr_fs_write_atomic(const char *path, const void *data, size_t size, mode_t mode)
{
	const size_t folder_size = cr__fs_folder_size(path);
	cr_buf folder = {0}, temporary = {0};
	struct replacement it = {.name = path + folder_size,
	                         .data = data,
	                         .size = size,
	                         .mode = mode,
	                         .folder = -1,
	                         .file = -1};
	int r = cr__park_check(__func__);

	if (r < 0)
		return r;
	if (!*it.name)
		return -EISDIR;
	it.simulated = cr__task_loop()->backend == &cr__backend_sim;
	r = cr_buf_append(&folder, folder_size ? path : ".", folder_size ? folder_size : 1);
	it.folder_path = folder.data;
	if (r == 0) {
		do {
			cr_buf_clear(&temporary);
			r = cr__fs_name_random(&temporary, ".corail-");
			it.temporary = temporary.data;
			it.taken = false;
			if (r == 0)
				r = replace_somewhere(&it);
		} while (it.taken);
	}
	clean_up(&it);
	cr_buf_free(&folder);
	cr_buf_free(&temporary);
	return r;
}
