/*
 * Short form directories rebuilt from what is left in the inode.
 *
 * Whether inode numbers have 4 or 8 bytes is said once; so both are tried, and the reading counts
 * in which more entries lead to inodes of their type.
 */
#include "base/trail.h"
#include "meta/dir_salvage.h"

#include <errno.h>

#define SKIPPED_MAX 8

struct reading {
	struct repair *r;
	struct vol *vol;
	const struct geometry *g;
	u64 dir;
	const u8 *fork;
	u32 size; /* bytes that are looked at */
	bool wide;
	u32 good, skipped;
	struct dir_slot skip[SKIPPED_MAX]; /* names of no inode */
	struct dir_list list;
	int err;
};

static u32 ino_size(const struct reading *d)
{
	return d->wide ? 8 : 4;
}

static u64 ino_at(const struct reading *d, const u8 *at)
{
	return d->wide ? be64_get(((const struct dir_ino8 *)at)->i8)
		       : be32_get(((const struct dir_ino4 *)at)->i4);
}

/* An entry at `at` with a name of this length; false when it does not fit. */
static bool slot_at(const struct reading *d, u32 at, u32 length, struct dir_slot *slot)
{
	const u8 *from = d->fork + at;
	const struct dir_short_entry *entry = (const struct dir_short_entry *)from;
	u32 type = dir_has_type(d->g);

	*slot = (struct dir_slot){.offset = at, .length = length};
	slot->size = (u32)sizeof(*entry) + length + type + ino_size(d);
	if (!length || at > d->size || slot->size > d->size - at)
		return false;
	slot->tag = be16_get(entry->offset);
	slot->name = from + sizeof(*entry);
	slot->type = type ? slot->name[length] : DIR_FT_UNKNOWN;
	slot->ino = ino_at(d, slot->name + length + type);
	return true;
}

/* Beyond doubt: a name, and an inode of its type. *type: of the inode. */
static bool is_sure(struct reading *d, const struct dir_slot *slot, u8 *type)
{
	int there;

	if (!dir_name_valid(slot->name, slot->length) || dir_name_is_dots(slot->name, slot->length))
		return false;
	there = dir_salvage_inode(d->vol, slot->ino, type);
	if (there < 0)
		d->err = there;
	if (there <= 0)
		return false;
	if (*type == DIR_FT_UNKNOWN)
		*type = slot->type;
	return !dir_has_type(d->g) || slot->type == *type;
}

static u32 length_at(const struct reading *d, u32 at)
{
	return at + sizeof(struct dir_short_entry) <= d->size ? d->fork[at] : 0;
}

static bool sure_at(struct reading *d, u32 at)
{
	struct dir_slot slot;
	u8 type;

	return at == d->size ||
	       (slot_at(d, at, length_at(d, at), &slot) && is_sure(d, &slot, &type));
}

static bool is_known(const struct dir_list *list, const u8 *name, u32 length)
{
	for (u32 i = 0; i < list->count; i++)
		if (list->entry[i].length == length &&
		    !memcmp(list->names + list->entry[i].name, name, length))
			return true;
	return false;
}

static void add(struct reading *d, const struct dir_slot *slot, u8 type)
{
	u8 name[DIR_NAME_MAX];

	memcpy(name, slot->name, slot->length);
	dir_name_mend(name, slot->length);
	if (!dir_has_type(d->g))
		type = DIR_FT_UNKNOWN;
	if (!is_known(&d->list, name, slot->length))
		dir_list_add(&d->list, slot->ino, type, name, slot->length, slot->tag);
}

/* With another length of its name the entry is beyond doubt, and what follows, too. */
static bool find_length(struct reading *d, u32 at, struct dir_slot *slot, u8 *type)
{
	for (u32 length = 1; length <= DIR_NAME_MAX; length++)
		if (slot_at(d, at, length, slot) && is_sure(d, slot, type) &&
		    sure_at(d, at + slot->size))
			return true;
	return false;
}

/* Of several readings, who drops it is known in the end. */
static void skip(struct reading *d, const struct dir_slot *slot)
{
	if (d->skipped < SKIPPED_MAX)
		d->skip[d->skipped] = *slot;
	d->skipped++;
}

/* An entry that what follows it confirms. False: it is not to be kept. */
static bool confirm(struct reading *d, const struct dir_slot *slot, u8 *type)
{
	bool there = dir_salvage_inode(d->vol, slot->ino, type) > 0;

	if (!there)
		skip(d, slot);
	return there && !dir_name_is_dots(slot->name, slot->length);
}

