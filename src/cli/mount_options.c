/*
 * The options of `mendfs mount`; see mount_options.h.
 *
 * mount(8) and fstab bring options that mean nothing here or to nobody but mount(8) itself, and XFS
 * users have habits of their own: those are swallowed.  What nobody knows is refused by name.
 */
#include "cli/mount_options.h"

#include "format/quota.h"

#include <stdio.h>

/* `name` alone, or `name=VALUE` where the entry ends in `=`; one with `*` stands for all that begin
 * so. */
static const char *const swallowed[] = {
    /* of mount(8) and of VFS: no difference on what is only read */
    "defaults", "auto", "noauto", "user", "nouser", "users", "nousers", "owner", "noowner", "group",
    "nogroup", "_netdev", "nofail", "relatime", "norelatime", "strictatime", "nostrictatime",
    "lazytime", "nolazytime", "iversion", "noiversion", "mand", "nomand", "silent", "loud", "x-*",
    "X-*", "comment=", "uhelper=", "helper=", "default_permissions",
    /* of XFS: for writers, or nothing since long */
    "nouuid", "inode64", "inode32", "attr2", "noattr2", "ikeep", "noikeep", "largeio", "nolargeio",
    "swalloc", "allocsize=", "logbufs=", "logbsize=", "sunit=", "swidth=", "noalign"};

/* The words that turn quotas on. */
static const struct {
	const char *name;
	u32 type;
	bool enforced;
} quota[] = {
    {"quota", DQUOT_USER, true},	   {"uquota", DQUOT_USER, true},
    {"usrquota", DQUOT_USER, true},	   {"uqnoenforce", DQUOT_USER, false},
    {"qnoenforce", DQUOT_USER, false},	   {"gquota", DQUOT_GROUP, true},
    {"grpquota", DQUOT_GROUP, true},	   {"gqnoenforce", DQUOT_GROUP, false},
    {"pquota", DQUOT_PROJECT, true},	   {"prjquota", DQUOT_PROJECT, true},
    {"pqnoenforce", DQUOT_PROJECT, false},
};

/* What libfuse, or the kernel behind it, understands. */
static const char *const passed[] = {"allow_other", "allow_root", "auto_unmount", "suid",
				     "nosuid",	    "dev",	  "nodev",	  "exec",
				     "noexec",	    "sync",	  "async",	  "dirsync",
				     "atime",	    "noatime",	  "diratime",	  "nodiratime",
				     "context=",    "fscontext=", "defcontext=",  "rootcontext="};

static bool matches(const char *pattern, const char *word)
{
	size_t length = strlen(pattern);
	char last = pattern[length - 1];

	if (last == '=')
		return !strncmp(pattern, word, length);
	if (last == '*')
		return !strncmp(pattern, word, length - 1);
	return !strcmp(pattern, word);
}

static bool listed(const char *const *list, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (matches(list[i], word))
			return true;
	return false;
}

static bool pass_on(struct mount_options *options, const char *word)
{
	size_t used = strlen(options->passed), length = strlen(word);

	if (used + length + 2 > sizeof(options->passed))
		return false;
	if (used)
		options->passed[used++] = ',';
	memcpy(options->passed + used, word, length + 1);
	return true;
}

static bool take_flag(struct mount_options *options, const char *word)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
	    {"ro", &options->read_only},
	    {"rw", &options->read_write},
	    {"norecovery", &options->no_recovery},
	    {"no_default_permissions", &options->no_permissions},
	    {"debug", &options->debug},
	    {"discard", &options->discard},
	    {"wsync", &options->sync},
	    {"grpid", &options->grpid},
	    {"bsdgroups", &options->grpid},
	};

	for (size_t i = 0; i < ARRAY_COUNT(flags); i++)
		if (!strcmp(word, flags[i].name)) {
			*flags[i].flag = true;
			return true;
		}
	return false;
}

static bool take_value(struct mount_options *options, const char *word)
{
	const struct {
		const char *name;
		const char **value;
	} values[] = {
	    {"logdev=", &options->log},
	    {"rtdev=", &options->rt},
	    {"fsname=", &options->fsname},
	    {"subtype=", &options->subtype},
	};

	for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
		size_t length = strlen(values[i].name);

		if (!strncmp(word, values[i].name, length) && word[length]) {
			*values[i].value = word + length;
			return true;
		}
	}
	return false;
}

