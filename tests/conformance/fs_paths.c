/* SPDX-License-Identifier: MIT */
/* ctest: labels=noqemu */
/* Paths: what they lead to, folders, walks, trees, copies, watches. */
#include "in_task.h"
#include "temp_folder.h"

#include <dirent.h>
#include <stdbool.h>
#include <sys/inotify.h>

static struct temp_folder temp;

static void put(const char *name, const char *text)
{
	cr_file *file;

	CHECK_EQ(cr_file_open(temp_path(&temp, name), O_WRONLY | O_CREAT | O_TRUNC, 0644, &file),
	         0);
	CHECK_EQ(cr_file_write_all(file, text, strlen(text)), 0);
	CHECK_EQ(cr_file_close(file), 0);
}

static void expect(const char *name, const char *text)
{
	cr_buf buf = {0};

	CHECK_EQ(cr_fs_read_all(temp_path(&temp, name), &buf), 0);
	CHECK_STR(buf.data ? buf.data : "", text);
	cr_buf_free(&buf);
}

static int names(int *unused)
{
	struct stat info, other;
	cr_buf text = {0};

	(void)unused;
	temp_folder_open(&temp);
	put("a", "alpha");
	CHECK_EQ(cr_fs_stat(temp_path(&temp, "a"), &info), 0);
	CHECK_EQ(info.st_size, 5);
	CHECK_EQ(info.st_nlink, 1);
	CHECK_EQ(cr_fs_stat(temp_path(&temp, "none"), &info), -ENOENT);
	CHECK_EQ(cr_fs_link(temp_path(&temp, "a"), temp_path(&temp, "b")), 0);
	CHECK_EQ(cr_fs_stat(temp_path(&temp, "b"), &other), 0);
	CHECK_EQ(other.st_ino, info.st_ino);
	CHECK_EQ(other.st_nlink, 2);
	CHECK_EQ(cr_fs_link(temp_path(&temp, "a"), temp_path(&temp, "b")), -EEXIST);
	CHECK_EQ(cr_fs_symlink("a", temp_path(&temp, "s")), 0);
	CHECK_EQ(cr_fs_symlink("a", temp_path(&temp, "s")), -EEXIST);
	CHECK_EQ(cr_fs_readlink(temp_path(&temp, "s"), &text), 0);
	CHECK_STR(text.data, "a");
	CHECK_EQ(cr_fs_readlink(temp_path(&temp, "a"), &text), -EINVAL);
	CHECK_EQ(cr_fs_stat(temp_path(&temp, "s"), &other), 0);
	CHECK(S_ISREG(other.st_mode));
	CHECK_EQ(cr_fs_lstat(temp_path(&temp, "s"), &other), 0);
	CHECK(S_ISLNK(other.st_mode));
	CHECK_EQ(cr_fs_rename(temp_path(&temp, "b"), temp_path(&temp, "c")), 0);
	CHECK_EQ(cr_fs_rename(temp_path(&temp, "b"), temp_path(&temp, "c")), -ENOENT);
	CHECK_EQ(cr_fs_unlink(temp_path(&temp, "a")), 0);
	CHECK_EQ(cr_fs_unlink(temp_path(&temp, "a")), -ENOENT);
	CHECK_EQ(cr_fs_stat(temp_path(&temp, "s"), &other), -ENOENT);
	expect("c", "alpha");
	CHECK_EQ(cr_fs_mkdir(temp_path(&temp, "d"), 0755), 0);
	CHECK_EQ(cr_fs_mkdir(temp_path(&temp, "d"), 0755), -EEXIST);
	CHECK_EQ(cr_fs_rename(temp_path(&temp, "c"), temp_path(&temp, "d/c")), 0);
	CHECK_EQ(cr_fs_rmdir(temp_path(&temp, "d")), -ENOTEMPTY);
	CHECK_EQ(cr_fs_unlink(temp_path(&temp, "d/c")), 0);
	CHECK_EQ(cr_fs_rmdir(temp_path(&temp, "d")), 0);
	CHECK_EQ(cr_fs_rmdir(temp_path(&temp, "d")), -ENOENT);
	cr_buf_free(&text);
	temp_folder_close(&temp);
	return 0;
}

