/* SPDX-License-Identifier: MIT */
#include "base/environment.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A variable: one of some words, or else a number. */
struct variable {
	const char *name;
	const char *words; /* separated by spaces; NULL: a number */
	uint64_t most;
};

/* Milliseconds that nanoseconds can hold. */
static const uint64_t millis_most = INT64_MAX / 1000000;

static const struct variable variables[] = {
	{"CORAIL_BACKEND", "auto uring epoll sim", 0},
	{"CORAIL_SEED", NULL, UINT64_MAX},
	{"CORAIL_GUARD", "madvise mprotect check", 0},
	{"CORAIL_DEBUG", "0 1", 0},
	{"CORAIL_DEBUG_BLOCKED_MS", NULL, millis_most},
	{"CORAIL_DEBUG_IGNORED_MS", NULL, millis_most},
	{"CORAIL_DEBUG_IDLE_MS", NULL, millis_most},
	{"CORAIL_DEBUG_FD", NULL, INT_MAX},
};

static int number_read(const struct variable *variable, uint64_t *ret_number)
{
	const char *text = getenv(variable->name);
	unsigned long long number;
	char *end;

	if (!text || !*text)
		return 0;
	/* strtoull(3) would skip spaces, and turn a negative number around. */
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, text[0] == '0' && (text[1] | ' ') == 'x' ? 16 : 10);
	if (errno || *end || number > variable->most)
		return -EINVAL;
	*ret_number = number;
	return 1;
}

int cr__environment_number(const char *name, uint64_t *ret_number)
{
	const struct variable *variable = variables;

	while (strcmp(variable->name, name) != 0)
		variable++;
	return number_read(variable, ret_number);
}

static int is_word(const char *text, const char *words)
{
	size_t size = strlen(text);

	for (const char *word = words; *word; word += strspn(word, " ")) {
		size_t length = strcspn(word, " ");

		if (length == size && memcmp(word, text, size) == 0)
			return 1;
		word += length;
	}
	return 0;
}

static int makes_sense(const struct variable *variable)
{
	const char *text = getenv(variable->name);
	uint64_t number;

	if (!text || !*text)
		return 1;
	if (variable->words)
		return is_word(text, variable->words);
	return number_read(variable, &number) >= 0;
}

int cr_environment_check(char *why, size_t size)
{
	if (size)
		why[0] = '\0';
	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
		const struct variable *variable = &variables[i];

		if (makes_sense(variable))
			continue;
		if (variable->words)
			snprintf(why, size, "%s is none of: %s", variable->name, variable->words);
		else
			snprintf(why, size, "%s is not a number from 0 to %ju", variable->name,
			         (uintmax_t)variable->most);
		return -EINVAL;
	}
	return 0;
}
