/* SPDX-License-Identifier: MIT */
#include "loop/backend/sim_disk.h"

#include "base/alloc.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

/* What each operation does to the tree, as its system call would. */

static int base_of(const struct cr__sim_disk *disk, int fd, struct cr__sim_node **ret_base)
{
	struct cr__sim_opening *opening;

	*ret_base = disk->root;
	if (fd == AT_FDCWD)
		return 0;
	opening = cr__sim_disk_find(disk, fd);
	if (!opening)
		return -EBADF;
	*ret_base = opening->node;
	return 0;
}

int cr__sim_disk_resolve(const struct cr__sim_disk *disk, int fd, const char *path, bool follow,
                         struct cr__sim_place *place)
{
	struct cr__sim_node *base;
	int r = base_of(disk, fd, &base);

	return r < 0 ? r : cr__sim_resolve(disk, base, path, follow, place);
}

/* --------------------------------------------------------------------------------- contents --- */

int cr__sim_disk_resize(struct cr__sim_disk *disk, struct cr__sim_node *node, size_t size)
{
	const size_t most = disk->behaviour.capacity_bytes;

	if (size > node->size && most && disk->bytes - node->size + size > most)
		return -ENOSPC;
	if (size > node->capacity) {
		size_t capacity = size + size / 2;
		char *data = cr__realloc(node->data, capacity);

		if (!data)
			return -ENOMEM;
		node->data = data;
		node->capacity = capacity;
	}
	if (size > node->size)
		memset(node->data + node->size, 0, size - node->size);
	disk->bytes += size - node->size;
	node->size = size;
	node->changed = disk->sim->now;
	return 0;
}

/* As much of a transfer as this disk does at once. */
static size_t portion(struct cr__sim_disk *disk, size_t size)
{
	if (!disk->behaviour.short_transfers || size < 2)
		return size;
	return 1 + (size_t)cr__sim_random(disk->sim, size);
}

