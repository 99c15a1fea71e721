/* SPDX-License-Identifier: MIT */

/* The folder that pages are written to: complete files or none, with and without nameless files. */

#include "test.h"

#include "../../cli/store.c"

#include <corail/task.h>

static char folder[] = "/tmp/corail-store-XXXXXX";

static int count_entries(void)
{
	DIR *dir = opendir(folder);
	int count = -2;

	CHECK(dir != NULL);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void check_content(const char *name, const char *wanted)
{
	char path[128], content[64] = "";
	FILE *in;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	in = fopen(path, "r");
	CHECK(in != NULL);
	CHECK_EQ(fread(content, 1, sizeof content - 1, in), strlen(wanted));
	fclose(in);
	CHECK_STR(content, wanted);
}

static void write_file(const struct store *store, struct store_file *file, const char *text)
{
	CHECK_EQ(store_create(store, file), 0);
	CHECK_EQ(cr_fd_write_all(file->fd, text, strlen(text)), 0);
}

static int use(struct store *store)
{
	struct store_file file, other;
	int nameless = store->nameless;
	char path[128];

	write_file(store, &file, "one");
	CHECK_EQ(count_entries(), nameless ? 0 : 1);
	write_file(store, &other, "two");
	CHECK_EQ(store_commit(store, &file, "page"), 0);
	check_content("page", "one");
	CHECK_EQ(store_commit(store, &other, "page"), 0); /* replaces */
	check_content("page", "two");
	CHECK_EQ(count_entries(), 1);

	write_file(store, &file, "never");
	store_discard(store, &file);
	CHECK_EQ(count_entries(), 1);

	/* A folder stands where the file should go: the file is gone, the folder stays. */
	snprintf(path, sizeof path, "%s/taken", folder);
	CHECK_EQ(mkdir(path, 0700), 0);
	write_file(store, &file, "never");
	CHECK_LT(store_commit(store, &file, "taken"), 0);
	CHECK_EQ(count_entries(), 2);

	/* A link is replaced, not followed. */
	snprintf(path, sizeof path, "%s/link", folder);
	CHECK_EQ(symlink("page", path), 0);
	write_file(store, &file, "three");
	CHECK_EQ(store_commit(store, &file, "link"), 0);
	check_content("page", "two");
	check_content("link", "three");
	CHECK_EQ(count_entries(), 3);
	return 0;
}

static int use_cancelled(struct store *store)
{
	struct store_file file;
	CORAIL_SCOPE(scope);

	write_file(store, &file, "never");
	cr_scope_cancel(&scope);
	store_discard(store, &file);
	CHECK_EQ(count_entries(), 0);
	return 0;
}

static void run_with(bool nameless)
{
	struct store store;
	char command[64];
	int fds = test_open_fds();

	snprintf(folder, sizeof folder, "/tmp/corail-store-XXXXXX");
	CHECK(mkdtemp(folder) != NULL);
	CHECK_EQ(store_open(&store, folder), 0);
	CHECK_EQ(count_entries(), 0);
	store.nameless = store.nameless && nameless;
	CHECK_EQ(cr_run(use_cancelled, &store), 0);
	CHECK_EQ(cr_run(use, &store), 0);
	store_close(&store);
	CHECK_EQ(test_open_fds(), fds);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	CHECK_EQ(system(command), 0);
}

static void files_without_a_name(void)
{
	run_with(true);
}

static void files_with_a_temporary_name(void)
{
	run_with(false);
}

static void folders_that_are_none(void)
{
	struct store store;

	CHECK_EQ(store_open(&store, ""), -ENOENT);
	CHECK_EQ(store_open(&store, "/dev/null"), -ENOTDIR);
	CHECK_EQ(store_open(&store, "/dev/null/below"), -ENOTDIR);
	CHECK_EQ(store.dir, -1);
}

int main(void)
{
	RUN(files_without_a_name);
	RUN(files_with_a_temporary_name);
	RUN(folders_that_are_none);
	return test_done();
}
