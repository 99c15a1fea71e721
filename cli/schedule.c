/* SPDX-License-Identifier: MIT */

/* The order of pages under a limit per host. See schedule.h. */

#include "schedule.h"

#include "urls.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

#define NONE SIZE_MAX

static size_t find_host(struct schedule *schedule, const char *url)
{
	size_t size, hash = 5381;
	const char *name = url_host(url, &size);
	size_t i;

	/* Host names do not know case (RFC 3986, section 3.2.2): "| 32" folds ASCII letters. */
	for (i = 0; i < size; i++)
		hash = hash * 33 + ((unsigned char)name[i] | 32u);
	for (i = hash & (schedule->host_capacity - 1); schedule->hosts[i].name;
	     i = (i + 1) & (schedule->host_capacity - 1)) {
		const struct schedule_host *host = &schedule->hosts[i];

		if (host->name_size == size && strncasecmp(host->name, name, size) == 0)
			return i;
	}
	schedule->hosts[i] = (struct schedule_host){
		.name = name, .name_size = size, .first = NONE, .last = NONE, .next_host = NONE};
	return i;
}

int schedule_init(struct schedule *schedule, char *const *urls, size_t count, size_t per_host)
{
	*schedule = (struct schedule){
		.count = count, .per_host = per_host, .free_first = NONE, .free_last = NONE};
	if (per_host == 0)
		return 0;
	schedule->host_capacity = 64;
	while (schedule->host_capacity < 2 * count)
		schedule->host_capacity *= 2;
	schedule->hosts = calloc(schedule->host_capacity, sizeof *schedule->hosts);
	schedule->next = calloc(count, sizeof *schedule->next);
	schedule->host_of = calloc(count, sizeof *schedule->host_of);
	if (!schedule->hosts || !schedule->next || !schedule->host_of) {
		schedule_free(schedule);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		schedule->host_of[i] = find_host(schedule, urls[i]);
	return 0;
}

/* Puts a host into the line if it has both a page and a place, and is not there yet. */
static void line_up(struct schedule *schedule, size_t index)
{
	struct schedule_host *host = &schedule->hosts[index];

	if (host->in_line || host->first == NONE || host->in_flight >= schedule->per_host)
		return;
	host->in_line = true;
	host->next_host = NONE;
	if (schedule->free_last == NONE)
		schedule->free_first = index;
	else
		schedule->hosts[schedule->free_last].next_host = index;
	schedule->free_last = index;
}

static void pass_over(struct schedule *schedule, struct schedule_host *host, size_t page)
{
	schedule->next[page] = NONE;
	if (host->last == NONE)
		host->first = page;
	else
		schedule->next[host->last] = page;
	host->last = page;
}

/* The first page passed over at the first host in line. */
static size_t take_from_line(struct schedule *schedule)
{
	size_t index = schedule->free_first;
	struct schedule_host *host = &schedule->hosts[index];
	size_t page = host->first;

	schedule->free_first = host->next_host;
	if (schedule->free_first == NONE)
		schedule->free_last = NONE;
	host->in_line = false;
	host->first = schedule->next[page];
	if (host->first == NONE)
		host->last = NONE;
	host->in_flight++;
	line_up(schedule, index);
	return page;
}

bool schedule_next(struct schedule *schedule, size_t *ret_index)
{
	if (schedule->free_first != NONE) {
		*ret_index = take_from_line(schedule);
		return true;
	}
	while (schedule->cursor < schedule->count) {
		size_t page = schedule->cursor++;
		struct schedule_host *host;

		if (schedule->per_host == 0) {
			*ret_index = page;
			return true;
		}
		host = &schedule->hosts[schedule->host_of[page]];
		if (host->in_flight < schedule->per_host) {
			host->in_flight++;
			*ret_index = page;
			return true;
		}
		pass_over(schedule, host, page);
	}
	return false;
}

void schedule_done(struct schedule *schedule, size_t index)
{
	if (schedule->per_host == 0)
		return;
	schedule->hosts[schedule->host_of[index]].in_flight--;
	line_up(schedule, schedule->host_of[index]);
}

void schedule_free(struct schedule *schedule)
{
	free(schedule->hosts);
	free(schedule->next);
	free(schedule->host_of);
	*schedule = (struct schedule){0};
}
