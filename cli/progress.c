/* SPDX-License-Identifier: MIT */

/* Lines and the bar. See progress.h. */

#include "progress.h"

#include "text.h"

#include <corail/task.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define REDRAW_MS 100
#define BAR_WIDTH_MIN 10
#define BAR_WIDTH_MAX 40
#define COLUMNS_DEFAULT 80

static bool same_terminal(void)
{
	struct stat out, err;

	return isatty(STDOUT_FILENO) && fstat(STDOUT_FILENO, &out) == 0 &&
	       fstat(STDERR_FILENO, &err) == 0 && out.st_rdev == err.st_rdev;
}

void progress_open(struct progress *progress, size_t total, bool wanted)
{
	const char *terminal = getenv("TERM");
	const char *no_color = getenv("NO_COLOR");

	*progress = (struct progress){.total = total, .began = cr_now()};
	progress->measured_at = progress->began;
	/* A reader of a pipe gets each line when it is there. */
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	if (!wanted || !isatty(STDERR_FILENO) || !terminal || !*terminal ||
	    strcmp(terminal, "dumb") == 0)
		return;
	progress->collected = open_memstream(&progress->collected_text, &progress->collected_size);
	if (!progress->collected)
		return;
	progress->shown = true;
	progress->shared = same_terminal();
	progress->colour = !no_color || !*no_color;
	progress->unicode = text_is_utf8();
}

FILE *progress_out(struct progress *progress)
{
	return progress->shown && progress->shared ? progress->collected : stdout;
}

FILE *progress_err(struct progress *progress)
{
	return progress->shown ? progress->collected : stderr;
}

int progress_line_done(struct progress *progress)
{
	if (progress_out(progress) != stdout)
		return 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return errno > 0 ? -errno : -EIO;
}

static size_t terminal_columns(void)
{
	struct winsize window;

	/* Asked for anew each time: that is all it takes to follow a resize. */
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
		return window.ws_col;
	return COLUMNS_DEFAULT;
}

static void measure_rate(struct progress *progress)
{
	cr_nsec now = cr_now();
	double seconds = (double)(now - progress->measured_at) / 1e9;
	double sample;

	if (seconds < 0.05)
		return;
	sample = (double)(progress->bytes - progress->measured_bytes) / seconds;
	/* The first second is its own average; later samples count by a tenth each. */
	if (now - progress->began < cr_seconds(1))
		progress->rate = (double)progress->bytes / ((double)(now - progress->began) / 1e9);
	else
		progress->rate += (sample - progress->rate) * 0.1;
	progress->measured_at = now;
	progress->measured_bytes = progress->bytes;
}

static void append_bar(cr_buf *line, const struct progress *progress, size_t width)
{
	size_t full = progress->total ? width * progress->done / progress->total : width;

	cr_buf_printf(line, "%s", progress->colour ? "\033[32m" : "");
	for (size_t i = 0; i < width; i++) {
		if (i == full)
			cr_buf_printf(line, "%s", progress->colour ? "\033[2m" : "");
		if (progress->unicode)
			cr_buf_printf(line, "%s", i < full ? "\u2588" : "\u2591");
		else
			cr_buf_printf(line, "%s", i < full ? "#" : ".");
	}
	cr_buf_printf(line, "%s ", progress->colour ? "\033[0m" : "");
}

/*
 * The part after the bar, as long as the window allows; all of its characters are one column wide.
 */
static void make_figures(const struct progress *progress, size_t columns, char *text, size_t size)
{
	unsigned percent = progress->total ? (unsigned)(100 * progress->done / progress->total)
	                                   : 100;
	long seconds = (long)((cr_now() - progress->began) / 1000000000);
	char parts[5][48], rate[24];
	size_t used = 0;

	text_bytes(rate, sizeof rate, progress->rate);
	snprintf(parts[0], sizeof parts[0], "%zu/%zu", progress->done, progress->total);
	snprintf(parts[1], sizeof parts[1], "%u%%", percent);
	snprintf(parts[2], sizeof parts[2], "%s/s", rate);
	snprintf(parts[3], sizeof parts[3], tr("%zu in flight", "%zu en cours"),
	         progress->in_flight);
	snprintf(parts[4], sizeof parts[4], "%ld:%02ld", seconds / 60, seconds % 60);
	text[0] = '\0';
	for (size_t i = 0; i < 5; i++) {
		size_t length = strlen(parts[i]) + (i ? 2 : 0);

		if (used + length > columns || used + length >= size)
			break;
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "  " : "", parts[i]);
	}
}

/*
 * Draws into the line's place, which the cursor is on. The last column stays free: no terminal
 * wraps.
 */
static void draw(struct progress *progress, cr_buf *out)
{
	size_t columns = terminal_columns() - 1, width;
	char figures[256], failures[48] = "";
	size_t failures_size;

	if (progress->failed > 0)
		snprintf(failures, sizeof failures, tr("  %zu failed", "  %zu en erreur"),
		         progress->failed);
	failures_size = strlen(failures);
	if (failures_size > columns)
		failures_size = 0;
	make_figures(progress, columns - failures_size, figures, sizeof figures);
	width = columns - failures_size - strlen(figures);
	if (width > BAR_WIDTH_MIN) {
		width = width - 1 < BAR_WIDTH_MAX ? width - 1 : BAR_WIDTH_MAX;
		append_bar(out, progress, width);
	}
	cr_buf_printf(out, "%s", figures);
	if (failures_size > 0)
		cr_buf_printf(out, "%s%s%s", progress->colour ? "\033[31m" : "", failures,
		              progress->colour ? "\033[0m" : "");
}

/* Writes the collected lines where the bar was and, perhaps, the bar below them, in one piece. */
static void redraw(struct progress *progress, bool with_bar)
{
	cr_buf out = {0};

	fflush(progress->collected);
	if (progress->drawn)
		cr_buf_printf(&out, "\r\033[K");
	cr_buf_append(&out, progress->collected_text, progress->collected_size);
	rewind(progress->collected);
	if (with_bar)
		draw(progress, &out);
	progress->drawn = with_bar;
	fwrite(out.data, 1, out.size, stderr);
	fflush(stderr);
	cr_buf_free(&out);
}

int progress_run(struct progress *progress)
{
	int r = 0;

	while (progress->shown && r == 0) {
		measure_rate(progress);
		redraw(progress, true);
		r = cr_sleep(cr_millis(REDRAW_MS));
	}
	return 0;
}

void progress_close(struct progress *progress)
{
	if (!progress->shown)
		return;
	redraw(progress, false);
	fclose(progress->collected);
	free(progress->collected_text);
	*progress = (struct progress){0};
}
