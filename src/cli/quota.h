/* What the files of `mendfs quota` share. */
#ifndef MENDFS_CLI_QUOTA_H
#define MENDFS_CLI_QUOTA_H

#include "cli/cli.h"
#include "format/quota.h"

#define QUOTA_WORDS_MAX 64

struct quota_command {
	struct cli_image image; /* first */
	const struct quota_verb *verb;
	u32 types;	     /* DQUOT_USER ...; 0: none said */
	bool blocks, inodes; /* none said: what the verb takes */
	bool numbers, no_header, terse, human, defaults;
	u64 low, high;			   /* ids */
	const char *word[QUOTA_WORDS_MAX]; /* between options and filesystem */
	u32 words;
};

static const struct quota_kind {
	u32 type;
	const char *name, *title;
} quota_kinds[] = {{DQUOT_USER, "user", "User"},
		   {DQUOT_GROUP, "group", "Group"},
		   {DQUOT_PROJECT, "project", "Project"}};
#define QUOTA_KINDS ARRAY_COUNT(quota_kinds)

/* A number, or a name of /etc/passwd, /etc/group or /etc/projid. */
bool quota_id_of(u32 type, const char *word, u32 *id);
/* The name of an id, or the number behind a `#`. */
void quota_name_of(u32 type, u32 id, bool numbers, char *to, size_t size);

int quota_report(struct cli_run *run, const struct quota_command *c);
int quota_state(struct cli_run *run, const struct quota_command *c);
/* project -s|-c|-C ID DIRECTORY, done here: it asks the kernel, file by file. */
int quota_project(const struct command *self, int argc, char **argv);

#endif
