/* SPDX-License-Identifier: MIT */
#include "loop/backend/sim_disk.h"

#include "base/alloc.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>

/* Operations on names: opening, making, renaming, removing. */

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
	int r = cr__sim_disk_resolve(disk, op->fd, op->path, follow, place);

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
	return writes && flags & O_TRUNC ? cr__sim_disk_resize(disk, place->node, 0) : 0;
}

ssize_t cr__sim_disk_open(struct cr__sim_disk *disk, const struct cr__op *op)
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

ssize_t cr__sim_disk_unlink(struct cr__sim_disk *disk, const struct cr__op *op)
{
	struct cr__sim_place place;
	int r = cr__sim_disk_resolve(disk, op->fd, op->path, false, &place);

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

ssize_t cr__sim_disk_rename(struct cr__sim_disk *disk, const struct cr__op *op)
{
	struct cr__sim_place from, to;
	int r = cr__sim_disk_resolve(disk, op->fd, op->path, false, &from);

	if (r == 0)
		r = cr__sim_disk_resolve(disk, op->other, op->second, false, &to);
	if (r != 0)
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

ssize_t cr__sim_disk_link(struct cr__sim_disk *disk, const struct cr__op *op)
{
	struct cr__sim_place from, to;
	int r = cr__sim_disk_resolve(disk, op->fd, op->path, (op->flags & AT_SYMLINK_FOLLOW) != 0,
	                             &from);

	if (r == 0)
		r = cr__sim_disk_resolve(disk, op->other, op->second, false, &to);
	if (r != 0)
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
ssize_t cr__sim_disk_make(struct cr__sim_disk *disk, const struct cr__op *op)
{
	struct cr__sim_place place;
	const char *text = op->code == CR__OP_SYMLINK ? op->second : NULL;
	char *copied = NULL;
	int r = cr__sim_disk_resolve(disk, op->fd, op->path, false, &place);

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

ssize_t cr__sim_disk_readlink(struct cr__sim_disk *disk, const struct cr__op *op)
{
	struct cr__sim_place place;
	int r = cr__sim_disk_resolve(disk, op->fd, op->path, false, &place);
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
