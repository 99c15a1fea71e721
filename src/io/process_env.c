/* SPDX-License-Identifier: MIT */
#include "io/process.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The child's environment: ours or a given one, with changes. Texts are borrowed, never copied. */

/* How many bytes of "NAME=value" or "NAME" are the name. */
static size_t name_size(const char *entry)
{
	const char *end = strchr(entry, '=');

	return end ? (size_t)(end - entry) : strlen(entry);
}

/* The last change of a variable counts. NULL when there is none. */
static const char *const *change_of(const char *const *changes, const char *entry)
{
	const size_t size = name_size(entry);
	const char *const *found = NULL;

	for (; *changes; changes++)
		if (name_size(*changes) == size && memcmp(*changes, entry, size) == 0)
			found = changes;
	return found;
}

static size_t count_of(const char *const *list)
{
	size_t count = 0;

	while (list[count])
		count++;
	return count;
}

static void fill(const char **env, const char *const *base, const char *const *changes)
{
	size_t count = 0;

	for (; *base; base++)
		if (!change_of(changes, *base))
			env[count++] = *base;
	for (const char *const *change = changes; *change; change++)
		if (strchr(*change, '=') && change_of(changes, *change) == change)
			env[count++] = *change;
	env[count] = NULL;
}

int cr__process_env(const cr_process_options *options, char *const **ret_env)
{
	static const char *const nothing[] = {NULL};
	const char *const *base = options->env ? options->env : (const char *const *)environ;
	const char *const *changes = options->env_changes;
	const char **env;

	if (!base)
		base = nothing; /* clearenv(3) */
	if (changes) {
		env = cr__alloc((count_of(base) + count_of(changes) + 1) * sizeof *env);
		if (!env)
			return -ENOMEM;
		fill(env, base, changes);
		base = env;
	}
	*ret_env = (char *const *)base;
	return 0;
}

void cr__process_env_free(const cr_process_options *options, char *const *env)
{
	if (options->env_changes)
		cr__free((void *)env);
}
