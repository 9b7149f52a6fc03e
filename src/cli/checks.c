/* mendfs checks: prints docs/CHECKS.md from the descriptors, the table of findings and that of what
 * others check, and docs/SCRUB.md (`mendfs checks items`). */
#include "cli/cli.h"

#include "ledger/ledger.h"
#include "meta/findings.h"
#include "meta/theirs.h"
#include "meta/types_table.h"
#include "scrub/item.h"

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

static const char *const who_name[] = {"kernel scrub", "xfs_repair -n"};

static bool theirs_has(const struct theirs_def *theirs, u32 finding)
{
	for (u32 i = 0; i < theirs->count; i++)
		if (theirs->ours[i] == finding)
			return true;
	return false;
}

/* A table cell: the names of what these have for the finding. */
static void print_theirs_for(enum theirs_who who, u32 finding)
{
	const char *between = "";

	printf(" ");
	for (u32 i = 0; i < theirs_count; i++)
		if (theirs_defs[i].who == who && theirs_has(&theirs_defs[i], finding)) {
			printf("%s%s", between, theirs_defs[i].name);
			between = "; ";
		}
	printf("%s |", *between ? "" : "-");
}

static void print_findings(void)
{
	const char *last = "";

	printf("\n## Findings\n\n| id | type | severity | text | %s | %s |\n"
	       "|---|---|---|---|---|---|\n",
	       who_name[THEIRS_KERNEL], who_name[THEIRS_REPAIR]);
	for (u32 i = 0; i < FINDING_COUNT; i++) {
		const struct finding_def *def = &finding_defs[i];

		printf("|");
		print_cell(def->id);
		print_cell(strcmp(last, def->type) ? def->type : "");
		print_cell(severity_name(def->severity));
		print_cell(def->text);
		print_theirs_for(THEIRS_KERNEL, i);
		print_theirs_for(THEIRS_REPAIR, i);
		printf("\n");
		last = def->type;
	}
	printf("\n%d findings.\n", FINDING_COUNT);
}

/* ---- their checks ---- */

static void print_answer(const struct theirs_def *theirs)
{
	printf(" ");
	for (u32 i = 0; i < theirs->count; i++)
		printf("%s%s", i ? ", " : "", finding_defs[theirs->ours[i]].id);
	printf("%s |", theirs->count ? "" : "none");
}

static void print_their_rows(enum theirs_who who, u32 *rows, u32 *without)
{
	const char *last = "";

	for (u32 i = 0; i < theirs_count; i++) {
		const struct theirs_def *theirs = &theirs_defs[i];

		if (theirs->who != who)
			continue;
		printf("|");
		print_cell(strcmp(last, theirs->structure) ? theirs->structure : "");
		print_cell(theirs->name);
		print_cell(theirs->what);
		print_answer(theirs);
		printf("\n");
		last = theirs->structure;
		*rows += 1;
		*without += !theirs->count;
	}
}

static void print_their_list(enum theirs_who who)
{
	u32 rows = 0, without = 0;

	printf("\n## What %s checks\n\n| structure | check | what must be so | found here as "
	       "|\n|---|---|---|---|\n",
	       who_name[who]);
	print_their_rows(who, &rows, &without);
	printf("\n%u checks, %u of them not made here:\n\n", rows, without);
	for (u32 i = 0; i < theirs_count; i++)
		if (theirs_defs[i].who == who && !theirs_defs[i].count)
			printf("* %s, %s: %s\n", theirs_defs[i].structure, theirs_defs[i].name,
			       theirs_defs[i].reason);
}

/* ---- docs/SCRUB.md ---- */

static void print_names_of(u32 item)
{
	const char *comma = "";

	printf(" ");
	for (u32 i = 0; i < META_COUNT; i++)
		if (type_has_item(meta_types.type[i], item)) {
			printf("%s%s", comma, meta_types.type[i]->name);
			comma = ", ";
		}
	for (u32 i = 0; i < ACCOUNT_COUNT; i++)
		if (account_defs[i].items >> item & 1) {
			printf("%s%s / %s", comma, account_defs[i].left, account_defs[i].right);
			comma = ", ";
		}
	printf("%s |", *comma ? "" : "-");
}

/* What the types that are rebuilt for it say, each text once; `other`: for want of the first. */
static void print_sources(u32 item, bool other)
{
	u64 types = scrub_rebuilds(&meta_types, item);
	const char *last = NULL;

	printf(" ");
	for (u32 i = 0; i < META_COUNT; i++) {
		const struct meta_type *type = meta_types.type[i];
		const char *text = other ? type->else_from : type->rebuilt_from;

		if (!(types >> i & 1) || !text || (last && !strcmp(last, text)))
			continue;
		printf("%s%s", last ? "; " : "", text);
		last = text;
	}
	printf("%s |", last ? "" : "-");
}

/* Types whose rebuild is the same are made anew together. */
static void print_together(u32 item)
{
	u64 types = scrub_rebuilds(&meta_types, item);
	const char *comma = "";

	printf(" ");
	for (u32 i = 0; i < META_COUNT; i++)
		for (u32 k = 0; k < META_COUNT; k++)
			if (types >> k & 1 && !(types >> i & 1) && meta_types.type[i]->rebuild &&
			    meta_types.type[i]->rebuild == meta_types.type[k]->rebuild) {
				printf("%s%s", comma, meta_types.type[i]->name);
				comma = ", ";
				break;
			}
	printf("%s |\n", *comma ? "" : "-");
}

static void print_items(void)
{
	static const char *const scope[] = {"filesystem", "AG", "inode"};

	printf("# Scrub items\n\n"
	       "Made by `tools/gen-checks.sh` from the descriptors, `src/ledger/accounts.def` and "
	       "`src/format/scrub.h`; do not edit.\n\n"
	       "An item is one aspect of one object, by the name and the number that it has in "
	       "XFS_IOC_SCRUB_METADATA. `looks at` names the types of blocks whose rules it is "
	       "held against (docs/CHECKS.md), and the accounts whose two sides must come to the "
	       "same. What is rebuilt from something that is missing or damaged itself is rebuilt "
	       "from the next column. What has `-` for both cannot be rebuilt.\n\n"
	       "| item | number | of | what it is | looks at | rebuilt from | for want of that | "
	       "made anew with it |\n|---|---|---|---|---|---|---|---|\n");
	for (u32 i = 0; i < SCRUB_COUNT; i++) {
		printf("| %s | %u | %s |", scrub_defs[i].name, i, scope[scrub_defs[i].scope]);
		print_cell(scrub_defs[i].what);
		print_names_of(i);
		print_sources(i, false);
		print_sources(i, true);
		print_together(i);
	}
}

static int run(const struct command *self, int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "items")) {
		print_items();
		return 0;
	}
	if (argc != 1)
		return cli_usage(self);
	printf("# What is checked\n\n"
	       "Made by `tools/gen-checks.sh` from the descriptors, `src/meta/findings.def` and "
	       "`src/meta/theirs.def`; do not edit.\n"
	       "The last two columns of the findings say what the kernel's scrub (Linux 6.12) and "
	       "`xfs_repair -n` (6.1 to 6.13) have for the same thing (`-`: nothing known); all "
	       "that these two check is behind them, with the reason where there is nothing here "
	       "for it.\n\n");
	print_types();
	print_accounts();
	print_findings();
	for (u32 i = 0; i < THEIRS_WHO_COUNT; i++)
		print_their_list((enum theirs_who)i);
	return 0;
}

const struct command command_checks = {
    .name = "checks",
    .arguments = "[items]",
    .run = run,
};
