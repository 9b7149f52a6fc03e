/* mendfs: the program. Picks the subcommand; each has a file of its own. */
#include "cli/cli.h"

#include <stdio.h>

extern const struct command command_check, command_info, command_inspect, command_damage,
    command_mount, command_unmount, command_checks, command_mkfs, command_quota, command_repair,
    command_scrub, command_undo, command_health, command_events;

const struct command *const cli_commands[] = {
    &command_check,   &command_info,   &command_inspect, &command_damage, &command_mount,
    &command_unmount, &command_checks, &command_mkfs,	 &command_quota,  &command_repair,
    &command_scrub,   &command_undo,   &command_health,	 &command_events, NULL,
};

static void print_usage(FILE *to)
{
	fprintf(to, "usage: mendfs COMMAND [OPTION...] IMAGE [ARGUMENT...]\n\n");
	for (const struct command *const *c = cli_commands; *c; c++)
		if ((*c)->summary)
			fprintf(to, "  %-9s %s\n", (*c)->name, (*c)->summary);
	fprintf(to,
		"\n"
		"`mendfs COMMAND --help` tells more about each. IMAGE is an image file or a block\n"
		"device. Exit status: the OR of 1 corruption, 2 warnings or optimizations only,\n"
		"4 operational error, 8 usage.\n");
}

const struct command *cli_find_command(const char *name)
{
	for (const struct command *const *c = cli_commands; *c; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}

int main(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_usage(stderr);
		return STATUS_USAGE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("mendfs %s\n", MENDFS_VERSION);
		return 0;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		command = argc > 2 ? cli_find_command(argv[2]) : NULL;
		if (command)
			return cli_help(command);
		print_usage(stdout);
		return 0;
	}
	command = cli_find_command(argv[1]);
	if (!command) {
		fprintf(stderr, "mendfs: there is no command \"%s\"\n", argv[1]);
		print_usage(stderr);
		return STATUS_USAGE;
	}
	if (argc > 2 && !strcmp(argv[2], "--help"))
		return cli_help(command);
	if (command->run)
		return command->run(command, argc - 1, argv + 1);
	return cli_run_command(command, argc - 1, argv + 1);
}
