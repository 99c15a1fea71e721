/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_CLI_TEXT_H
#define CORAIL_CLI_TEXT_H

/*
 * Words for people: two languages, and nothing that a terminal would obey.
 *
 * Text from outside (URLs, host names, what a server said) is printed only through the functions
 * below: control characters, direction overrides and broken UTF-8 come out as \xNN or \u{NNNN}.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Whether LC_ALL, LC_MESSAGES or LANG (the first that is set) asks for French. */
bool text_is_french(void);

/* Whether the same variables (with LC_CTYPE in place of LC_MESSAGES) name UTF-8. */
bool text_is_utf8(void);

/* Picks one of two texts by text_is_french(). Both are checked as printf() formats. */
__attribute__((format_arg(1), format_arg(2))) const char *tr(const char *english,
                                                             const char *french);

/*
 * What went wrong, for a negative error of a cr_ function, in the user's language. Static storage.
 */
const char *text_error(int error);

/* Decodes one character of valid UTF-8. Returns its length in bytes, or 0 for anything else. */
size_t text_utf8_decode(const char *text, size_t size_bytes, uint32_t *ret_codepoint);

/* Whether a character may go to a terminal or into a file name: no control, no invisible mark. */
bool text_is_printable(uint32_t codepoint);

/* Prints outside text so that a terminal shows it and does nothing else. */
void text_print(FILE *out, const char *text);

/* The same, at most `columns` characters, with an ellipsis where it was cut. Returns how many. */
size_t text_print_cut(FILE *out, const char *text, size_t columns);

/* Prints a JSON string with its quotes; broken UTF-8 becomes U+FFFD, which JSON can hold. */
void text_print_json(FILE *out, const char *text);

/* Writes "12 B", "3.4 kB", "5.6 MB" (decimal; French: o, ko, Mo). Returns buf. */
const char *text_bytes(char *buf, size_t size, double count);

/* Prints "corail: " and a formatted line on standard error. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

#endif
