/* SPDX-License-Identifier: MIT */
/*
 * A line of three stages: pictures are downloaded, made small on threads, and written to files. The
 * stages are joined by bounded channels: whoever is slow holds the others up, so that the slowest
 * stage sets the pace, all others wait for it, and memory stays flat, be there a hundred pictures
 * or a million.
 *
 *	thumbs [PICTURES [FOLDER]]      (100; without a folder, into a temporary one)
 *
 * A server of the program's own makes the pictures up. At the end each stage says how long its
 * workers waited: for work, and for the next stage to take theirs. The slowest hardly does.
 */

#define _GNU_SOURCE

#include <corail/corail.h>
#include <corail/exec.h>
#include <corail/http.h>
#include <corail/http_server.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SIDE = 512, THUMB = 64, BLUR = 8, LOADERS = 8, WRITERS = 2, BETWEEN = 4 };

struct picture {
	long number;
	cr_buf pixels; /* SIDE by SIDE bytes of grey, then THUMB by THUMB */
};

typedef cr_chan_of(struct picture) picture_chan;

/* How long the workers of a stage waited, all together. */
struct stage {
	const char *name;
	size_t workers;
	cr_nsec for_work, for_room;
};

struct line {
	long count, next, written;
	int folder;
	char url[64];
	cr_http *http;
	picture_chan loaded, shrunk;
	struct stage load, shrink, write;
	long alive, alive_peak; /* pictures in memory */
};

/* ------------------------------------------------------------------------------ the stages --- */

static int pass_on(struct stage *stage, picture_chan *chan, struct picture *picture)
{
	cr_nsec began = cr_now();
	int r = cr_chan_send(chan, *picture);

	stage->for_room += cr_now() - began;
	return r;
}

static int receive(struct stage *stage, picture_chan *chan, struct picture *picture)
{
	cr_nsec began = cr_now();
	int r = cr_chan_receive(chan, picture);

	stage->for_work += cr_now() - began;
	return r;
}

static void drop(struct line *line, struct picture *picture)
{
	cr_buf_free(&picture->pixels);
	line->alive--;
}

static int load(struct line *line)
{
	int r = 0;

	while (r == 0 && line->next < line->count) {
		struct picture picture = {.number = line->next++};

		if (++line->alive > line->alive_peak)
			line->alive_peak = line->alive;
		r = cr_http_get(line->http, line->url, &picture.pixels);
		if (r == 0 && picture.pixels.size != SIDE * SIDE)
			r = -EBADMSG;
		if (r == 0)
			r = pass_on(&line->load, &line->loaded, &picture);
		if (r < 0)
			drop(line, &picture);
	}
	return r;
}

/* On a thread: each pixel of the small picture is a weighted mean of many of the large one. */
static int make_small(struct picture *picture)
{
	const unsigned char *from = (const unsigned char *)picture->pixels.data;
	unsigned char small[THUMB * THUMB];
	const int step = SIDE / THUMB;

	for (int i = 0; i < THUMB * THUMB; i++) {
		unsigned sum = 0, weights = 0;

		for (int dy = -BLUR; dy <= BLUR; dy++) {
			for (int dx = -BLUR; dx <= BLUR; dx++) {
				int y = i / THUMB * step + dy, x = i % THUMB * step + dx;
				unsigned weight = (unsigned)(2 * BLUR + 1 - abs(dx) - abs(dy));

				if (x < 0 || y < 0 || x >= SIDE || y >= SIDE)
					continue;
				sum += weight * from[y * SIDE + x];
				weights += weight;
			}
		}
		small[i] = (unsigned char)(sum / weights);
	}
	cr_buf_clear(&picture->pixels);
	return cr_buf_append(&picture->pixels, small, sizeof small);
}

static int shrink(struct line *line)
{
	struct picture picture;
	int r;

	while ((r = receive(&line->shrink, &line->loaded, &picture)) == 0) {
		r = cr_offload(make_small, &picture);
		if (r == 0)
			r = pass_on(&line->shrink, &line->shrunk, &picture);
		if (r < 0) {
			drop(line, &picture);
			break;
		}
	}
	return r == -EPIPE ? 0 : r;
}

