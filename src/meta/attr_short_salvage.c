/*
 * Attributes of a damaged short form; see attr_salvage.h.
 *
 * Entries follow each other without gaps, so one wrong length shifts all that follow. The chain is
 * read as the header says; when it does not come out at its end, by its count alone, or by its size
 * alone; then with one length changed, where only one change makes it come out.
 */
#include "base/trail.h"
#include "meta/attr_salvage.h"

#define HEADER ((u32)sizeof(struct attr_short))
#define ANY 0xffffffffu

struct chain {
	const u8 *fork;
	u32 size;  /* of the fork */
	u32 field; /* offset of a length that is read as another; ANY: none */
	u8 value;
	u32 count, end;	   /* that it must come to; ANY */
	u32 entries, stop; /* that it has come to */
};

static u8 byte_at(const struct chain *c, u32 at)
{
	return at == c->field ? c->value : c->fork[at];
}

/* The entry at `at`, and where the next is; 0: there is none. */
static u32 entry_at(const struct chain *c, u32 at, struct attr_slot *slot)
{
	u32 limit = c->end == ANY ? c->size : c->end, next;
	const u32 head = (u32)sizeof(struct attr_short_entry);

	if (at + head > limit)
		return 0;
	*slot = (struct attr_slot){.offset = at,
				   .name_length = byte_at(c, at),
				   .value_length = byte_at(c, at + 1),
				   .flags = c->fork[at + 2],
				   .name = c->fork + at + head};
	slot->value = slot->name + slot->name_length;
	next = at + head + slot->name_length + slot->value_length;
	return next > limit || !slot->name_length ? 0 : next;
}

static bool is_sound(const struct attr_slot *slot)
{
	u8 space = attr_namespace(slot->flags);

	return !memchr(slot->name, 0, slot->name_length) && !(slot->flags & ~ATTR_NAMESPACES) &&
	       !(space & (space - 1));
}

/* True when it comes out. sound: each entry must obey the rules. */
static bool run(struct chain *c, bool sound)
{
	u32 at = HEADER;

	for (c->entries = 0; c->entries != c->count; c->entries++) {
		struct attr_slot slot;
		u32 next = c->count == ANY && at == c->end ? 0 : entry_at(c, at, &slot);

		if (!next || (sound && !is_sound(&slot)))
			break;
		at = next;
	}
	c->stop = at;
	return (c->count == ANY || c->entries == c->count) && (c->end == ANY || at == c->end);
}

/* The one length that makes it come out. */
static bool find_change(struct chain *c)
{
	struct chain found = *c;
	u32 ways = 0, at = HEADER;
	struct attr_slot slot;

	while (at + sizeof(struct attr_short_entry) <= c->size) {
		u32 next = entry_at(c, at, &slot);

		for (u32 which = 0; which < 2; which++)
			for (u32 value = 0; value < 256; value++) {
				struct chain try = *c;

				try.field = at + which;
				try.value = (u8)value;
				if (run(&try, true)) {
					found = try;
					ways++;
				}
			}
		if (!next)
			break;
		at = next;
	}
	if (ways == 1)
		*c = found;
	return ways == 1;
}

static void read_chain(struct attr_salvage *s, const struct chain *c)
{
	u32 at = HEADER;

	for (u32 i = 0; i < c->entries && !s->err; i++) {
		struct attr_slot slot;
		u32 next = entry_at(c, at, &slot);

		if (!next)
			break;
		slot.flags &= ATTR_NAMESPACES;
		s->err = attr_salvage_add(s, &slot, slot.value);
		at = next;
	}
}

/* Another reading of it that comes out. */
static bool find_chain(const struct chain *all, struct chain *c)
{
	*c = *all;
	c->count = ANY;
	if (all->end != ANY && run(c, true))
		return true;
	*c = *all;
	if (find_change(c))
		return run(c, true);
	*c = *all;
	c->end = ANY;
	return run(c, true);
}

int attr_salvage_short(struct attr_salvage *s)
{
	const struct fork *fork = &s->inode.fork[FORK_ATTR];
	struct attr_short header;
	struct chain all = {.fork = fork->data, .size = fork->size, .field = ANY}, c;

	if (fork->size < HEADER)
		return 0;
	memcpy(&header, fork->data, sizeof(header));
	all.count = header.count;
	all.end = be16_get(header.totsize);
	if (all.end < HEADER || all.end > fork->size)
		all.end = ANY;
	c = all;
	if (!run(&c, false) && !find_chain(&all, &c)) {
		c = all;
		run(&c, false); /* as far as it goes */
		s->lost += all.count > c.entries ? all.count - c.entries : 0;
	}
	read_chain(s, &c);
	return s->err;
}
