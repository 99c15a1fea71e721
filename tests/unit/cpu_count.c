/* SPDX-License-Identifier: MIT */
/* What control groups say about processors, on trees made for it. */

#include "exec/cpu.h"

#include "test.h"

#include <stdint.h>
#include <sys/stat.h>

static char root[] = "/tmp/corail-cpu-XXXXXX";

/* Writes a file below the root, with the directories on its way. */
static void put(const char *path, const char *text)
{
	char full[256];
	FILE *file;

	snprintf(full, sizeof full, "%s/%s", root, path);
	for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(full, 0700) < 0)
			CHECK_EQ(errno, EEXIST);
		*slash = '/';
	}
	file = fopen(full, "we");
	CHECK(file != NULL);
	fputs(text, file);
	fclose(file);
}

static void none(void)
{
	CHECK_EQ(cr__cpu_quota("", root), SIZE_MAX);
	CHECK_EQ(cr__cpu_quota("0::/\n", root), SIZE_MAX);
	CHECK_EQ(cr__cpu_quota("nonsense\n::\n0:", root), SIZE_MAX);
}

static void version_2(void)
{
	put("a/b/cpu.max", "max 100000\n");
	CHECK_EQ(cr__cpu_quota("0::/a/b\n", root), SIZE_MAX);
	put("a/cpu.max", "350000 100000\n");
	CHECK_EQ(cr__cpu_quota("0::/a/b\n", root), 4); /* three and a half */
	put("a/b/cpu.max", "50000 100000\n");
	CHECK_EQ(cr__cpu_quota("0::/a/b\n", root), 1);
	/* A path of the world outside the container: the root is what is left. */
	put("cpu.max", "200000 100000\n");
	CHECK_EQ(cr__cpu_quota("0::/../elsewhere/c\n", root), 2);
	put("cpu.max", "max 100000\n");
}

static void version_1(void)
{
	put("cpu,cpuacct/x/cpu.cfs_quota_us", "-1\n");
	put("cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
	CHECK_EQ(cr__cpu_quota("5:memory:/x\n4:cpu,cpuacct:/x\n", root), SIZE_MAX);
	put("cpu,cpuacct/x/cpu.cfs_quota_us", "150000\n");
	CHECK_EQ(cr__cpu_quota("5:memory:/x\n4:cpu,cpuacct:/x\n", root), 2);
	/* cpuset is another controller than cpu. */
	CHECK_EQ(cr__cpu_quota("4:cpuset,cpuacct:/x\n", root), SIZE_MAX);
}

int main(void)
{
	char command[64];

	CHECK(mkdtemp(root) != NULL);
	RUN(none);
	RUN(version_2);
	RUN(version_1);
	snprintf(command, sizeof command, "rm -r %s", root);
	CHECK_EQ(system(command), 0);
	return test_done();
}
