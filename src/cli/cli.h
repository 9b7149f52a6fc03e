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
#include <stdio.h>

/* Exit statuses are the OR of these, as xfs_scrub has them. */
enum {
	STATUS_CORRUPT = 1,
	STATUS_WARNING = 2, /* warnings and optimizations only */
	STATUS_FAILED = 4,  /* could not do it */
	STATUS_USAGE = 8,
};

struct cli_run;

struct command {
	const char *name;
	const char *arguments; /* "[OPTION...] IMAGE" */
	const char *summary;   /* one line for the list; NULL: not in the list */
	const char *help;      /* the options, in lines */
	/* Does it all by itself; or NULL, and what follows is set. With both, it ends in
	 * cli_run_command(). */
	int (*run)(const struct command *self, int argc, char **argv);
	/* For image and for mounted filesystem: reads the options (a struct that begins with a
	 * struct cli_image), which are zero before; 0, or an exit status after a message on stderr.
	 * Only one at a time, and of the same words perhaps twice. */
	size_t options_size;
	int (*parse)(const struct command *self, void *options, int argc, char **argv);
	/* Does what they say; returns the exit status. Of one process, several may be at work. */
	int (*work)(struct cli_run *run, void *options);
};

/*
 * A run of a command: where its filesystem is, and where what it says goes. env->front is the run's
 * as long as the command does not use it.
 */
struct cli_run {
	struct env env;
	FILE *out, *err;
	FILE *progress;	     /* for programs that show it; NULL: nobody asked */
	bool terminal;	     /* err is looked at by a person */
	struct vol *mounted; /* whose server this is; NULL: the image that is named is opened */
};

/* All of them, NULL at the end. */
extern const struct command *const cli_commands[];
const struct command *cli_find_command(const char *name);
/* A command with parse() and work(): here, or in the server when a directory is named. */
int cli_run_command(const struct command *command, int argc, char **argv);

/* Usage of one command on stderr; returns STATUS_USAGE. */
int cli_usage(const struct command *command);
/* The same, with what is wrong before it. */
int cli_misuse(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What --help prints, on stdout; returns 0. */
int cli_help(const struct command *command);
/* The trail of the last failure on stderr; returns STATUS_FAILED. */
int cli_failed(void);
int cli_failed_in(const struct cli_run *run);

/* Bytes with an optional suffix K, M, G or T. False: not a size. */
bool cli_parse_size(const char *text, u64 *size);
/* What --memory says, into *memory; 0, or STATUS_USAGE after a message. */
#define CLI_MEMORY_MIN (1u << 20)
int cli_take_memory(const struct command *command, const char *text, size_t *memory);
/* A whole decimal or 0x number. False: not one. */
bool cli_parse_number(const char *text, u64 *number);

/* What may be said on the command line about the filesystem to open. */
struct cli_image {
	const char *data, *log, *rt; /* log and rt may be NULL */
	bool writable;		     /* the data device itself, not through an overlay */
	bool write;		     /* opened to be changed, with a journal */
	bool repair;		     /* with write: also what is damaged */
	bool doubtful_super;	     /* see struct vol_options */
	bool preview;		     /* with write: in memory alone */
	const char *undo;	     /* with write: the old bytes go to this file; may be NULL */
	bool no_recovery, tell_log, accept_loss, discard_log;
	const char *log_choice; /* what can be done about a damaged log; NULL: ask check */
	size_t memory;
	u32 progress; /* 1 + the descriptor that progress goes to; 0: none */
	struct verdict *verdict;
	struct cli_kept *kept; /* with preview: filled; may be NULL */
};
int cli_open(struct env *env, const struct cli_image *image, struct vol **out);
/* What a preview has written, beyond the closing of its volume. */
struct cli_kept {
	struct device *data, *log; /* log NULL: internal */
};
/* The image as the preview has left it, opened to read. Takes what was kept. */
int cli_open_kept(struct env *env, const struct cli_image *image, struct vol **out);
void cli_close_kept(struct cli_kept *kept);
/* Locks an image against other programs of ours, until the descriptor is closed: readers may be
 * many, a writer is alone. */
int cli_lock(const char *image, bool alone, int *fd);
/* "3 records (4096 bytes) and 1 item given up"; of a log whose loss was accepted. */
#define CLI_LOSS_TEXT 128
void cli_loss_text(const struct log_loss *loss, char text[CLI_LOSS_TEXT]);
/* Says so when the geometry comes from a copy of the superblock. */
void cli_tell_super(FILE *err, const struct vol *vol);
/* Says how much was given up of a damaged log. */
void cli_tell_loss(FILE *err, const struct vol *vol);
/* The same for a run: of a mounted filesystem, what it is at this moment. */
int cli_run_open(struct cli_run *run, const struct cli_image *image, struct vol **out);

#define CLI_HELP_DEVICES                                      \
	"  --log-device=DEVICE   the log is on this device\n" \
	"  --rt-device=DEVICE    the realtime section is on this device\n"

#endif
