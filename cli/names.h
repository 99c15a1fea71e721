/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_CLI_NAMES_H
#define CORAIL_CLI_NAMES_H

/*
 * File names for URLs. A name is one component: host, path and query, joined by "_", without
 * anything that a file system, a shell or a terminal could take amiss. Two URLs of one run never
 * share a name: the later one gets "-2", "-3" before its extension.
 */

#include <stddef.h>

/*
 * The longest name given, with its terminating zero; leaves room below NAME_MAX (255) for suffixes.
 */
#define NAME_SIZE 224

/* Writes the name that a URL has by itself. Any text gives a safe name, be it a URL or not. */
void name_from_url(const char *url, char ret_name[NAME_SIZE]);

/* The names already given. All zero is an empty set. */
struct name_set {
	struct name_slot {
		char *name;
		size_t next; /* the suffix to try for the next URL that wants this name */
	} * slots;           /* open addressing; a power of two */
	size_t capacity, count;
};

/*
 * Gives a URL its name, different from all given before. The name belongs to the set.
 * Returns NULL when memory ran out.
 */
const char *name_set_add(struct name_set *set, const char *url);

/* Forgets all names and frees them. */
void name_set_free(struct name_set *set);

#endif
