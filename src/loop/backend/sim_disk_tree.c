/* SPDX-License-Identifier: MIT */
#include "loop/backend/sim_disk.h"

#include "base/alloc.h"

#include <limits.h>
#include <string.h>

enum { LINKS_FOLLOWED_MAX = 40 };

struct cr__sim_node *cr__sim_node_make(struct cr__sim_disk *disk, mode_t mode)
{
	struct cr__sim_node *node = cr__alloc_zero(1, sizeof *node);

	if (!node)
		return NULL;
	node->mode = mode;
	node->inode = ++disk->inode_next;
	node->changed = disk->sim->now;
	cr__list_init(&node->entries);
	return node;
}

/* Frees a node that has neither a name nor a descriptor. */
void cr__sim_node_drop(struct cr__sim_disk *disk, struct cr__sim_node *node)
{
	if (node->links || node->openings)
		return;
	if (S_ISREG(node->mode))
		disk->bytes -= node->size;
	cr__free(node->data);
	cr__free(node);
}

int cr__sim_entry_add(struct cr__sim_disk *disk, struct cr__sim_node *folder, const char *name,
                      struct cr__sim_node *node)
{
	size_t size = strlen(name) + 1;
	struct cr__sim_entry *entry = cr__alloc(sizeof *entry + size);

	if (!entry)
		return -ENOMEM;
	memcpy(entry->name, name, size);
	entry->node = node;
	entry->cookie = ++disk->cookie_next;
	cr__list_push_back(&folder->entries, &entry->link);
	node->links++;
	if (S_ISDIR(node->mode))
		node->parent = folder;
	folder->changed = disk->sim->now;
	return 0;
}

void cr__sim_entry_remove(struct cr__sim_disk *disk, struct cr__sim_entry *entry)
{
	cr__list_remove(&entry->link);
	entry->node->links--;
	cr__sim_node_drop(disk, entry->node);
	cr__free(entry);
}

void cr__sim_tree_free(struct cr__sim_disk *disk, struct cr__sim_node *folder)
{
	struct cr__list *node;

	while ((node = cr__list_first(&folder->entries))) {
		struct cr__sim_entry *entry = CR__CONTAINER(node, struct cr__sim_entry, link);

		if (S_ISDIR(entry->node->mode))
			cr__sim_tree_free(disk, entry->node);
		cr__sim_entry_remove(disk, entry);
	}
}

static struct cr__sim_entry *look_up(const struct cr__sim_node *folder, const char *name)
{
	for (struct cr__list *node = folder->entries.next; node != &folder->entries;
	     node = node->next) {
		struct cr__sim_entry *entry = CR__CONTAINER(node, struct cr__sim_entry, link);

		if (strcmp(entry->name, name) == 0)
			return entry;
	}
	return NULL;
}

/* The path's first part becomes place->name. Returns the rest of the path, or NULL: too long. */
static const char *part(const char *path, struct cr__sim_place *place)
{
	size_t size = strcspn(path, "/");

	if (size > CR__SIM_NAME_MAX)
		return NULL;
	memcpy(place->name, path, size);
	place->name[size] = '\0';
	path += size;
	return path + strspn(path, "/");
}

/* A link's text takes the place of its name, in front of the rest. */
static int splice(char work[PATH_MAX], const struct cr__sim_node *link, const char *rest)
{
	char joined[PATH_MAX];
	size_t rest_size = strlen(rest);

	if (link->size + 1 + rest_size >= sizeof joined)
		return -ENAMETOOLONG;
	memcpy(joined, link->data, link->size);
	joined[link->size] = '/';
	memcpy(joined + link->size + 1, rest, rest_size + 1);
	memcpy(work, joined, link->size + rest_size + 2);
	return 0;
}

int cr__sim_resolve(const struct cr__sim_disk *disk, struct cr__sim_node *base, const char *path,
                    bool follow, struct cr__sim_place *place)
{
	char work[PATH_MAX];
	const char *at = work;
	int followed = 0;

	if (!*path)
		return -ENOENT;
	if (strlen(path) >= sizeof work)
		return -ENAMETOOLONG;
	memcpy(work, path, strlen(path) + 1);
	*place = (struct cr__sim_place){.node = base};
	for (;;) {
		struct cr__sim_node *here = place->node;
		const char *rest;

		if (*at == '/') {
			if (at == work)
				here = place->node = disk->root;
			at += strspn(at, "/");
		}
		if (!*at)
			return 0;
		if (!S_ISDIR(here->mode))
			return -ENOTDIR;
		rest = part(at, place);
		if (!rest)
			return -ENAMETOOLONG;
		at = rest;
		place->folder = NULL;
		place->entry = NULL;
		if (strcmp(place->name, ".") == 0)
			continue;
		if (strcmp(place->name, "..") == 0) {
			place->node = here->parent ? here->parent : here;
			continue;
		}
		place->folder = here;
		place->entry = look_up(here, place->name);
		place->node = place->entry ? place->entry->node : NULL;
		if (!place->node)
			return *rest ? -ENOENT : 0;
		if (S_ISLNK(place->node->mode) && (*rest || follow)) {
			int r = ++followed > LINKS_FOLLOWED_MAX ? -ELOOP
			                                        : splice(work, place->node, rest);

			if (r < 0)
				return r;
			at = work;
			place->node = here;
		}
	}
}
