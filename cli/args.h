/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_CLI_ARGS_H
#define CORAIL_CLI_ARGS_H

/* The command line of `corail get`, and help with words that were meant otherwise. */

#include "get.h"
#include "urls.h"

#include <stddef.h>

/* The command's exit statuses. */
#define EXIT_GOOD 0
#define EXIT_SOME_FAILED 1
#define EXIT_USAGE 2
#define EXIT_SIGNALLED 128   /* plus the signal's number, as shells say it */
#define EXIT_INTERRUPTED 130 /* by SIGINT */

/*
 * Reads the options, and the URLs from arguments, files and standard input. Complains about what is
 * wrong. Returns 0, or -1 after a complaint.
 */
int args_parse(int argc, char **argv, struct get_options *options, struct url_list *list);

/* The one of `count` words that `word` was probably meant to be, or NULL. */
const char *args_suggest(const char *word, const char *const *words, size_t count);

/*
 * A whole number within limits, or a number of seconds (more than zero), or a size with k, M or G.
 */
bool args_number(const char *text, size_t least, size_t most, size_t *ret_number);
bool args_seconds(const char *text, cr_nsec *ret_duration);
bool args_size(const char *text, uint64_t *ret_size);

/* Help texts, in the user's language. */
void help_main(FILE *out);
void help_get(FILE *out);
void help_demo(FILE *out);
void help_doctor(FILE *out);

#endif
