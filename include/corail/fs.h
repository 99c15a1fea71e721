/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_FS_H
#define CORAIL_FS_H

/*
 * Files and folders, without holding the loop up.
 *
 *	cr_file *file;
 *	int r = cr_file_open("data.bin", O_RDONLY, 0, &file);
 *	ssize_t n = cr_file_read(file, buffer, sizeof buffer);
 *	cr_file_close(file);
 *
 *	cr_buf text = { .limit_bytes = 1 << 20 };
 *	r = cr_fs_read_all("config.toml", &text);
 *	r = cr_fs_write_atomic("state.json", data, size, 0644);
 *
 * Who does the work: io_uring on the uring backend; a small pool of threads on epoll, and on uring
 * for what the kernel's ring does not know; a disk in memory in the simulator, which begins with an
 * empty "/tmp" and fails on request (<corail/sim.h>). A read of what lies in the page cache returns
 * at once, without a thread and without a turn of the loop, where the kernel can tell.
 *
 * Cancellation. In a cancelled scope every call returns -ECANCELED before it begins. What waits for
 * a thread is taken back. Disk I/O that the kernel has begun cannot be: the call waits for it, and
 * returns its result; the next call reports the cancellation. So no descriptor is lost, and what
 * has happened is never reported as cancelled. A call of several steps (read_all, copy, remove_all)
 * stops between two of them.
 *
 * Errors are those of the system calls, negative (-ENOENT, -EACCES, -EIO, -ENOSPC, ...), and:
 *
 *	-ECANCELED    the scope is cancelled, or the object was closed meanwhile
 *	-ENOMEM       no memory
 *	-EBUSY        another task is in a call that moves the same position
 *	-EOPNOTSUPP   the file system, or the simulator, cannot do this
 *
 * Paths are those of the process: relative ones start at its working directory. Objects belong to
 * the loop on which they were opened. All calls are for tasks.
 */

#include <corail/base.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------ files --- */

/*
 * An open file with a position of its own for sequential calls. Calls that name a position may be
 * under way in any number of tasks; those that move the file's own position, one at a time (else
 * -EBUSY). Pipes, terminals and devices can be opened too: they have no position, and one task
 * reads, one writes.
 */
typedef struct cr_file cr_file;

/*
 * Opens a file, as open(2): `flags` are O_RDONLY, O_WRONLY or O_RDWR with O_CREAT, O_EXCL, O_TRUNC,
 * O_APPEND, O_DIRECT, ...; O_CLOEXEC is always added, O_NONBLOCK ignored. `mode` is for files that
 * are created, less the umask. A named pipe is best opened with O_RDWR, which does not wait for its
 * other end: whether the others do depends on the backend, and a thread that waits there cannot be
 * called back. Returns 0, or an error of open(2).
 */
CORAIL_API CORAIL_SUSPENDS int cr_file_open(const char *path, int flags, mode_t mode,
                                            cr_file **ret_file);

/*
 * Opens a file without a name in a folder, for reading and writing, that vanishes when it is
 * closed: O_TMPFILE, or a created and unlinked one where the file system has no such thing.
 * `folder` NULL: "/tmp". Returns 0, or as cr_file_open().
 */
CORAIL_API CORAIL_SUSPENDS int cr_file_open_temp(const char *folder, cr_file **ret_file);

/*
 * Makes a file of a descriptor that is open, and takes it over on success. Sequential calls begin
 * at position 0. Returns 0, -EBADF, or -ENOMEM.
 */
CORAIL_API int cr_file_wrap(int fd, cr_file **ret_file);

/* Its descriptor, which stays the file's. In the simulator, a number that only Corail knows. */
CORAIL_API int cr_file_fd(const cr_file *file);

/*
 * Closes a file: cancels the calls under way in other tasks, waits until they have returned, and
 * closes. Goes through in a cancelled scope. Accepts NULL. Returns 0, or the error that close(2)
 * reports (-EIO, -ENOSPC, -EDQUOT: a lost write). The file is gone, whatever it returns.
 */
CORAIL_API CORAIL_SUSPENDS int cr_file_close(cr_file *file);

/*
 * Reads at the file's position and moves it. Returns how many bytes came: fewer than `size` only at
 * the end of the file, or when an error or a cancellation struck in the middle, which the next call
 * then reports; 0 at the end; or an error.
 */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_file_read(cr_file *file, void *buffer, size_t size);

