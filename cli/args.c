/* SPDX-License-Identifier: MIT */

/* Options and arguments of `corail get`. See args.h. */

#include "args.h"

#include "text.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	OPT_PER_HOST = 256,
	OPT_TIMEOUT,
	OPT_RETRY,
	OPT_SEQUENTIAL,
	OPT_JSON,
	OPT_CACERT,
	OPT_MAX_SIZE,
	OPT_DIGEST,
	OPT_STORE,
	OPT_REFETCH
};

static const struct option long_options[] = {
	{"input", required_argument, NULL, 'i'},
	{"output", required_argument, NULL, 'o'},
	{"concurrent", required_argument, NULL, 'c'},
	{"per-host", required_argument, NULL, OPT_PER_HOST},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"retry", required_argument, NULL, OPT_RETRY},
	{"sequential", no_argument, NULL, OPT_SEQUENTIAL},
	{"json", no_argument, NULL, OPT_JSON},
	{"cacert", required_argument, NULL, OPT_CACERT},
	{"max-size", required_argument, NULL, OPT_MAX_SIZE},
	{"digest", required_argument, NULL, OPT_DIGEST},
	{"store", required_argument, NULL, OPT_STORE},
	{"refetch", no_argument, NULL, OPT_REFETCH},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/*
 * How many letters must be changed, added or left out to make one word of the other; at most 31
 * each.
 */
static size_t distance(const char *a, const char *b)
{
	size_t row[32], length_a = strlen(a), length_b = strlen(b);

	if (length_a > 31 || length_b > 31)
		return SIZE_MAX;
	for (size_t j = 0; j <= length_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= length_a; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length_b; j++) {
			size_t best = corner + (a[i - 1] != b[j - 1]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			corner = row[j];
			row[j] = best;
		}
	}
	return row[length_b];
}

const char *args_suggest(const char *word, const char *const *words, size_t count)
{
	const char *best = NULL;
	size_t best_distance = strlen(word) / 3 + 1;

	for (size_t i = 0; i < count; i++) {
		size_t d = distance(word, words[i]);

		if (d <= best_distance && (!best || d < best_distance)) {
			best = words[i];
			best_distance = d;
		}
	}
	return best;
}

bool args_number(const char *text, size_t least, size_t most, size_t *ret_number)
{
	unsigned long long number;
	char *end;

	/* strtoull() takes signs and blanks, too. */
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || *end || number < least || number > most)
		return false;
	*ret_number = (size_t)number;
	return true;
}

bool args_seconds(const char *text, cr_nsec *ret_duration)
{
	double seconds;
	char *end;

	/* Plain decimals only: neither hexadecimal, nor "inf", nor "nan". */
	if (!*text || strspn(text, "0123456789.") != strlen(text))
		return false;
	seconds = strtod(text, &end);
	if (*end || !isfinite(seconds) || cr_seconds(seconds) == 0)
		return false;
	*ret_duration = cr_seconds(seconds);
	return true;
}

bool args_size(const char *text, uint64_t *ret_size)
{
	static const char units[] = "kMG";
	unsigned long long number;
	const char *unit;
	char *end;
	unsigned shift = 0;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (*end) {
		unit = strchr(units, *end == 'K' ? 'k' : *end);
		if (!unit || end[1])
			return false;
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (errno || number == 0 || number > ((uint64_t)INT64_MAX >> shift))
		return false;
	*ret_size = (uint64_t)number << shift;
	return true;
}

static int usage_hint(void)
{
	fputs(tr("Try: corail get --help\n", "Essayez : corail get --help\n"), stderr);
	return -1;
}

static int bad_value(const char *option, const char *value, const char *wanted)
{
	fprintf(stderr, "corail: %s: ", option);
	text_print(stderr, value);
	fprintf(stderr, tr(": must be %s\n", " : doit être %s\n"), wanted);
	return usage_hint();
}

static int unknown_option(const char *argument, int letter)
{
	const char *names[sizeof long_options / sizeof *long_options];
	const char *name, *suggestion;
	char word[32];
	size_t count = 0;

	if (letter && strncmp(argument, "--", 2) == 0) {
		fputs("corail: ", stderr);
		text_print(stderr, argument);
		fputs(tr(": this option takes no value\n",
		         " : cette option ne prend pas de valeur\n"),
		      stderr);
		return usage_hint();
	}
	fputs(tr("corail: unknown option: ", "corail: option inconnue : "), stderr);
	if (letter > 0 && letter < 256) {
		char text[] = {'-', (char)letter, '\0'};

		text_print(stderr, text);
		putc('\n', stderr);
		return usage_hint();
	}
	text_print(stderr, argument);
	putc('\n', stderr);
	name = argument + strspn(argument, "-");
	snprintf(word, sizeof word, "%.*s", (int)strcspn(name, "="), name);
	for (; long_options[count].name; count++)
		names[count] = long_options[count].name;
	suggestion = args_suggest(word, names, count);
	if (suggestion)
		fprintf(stderr, tr("Did you mean --%s?\n", "Vouliez-vous dire --%s ?\n"),
		        suggestion);
	return usage_hint();
}

static int needs_value(const char *option)
{
	complain(tr("%s needs a value", "%s demande une valeur"), option);
	return usage_hint();
}

/* The URLs of a file; "-" is standard input. */
static int read_list(const char *path, struct url_list *list)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *in = standard ? stdin : fopen(path, "re");
	int r = in ? url_list_read(list, in) : -errno;

	if (in && !standard)
		fclose(in);
	if (r == 0)
		return 0;
	fputs("corail: ", stderr);
	text_print(stderr, standard ? tr("standard input", "entrée standard") : path);
	fprintf(stderr, ": %s\n", text_error(r));
	return -1;
}

