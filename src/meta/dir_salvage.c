/* Entries of damaged directory blocks; see dir_salvage.h. */
#include "meta/dir_salvage.h"

#include "base/trail.h"
#include "fs/attr.h"
#include "meta/one_byte.h"

#include <errno.h>

/* What speaks for an entry. */
struct looks {
	struct dir_slot slot;
	bool tag;    /* at its end stands its own offset */
	bool name;   /* could be one */
	bool child;  /* such an inode is there */
	bool typed;  /* of the type that the entry says */
	bool hinted; /* the index has an entry here */
	bool hash;   /* with the name's hash */
	u8 type;     /* of the inode */
};

int dir_salvage_open(struct repair *r, struct vol *vol, u64 dir, struct dir_salvage *s)
{
	u32 size = vol->geo.dir_block_size;

	*s = (struct dir_salvage){.r = r, .vol = vol, .g = &vol->geo, .dir = dir};
	s->bytes = env_alloc(vol->env, size);
	s->kept = env_array(vol->env, size / dir_entry_size(s->g, 1) + 2, sizeof(*s->kept));
	if (s->bytes && s->kept)
		return 0;
	dir_salvage_close(s);
	return fail(-ENOMEM, "reading a damaged directory: out of memory");
}

void dir_salvage_close(struct dir_salvage *s)
{
	env_free(s->vol->env, s->bytes);
	env_free(s->vol->env, s->kept);
	s->bytes = NULL;
	s->kept = NULL;
}

int dir_salvage_inode(struct vol *vol, u64 ino, u8 *type)
{
	struct inode inode;
	int err;

	*type = DIR_FT_UNKNOWN;
	if (!inum_valid(&vol->geo, inum_of(ino)) || inode_internal(&vol->geo, inum_of(ino)))
		return 0;
	err = inode_get(vol, inum_of(ino), &inode);
	if (err == -ENOMEM)
		return err;
	if (!err)
		*type = dir_type_of_mode(inode.mode);
	inode_put(vol, &inode);
	if (err)
		trail_clear();
	return err != -ENOENT;
}

void dir_name_mend(u8 *name, u32 length)
{
	for (u32 i = 0; i < length; i++)
		if (!name[i] || name[i] == '/')
			name[i] = '_';
}

