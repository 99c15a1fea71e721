/* SPDX-License-Identifier: MIT */
/* libuv's file calls, on its pool of four threads: see ../corail/files.c. Callbacks, no tasks. */
#define _GNU_SOURCE
#include "../c/bench.h"

#include <fcntl.h>
#include <uv.h>

enum { AT_ONCE = 64, BLOCK = 4096, LARGE = 256 * 1024 };

struct worker {
	uv_fs_t req;
	uv_buf_t buf;
	int64_t offset;
	uv_file fd;
	int step;
};

static uv_loop_t *loop;
static const char *path;
static long count, next;
static uint64_t blocks;
static uv_file shared, dir;
static double total;

static void small(uv_fs_t *req);
static void at_random(uv_fs_t *req);

static long result_of(uv_fs_t *req)
{
	long result = (long)req->result;

	uv_fs_req_cleanup(req);
	if (result < 0) {
		fprintf(stderr, "files: %s\n", uv_strerror((int)result));
		exit(1);
	}
	return result;
}

static void small_begin(struct worker *w)
{
	char name[512];

	if (next >= count)
		return;
	snprintf(name, sizeof name, "%s/%ld", path, next++);
	w->step = w->offset = 0;
	uv_fs_open(loop, &w->req, name, O_RDONLY, 0, small);
}

static void small(uv_fs_t *req)
{
	struct worker *w = req->data;
	long n = result_of(req);

	if (w->step == 2) {
		small_begin(w);
		return;
	}
	if (w->step == 0)
		w->fd = (uv_file)n;
	if (w->step == 1 && n == 0) {
		w->step = 2;
		uv_fs_close(loop, req, w->fd, small);
		return;
	}
	w->offset += w->step ? n : 0;
	w->step = 1;
	uv_fs_read(loop, req, w->fd, &w->buf, 1, w->offset, small);
}

static void random_begin(struct worker *w)
{
	uint64_t at;

	if (next >= count)
		return;
	at = (uint64_t)next++ * UINT64_C(0x9e3779b97f4a7c15) % blocks;
	uv_fs_read(loop, &w->req, shared, &w->buf, 1, (int64_t)at * BLOCK, at_random);
}

static void at_random(uv_fs_t *req)
{
	if (result_of(req) != BLOCK)
		exit(1);
	random_begin(req->data);
}

static void large(uv_fs_t *req)
{
	struct worker *w = req->data;
	long n = result_of(req);

	total += (double)n;
	if (n > 0)
		uv_fs_read(loop, req, shared, &w->buf, 1, -1, large);
}

static void atomic(uv_fs_t *req)
{
	struct worker *w = req->data;
	char from[512], to[512];
	long n = w->step ? result_of(req) : 0;

	snprintf(from, sizeof from, "%s/.temporary", path);
	snprintf(to, sizeof to, "%s/atomic", path);
	if (w->step == 1)
		w->fd = (uv_file)n;
	if (w->step == 6) {
		w->step = 0;
		next++;
	}
	if (next == count)
		return;
	switch (w->step++) {
	case 0:
		uv_fs_open(loop, req, from, O_WRONLY | O_CREAT | O_EXCL, 0644, atomic);
		break;
	case 1:
		uv_fs_write(loop, req, w->fd, &w->buf, 1, 0, atomic);
		break;
	case 2:
		uv_fs_fsync(loop, req, w->fd, atomic);
		break;
	case 3:
		uv_fs_close(loop, req, w->fd, atomic);
		break;
	case 4:
		uv_fs_rename(loop, req, from, to, atomic);
		break;
	case 5:
		uv_fs_fsync(loop, req, dir, atomic);
		break;
	}
}

int main(int argc, char **argv)
{
	static struct worker workers[AT_ONCE];
	const char what = argc > 3 ? *argv[1] : 0;
	int64_t before = bench_now();
	uv_fs_t req;

	if (!what)
		return 2;
	loop = uv_default_loop();
	path = argv[3];
	count = argc > 4 ? bench_argument(argc, argv, 4) : 0;
	for (int i = 0; i < AT_ONCE; i++) {
		size_t size = what == 'r' || what == 'a' ? BLOCK : LARGE;

		workers[i].req.data = &workers[i];
		workers[i].buf = uv_buf_init(aligned_alloc(BLOCK, size), (unsigned)size);
	}
	if (what != 's')
		shared = dir = uv_fs_open(loop, &req, path, what == 'r' ? O_DIRECT : 0, 0, NULL);
	if (what == 'r') {
		uv_fs_fstat(loop, &req, shared, NULL);
		blocks = req.statbuf.st_size / BLOCK;
	}
	for (int i = 0; i < AT_ONCE && what == 's'; i++)
		small_begin(&workers[i]);
	for (int i = 0; i < AT_ONCE && what == 'r'; i++)
		random_begin(&workers[i]);
	if (what == 'l')
		uv_fs_read(loop, &workers[0].req, shared, &workers[0].buf, 1, -1, large);
	if (what == 'a')
		atomic(&workers[0].req);
	uv_run(loop, UV_RUN_DEFAULT);
	bench_print(argv[2], (what == 'l' ? total / 1e6 : (double)count) * BENCH_SECOND /
	                             (double)(bench_now() - before));
	return 0;
}