static int set_option(int option, const char *value, struct get_options *options)
{
	size_t number;

	switch (option) {
	case 'c':
		if (!args_number(value, 1, GET_CONCURRENT_MAX, &options->concurrent))
			return bad_value("-c", value,
			                 tr("a whole number from 1 to 10000",
			                    "un nombre entier de 1 à 10000"));
		return 0;
	case OPT_PER_HOST:
		if (!args_number(value, 1, GET_CONCURRENT_MAX, &options->per_host))
			return bad_value("--per-host", value,
			                 tr("a whole number from 1 to 10000",
			                    "un nombre entier de 1 à 10000"));
		return 0;
	case OPT_RETRY:
		if (!args_number(value, 0, 1000, &number))
			return bad_value("--retry", value,
			                 tr("a whole number from 0 to 1000",
			                    "un nombre entier de 0 à 1000"));
		options->retries = (unsigned)number;
		return 0;
	case OPT_TIMEOUT:
		if (!args_seconds(value, &options->timeout))
			return bad_value("--timeout", value,
			                 tr("a number of seconds, such as 10 or 0.5",
			                    "un nombre de secondes, comme 10 ou 0.5"));
		return 0;
	case OPT_MAX_SIZE:
		if (!args_size(value, &options->max_size))
			return bad_value("--max-size", value,
			                 tr("a number of bytes, such as 5000, 64k, 10M or 2G",
			                    "un nombre d'octets, comme 5000, 64k, 10M ou 2G"));
		return 0;
	default:
		return -1;
	}
}

static int take(int option, struct get_options *options, struct url_list *list, char **argv)
{
	switch (option) {
	case 1: /* what is no option: see "-" in getopt(3) */
		return url_list_add(list, optarg, strlen(optarg));
	case 'i':
		return read_list(optarg, list);
	case 'o':
		options->folder = optarg;
		return 0;
	case OPT_CACERT:
		options->ca_file = optarg;
		return 0;
	case OPT_DIGEST:
		options->digest = optarg;
		return 0;
	case OPT_STORE:
		options->table = optarg;
		return 0;
	case OPT_REFETCH:
		options->refetch = true;
		return 0;
	case OPT_SEQUENTIAL:
		options->sequential = true;
		return 0;
	case OPT_JSON:
		options->json = true;
		return 0;
	case 'q':
		options->quiet = true;
		return 0;
	case 'h':
		options->help = true;
		return 0;
	case ':':
		return needs_value(argv[optind - 1]);
	case '?':
		return unknown_option(argv[optind - 1], optopt);
	default:
		return set_option(option, optarg, options);
	}
}

int args_parse(int argc, char **argv, struct get_options *options, struct url_list *list)
{
	bool listed = false;
	int option;

	*options = (struct get_options){0};
	opterr = 0;
	while ((option = getopt_long(argc, argv, "-:i:o:c:qh", long_options, NULL)) != -1) {
		if (take(option, options, list, argv) < 0)
			return -1;
		if (options->help)
			return 0;
		listed = listed || option == 'i';
	}
	if (options->sequential && options->concurrent > 1) {
		complain("%s", tr("either --sequential or -c, not both",
		                  "--sequential ou -c, pas les deux"));
		return usage_hint();
	}
	if (options->concurrent == 0)
		options->concurrent = GET_CONCURRENT_DEFAULT;
	for (; optind < argc; optind++)
		if (url_list_add(list, argv[optind], strlen(argv[optind])) < 0)
			return -1;
	if (list->count == 0 && !listed && !isatty(STDIN_FILENO) && read_list("-", list) < 0)
		return -1;
	if (list->count == 0) {
		complain("%s", tr("no URL to fetch", "aucune URL à télécharger"));
		return usage_hint();
	}
	return 0;
}
