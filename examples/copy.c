/* SPDX-License-Identifier: MIT */

/*
 * Copies a tree, many files at once:
 *
 *	copy FROM TO
 *
 * One task walks; each file is a task of its own, of which a semaphore lets sixteen live. Where the
 * file system shares blocks no byte is copied at all, and holes stay holes. Symbolic links are
 * copied as links. The first error ends everything, and Ctrl-C does.
 */

#define _DEFAULT_SOURCE /* DT_DIR and its kin */

#include <corail/corail.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define AT_ONCE 16
#define DEEPEST 1000 /* each level is an open folder */

struct tree {
	const char *from, *to;
	struct stat target; /* which may lie in what is copied */
	cr_semaphore turns;
	unsigned long long files;
};

struct file {
	struct tree *tree;
	char from[4096], to[4096];
};

static int copy_file(struct file *file)
{
	int r = cr_fs_copy(file->from, file->to);

	if (r == 0)
		file->tree->files++;
	else if (r != -ECANCELED) /* another one's error has ended this */
		fprintf(stderr, "copy: %s: %s\n", file->from, cr_strerror(r));
	cr_semaphore_release(&file->tree->turns, 1);
	return r;
}

static int copy_link(const struct file *file)
{
	cr_buf text = {0};
	int r = cr_fs_readlink(file->from, &text);

	if (r == 0)
		r = cr_fs_symlink(text.data, file->to);
	cr_buf_free(&text);
	return r;
}

/* What would be left out, or never end, is an error. */
static int copy_folder(const struct file *file, int depth)
{
	const struct stat *target = &file->tree->target;
	struct stat info;
	int r = cr_fs_lstat(file->from, &info);

	if (r == 0 && info.st_dev == target->st_dev && info.st_ino == target->st_ino) {
		fprintf(stderr, "copy: %s: cannot be copied into itself\n", file->tree->from);
		r = -EINVAL;
	}
	if (r == 0 && depth > DEEPEST)
		r = -ENAMETOOLONG;
	return r < 0 ? r : cr_fs_mkdir_all(file->to, 0777);
}

static int copy_entry(struct tree *tree, cr_scope *scope, const cr_walk_entry *entry)
{
	struct file file = {.tree = tree};
	const char *below = entry->path + strlen(tree->from);
	int r;

	if (snprintf(file.from, sizeof file.from, "%s", entry->path) >= (int)sizeof file.from ||
	    snprintf(file.to, sizeof file.to, "%s/%s", tree->to, below) >= (int)sizeof file.to)
		return -ENAMETOOLONG;
	switch (entry->type) {
	case DT_DIR:
		return copy_folder(&file, entry->depth);
	case DT_LNK:
		return copy_link(&file);
	case DT_REG:
		r = cr_semaphore_acquire(&tree->turns, 1);
		if (r == 0)
			cr_spawn_copy(scope, copy_file, &file);
		return r;
	default:
		fprintf(stderr, "copy: %s: neither file, folder nor link\n", entry->path);
		return 0;
	}
}

static int copy_tree(struct tree *tree)
{
	const cr_walk_options options = {.depth_max = DEEPEST};
	cr_walk_entry entry;
	cr_walk *walk;
	int r, joined;
	CORAIL_SCOPE(scope);

	r = cr_fs_mkdir_all(tree->to, 0777);
	if (r == 0)
		r = cr_fs_stat(tree->to, &tree->target);
	if (r < 0)
		return r;
	r = cr_walk_open(tree->from, &options, &walk);
	if (r < 0)
		return r;
	while ((r = cr_walk_next(walk, &entry)) > 0) {
		r = copy_entry(tree, &scope, &entry);
		if (r < 0)
			break;
	}
	cr_walk_close(walk);
	joined = cr_scope_wait(&scope);
	return joined < 0 ? joined : r;
}

int main(int argc, char **argv)
{
	struct tree tree = {.turns = CORAIL_SEMAPHORE(AT_ONCE)};
	int r;

	if (argc != 3) {
		fprintf(stderr, "usage: copy FROM TO\n");
		return 2;
	}
	tree.from = argv[1];
	tree.to = argv[2];
	r = cr_run(copy_tree, &tree);
	if (r < 0)
		fprintf(stderr, "copy: %s\n", cr_strerror(r));
	else
		printf("%llu files\n", tree.files);
	return r < 0;
}