/*
 * Writes at the file's position (with O_APPEND: at the end) and moves it. Returns how many bytes
 * went: fewer than `size` only when an error struck in the middle (a full disk), which the next
 * call then reports; or an error.
 */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_file_write(cr_file *file, const void *data, size_t size);

/* Writes all of it, as cr_file_write(). Returns 0, or the first error: some may have gone then. */
CORAIL_API CORAIL_SUSPENDS int cr_file_write_all(cr_file *file, const void *data, size_t size);

/*
 * The same from and to several buffers, at most IOV_MAX of them (else -EINVAL): one transfer, which
 * may be short, as readv(2) and writev(2).
 */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_file_readv(cr_file *file, const struct iovec *vector,
                                                 int count);
CORAIL_API CORAIL_SUSPENDS ssize_t cr_file_writev(cr_file *file, const struct iovec *vector,
                                                  int count);

/*
 * Reads or writes at `offset`; the file's own position stays. Results as cr_file_read() and
 * cr_file_write(); -EINVAL for a negative offset, -ESPIPE where there are no positions.
 */
CORAIL_API CORAIL_SUSPENDS ssize_t cr_file_pread(cr_file *file, void *buffer, size_t size,
                                                 int64_t offset);
CORAIL_API CORAIL_SUSPENDS ssize_t cr_file_pwrite(cr_file *file, const void *data, size_t size,
                                                  int64_t offset);
CORAIL_API CORAIL_SUSPENDS ssize_t cr_file_preadv(cr_file *file, const struct iovec *vector,
                                                  int count, int64_t offset);
CORAIL_API CORAIL_SUSPENDS ssize_t cr_file_pwritev(cr_file *file, const struct iovec *vector,
                                                   int count, int64_t offset);

/* The position of the next sequential call; to set it costs nothing, and no system call. */
CORAIL_API int64_t cr_file_position(const cr_file *file);
CORAIL_API void cr_file_position_set(cr_file *file, int64_t position);

/*
 * Waits until what was written is on the disk: fsync(2), and fdatasync(2). Returns 0 or an error.
 */
CORAIL_API CORAIL_SUSPENDS int cr_file_sync(cr_file *file);
CORAIL_API CORAIL_SUSPENDS int cr_file_sync_data(cr_file *file);

/* Makes the file so many bytes long, as ftruncate(2). Returns 0 or an error. */
CORAIL_API CORAIL_SUSPENDS int cr_file_truncate(cr_file *file, int64_t size);

/*
 * Reserves the disk's space for a range, and makes the file longer if need be, as fallocate(2).
 * Returns 0 or an error; -EOPNOTSUPP where the file system cannot.
 */
CORAIL_API CORAIL_SUSPENDS int cr_file_allocate(cr_file *file, int64_t offset, int64_t size);

/* What stat(2) tells about it. Returns 0 or an error. */
CORAIL_API CORAIL_SUSPENDS int cr_file_stat(cr_file *file, struct stat *ret_info);

/*
 * Advisory locks on the whole file, as flock(2): many shared ones, or one exclusive, per opening of
 * the file; other processes see them. cr_file_lock() waits for its turn without holding anything
 * up, trying again after pauses that grow from 1 to 50 ms: there is no order among those who wait.
 * cr_file_try_lock() returns -EBUSY instead. Closing unlocks. Each returns 0 or an error.
 */
enum cr_file_lock_kind { CORAIL_LOCK_SHARED, CORAIL_LOCK_EXCLUSIVE };
CORAIL_API CORAIL_SUSPENDS int cr_file_lock(cr_file *file, enum cr_file_lock_kind kind);
CORAIL_API CORAIL_SUSPENDS int cr_file_try_lock(cr_file *file, enum cr_file_lock_kind kind);
CORAIL_API CORAIL_SUSPENDS int cr_file_unlock(cr_file *file);

/* ------------------------------------------------------------------------------------ paths --- */

/* As stat(2) and lstat(2). Return 0 or an error. */
CORAIL_API CORAIL_SUSPENDS int cr_fs_stat(const char *path, struct stat *ret_info);
CORAIL_API CORAIL_SUSPENDS int cr_fs_lstat(const char *path, struct stat *ret_info);

/* As rename(2): replaces `to` in one step. Returns 0 or an error. */
CORAIL_API CORAIL_SUSPENDS int cr_fs_rename(const char *from, const char *to);