static int trees(int *unused)
{
	struct stat info;

	(void)unused;
	temp_folder_open(&temp);
	CHECK_EQ(cr_fs_mkdir_all(temp_path(&temp, "x/y//z"), 0755), 0);
	CHECK_EQ(cr_fs_mkdir_all(temp_path(&temp, "x/y/z/"), 0755), 0);
	CHECK_EQ(cr_fs_mkdir_all("/", 0755), 0);
	CHECK_EQ(cr_fs_stat(temp_path(&temp, "x/y/z"), &info), 0);
	CHECK(S_ISDIR(info.st_mode));
	put("x/f", "file");
	put("x/y/g", "file");
	put("outside", "stays");
	CHECK_EQ(cr_fs_mkdir_all(temp_path(&temp, "x/f/z"), 0755), -ENOTDIR);
	CHECK_EQ(cr_fs_mkdir_all(temp_path(&temp, "x/f"), 0755), -EEXIST);
	CHECK_EQ(cr_fs_symlink("..", temp_path(&temp, "x/up")), 0);
	CHECK_EQ(cr_fs_symlink("../outside", temp_path(&temp, "x/out")), 0);
	CHECK_EQ(cr_fs_remove_all(temp_path(&temp, "x")), 0);
	CHECK_EQ(cr_fs_stat(temp_path(&temp, "x"), &info), -ENOENT);
	expect("outside", "stays");
	CHECK_EQ(cr_fs_remove_all(temp_path(&temp, "x")), 0);
	CHECK_EQ(cr_fs_remove_all(temp_path(&temp, "outside")), 0);
	temp_folder_close(&temp);
	return 0;
}

static int listing(int *unused)
{
	enum { COUNT = 300 };
	bool seen[COUNT] = {0};
	char name[128];
	cr_dir_entry entry;
	cr_dir *dir;
	int r, count = 0;

	(void)unused;
	temp_folder_open(&temp);
	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof name, "%03d-a-name-that-takes-some-room-in-the-buffer", i);
		put(name, "");
	}
	CHECK_EQ(cr_dir_open(temp_path(&temp, "."), &dir), 0);
	while ((r = cr_dir_next(dir, &entry)) > 0) {
		int i = (int)strtol(entry.name, NULL, 10);

		CHECK(i >= 0 && i < COUNT && !seen[i]);
		CHECK(entry.type == DT_REG || entry.type == DT_UNKNOWN);
		CHECK_NE(entry.inode, 0);
		seen[i] = true;
		count++;
	}
	CHECK_EQ(r, 0);
	CHECK_EQ(count, COUNT);
	cr_dir_close(dir);
	cr_dir_close(NULL);
	CHECK_EQ(cr_dir_open(temp_path(&temp, name), &dir), -ENOTDIR);
	CHECK_EQ(cr_dir_open(temp_path(&temp, "none"), &dir), -ENOENT);
	temp_folder_close(&temp);
	return 0;
}

