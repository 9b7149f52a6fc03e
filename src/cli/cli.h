/*
 * What the subcommands share: how they are listed, exit statuses, opening what the person named.
 *
 * A subcommand is one file with one struct command, and one word in the table of main.c.
 */
#ifndef MENDFS_CLI_CLI_H
#define MENDFS_CLI_CLI_H

#include "fs/vol.h"
#include "host/host.h"

#include <getopt.h>

/* Exit statuses are the OR of these, as xfs_scrub has them. */
enum {
	STATUS_CORRUPT = 1,
	STATUS_WARNING = 2, /* warnings and optimizations only */
	STATUS_FAILED = 4,  /* could not do it */
	STATUS_USAGE = 8,
};

struct command {
	const char *name;
	const char *arguments; /* "[OPTION...] IMAGE" */
	const char *summary;   /* one line for the list; NULL: not in the list */
	const char *help;      /* the options, in lines */
	int (*run)(const struct command *self, int argc, char **argv);
};

/* Usage of one command on stderr; returns STATUS_USAGE. */
int cli_usage(const struct command *command);
/* The same, with what is wrong before it. */
int cli_misuse(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What --help prints, on stdout; returns 0. */
int cli_help(const struct command *command);
/* The trail of the last failure on stderr; returns STATUS_FAILED. */
int cli_failed(void);

/* Bytes with an optional suffix K, M, G or T. False: not a size. */
bool cli_parse_size(const char *text, u64 *size);
/* A whole decimal or 0x number. False: not one. */
bool cli_parse_number(const char *text, u64 *number);

/* What may be said on the command line about the filesystem to open. */
struct cli_image {
	const char *data, *log, *rt; /* log and rt may be NULL */
	bool writable;		     /* the data device itself, not through an overlay */
	bool write;		     /* opened to be changed, with a journal */
	bool repair;		     /* with write: also what is damaged */
	bool preview;		     /* with write: in memory alone */
	const char *undo;	     /* with write: the old bytes go to this file; may be NULL */
	bool no_recovery, accept_loss;
	size_t memory;
	struct verdict *verdict;
};
int cli_open(struct env *env, const struct cli_image *image, struct vol **out);
/* Says on stderr when the geometry comes from a copy of the superblock. */
void cli_tell_super(const struct vol *vol);

#define CLI_HELP_DEVICES                                      \
	"  --log-device=DEVICE   the log is on this device\n" \
	"  --rt-device=DEVICE    the realtime section is on this device\n"

#endif
