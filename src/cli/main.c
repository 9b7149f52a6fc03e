/* mendfs: the program. Picks the subcommand; each has a file of its own. */
#include "cli/cli.h"

#include <stdio.h>

extern const struct command command_check, command_info, command_inspect, command_damage,
    command_mount, command_unmount, command_checks, command_mkfs, command_repair, command_undo;

static const struct command *const commands[] = {
    &command_check, &command_repair,  &command_info,   &command_inspect, &command_damage,
    &command_mount, &command_unmount, &command_checks, &command_mkfs,	 &command_undo,
};

static void print_usage(FILE *to)
{
	fprintf(to, "usage: mendfs COMMAND [OPTION...] IMAGE [ARGUMENT...]\n\n");
	for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
		if (commands[i]->summary)
			fprintf(to, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(to,
		"\n"
		"`mendfs COMMAND --help` tells more about each. IMAGE is an image file or a block\n"
		"device. Exit status: the OR of 1 corruption, 2 warnings or optimizations only,\n"
		"4 operational error, 8 usage.\n");
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
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
		command = argc > 2 ? find_command(argv[2]) : NULL;
		if (command)
			return cli_help(command);
		print_usage(stdout);
		return 0;
	}
	command = find_command(argv[1]);
	if (!command) {
		fprintf(stderr, "mendfs: there is no command \"%s\"\n", argv[1]);
		print_usage(stderr);
		return STATUS_USAGE;
	}
	if (argc > 2 && !strcmp(argv[2], "--help"))
		return cli_help(command);
	return command->run(command, argc - 1, argv + 1);
}