static int walking(int *unused)
{
	const cr_walk_options options = {.leaving = 1, .depth_max = 2};
	int r, files = 0, folders = 0, left = 0, links = 0, deepest = 0;
	cr_walk_entry entry;
	cr_walk *walk;

	(void)unused;
	temp_folder_open(&temp);
	CHECK_EQ(cr_fs_mkdir_all(temp_path(&temp, "a/b/c"), 0755), 0);
	CHECK_EQ(cr_fs_mkdir_all(temp_path(&temp, "skip/me"), 0755), 0);
	CHECK_EQ(cr_fs_symlink("..", temp_path(&temp, "a/loop")), 0);
	put("a/1", "");
	put("a/b/2", "");
	put("a/b/c/3", "");
	put("skip/4", "");
	CHECK_EQ(cr_walk_open(temp.path.data, NULL, &walk), 0);
	while ((r = cr_walk_next(walk, &entry)) > 0) {
		CHECK_EQ(memcmp(entry.path, temp.path.data, temp.path.size), 0);
		CHECK_STR(strrchr(entry.path, '/') + 1, entry.name);
		CHECK(!entry.leaving);
		files += entry.type == DT_REG;
		folders += entry.type == DT_DIR;
		links += entry.type == DT_LNK;
		if (entry.depth > deepest)
			deepest = entry.depth;
		if (strcmp(entry.name, "skip") == 0)
			cr_walk_skip(walk);
	}
	CHECK_EQ(r, 0);
	cr_walk_close(walk);
	CHECK_EQ(files, 3);
	CHECK_EQ(folders, 4);
	CHECK_EQ(links, 1);
	CHECK_EQ(deepest, 4);
	files = folders = 0;
	CHECK_EQ(cr_walk_open(temp_path(&temp, ""), &options, &walk), 0);
	while ((r = cr_walk_next(walk, &entry)) > 0) {
		files += entry.type == DT_REG;
		folders += entry.type == DT_DIR && !entry.leaving;
		left += entry.leaving;
	}
	CHECK_EQ(r, 0);
	cr_walk_close(walk);
	cr_walk_close(NULL);
	CHECK_EQ(files, 2);
	CHECK_EQ(folders, 4);
	CHECK_EQ(left, 2);
	CHECK_EQ(cr_walk_open(temp_path(&temp, "none"), NULL, &walk), -ENOENT);
	temp_folder_close(&temp);
	return 0;
}

/* Data, a hole, data, and a hole at the end: the same bytes, in as little room. */
static void copies_holes(void)
{
	enum { HOLE = 4 << 20, PART = 100000 };
	static char data[PART], back[PART], zeros[PART];
	struct stat from, to;
	cr_file *file;

	memset(data, 'd', sizeof data);
	CHECK_EQ(cr_file_open(temp_path(&temp, "holes"), O_RDWR | O_CREAT, 0600, &file), 0);
	CHECK_EQ(cr_file_pwrite(file, data, PART, 0), PART);
	CHECK_EQ(cr_file_pwrite(file, data, PART, HOLE), PART);
	CHECK_EQ(cr_file_truncate(file, 2 * HOLE), 0);
	CHECK_EQ(cr_file_sync(file), 0);
	CHECK_EQ(cr_file_stat(file, &from), 0);
	cr_file_close(file);
	CHECK_EQ(cr_fs_copy(temp_path(&temp, "holes"), temp_path(&temp, "copy")), 0);
	CHECK_EQ(cr_file_open(temp_path(&temp, "copy"), O_RDONLY, 0, &file), 0);
	CHECK_EQ(cr_file_sync(file), 0);
	CHECK_EQ(cr_file_stat(file, &to), 0);
	CHECK_EQ(to.st_size, 2 * HOLE);
	for (int64_t at = 0; at <= HOLE; at += HOLE) {
		CHECK_EQ(cr_file_pread(file, back, PART, at), PART);
		CHECK_EQ(memcmp(back, data, PART), 0);
	}
	for (int64_t at = PART; at < 2 * HOLE; at += PART) {
		ssize_t n = cr_file_pread(file, back, PART, at);
		size_t end = at < HOLE && at + n > HOLE ? (size_t)(HOLE - at) : (size_t)n;
		size_t begin = at >= HOLE && at < HOLE + PART ? (size_t)(HOLE + PART - at) : 0;

		CHECK(n > 0 && begin < end);
		CHECK_EQ(memcmp(back + begin, zeros, end - begin), 0);
	}
	/* Where the file system has holes at all. */
	if (from.st_blocks < HOLE / 512)
		CHECK_LT(to.st_blocks, HOLE / 512);
	cr_file_close(file);
}

