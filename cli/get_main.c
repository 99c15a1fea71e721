/* SPDX-License-Identifier: MIT */

/* `corail get`: from the command line to the exit status. */

#include "args.h"
#include "names.h"
#include "text.h"

#include <corail/task.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* How many of the missing URLs are listed. */
#define MISSING_SHOWN 20

/*
 * Descriptors beside those of the pages in flight: standard ones, the loop's, name servers, kept
 * connections.
 */
#define DESCRIPTORS_SPARE 64

static int fail_usage(const char *what, int error)
{
	fputs("corail: ", stderr);
	text_print(stderr, what);
	fprintf(stderr, ": %s\n", text_error(error));
	return EXIT_USAGE;
}

/* Each page in flight takes a connection and a file, and a kept connection may wait beside them. */
static void make_room(struct get_options *options, size_t page_count)
{
	size_t most = options->concurrent < page_count ? options->concurrent : page_count;
	rlim_t wanted = 3 * (rlim_t)most + DESCRIPTORS_SPARE;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
		return;
	options->concurrent = limit.rlim_cur > DESCRIPTORS_SPARE + 3
	                              ? (size_t)(limit.rlim_cur - DESCRIPTORS_SPARE) / 3
	                              : 1;
	complain(tr("only %zu at a time: at most %llu files may be open (ulimit -Hn)",
	            "seulement %zu à la fois : %llu fichiers ouverts au plus (ulimit -Hn)"),
	         options->concurrent, (unsigned long long)limit.rlim_cur);
}

static int name_pages(struct get *get, struct name_set *names)
{
	for (size_t i = 0; i < get->count; i++) {
		get->pages[i].name = name_set_add(names, get->pages[i].url);
		if (!get->pages[i].name)
			return -ENOMEM;
	}
	return 0;
}

static void report_missing(const struct get *get)
{
	size_t missing = get->count - get->good - get->failed - get->stored, shown = 0;

	if (missing == 0)
		return;
	complain(tr("interrupted; pages missing: %zu", "interrompu ; pages manquantes : %zu"),
	         missing);
	for (size_t i = 0; i < get->count && shown < MISSING_SHOWN; i++) {
		if (get->pages[i].state != PAGE_MISSING)
			continue;
		fputs("  ", stderr);
		text_print(stderr, get->pages[i].url);
		putc('\n', stderr);
		shown++;
	}
	if (missing > shown)
		fprintf(stderr, tr("  ... and %zu more\n", "  ... et %zu autres\n"),
		        missing - shown);
}

static void report_summary(const struct get *get)
{
	char bytes[32];
	const char *plural = get->good == 1 ? "" : "s";

	text_bytes(bytes, sizeof bytes, (double)get->bytes);
	fprintf(stderr,
	        tr("%zu page%s, %s in %.2f s, %zu failed",
	           "%zu page%s, %s en %.2f s, %zu en erreur"),
	        get->good, plural, bytes, (double)get->elapsed / 1e9, get->failed);
	if (get->stored > 0)
		fprintf(stderr, tr(", %zu stored before", ", %zu déjà enregistrées"), get->stored);
	putc('\n', stderr);
}

/* What the run's result means for whoever called the command. */
static int conclude(const struct get *get, int r)
{
	if (get->unopened) {
		complain("--store: %s", get->table.error.message);
		return EXIT_USAGE;
	}
	if (r == -EINTR || r == -ECANCELED)
		report_missing(get);
	else if (r == -EPIPE)
		complain("%s", tr("standard output was closed", "la sortie standard a été fermée"));
	else if (r < 0 && get->unprinted)
		complain("%s: %s", tr("standard output", "sortie standard"), text_error(r));
	else if (r < 0 && get->table.error.message[0])
		complain("--store: %s", get->table.error.message);
	else if (r < 0)
		complain("%s", text_error(r));
	if (!get->options->quiet)
		report_summary(get);
	if (r == -EINTR || r == -ECANCELED)
		return get->stopped_by ? EXIT_SIGNALLED + get->stopped_by : EXIT_INTERRUPTED;
	return r < 0 || get->failed > 0 ? EXIT_SOME_FAILED : EXIT_GOOD;
}

static int run_list(const struct get_options *options, const struct url_list *list)
{
	struct name_set names = {0};
	struct get get;
	int status, r = get_init(&get, options, list);

	if (r == 0 && options->folder) {
		r = store_open(&get.store, options->folder);
		if (r < 0) {
			get_free(&get);
			return fail_usage(options->folder, r);
		}
		r = name_pages(&get, &names);
	}
	if (r == 0)
		r = cr_run(get_run, &get);
	status = conclude(&get, r);
	get_free(&get);
	name_set_free(&names);
	return status;
}

static bool can_store(const struct get_options *options)
{
	const char *name;
	int r = table_check(options->table, &name);

	if (r == 0 && options->folder)
		complain("%s", tr("either --store or --output, not both",
		                  "--store ou --output, pas les deux"));
	else if (r == -EINVAL)
		complain("%s", tr("--store: must be sqlite:FILE or postgres://...",
		                  "--store : doit être sqlite:FICHIER ou postgres://..."));
	else if (r < 0)
		complain(tr("--store: this corail was built without %s",
		            "--store : ce corail a été construit sans %s"),
		         name);
	return r == 0 && !options->folder;
}

/* A task that asks whether there can be any. */
static int try_engine(const int *unused)
{
	(void)unused;
	return 0;
}

/* Whether the engine that CORAIL_BACKEND asks for exists here and has a network. */
static int check_engine(void)
{
	const char *wanted = getenv("CORAIL_BACKEND");
	static const int unused;
	int r;

	if (!wanted || !*wanted)
		return EXIT_GOOD;
	r = strcmp(wanted, "sim") == 0 ? -EOPNOTSUPP : cr_run(try_engine, &unused);
	if (r == 0)
		return EXIT_GOOD;
	fputs("corail: CORAIL_BACKEND=", stderr);
	text_print(stderr, wanted);
	fprintf(stderr, ": %s\n", text_error(r));
	fputs(tr("Try: corail doctor\n", "Essayez : corail doctor\n"), stderr);
	return EXIT_USAGE;
}

/* Whether this command can do that. Returns 0, or an exit status after a complaint. */
static int check_options(const struct get_options *options)
{
	const char *names = digest_names();

	if (options->ca_file && access(options->ca_file, R_OK) < 0)
		return fail_usage(options->ca_file, -errno);
	if (options->table && !can_store(options))
		return EXIT_USAGE;
	if (!options->digest || digest_is_known(options->digest))
		return check_engine();
	if (*names)
		complain(tr("--digest: must be one of: %s", "--digest : doit être parmi : %s"),
		         names);
	else
		complain("%s", tr("--digest: this corail was built without OpenSSL",
		                  "--digest : ce corail a été construit sans OpenSSL"));
	return EXIT_USAGE;
}

int get_main(int argc, char **argv)
{
	struct url_list list = {0};
	struct get_options options;
	int status = EXIT_USAGE;

	if (args_parse(argc, argv, &options, &list) == 0) {
		if (options.help) {
			help_get(stdout);
			status = EXIT_GOOD;
		} else if ((status = check_options(&options)) == EXIT_GOOD) {
			/*
			 * A reader that goes away is an error to report, not a reason to be killed.
			 */
			signal(SIGPIPE, SIG_IGN);
			make_room(&options, list.count);
			status = run_list(&options, &list);
		}
	}
	url_list_free(&list);
	return status;
}
