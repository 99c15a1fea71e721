/* SPDX-License-Identifier: MIT */
#ifndef CR__LOOP_BACKEND_SIM_DISK_H
#define CR__LOOP_BACKEND_SIM_DISK_H

/*
 * The simulator's disk: a tree of nodes in memory, made at the first use, that dies with its loop.
 * It begins with an empty "/tmp", and "/" is the working folder. Everybody may do everything.
 *
 *	sim_disk.c       requests: when they are done, how they fail, cancelling, descriptors
 *	sim_disk_tree.c  nodes, names, paths
 *	sim_disk_names.c what an operation on names does
 *	sim_disk_ops.c   and the others
 */

#include "loop/backend/sim.h"

#include <sys/stat.h>

enum { CR__SIM_DISK_FD_FIRST = CR__SIM_FD_FIRST + CR__SIM_FD_MAX, CR__SIM_NAME_MAX = 255 };

struct cr__sim_opening;

/* A file, a folder or a symbolic link. */
struct cr__sim_node {
	struct cr__sim_node *parent; /* a folder's */
	struct cr__list entries;     /* a folder's: struct cr__sim_entry, by cookie */
	mode_t mode;
	uint32_t links, openings;
	uint64_t inode;
	cr_nsec changed;
	char *data; /* a file's contents, a link's text */
	size_t size, capacity;
	struct cr__sim_opening *exclusive; /* locks, as flock(2) */
	uint32_t shared;
};

/* A name in a folder. */
struct cr__sim_entry {
	struct cr__list link;
	struct cr__sim_node *node;
	uint64_t cookie; /* later names have larger ones: so a listing can go on behind one */
	char name[];
};

/* A descriptor. */
struct cr__sim_opening {
	struct cr__sim_node *node;
	int flags;
	uint64_t cookie; /* how far the folder has been listed */
	int lock;        /* LOCK_* that it holds, or 0 */
};

/* What a path leads to. */
struct cr__sim_place {
	struct cr__sim_node *folder; /* NULL: the path names no entry, as "/" and ".." */
	struct cr__sim_entry *entry; /* NULL: nothing there yet */
	struct cr__sim_node *node;
	char name[CR__SIM_NAME_MAX + 1];
};

struct cr__sim_disk {
	struct cr__sim *sim;
	cr_sim_disk behaviour;
	uint64_t fail_in; /* scripted */
	int fail_error;
	struct cr__sim_node *root;
	uint64_t cookie_next, inode_next, bytes;
	struct cr__sim_opening **table; /* by descriptor */
	size_t table_size, table_used;
	struct cr__list requests;
};

/* sim_disk.c */
static inline bool cr__sim_disk_owns(int fd)
{
	return fd >= CR__SIM_DISK_FD_FIRST;
}

int cr__sim_disk_start(struct cr__loop *loop, struct cr__op *op);
bool cr__sim_disk_cancel(struct cr__loop *loop, struct cr__op *op);
int cr__sim_disk_fd_close(struct cr__sim *sim, int fd);
void cr__sim_disk_end(struct cr__sim *sim);
struct cr__sim_opening *cr__sim_disk_find(const struct cr__sim_disk *disk, int fd);
int cr__sim_disk_number(struct cr__sim_disk *disk, struct cr__sim_opening *opening);

/* sim_disk_tree.c */
struct cr__sim_node *cr__sim_node_make(struct cr__sim_disk *disk, mode_t mode);
void cr__sim_node_drop(struct cr__sim_disk *disk, struct cr__sim_node *node);
void cr__sim_tree_free(struct cr__sim_disk *disk, struct cr__sim_node *folder);
int cr__sim_entry_add(struct cr__sim_disk *disk, struct cr__sim_node *folder, const char *name,
                      struct cr__sim_node *node);
void cr__sim_entry_remove(struct cr__sim_disk *disk, struct cr__sim_entry *entry);
int cr__sim_resolve(const struct cr__sim_disk *disk, struct cr__sim_node *base, const char *path,
                    bool follow, struct cr__sim_place *ret_place);

/* sim_disk_names.c */
ssize_t cr__sim_disk_open(struct cr__sim_disk *disk, const struct cr__op *op);
ssize_t cr__sim_disk_unlink(struct cr__sim_disk *disk, const struct cr__op *op);
ssize_t cr__sim_disk_rename(struct cr__sim_disk *disk, const struct cr__op *op);
ssize_t cr__sim_disk_link(struct cr__sim_disk *disk, const struct cr__op *op);
ssize_t cr__sim_disk_make(struct cr__sim_disk *disk, const struct cr__op *op);
ssize_t cr__sim_disk_readlink(struct cr__sim_disk *disk, const struct cr__op *op);

/* sim_disk_ops.c */
int cr__sim_disk_resolve(const struct cr__sim_disk *disk, int fd, const char *path, bool follow,
                         struct cr__sim_place *ret_place);
int cr__sim_disk_resize(struct cr__sim_disk *disk, struct cr__sim_node *node, size_t size);
ssize_t cr__sim_disk_do(struct cr__sim_disk *disk, const struct cr__op *op);

#endif
