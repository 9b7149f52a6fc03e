/* What there is to damage; see kinds.h. */
#include "kinds.h"

#include "log/recover.h"
#include "meta/types_table.h"

#include <stdio.h>

static void print_kind(const char *prefix, const char *name, const struct part_kind *kind)
{
	for (u32 i = 0; i < kind->layout->field_count; i++)
		printf("%s%s.%s.%s\n", prefix, name, kind->name, kind->layout->fields[i].name);
}

static void of_type(void *arg, const struct part_kind *kind)
{
	const struct meta_type *type = arg;

	print_kind("", type->name, kind);
}

static void of_log(void *arg, const char *name, const struct part_kind *kind)
{
	(void)arg;
	print_kind("log:", name, kind);
}

void kinds_print(void)
{
	/* of objects.c and log_objects.c */
	static const char *const kinds[] = {
	    "superblock:copy", "dirfree:later", "inode:free",	 "inode:internal", "inode:dir",
	    "inode:symlink",   "inode:file",	"inode:special", "log:inode:free",
	};

	for (u32 i = 0; i < META_COUNT; i++)
		type_kinds_each(meta_types.type[i], of_type, (void *)(uintptr_t)meta_types.type[i]);
	log_kinds_each(of_log, NULL);
	for (u32 i = 0; i < ARRAY_COUNT(kinds); i++)
		printf("%s\n", kinds[i]);
}