static bool take_quota(struct mount_options *options, const char *word)
{
	for (size_t i = 0; i < ARRAY_COUNT(quota); i++) {
		if (strcmp(word, quota[i].name) != 0)
			continue;
		options->quota_kept |= quota[i].type;
		options->quota_enforced &= ~quota[i].type;
		options->quota_enforced |= quota[i].enforced ? quota[i].type : 0;
		return true;
	}
	if (strcmp(word, "noquota") != 0)
		return false;
	options->quota_kept = options->quota_enforced = 0;
	return true;
}

/* As --log of check. The last one wins. */
static bool take_log(struct mount_options *options, const char *word)
{
	if (strcmp(word, "log=refuse") != 0 && strcmp(word, "log=accept-loss") != 0 &&
	    strcmp(word, "log=ignore") != 0)
		return false;
	options->accept_loss = word[4] == 'a';
	options->no_recovery = word[4] == 'i';
	return true;
}

/* What takes an option back. */
static bool take_negation(struct mount_options *options, const char *word)
{
	if (!strcmp(word, "nodiscard"))
		options->discard = false;
	else if (!strcmp(word, "nogrpid") || !strcmp(word, "sysvgroups"))
		options->grpid = false;
	else
		return false;
	return true;
}

/* One `-o` list. The later of ro and rw wins, as everywhere. */
static int take_list(struct mount_options *options, const struct command *command, char *list)
{
	char *rest = list, *word, heal[16];

	while ((word = strsep(&rest, ","))) {
		if (!strcmp(word, "ro"))
			options->read_write = false;
		if (!strcmp(word, "rw"))
			options->read_only = false;
		if (!strcmp(word, "sync") || !strcmp(word, "dirsync") || !strcmp(word, "async"))
			options->sync = *word != 'a';
		if (!strcmp(word, "heal"))
			word = strcpy(heal, "heal=repair");
		if (!strncmp(word, "heal=", 5)) {
			options->heal = heal_policy_named(word + 5, strlen(word + 5));
			if (options->heal == HEAL_UNSET)
				return cli_misuse(command,
						  "heal is none, check, optimize or repair");
			continue;
		}
		if (take_negation(options, word) || take_quota(options, word) ||
		    take_log(options, word))
			continue;
		if (!*word || take_flag(options, word) || take_value(options, word) ||
		    listed(swallowed, ARRAY_COUNT(swallowed), word))
			continue;
		if (!listed(passed, ARRAY_COUNT(passed), word))
			return cli_misuse(command, "there is no mount option \"%s\"", word);
		if (!pass_on(options, word))
			return cli_misuse(command, "too many mount options");
	}
	return 0;
}

static int take_arguments(struct mount_options *options, const struct command *command, int argc,
			  char **argv)
{
	if (argc < 2)
		return cli_misuse(command, "it takes an image and a directory");
	if (argc > 2)
		return cli_misuse(command, "what is \"%s\", after image and directory?", argv[2]);
	options->image = argv[0];
	options->directory = argv[1];
	options->read_write = !options->read_only;
	if (options->no_recovery && options->read_write)
		return cli_misuse(
		    command, "norecovery goes with ro alone: what is written to needs its log");
	if (options->accept_loss && options->read_write)
		return cli_misuse(command, "log=accept-loss goes with ro alone: `mendfs repair "
					   "--log=accept-loss` makes it fit to be written to");
	return 0;
}

int mount_options_parse(struct mount_options *options, const struct command *command, int argc,
			char **argv)
{
	int letter, status = 0;

	*options = (struct mount_options){0};
	/* n, v, N and t are mount(8)'s: no mtab, talkative, namespace (it is in it), type. */
	while (!status && (letter = getopt(argc, argv, "o:rwfdsnvN:t:")) != -1) {
		switch (letter) {
		case 'o':
			status = take_list(options, command, optarg);
			break;
		case 'r':
			options->read_only = true;
			break;
		case 'w':
			options->read_write = true;
			break;
		case 'f':
			options->foreground = true;
			break;
		case 'd':
			options->debug = true;
			break;
		case 's': /* one thread, as libfuse's programs have it; mount(8): sloppy */
			options->one_thread = true;
			break;
		case '?':
			return cli_usage(command);
		default:
			break;
		}
	}
	options->foreground |= options->debug;
	return status ? status : take_arguments(options, command, argc - optind, argv + optind);
}
