/* SPDX-License-Identifier: MIT */

/* The `corail` command: which of its commands is meant. */

#include "args.h"
#include "text.h"

#include <corail/base.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int version_main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("corail %s\n", cr_version());
	return EXIT_GOOD;
}

static int help_command(int argc, char **argv);

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	void (*help)(FILE *out);
	bool loops; /* it runs one, which the environment may forbid */
} commands[] = {
	{"get", get_main, help_get, true},           {"demo", demo_main, help_demo, true},
	{"doctor", doctor_main, help_doctor, false}, {"help", help_command, help_main, false},
	{"version", version_main, help_main, false},
};

#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static const struct command *find(const char *name)
{
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		name = "version";
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	return NULL;
}

static int unknown_command(const char *name)
{
	const char *names[COMMAND_COUNT], *suggestion;

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		names[i] = commands[i].name;
	suggestion = args_suggest(name + strspn(name, "-"), names, COMMAND_COUNT);
	fputs(tr("corail: unknown command: ", "corail: commande inconnue : "), stderr);
	text_print(stderr, name);
	putc('\n', stderr);
	if (url_has_scheme(name)) {
		fputs(tr("Did you mean: corail get ", "Vouliez-vous dire : corail get "), stderr);
		text_print(stderr, name);
		putc('\n', stderr);
	} else if (suggestion) {
		fprintf(stderr, tr("Did you mean: corail %s\n", "Vouliez-vous dire : corail %s\n"),
		        suggestion);
	}
	fputs(tr("Try: corail --help\n", "Essayez : corail --help\n"), stderr);
	return EXIT_USAGE;
}

static int help_command(int argc, char **argv)
{
	const struct command *command = NULL;

	if (argc > 1) {
		command = find(argv[1]);
		if (!command)
			return unknown_command(argv[1]);
	}
	(command ? command->help : help_main)(stdout);
	return EXIT_GOOD;
}

/*
 * A standard descriptor that came closed would be the number of the next socket, and what is
 * printed would go there. It is given something else, open the wrong way around: using it stays an
 * error.
 */
static bool hold_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	const struct command *command;
	char why[256];
	int status;

	if (!hold_standard_descriptors())
		return EXIT_USAGE;
	/* A line at once: no system call for each character, no other program's text within. */
	setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
	if (argc < 2) {
		help_main(stderr);
		return EXIT_USAGE;
	}
	command = find(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	if (command->loops && cr_environment_check(why, sizeof why) < 0) {
		complain("%s", why);
		fputs(tr("Try: corail doctor\n", "Essayez : corail doctor\n"), stderr);
		return EXIT_USAGE;
	}
	status = command->run(argc - 1, argv + 1);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		if (status == EXIT_GOOD)
			complain("%s: %s", tr("standard output", "sortie standard"),
			         text_error(errno > 0 ? -errno : -EIO));
		return status == EXIT_GOOD ? EXIT_SOME_FAILED : status;
	}
	return status;
}
