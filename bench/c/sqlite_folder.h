/* SPDX-License-Identifier: MIT */
/* The folder in which an SQLite benchmark writes: a disk's, as a database is for disks. */
#ifndef SQLITE_FOLDER_H
#define SQLITE_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void sqlite_folder_make(char *folder, size_t size)
{
	const char *where = getenv("TMPDIR");

	snprintf(folder, size, "%s/bench-sqlite-XXXXXX", where ? where : "/tmp");
	if (!mkdtemp(folder)) {
		perror(folder);
		exit(1);
	}
}

static inline void sqlite_folder_remove(const char *folder)
{
	static const char *const names[] = {"db", "db-wal", "db-shm"};
	char path[128];

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

#endif
