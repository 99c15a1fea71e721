/* SPDX-License-Identifier: MIT */
#include "loop/backend/sim_disk.h"

#include "base/alloc.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
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

static int resolve(const struct cr__sim_disk *disk, int fd, const char *path, bool follow,
                   struct cr__sim_place *place)
{
	struct cr__sim_node *base;
	int r = base_of(disk, fd, &base);

	return r < 0 ? r : cr__sim_resolve(disk, base, path, follow, place);
}

/* ---------------------------------------------------------------------------------- contents --- */

static int resize(struct cr__sim_disk *disk, struct cr__sim_node *node, size_t size)
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
		r = resize(disk, node, at + size);
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

/* ------------------------------------------------------------------------------------ names --- */

static int create(struct cr__sim_disk *disk, struct cr__sim_place *place, mode_t mode)
{
	struct cr__sim_node *node;
	int r;

	if (!place->folder)
		return -EEXIST;
	node = cr__sim_node_make(disk, mode);
	if (!node)
		return -ENOMEM;
	r = cr__sim_entry_add(disk, place->folder, place->name, node);
	if (r < 0)
		cr__sim_node_drop(disk, node);
	else
		place->node = node;
	return r;
}

static int open_target(struct cr__sim_disk *disk, const struct cr__op *op,
                       struct cr__sim_place *place)
{
	const int flags = (int)op->flags;
	const mode_t mode = (mode_t)op->size & 07777;
	const bool writes = (flags & O_ACCMODE) != O_RDONLY;
	const bool follow = !(flags & O_NOFOLLOW) &&
	                    (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
	int r = resolve(disk, op->fd, op->path, follow, place);

	if (r < 0)
		return r;
	if ((flags & O_TMPFILE) == O_TMPFILE) {
		if (!place->node || !S_ISDIR(place->node->mode))
			return place->node ? -ENOTDIR : -ENOENT;
		place->node = cr__sim_node_make(disk, S_IFREG | mode);
		return place->node ? 0 : -ENOMEM;
	}
	if (!place->node)
		return flags & O_CREAT ? create(disk, place, S_IFREG | mode) : -ENOENT;
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if (S_ISLNK(place->node->mode))
		return flags & O_DIRECTORY ? -ENOTDIR : -ELOOP;
	if (S_ISDIR(place->node->mode))
		return writes || flags & O_CREAT ? -EISDIR : 0;
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	return writes && flags & O_TRUNC ? resize(disk, place->node, 0) : 0;
}

static ssize_t open_op(struct cr__sim_disk *disk, const struct cr__op *op)
{
	struct cr__sim_opening *opening = cr__alloc_zero(1, sizeof *opening);
	struct cr__sim_place place = {0};
	int r = opening ? open_target(disk, op, &place) : -ENOMEM;
	int fd = r < 0 ? r : cr__sim_disk_number(disk, opening);

	if (fd < 0) {
		if (r >= 0)
			cr__sim_node_drop(disk, place.node);
		cr__free(opening);
		return fd;
	}
	opening->node = place.node;
	opening->flags = (int)op->flags;
	place.node->openings++;
	return fd;
}

static ssize_t unlink_op(struct cr__sim_disk *disk, const struct cr__op *op)
{
	struct cr__sim_place place;
	int r = resolve(disk, op->fd, op->path, false, &place);

	if (r < 0)
		return r;
	if (!place.node)
		return -ENOENT;
	if (!place.folder)
		return op->flags & AT_REMOVEDIR ? -EBUSY : -EISDIR;
	if (op->flags & AT_REMOVEDIR) {
		if (!S_ISDIR(place.node->mode))
			return -ENOTDIR;
		if (!cr__list_empty(&place.node->entries))
			return -ENOTEMPTY;
	} else if (S_ISDIR(place.node->mode)) {
		return -EISDIR;
	}
	place.folder->changed = disk->sim->now;
	cr__sim_entry_remove(disk, place.entry);
	return 0;
}

static bool is_below(const struct cr__sim_node *node, const struct cr__sim_node *folder)
{
	for (; node; node = node->parent)
		if (node == folder)
			return true;
	return false;
}

static int may_replace(const struct cr__sim_node *from, const struct cr__sim_node *to)
{
	if (S_ISDIR(from->mode) && !S_ISDIR(to->mode))
		return -ENOTDIR;
	if (!S_ISDIR(from->mode) && S_ISDIR(to->mode))
		return -EISDIR;
	return cr__list_empty(&to->entries) ? 0 : -ENOTEMPTY;
}

static ssize_t rename_op(struct cr__sim_disk *disk, const struct cr__op *op)
{
	struct cr__sim_place from, to;
	int r = resolve(disk, op->fd, op->path, false, &from);

	if (r == 0)
		r = resolve(disk, op->other, op->second, false, &to);
	if (r < 0)
		return r;
	if (!from.node)
		return -ENOENT;
	if (!from.folder || !to.folder)
		return -EBUSY;
	if (op->flags & ~(uint32_t)RENAME_NOREPLACE)
		return -EINVAL;
	if (to.node && op->flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (to.node == from.node)
		return 0;
	if (S_ISDIR(from.node->mode) && is_below(to.folder, from.node))
		return -EINVAL;
	r = to.node ? may_replace(from.node, to.node) : 0;
	if (r == 0)
		r = cr__sim_entry_add(disk, to.folder, to.name, from.node);
	if (r < 0)
		return r;
	if (to.entry)
		cr__sim_entry_remove(disk, to.entry);
	cr__sim_entry_remove(disk, from.entry);
	return 0;
}

static ssize_t link_op(struct cr__sim_disk *disk, const struct cr__op *op)
{
	struct cr__sim_place from, to;
	int r = resolve(disk, op->fd, op->path, (op->flags & AT_SYMLINK_FOLLOW) != 0, &from);

	if (r == 0)
		r = resolve(disk, op->other, op->second, false, &to);
	if (r < 0)
		return r;
	if (!from.node)
		return -ENOENT;
	if (S_ISDIR(from.node->mode))
		return -EPERM;
	if (to.node)
		return -EEXIST;
	return cr__sim_entry_add(disk, to.folder, to.name, from.node);
}

/* A new name: of a folder, or of a symbolic link with a text. */
static ssize_t make_op(struct cr__sim_disk *disk, const struct cr__op *op)
{
	struct cr__sim_place place;
	const char *text = op->code == CR__OP_SYMLINK ? op->second : NULL;
	char *copied = NULL;
	int r = resolve(disk, op->fd, op->path, false, &place);

	if (r < 0)
		return r;
	if (place.node)
		return -EEXIST;
	if (!text)
		return create(disk, &place, S_IFDIR | ((mode_t)op->size & 07777));
	if (!*text)
		return -ENOENT;
	copied = cr__alloc_text(text);
	r = copied ? create(disk, &place, S_IFLNK | 0777) : -ENOMEM;
	if (r < 0) {
		cr__free(copied);
		return r;
	}
	place.node->data = copied;
	place.node->size = strlen(text);
	return 0;
}

static ssize_t readlink_op(struct cr__sim_disk *disk, const struct cr__op *op)
{
	struct cr__sim_place place;
	int r = resolve(disk, op->fd, op->path, false, &place);
	size_t size;

	if (r < 0)
		return r;
	if (!place.node)
		return -ENOENT;
	if (!S_ISLNK(place.node->mode))
		return -EINVAL;
	size = place.node->size < op->size ? place.node->size : op->size;
	memcpy(op->second, place.node->data, size);
	return (ssize_t)size;
}

/* ------------------------------------------------------------------------------ what there is --- */

static ssize_t stat_op(struct cr__sim_disk *disk, const struct cr__op *op)
{
	struct cr__sim_place place = {0};
	const struct cr__sim_node *node;
	struct statx *x = op->second;
	int r = !*op->path && op->flags & AT_EMPTY_PATH
	                ? base_of(disk, op->fd, &place.node)
	                : resolve(disk, op->fd, op->path, !(op->flags & AT_SYMLINK_NOFOLLOW),
	                          &place);

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
		return writes ? resize(disk, opening->node, (size_t)op->offset) : -EINVAL;
	case CR__OP_ALLOCATE:
		if (!writes)
			return -EBADF;
		return end > opening->node->size ? resize(disk, opening->node, end) : 0;
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
		return open_op(disk, op);
	case CR__OP_STAT:
		return stat_op(disk, op);
	case CR__OP_READ_AT:
	case CR__OP_WRITE_AT:
	case CR__OP_READV_AT:
	case CR__OP_WRITEV_AT:
		return transfer(disk, op);
	case CR__OP_RENAME:
		return rename_op(disk, op);
	case CR__OP_UNLINK:
		return unlink_op(disk, op);
	case CR__OP_LINK:
		return link_op(disk, op);
	case CR__OP_MKDIR:
	case CR__OP_SYMLINK:
		return make_op(disk, op);
	case CR__OP_READLINK:
		return readlink_op(disk, op);
	case CR__OP_LIST:
		return list_op(disk, op);
	case CR__OP_COPY:
		return copy(disk, op);
	default:
		return on_file(disk, op);
	}
}