/* What is here; 0: nothing can be made of it. */
static u32 take_at(struct reading *d, u32 at)
{
	struct dir_slot slot;
	bool fits = slot_at(d, at, length_at(d, at), &slot), sure;
	u8 type = 0;

	sure = fits && is_sure(d, &slot, &type);
	if (!sure && fits && sure_at(d, at + slot.size)) {
		if (!confirm(d, &slot, &type))
			return slot.size;
	} else if (!sure && !find_length(d, at, &slot, &type)) {
		return 0;
	} else {
		d->good++;
	}
	/* One that is possible, but not the inode's, speaks of another inode: names_rebuild(). */
	if (slot.type && slot.type < DIR_FT_COUNT)
		type = slot.type;
	add(d, &slot, type);
	return slot.size;
}

static void read_all(struct reading *d)
{
	u32 at = (u32)sizeof(struct dir_short) + ino_size(d), step;

	if (at > d->size)
		return;
	d->list.parent = ino_at(d, d->fork + sizeof(struct dir_short));
	while (at < d->size && !d->err) {
		step = take_at(d, at);
		at += step;
		if (step)
			continue;
		for (at++; at < d->size && !sure_at(d, at);)
			at++;
	}
}

/* The places that the entries would have in a block rise, with room for each. */
static void place_all(const struct geometry *g, struct dir_list *list)
{
	u32 at = dir_first_offset(g);
	bool rise = true;

	for (u32 i = 0; i < list->count; i++) {
		const struct dir_short_entry_copy *e = &list->entry[i];

		rise = rise && e->offset >= at && e->offset % DIR_ALIGN == 0;
		at = e->offset + dir_entry_size(g, e->length);
	}
	if (rise && at + (list->count + 2) * sizeof(struct dir_leaf_entry) +
			    sizeof(struct dir_block_tail) <=
			g->dir_block_size)
		return;
	at = dir_first_offset(g);
	for (u32 i = 0; i < list->count; i++) {
		list->entry[i].offset = at;
		at += dir_entry_size(g, list->entry[i].length);
	}
}

static int store(struct reading *d, struct dir_remake *m)
{
	struct dir_list *list = &d->list;
	struct inode inode;
	u8 type;

	if (dir_salvage_inode(d->vol, list->parent, &type) <= 0 ||
	    (type != DIR_FT_DIR && type != DIR_FT_UNKNOWN)) {
		list->parent = d->g->root_ino;
		repair_say(d->r, "directory %llu: its .. was lost", (unsigned long long)d->dir);
	}
	for (u32 i = 0; i < d->skipped && i < SKIPPED_MAX; i++)
		repair_lost_name(d->r, d->dir, d->skip[i].type, d->skip[i].name, d->skip[i].length);
	place_all(d->g, list);
	da_parse(&m->op, &inode);
	if (!dir_list_size(&m->op, list, inode.fork[FORK_DATA].size))
		return fail(-ENOSPC, "directory %llu: its entries do not fit into the inode",
			    (unsigned long long)d->dir);
	dir_list_store(&m->op, list);
	repair_say(d->r, "directory %llu: rebuilt in its inode: %u names, %u dropped",
		   (unsigned long long)d->dir, list->count, d->skipped);
	return 0;
}

static bool is_better(const struct reading *a, const struct reading *b)
{
	return a->good > b->good;
}

int dir_short_rebuild(struct repair *r, struct dir_remake *m)
{
	struct reading *d = env_array(m->vol->env, 4, sizeof(*d)), *best = d;
	struct inode inode;
	const struct fork *fork = &inode.fork[FORK_DATA];
	int err = 0;

	if (!d)
		return fail(-ENOMEM, "rebuilding a directory: out of memory");
	da_parse(&m->op, &inode);
	/* The size, as the inode has it, or as much as there is; as the header says, or otherwise.
	 */
	for (u32 i = 0; i < 4 && !err; i++) {
		bool wide = fork->size && fork->data[1];

		d[i] = (struct reading){.r = r,
					.vol = &m->op.view,
					.g = m->op.g,
					.dir = m->ino.v,
					.fork = fork->data,
					.size = (u32)min_u64(inode.size, fork->size),
					.wide = i & 1 ? !wide : wide};
		if (i & 2)
			d[i].size = fork->size;
		read_all(&d[i]);
		err = d[i].err;
		if (is_better(&d[i], best))
			best = &d[i];
	}
	if (!err)
		err = store(best, m);
	env_free(m->vol->env, d);
	return err;
}