static const struct dir_hint *hint_at(const struct dir_salvage *s, u32 offset)
{
	u32 address = s->first_address + offset / DIR_ALIGN, low = 0, high = s->hints;

	while (low < high) {
		u32 middle = (low + high) / 2;

		if (be32_get(s->hint[middle].address) < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->hints && be32_get(s->hint[low].address) == address ? &s->hint[low] : NULL;
}

/* False: nothing fits here. */
static bool look(struct dir_salvage *s, u32 end, u32 at, struct looks *l)
{
	const struct dir_hint *hint = hint_at(s, at);
	int there;

	*l = (struct looks){.hinted = hint != NULL};
	if (!dir_data_slot(s->g, s->bytes, end, at, &l->slot))
		return false;
	l->tag = l->slot.tag == at;
	if (l->slot.free)
		return true;
	l->name = dir_name_valid(l->slot.name, l->slot.length);
	l->hash = hint && be32_get(hint->hash) == da_hash(l->slot.name, l->slot.length);
	there = dir_salvage_inode(s->vol, l->slot.ino, &l->type);
	if (there < 0)
		s->err = there;
	l->child = there > 0;
	l->typed = !dir_has_type(s->g) || l->type == l->slot.type ||
		   (l->type == DIR_FT_UNKNOWN && l->slot.type && l->slot.type < DIR_FT_COUNT);
	return true;
}

/* Behind nonsense, only what is beyond doubt. */
static bool is_sure(const struct looks *l)
{
	if (!l->tag)
		return false;
	return l->slot.free || (l->name && l->child && l->typed);
}

static bool is_sure_at(struct dir_salvage *s, u32 end, u32 at)
{
	struct looks l;

	return at == end || (look(s, end, at, &l) && is_sure(&l));
}

/* ---- one entry ---- */

static void keep(struct dir_salvage *s, const struct dir_slot *slot, u8 type)
{
	struct dir_kept *k = &s->kept[s->count];
	bool dots = dir_name_is_dots(slot->name, slot->length);

	if (dots && slot->length == 1 && !s->has_dot) {
		s->has_dot = true;
		s->dot = slot->ino;
		s->changed |= slot->ino != s->dir || slot->offset != DIR_DOT_OFFSET ||
			      slot->type != (dir_has_type(s->g) ? DIR_FT_DIR : 0);
		return;
	}
	if (dots && slot->length == 2 && !s->has_dotdot) {
		s->has_dotdot = true;
		s->dotdot = slot->ino;
		s->changed |= slot->offset != dir_dotdot_offset(s->g) ||
			      slot->type != (dir_has_type(s->g) ? DIR_FT_DIR : 0);
		return;
	}
	if (dots) {
		s->changed = true;
		return;
	}
	*k = (struct dir_kept){.offset = slot->offset,
			       .ino = slot->ino,
			       .type = dir_has_type(s->g) ? type : DIR_FT_UNKNOWN,
			       .length = (u8)slot->length,
			       .name = slot->name};
	s->count++;
}

static void drop(struct dir_salvage *s, const struct dir_slot *slot)
{
	s->changed = true;
	s->dropped++;
	if (dir_name_is_dots(slot->name, slot->length))
		return;
	repair_say(s->r, "directory %llu: name '%.*s' dropped: there is no inode %llu",
		   (unsigned long long)s->dir, (int)slot->length, (const char *)slot->name,
		   (unsigned long long)slot->ino);
	repair_lost_name(s->r, s->dir, slot->type, slot->name, slot->length);
}

static bool right_name(void *arg, const u8 *name, u32 length)
{
	const u32 *hash = arg;

	/* the cheaper question first: where another byte is impossible, each answer is no */
	return dir_name_valid(name, length) && da_hash(name, length) == *hash;
}

/* The name with one byte changed that has this hash. */
static bool search_name(u8 *name, u32 length, u32 hash)
{
	return one_byte_find(name, length, right_name, &hash);
}

/* A parent pointer of the inode to this directory, with a name of the same length. */
struct pointed {
	u64 dir;
	const struct dir_slot *slot;
	const struct dir_hint *hint;
	u32 count;
	bool same;
	u8 name[DIR_NAME_MAX];
};

static int on_pointer(void *arg, const struct attr *attr)
{
	struct pointed *p = arg;
	struct attr_parent parent;

	if (!(attr->flags & ATTR_PARENT) || !attr->value || attr->value_length != sizeof(parent) ||
	    attr->name_length != p->slot->length)
		return 0;
	memcpy(&parent, attr->value, sizeof(parent));
	if (be64_get(parent.ino) != p->dir)
		return 0;
	p->same |= !memcmp(attr->name, p->slot->name, attr->name_length);
	if (p->hint && be32_get(p->hint->hash) != da_hash(attr->name, attr->name_length))
		return 0;
	p->count++;
	memcpy(p->name, attr->name, attr->name_length);
	return 0;
}

/* What the inode itself says that it is called. */
static bool pointed_name(struct dir_salvage *s, const struct looks *l, u8 *name)
{
	struct pointed p = {.dir = s->dir, .slot = &l->slot, .hint = hint_at(s, l->slot.offset)};
	struct inode inode;
	int err;

	if (!geometry_has(s->g, FEATURE_PARENT))
		return false;
	err = inode_get(s->vol, inum_of(l->slot.ino), &inode);
	if (!err)
		err = attr_each(s->vol, &inode, on_pointer, &p);
	inode_put(s->vol, &inode);
	trail_clear();
	if (err || p.same || p.count != 1 || !dir_name_valid(p.name, l->slot.length))
		return false;
	memcpy(name, p.name, l->slot.length);
	s->changed = true;
	s->mended++;
	repair_say(s->r, "directory %llu: name '%.*s' restored by its parent pointer",
		   (unsigned long long)s->dir, (int)l->slot.length, (const char *)name);
	return true;
}

/* A name that cannot be one, or is not the one that the index knows. */
static void mend_name(struct dir_salvage *s, struct looks *l)
{
	u8 *name = s->bytes + (l->slot.name - s->bytes);
	const struct dir_hint *hint = hint_at(s, l->slot.offset);

	if (dir_name_is_dots(name, l->slot.length))
		return;
	if ((!l->name || !l->hash) && pointed_name(s, l, name))
		return;
	if (l->name && (l->hash || s->verified || !hint || !hint->whole))
		return;
	s->changed = true;
	if (hint && search_name(name, l->slot.length, be32_get(hint->hash)))
		repair_say(s->r, "directory %llu: name '%.*s' restored by its hash",
			   (unsigned long long)s->dir, (int)l->slot.length, (const char *)name);
	else if (!l->name) {
		dir_name_mend(name, l->slot.length);
		repair_say(s->r,
			   "directory %llu: a name is '%.*s' now: it held bytes that no name has",
			   (unsigned long long)s->dir, (int)l->slot.length, (const char *)name);
	}
	s->mended++;
}

static void take(struct dir_salvage *s, struct looks *l)
{
	/* One that is possible, but not the inode's, speaks of another inode: names_rebuild(). */
	bool possible = l->slot.type && l->slot.type < DIR_FT_COUNT;
	u8 type = possible ? l->slot.type : l->type;

	if (!l->child) {
		drop(s, &l->slot);
		return;
	}
	mend_name(s, l);
	if (!l->tag || (dir_has_type(s->g) && !possible))
		s->changed = true;
	s->mended += dir_has_type(s->g) && !possible;
	keep(s, &l->slot, type);
}

/* ---- the length of a name is wrong ---- */

/* With this length the entry would be as it should. */
static bool length_fits(struct dir_salvage *s, u32 end, u32 at, u32 length, bool by_hash)
{
	struct dir_data_entry *e = (struct dir_data_entry *)(s->bytes + at);
	struct dir_slot slot;
	struct looks l;
	u32 pad;

	e->namelen = (u8)length;
	if (!dir_data_slot(s->g, s->bytes, end, at, &slot) || slot.tag != at)
		return false;
	if (!look(s, end, at, &l) || l.slot.free || !l.name || !l.child)
		return false;
	if (by_hash)
		return l.hash;
	if (!dir_has_type(s->g) || !l.typed)
		return false;
	pad = at + (u32)sizeof(*e) + length + 1;
	while (pad < at + l.slot.size - sizeof(struct dir_tag) && !s->bytes[pad])
		pad++;
	return pad == at + l.slot.size - sizeof(struct dir_tag);
}

/* Looks for it; the entry gets it. */
static bool find_length(struct dir_salvage *s, u32 end, u32 at)
{
	struct dir_data_entry *e = (struct dir_data_entry *)(s->bytes + at);
	bool by_hash = hint_at(s, at) != NULL;
	u8 old = e->namelen;

	if (end - at < dir_entry_size(s->g, 1) ||
	    be16_get(((struct dir_data_unused *)e)->freetag) == DIR_FREE_TAG)
		return false;
	for (u32 length = 1; length <= DIR_NAME_MAX; length++)
		if (at + dir_entry_size(s->g, length) <= end &&
		    length_fits(s, end, at, length, by_hash))
			return true;
	e->namelen = old;
	return false;
}

/* ---- the walk ---- */

/* The entry at `at` with the length that its name must have, if there is one. */
static bool relength(struct dir_salvage *s, u32 end, u32 at, struct looks *l)
{
	if (!find_length(s, end, at) || !look(s, end, at, l))
		return false;
	s->changed = true;
	s->mended++;
	repair_say(s->r, "directory %llu: name '%.*s' restored: its length was wrong",
		   (unsigned long long)s->dir, (int)l->slot.length, (const char *)l->slot.name);
	return true;
}

/* The number of the inode makes it look like a free run: a name that the index knows, and nothing
 * else. The next is at *next. */
static bool lose_here(struct dir_salvage *s, u32 end, u32 at, u32 *next)
{
	const struct dir_hint *hint = hint_at(s, at);
	const u8 *name = s->bytes + at + sizeof(struct dir_data_entry);

	for (u32 length = 1; hint && length <= DIR_NAME_MAX; length++) {
		u32 size = dir_entry_size(s->g, length);
		struct be16 tag;

		if (at + size > end)
			return false;
		memcpy(&tag, s->bytes + at + size - sizeof(tag), sizeof(tag));
		if (be16_get(tag) != at || da_hash(name, length) != be32_get(hint->hash) ||
		    !dir_name_valid(name, length))
			continue;
		*next = at + size;
		drop(s, &(struct dir_slot){.ino = be64_get(*(const struct be64 *)(s->bytes + at)),
					   .name = name,
					   .length = length,
					   .type = dir_has_type(s->g) ? name[length] : 0});
		return true;
	}
	return false;
}

/* What lies here, if anything can be made of it. */
static bool find_here(struct dir_salvage *s, u32 end, u32 at, struct looks *l)
{
	bool fits = look(s, end, at, l), used = fits && !l->slot.free;

	/* A wrong length may take the same room, but not have the hash that the index knows. */
	if (used && l->tag && l->hinted && !l->hash) {
		struct looks other;

		if (relength(s, end, at, &other))
			*l = other;
		return true;
	}
	if (fits && l->tag && (!used || l->child || is_sure_at(s, end, at + l->slot.size)))
		return true;
	/* The tag alone is wrong. */
	if (fits && (!used || (l->name && l->child)) && is_sure_at(s, end, at + l->slot.size)) {
		s->changed = true;
		return true;
	}
	return relength(s, end, at, l);
}

int dir_salvage_block(struct dir_salvage *s, const u8 *block, u32 end)
{
	u32 at = sizeof(struct dir_data);
	struct looks l;

	memcpy(s->bytes, block, s->g->dir_block_size);
	s->count = 0;
	s->has_dot = s->has_dotdot = false;
	s->changed = !s->verified;
	while (at < end && !s->err) {
		if (find_here(s, end, at, &l)) {
			if (!l.slot.free)
				take(s, &l);
			at += l.slot.size;
			continue;
		}
		s->changed = true;
		if (lose_here(s, end, at, &at))
			continue;
		for (at += DIR_ALIGN; at < end && !is_sure_at(s, end, at);)
			at += DIR_ALIGN;
	}
	return s->err;
}