/* A second name for a file, as link(2). Returns 0 or an error. */
CORAIL_API CORAIL_SUSPENDS int cr_fs_link(const char *path, const char *new_path);

/* A symbolic link `path` with that text, as symlink(2). Returns 0 or an error. */
CORAIL_API CORAIL_SUSPENDS int cr_fs_symlink(const char *text, const char *path);

/* Appends a symbolic link's text to a buffer. Returns 0, an error, or as cr_buf_append(). */
CORAIL_API CORAIL_SUSPENDS int cr_fs_readlink(const char *path, cr_buf *text);

/* As unlink(2), mkdir(2), rmdir(2). Return 0 or an error. */
CORAIL_API CORAIL_SUSPENDS int cr_fs_unlink(const char *path);
CORAIL_API CORAIL_SUSPENDS int cr_fs_mkdir(const char *path, mode_t mode);
CORAIL_API CORAIL_SUSPENDS int cr_fs_rmdir(const char *path);

/* Makes a folder and those above it that are missing. One that exists is no error. */
CORAIL_API CORAIL_SUSPENDS int cr_fs_mkdir_all(const char *path, mode_t mode);

/*
 * Removes a file, or a folder with all that is in it. Symbolic links are removed, never followed,
 * whoever replaces what by them meanwhile. Nothing there is no error. Returns 0, or the first
 * error, after which the rest stays.
 */
CORAIL_API CORAIL_SUSPENDS int cr_fs_remove_all(const char *path);

/*
 * Copies a regular file's contents and permissions to `to`, replacing what was in it. Shares the
 * blocks where the file system can (reflink), else the kernel copies (copy_file_range(2)), else we
 * do. Returns 0, or an error, after which `to` may hold a part; -EISDIR for a folder.
 */
CORAIL_API CORAIL_SUSPENDS int cr_fs_copy(const char *from, const char *to);

/*
 * Makes a new folder with a random name and mode 0700 in `folder` (NULL: "/tmp"), and appends its
 * path to a buffer. Yours to remove. Returns 0 or an error.
 */
CORAIL_API CORAIL_SUSPENDS int cr_fs_temp_dir(const char *folder, cr_buf *path);

/* ------------------------------------------------------------------------------ whole files --- */

/*
 * Appends a whole file to a buffer, whose limit_bytes is the most that it may hold. Returns 0;
 * -EMSGSIZE when the file is larger; or an error: the buffer is as it was then.
 */
CORAIL_API CORAIL_SUSPENDS int cr_fs_read_all(const char *path, cr_buf *buf);

/*
 * Replaces a file's contents so that after a crash there is the old or the new, whole: a temporary
 * file in the same folder is written, synced and renamed, and the folder synced. A file that is
 * there keeps its permissions; a new one gets `mode`, whatever the umask. A symbolic link is
 * replaced, not followed. Returns 0; or an error: then the old one is there, except that an error
 * of the last step, the folder's sync, leaves the new one, perhaps not for good.
 */
CORAIL_API CORAIL_SUSPENDS int cr_fs_write_atomic(const char *path, const void *data, size_t size,
                                                  mode_t mode);

/* A file read line by line, however large it is. */
typedef struct cr_lines cr_lines;

/*
 * Opens a file for reading lines of up to `line_max_bytes` (0: 64 KiB) without their end. Returns
 * 0, or as cr_file_open().
 */
CORAIL_API CORAIL_SUSPENDS int cr_lines_open(const char *path, size_t line_max_bytes,
                                             cr_lines **ret_lines);

/*
 * The next line, without "\n" and followed by a zero byte; valid until the next call. A last line
 * without an end counts. Returns 1; 0 at the end; -EMSGSIZE for a line that is too long, after
 * which the next call goes on behind it; or an error, after which the call may be repeated.
 */
CORAIL_API CORAIL_SUSPENDS int cr_lines_next(cr_lines *lines, char **ret_line, size_t *ret_size);

/* Closes it. Accepts NULL. */
CORAIL_API CORAIL_SUSPENDS void cr_lines_close(cr_lines *lines);

/* ---------------------------------------------------------------------------------- folders --- */

/* What a folder's entry is: DT_REG, DT_DIR, DT_LNK, ... of <dirent.h>; 0 when it is not told. */
typedef struct cr_dir_entry {
	const char *name; /* valid until the next call */
	uint64_t inode;
	int type;
} cr_dir_entry;