static int write_file(const struct line *line, const struct picture *picture)
{
	char name[32], head[32];
	int length = snprintf(head, sizeof head, "P5\n%d %d\n255\n", THUMB, THUMB);
	int fd, r, closed;

	snprintf(name, sizeof name, "%06ld.pgm", picture->number);
	fd = openat(line->folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return -errno;
	r = cr_fd_write_all(fd, head, (size_t)length);
	if (r == 0)
		r = cr_fd_write_all(fd, picture->pixels.data, picture->pixels.size);
	closed = cr_fd_close(fd);
	return r < 0 ? r : closed;
}

static int write_small(struct line *line)
{
	struct picture picture;
	int r;

	while ((r = receive(&line->write, &line->shrunk, &picture)) == 0) {
		r = write_file(line, &picture);
		drop(line, &picture);
		if (r < 0)
			break;
		line->written++;
	}
	return r == -EPIPE ? 0 : r;
}

/* -------------------------------------------------------------------------------- the line --- */

/* A stage: so many workers, and the end of what they send when all of them have ended. */
struct crew {
	struct line *line;
	int (*work)(struct line *line);
	const struct stage *stage;
	picture_chan *out;
};

static int run_crew(struct crew *crew)
{
	int r;
	CORAIL_SCOPE(scope);

	for (size_t i = 0; i < crew->stage->workers; i++)
		cr_spawn(&scope, crew->work, crew->line);
	r = cr_scope_wait(&scope);
	if (crew->out)
		cr_chan_close(crew->out);
	return r;
}

static void empty(struct line *line, picture_chan *chan)
{
	struct picture picture;

	while (cr_chan_try_receive(chan, &picture) == 0)
		drop(line, &picture);
	cr_chan_free(chan);
}

static int run_line(struct line *line)
{
	struct crew crews[] = {
		{line, load, &line->load, &line->loaded},
		{line, shrink, &line->shrink, &line->shrunk},
		{line, write_small, &line->write, NULL},
	};
	int r = cr_http_open(&(cr_http_options){.requests_max = LOADERS}, &line->http);

	if (r == 0)
		r = cr_chan_open(&line->loaded, BETWEEN);
	if (r == 0)
		r = cr_chan_open(&line->shrunk, BETWEEN);
	if (r == 0)
		r = cr_gather(run_crew, crews, sizeof crews / sizeof *crews);
	empty(line, &line->loaded);
	empty(line, &line->shrunk);
	cr_http_close(line->http);
	return r;
}

static void report(const struct line *line, cr_nsec elapsed)
{
	const struct stage *stages[] = {&line->load, &line->shrink, &line->write};
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	printf("%ld pictures in %.2f s: %.0f per second\n", line->written, (double)elapsed / 1e9,
	       (double)line->written / ((double)elapsed / 1e9));
	for (size_t i = 0; i < 3; i++) {
		double each = (double)stages[i]->workers * (double)elapsed / 100;

		printf("%-7s %zu workers; waited %3.0f %% for work, %3.0f %% for the next stage\n",
		       stages[i]->name, stages[i]->workers, (double)stages[i]->for_work / each,
		       (double)stages[i]->for_room / each);
	}
	printf("at most %ld pictures in memory at once, and %ld MB in all\n", line->alive_peak,
	       usage.ru_maxrss / 1024);
}

/* ------------------------------------------------------------------------------ the server --- */

static int serve_picture(cr_http_exchange *exchange, void *user)
{
	return cr_http_reply(exchange, 200, "image/x-portable-graymap", user, SIDE * SIDE);
}

static int serve_and_run(struct line *line)
{
	static char pixels[SIDE * SIDE];
	cr_nsec began = cr_now();
	cr_http_server *server = NULL;
	cr_listener *listener;
	int r = cr_listener_open("127.0.0.1:0", NULL, &listener);

	if (r < 0)
		return r;
	for (int i = 0; i < SIDE * SIDE; i++)
		pixels[i] = (char)((i % SIDE) ^ (i / SIDE));
	snprintf(line->url, sizeof line->url, "http://127.0.0.1:%d/", cr_listener_port(listener));
	r = cr_http_server_open(NULL, listener, serve_picture, pixels, &server);
	if (r == 0) {
		CORAIL_SCOPE(scope);
		r = cr_scope_start(&scope, cr_http_server_run, server, NULL);
		if (r >= 0)
			r = run_line(line);
	}
	cr_http_server_close(server);
	cr_listener_close(listener);
	report(line, cr_now() - began);
	return r;
}

static void remove_all(const struct line *line, const char *folder)
{
	char name[32];

	for (long i = 0; i < line->count; i++) {
		snprintf(name, sizeof name, "%06ld.pgm", i);
		unlinkat(line->folder, name, 0);
	}
	rmdir(folder);
}

int main(int argc, char **argv)
{
	char temporary[] = "/tmp/corail-thumbs-XXXXXX";
	const char *folder = argc > 2 ? argv[2] : mkdtemp(temporary);
	struct line line = {
		.count = argc > 1 ? strtol(argv[1], NULL, 10) : 100,
		.folder = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1,
		.load = {.name = "load", .workers = LOADERS},
		.shrink = {.name = "shrink", .workers = cr_cpu_count()},
		.write = {.name = "write", .workers = WRITERS},
	};
	int r;

	if (line.count < 0 || line.folder < 0) {
		fprintf(stderr, "usage: thumbs [PICTURES [FOLDER]]\n");
		return 2;
	}
	r = cr_run(serve_and_run, &line);
	if (argc <= 2)
		remove_all(&line, folder);
	close(line.folder);
	if (r < 0)
		fprintf(stderr, "thumbs: %s\n", cr_strerror(r));
	return r < 0;
}