static int copies(int *unused)
{
	enum { SIZE = 1000 * 1000 };
	char *data = malloc(SIZE + 1);
	struct stat info;

	(void)unused;
	for (int i = 0; i < SIZE; i++)
		data[i] = (char)('a' + i % 23);
	data[SIZE] = '\0';
	temp_folder_open(&temp);
	put("from", data);
	put("to", "something else");
	CHECK_EQ(cr_fs_copy(temp_path(&temp, "from"), temp_path(&temp, "to")), 0);
	expect("to", data);
	put("from", "");
	CHECK_EQ(cr_fs_copy(temp_path(&temp, "from"), temp_path(&temp, "to")), 0);
	expect("to", "");
	CHECK_EQ(cr_fs_write_atomic(temp_path(&temp, "program"), "x", 1, 0751), 0);
	CHECK_EQ(cr_fs_copy(temp_path(&temp, "program"), temp_path(&temp, "new")), 0);
	CHECK_EQ(cr_fs_stat(temp_path(&temp, "new"), &info), 0);
	CHECK_EQ(info.st_mode & 07777, 0751);
	CHECK_EQ(cr_fs_copy(temp_path(&temp, "new"), temp_path(&temp, "new")), -EINVAL);
	expect("new", "x");
	copies_holes();
	CHECK_EQ(cr_fs_copy(temp_path(&temp, "none"), temp_path(&temp, "to")), -ENOENT);
	CHECK_EQ(cr_fs_copy(temp.path.data, temp_path(&temp, "to")), -EISDIR);
	if (!on_sim()) {
		/* Its size says nothing. */
		CHECK_EQ(cr_fs_copy("/proc/version", temp_path(&temp, "version")), 0);
		CHECK_EQ(cr_fs_stat(temp_path(&temp, "version"), &info), 0);
		CHECK_GT(info.st_size, 10);
	}
	temp_folder_close(&temp);
	free(data);
	return 0;
}

static int watching(int *unused)
{
	cr_fs_watch *watch;
	cr_fs_event event;
	int id, r = cr_fs_watch_open(&watch);

	(void)unused;
	if (on_sim()) {
		CHECK_EQ(r, -EOPNOTSUPP);
		return 0;
	}
	CHECK_EQ(r, 0);
	temp_folder_open(&temp);
	CHECK_EQ(cr_fs_watch_add(watch, temp_path(&temp, "none"), IN_CREATE), -ENOENT);
	id = cr_fs_watch_add(watch, temp.path.data, IN_CREATE | IN_CLOSE_WRITE | IN_MOVE);
	CHECK_GE(id, 0);
	CHECK_EQ(cr_timeout(cr_millis(1), cr_fs_watch_next(watch, &event)), -ETIMEDOUT);
	put("new", "x");
	CHECK_EQ(cr_fs_watch_next(watch, &event), 0);
	CHECK_EQ(event.id, id);
	CHECK_EQ(event.mask, IN_CREATE);
	CHECK_STR(event.name, "new");
	CHECK_EQ(cr_fs_watch_next(watch, &event), 0);
	/* It comes when the kernel has let go of the file, which io_uring may do a little later. */
	CHECK_EQ(event.mask, IN_CLOSE_WRITE);
	CHECK_EQ(cr_fs_rename(temp_path(&temp, "new"), temp_path(&temp, "renamed")), 0);
	CHECK_EQ(cr_fs_watch_next(watch, &event), 0);
	CHECK_EQ(event.mask, IN_MOVED_FROM);
	r = (int)event.cookie;
	CHECK_EQ(cr_fs_watch_next(watch, &event), 0);
	CHECK_EQ(event.mask, IN_MOVED_TO);
	CHECK_EQ((int)event.cookie, r);
	CHECK_STR(event.name, "renamed");
	CHECK_EQ(cr_fs_watch_remove(watch, id), 0);
	CHECK_EQ(cr_fs_watch_remove(watch, id), -EINVAL);
	CHECK_EQ(cr_fs_watch_next(watch, &event), 0);
	CHECK_EQ(event.mask, IN_IGNORED);
	cr_fs_watch_close(watch);
	cr_fs_watch_close(NULL);
	temp_folder_close(&temp);
	return 0;
}

int main(void)
{
	RUN_TASK(names);
	RUN_TASK(trees);
	RUN_TASK(listing);
	RUN_TASK(walking);
	RUN_TASK(copies);
	RUN_TASK(watching);
	return test_done();
}
