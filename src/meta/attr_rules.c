/* Rules that attributes of every form share; see attr_rules.h. */
#include "meta/attr_rules.h"

#include "format/acl.h"
#include "format/dir.h"
#include "meta/findings.h"

#include <stdio.h>

static void raise_name(struct verdict *v, const struct finding_def *def, const char *field,
		       const struct attr_slot *slot)
{
	char text[FINDING_TEXT];

	snprintf(text, sizeof(text), "%.*s", (int)slot->name_length, (const char *)slot->name);
	raise_text(v, def, field, text, NULL);
}

/* A parent pointer has the name of a directory entry, and a value that leads to a directory. */
static void parent_rules(struct verdict *v, const struct geometry *g, const struct attr_slot *slot,
			 const char *field)
{
	u64 ino;
	u32 gen;

	if (!geometry_has(g, FEATURE_PARENT)) {
		raise_hex(v, FOUND(ATTR_FLAGS), field, slot->flags, slot->flags & ~ATTR_PARENT);
		return;
	}
	if (!dir_name_valid(slot->name, slot->name_length) ||
	    dir_name_is_dots(slot->name, slot->name_length))
		raise_name(v, FOUND(ATTR_PARENT_NAME), field, slot);
	if (!attr_parent_get(slot, &ino, &gen))
		raise_value(v, FOUND(ATTR_PARENT_SIZE), field, slot->value_length);
	else if (!inum_valid(g, inum_of(ino)))
		raise_value(v, FOUND(ATTR_PARENT_INO), field, ino);
}

/* What the stored bytes of an ACL break, or NULL. Entries are in the order of their tags. */
static const char *acl_fault(const u8 *value, u32 length)
{
	u32 count = length < sizeof(struct be32) ? 0 : be32_get(*(const struct be32 *)value);
	const struct acl_entry *entry = (const struct acl_entry *)(value + sizeof(struct be32));
	u32 seen = 0, last = 0;

	if (length < sizeof(struct be32) || (length - sizeof(struct be32)) % sizeof(*entry) ||
	    count != (length - sizeof(struct be32)) / sizeof(*entry))
		return "the count does not fit its size";
	for (u32 i = 0; i < count; i++) {
		u32 tag = be32_get(entry[i].tag), many = ACL_USER | ACL_GROUP;

		if (!acl_tag_known(tag))
			return "unknown kind of entry";
		if (tag < last || (tag == last && !(tag & many)))
			return "entries out of order";
		if (be16_get(entry[i].perm) & ~ACL_PERM_ALL)
			return "unknown permissions";
		seen |= last = tag;
	}
	if (count && (seen & ACL_ALWAYS) != ACL_ALWAYS)
		return "no entry for owner, group or others";
	if (seen & (ACL_USER | ACL_GROUP) && !(seen & ACL_MASK))
		return "entries for users or groups, but no mask";
	return NULL;
}

/* ACLs are root attributes with names of their own. */
static void acl_rules(struct verdict *v, const struct attr_slot *slot, const char *field)
{
	static const char *const names[] = {ACL_ACCESS_NAME, ACL_DEFAULT_NAME};
	const char *fault = NULL;

	for (u32 i = 0; i < ARRAY_COUNT(names); i++)
		if (slot->name_length == strlen(names[i]) &&
		    !memcmp(slot->name, names[i], slot->name_length))
			fault = acl_fault(slot->value, slot->value_length);
	if (fault)
		raise_text(v, FOUND(ATTR_ACL), field, fault, NULL);
}

void attr_slot_rules(struct verdict *v, const struct geometry *g, const struct attr_slot *slot,
		     const char *part, u32 index)
{
	u8 space = attr_namespace(slot->flags);
	char field[FIELD_INDEX_TEXT];

	field_index(field, part, index);
	if (slot->flags & ~(ATTR_LOCAL | ATTR_NAMESPACES | ATTR_INCOMPLETE) || space & (space - 1))
		raise_hex(v, FOUND(ATTR_FLAGS), field, slot->flags,
			  slot->flags & (ATTR_LOCAL | ATTR_INCOMPLETE));
	else if (space == ATTR_PARENT)
		parent_rules(v, g, slot, field);
	else if (space == ATTR_ROOT && slot->value)
		acl_rules(v, slot, field);
	if (!slot->name_length || memchr(slot->name, 0, slot->name_length))
		raise_name(v, FOUND(ATTR_NAME_INVALID), field, slot);
	if (slot->flags & ATTR_INCOMPLETE)
		raise_name(v, FOUND(ATTR_INCOMPLETE_LEFT), field, slot);
}

bool attr_same(const struct attr_slot *a, const struct attr_slot *b)
{
	if (attr_namespace(a->flags) != attr_namespace(b->flags) ||
	    (a->flags & ATTR_INCOMPLETE) != (b->flags & ATTR_INCOMPLETE) ||
	    a->name_length != b->name_length || memcmp(a->name, b->name, a->name_length))
		return false;
	if (!(a->flags & ATTR_PARENT))
		return true;
	return a->value && b->value && a->value_length == b->value_length &&
	       !memcmp(a->value, b->value, a->value_length);
}

void attr_name_twice(struct verdict *v, const struct attr_slot *slot)
{
	raise_name(v, FOUND(ATTR_NAME_TWICE), NULL, slot);
}