static ssize_t read_at(struct cr__sim_disk *disk, const struct cr__sim_opening *opening,
                       const struct cr__sim_vector *v, int64_t offset)
{
	const struct cr__sim_node *node = opening->node;
	size_t size = 0;

	if (S_ISDIR(node->mode))
		return -EISDIR;
	if ((opening->flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	if ((uint64_t)offset < node->size)
		size = node->size - (size_t)offset;
	if (size > v->total)
		size = v->total;
	size = portion(disk, size);
	if (size)
		cr__sim_vector_copy(v, 0, node->data + offset, size, true);
	return (ssize_t)size;
}

static ssize_t write_at(struct cr__sim_disk *disk, const struct cr__sim_opening *opening,
                        const struct cr__sim_vector *v, int64_t offset)
{
	struct cr__sim_node *node = opening->node;
	const size_t most = disk->behaviour.capacity_bytes;
	size_t size = portion(disk, v->total), at, old = node->size;
	int r = 0;

	if ((opening->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	at = opening->flags & O_APPEND ? node->size : (size_t)offset;
	/* What still fits goes. */
	if (most && at + size > old && disk->bytes - old + at + size > most &&
	    disk->bytes - old + at < most)
		size = most - (disk->bytes - old + at);
	if (size && at + size > old)
		r = cr__sim_disk_resize(disk, node, at + size);
	if (r < 0)
		return r;
	if (size)
		cr__sim_vector_copy(v, 0, node->data + at, size, false);
	node->changed = disk->sim->now;
	return (ssize_t)size;
}

static ssize_t transfer(struct cr__sim_disk *disk, const struct cr__op *op)
{
	const struct cr__sim_opening *opening = cr__sim_disk_find(disk, op->fd);
	const bool read = op->code == CR__OP_READ_AT || op->code == CR__OP_READV_AT;
	struct cr__sim_vector v = {.one = {op->buffer, op->size}, .at = &v.one, .count = 1};

	if (!opening)
		return -EBADF;
	if (op->code == CR__OP_READV_AT || op->code == CR__OP_WRITEV_AT) {
		v.at = op->buffer;
		v.count = op->size;
	}
	for (size_t i = 0; i < v.count; i++)
		v.total += v.at[i].iov_len;
	return read ? read_at(disk, opening, &v, op->offset)
	            : write_at(disk, opening, &v, op->offset);
}

static ssize_t copy(struct cr__sim_disk *disk, const struct cr__op *op)
{
	const struct cr__sim_opening *from = cr__sim_disk_find(disk, op->other);
	const struct cr__sim_opening *to = cr__sim_disk_find(disk, op->fd);
	struct cr__sim_vector v = {.at = &v.one, .count = 1};
	size_t left;

	if (!from || !to || !S_ISREG(from->node->mode))
		return -EBADF;
	if (from->node == to->node || (uint64_t)op->offset >= from->node->size)
		return 0;
	left = from->node->size - (size_t)op->offset;
	v.total = left < op->size ? left : op->size;
	v.one = (struct iovec){from->node->data + op->offset, v.total};
	return write_at(disk, to, &v, op->offset);
}

/* ---------------------------------------------------------------------------- what there is --- */

static ssize_t stat_op(struct cr__sim_disk *disk, const struct cr__op *op)
{
	struct cr__sim_place place = {0};
	const struct cr__sim_node *node;
	struct statx *x = op->second;
	int r = !*op->path && op->flags & AT_EMPTY_PATH
	                ? base_of(disk, op->fd, &place.node)
	                : cr__sim_disk_resolve(disk, op->fd, op->path,
	                                       !(op->flags & AT_SYMLINK_NOFOLLOW), &place);

	if (r < 0)
		return r;
	node = place.node;
	if (!node)
		return -ENOENT;
	*x = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_blksize = 4096,
		.stx_nlink = node->links,
		.stx_mode = (uint16_t)node->mode,
		.stx_ino = node->inode,
		.stx_size = node->size,
		.stx_blocks = (node->size + 511) / 512,
		.stx_mtime = {.tv_sec = node->changed / 1000000000,
	                      .tv_nsec = (uint32_t)(node->changed % 1000000000)},
	};
	x->stx_ctime = x->stx_atime = x->stx_mtime;
	return 0;
}

static ssize_t list_op(struct cr__sim_disk *disk, const struct cr__op *op)
{
	struct cr__sim_opening *opening = cr__sim_disk_find(disk, op->fd);
	char *out = op->buffer;
	size_t used = 0;

	if (!opening)
		return -EBADF;
	if (!S_ISDIR(opening->node->mode))
		return -ENOTDIR;
	for (struct cr__list *link = opening->node->entries.next; link != &opening->node->entries;
	     link = link->next) {
		const struct cr__sim_entry *entry = CR__CONTAINER(link, struct cr__sim_entry, link);
		const size_t name_size = strlen(entry->name) + 1;
		const size_t size = (offsetof(struct dirent64, d_name) + name_size + 7) / 8 * 8;
		struct dirent64 *record = (void *)(out + used);

		if (entry->cookie <= opening->cookie)
			continue;
		if (used + size > op->size)
			return used ? (ssize_t)used : -EINVAL;
		record->d_ino = entry->node->inode;
		record->d_off = (off64_t)entry->cookie;
		record->d_reclen = (unsigned short)size;
		record->d_type = IFTODT(entry->node->mode);
		memcpy(record->d_name, entry->name, name_size);
		opening->cookie = entry->cookie;
		used += size;
	}
	return (ssize_t)used;
}

static void unlock(struct cr__sim_opening *opening)
{
	if (opening->lock == LOCK_EX)
		opening->node->exclusive = NULL;
	else if (opening->lock == LOCK_SH)
		opening->node->shared--;
	opening->lock = 0;
}

static ssize_t lock_op(struct cr__sim_opening *opening, int kind)
{
	struct cr__sim_node *node = opening->node;
	const uint32_t others = node->shared - (opening->lock == LOCK_SH);

	if (kind == LOCK_UN) {
		unlock(opening);
		return 0;
	}
	if ((node->exclusive && node->exclusive != opening) || (kind == LOCK_EX && others))
		return -EWOULDBLOCK;
	unlock(opening);
	opening->lock = kind;
	if (kind == LOCK_EX)
		node->exclusive = opening;
	else
		node->shared++;
	return 0;
}

/* On an open file. */
static ssize_t on_file(struct cr__sim_disk *disk, const struct cr__op *op)
{
	struct cr__sim_opening *opening = cr__sim_disk_find(disk, op->fd);
	const bool writes = opening && (opening->flags & O_ACCMODE) != O_RDONLY;
	size_t end = (size_t)op->offset + op->size;

	if (!opening)
		return -EBADF;
	switch (op->code) {
	case CR__OP_SYNC:
		return 0;
	case CR__OP_TRUNCATE:
		return writes ? cr__sim_disk_resize(disk, opening->node, (size_t)op->offset)
		              : -EINVAL;
	case CR__OP_ALLOCATE:
		if (!writes)
			return -EBADF;
		return end > opening->node->size ? cr__sim_disk_resize(disk, opening->node, end)
		                                 : 0;
	case CR__OP_CHMOD:
		opening->node->mode = (opening->node->mode & S_IFMT) | ((mode_t)op->size & 07777);
		return 0;
	case CR__OP_LOCK:
		return lock_op(opening, (int)op->flags & ~LOCK_NB);
	default:
		return -EOPNOTSUPP;
	}
}

ssize_t cr__sim_disk_do(struct cr__sim_disk *disk, const struct cr__op *op)
{
	switch (op->code) {
	case CR__OP_OPEN:
		return cr__sim_disk_open(disk, op);
	case CR__OP_STAT:
		return stat_op(disk, op);
	case CR__OP_READ_AT:
	case CR__OP_WRITE_AT:
	case CR__OP_READV_AT:
	case CR__OP_WRITEV_AT:
		return transfer(disk, op);
	case CR__OP_RENAME:
		return cr__sim_disk_rename(disk, op);
	case CR__OP_UNLINK:
		return cr__sim_disk_unlink(disk, op);
	case CR__OP_LINK:
		return cr__sim_disk_link(disk, op);
	case CR__OP_MKDIR:
	case CR__OP_SYMLINK:
		return cr__sim_disk_make(disk, op);
	case CR__OP_READLINK:
		return cr__sim_disk_readlink(disk, op);
	case CR__OP_LIST:
		return list_op(disk, op);
	case CR__OP_COPY:
		return copy(disk, op);
	default:
		return on_file(disk, op);
	}
}
