/* mendfs checks: prints docs/CHECKS.md from the descriptors and the table of findings. */
#include "cli/cli.h"

#include "ledger/ledger.h"
#include "meta/findings.h"
#include "meta/types_table.h"

#include <stdio.h>

/* A table cell: a bar would end it. */
static void print_cell(const char *text)
{
	printf(" ");
	for (; text && *text; text++)
		printf(*text == '|' ? "\\|" : "%c", *text);
	printf(" |");
}

static void print_types(void)
{
	static const char *const scope[] = {"filesystem", "AG", "inode"};
	static const char *const class[] = {"primary", "secondary", "summary"};

	printf("## Types\n\n| type | what it is | belongs to | class | kernel scrub |\n"
	       "|---|---|---|---|---|\n");
	for (u32 i = 0; i < META_COUNT; i++) {
		const struct meta_type *type = meta_types.type[i];

		printf("|");
		print_cell(type->name);
		print_cell(type->title);
		print_cell(scope[type->scope]);
		print_cell(class[type->class]);
		print_cell(type->kernel_scrub ? type->kernel_scrub : "-");
		printf("\n");
	}
}

static void print_accounts(void)
{
	printf("\n## Accounts\n\nEach is one fact written down twice; both sides must come to the "
	       "same sum.\n\n| account | one side | other side | left over on one side | on the "
	       "other |\n|---|---|---|---|---|\n");
	for (u32 i = 0; i < ACCOUNT_COUNT; i++) {
		const struct account_def *account = &account_defs[i];

		printf("|");
		print_cell(account->name);
		print_cell(account->left);
		print_cell(account->right);
		print_cell(account->left_only->id);
		print_cell(account->right_only->id);
		printf("\n");
	}
}

static void print_findings(void)
{
	const char *last = "";

	printf("\n## Findings\n\n| id | type | severity | text | kernel scrub | xfs_repair -n |\n"
	       "|---|---|---|---|---|---|\n");
	for (u32 i = 0; i < FINDING_COUNT; i++) {
		const struct finding_def *def = &finding_defs[i];

		printf("|");
		print_cell(def->id);
		print_cell(strcmp(last, def->type) ? def->type : "");
		print_cell(severity_name(def->severity));
		print_cell(def->text);
		print_cell(*def->scrub ? def->scrub : "-");
		print_cell(*def->repair ? def->repair : "-");
		printf("\n");
		last = def->type;
	}
	printf("\n%d findings.\n", FINDING_COUNT);
}

static int run(const struct command *self, int argc, char **argv)
{
	(void)argv;
	if (argc != 1)
		return cli_usage(self);
	printf("# What is checked\n\n"
	       "Made by `tools/gen-checks.sh` from the descriptors and `src/meta/findings.def`; do "
	       "not edit.\n"
	       "The last two columns say what the kernel's scrub and `xfs_repair -n` have for the "
	       "same thing (`-`: nothing known).\n\n");
	print_types();
	print_accounts();
	print_findings();
	return 0;
}

const struct command command_checks = {
    .name = "checks",
    .arguments = "",
    .run = run,
};