/* A folder that is being listed, in bounded memory. */
typedef struct cr_dir cr_dir;

/* Opens a folder. Returns 0, or an error: -ENOTDIR, -ENOENT, ... */
CORAIL_API CORAIL_SUSPENDS int cr_dir_open(const char *path, cr_dir **ret_dir);

/* The next entry, in no order, without "." and "..". Returns 1; 0 at the end; or an error. */
CORAIL_API CORAIL_SUSPENDS int cr_dir_next(cr_dir *dir, cr_dir_entry *ret_entry);

/* Closes it. Accepts NULL. */
CORAIL_API CORAIL_SUSPENDS void cr_dir_close(cr_dir *dir);

typedef struct cr_walk_entry {
	const char *path; /* the start's path and the way from there; valid until the next call */
	const char *name; /* the path's last part */
	int type;         /* as in cr_dir_entry, but always told */
	int depth;        /* 1 for what is in the folder at which the walk began */
	unsigned leaving : 1; /* a folder, again, after all that is in it */
} cr_walk_entry;

/* All zero: down to 64 folders below each other, folders are reported when they are entered. */
typedef struct cr_walk_options {
	int depth_max;        /* deeper folders are reported and not entered */
	unsigned leaving : 1; /* report folders a second time, when they are left */
} cr_walk_options;

/*
 * A walk through a folder and those below it, depth first, one entry after the other. Symbolic
 * links are reported and never followed, not even those that somebody puts in a folder's place
 * meanwhile. It holds one descriptor and a few KiB for each level.
 */
typedef struct cr_walk cr_walk;

/* Begins at a folder, which is not reported itself. Returns 0, or as cr_dir_open(). */
CORAIL_API CORAIL_SUSPENDS int cr_walk_open(const char *path, const cr_walk_options *options,
                                            cr_walk **ret_walk);

/*
 * The next entry. A folder is entered by the call after the one that reported it. Returns 1; 0 at
 * the end; or an error: the next call goes on behind the folder that could not be read. Entries
 * that vanish meanwhile are passed over.
 */
CORAIL_API CORAIL_SUSPENDS int cr_walk_next(cr_walk *walk, cr_walk_entry *ret_entry);

/* Does not enter the folder that was just reported. */
CORAIL_API void cr_walk_skip(cr_walk *walk);

/* Ends it. Accepts NULL. */
CORAIL_API CORAIL_SUSPENDS void cr_walk_close(cr_walk *walk);

/* ---------------------------------------------------------------------------------- changes --- */

/* What happened at a path: a stream of inotify(7) events. The simulator has none. */
typedef struct cr_fs_watch cr_fs_watch;

typedef struct cr_fs_event {
	int id;           /* as cr_fs_watch_add() returned it; -1 when events were lost */
	uint32_t mask;    /* IN_* of <sys/inotify.h> */
	uint32_t cookie;  /* the same in both events of a rename */
	const char *name; /* in a folder: whose; else "". Valid until the next call */
} cr_fs_event;

/* Opens a stream that watches nothing yet. Returns 0, -EMFILE, -ENFILE, -ENOMEM, -EOPNOTSUPP. */
CORAIL_API int cr_fs_watch_open(cr_fs_watch **ret_watch);

/*
 * Watches a file or folder for the events of `mask` (IN_CREATE, IN_CLOSE_WRITE, IN_MOVED_TO, ...).
 * Returns its number, or an error of inotify_add_watch(2).
 */
CORAIL_API CORAIL_SUSPENDS int cr_fs_watch_add(cr_fs_watch *watch, const char *path, uint32_t mask);

/* Watches it no more; an IN_IGNORED event says so. Returns 0, or -EINVAL for no such number. */
CORAIL_API int cr_fs_watch_remove(cr_fs_watch *watch, int id);

/* Waits for the next event. Returns 0, or an error; -EBUSY when another task waits. */
CORAIL_API CORAIL_SUSPENDS int cr_fs_watch_next(cr_fs_watch *watch, cr_fs_event *ret_event);

/* Closes it; a task that waits gets -ECANCELED. Accepts NULL. */
CORAIL_API CORAIL_SUSPENDS void cr_fs_watch_close(cr_fs_watch *watch);

#ifdef __cplusplus
}
#endif
#endif
