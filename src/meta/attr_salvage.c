/* Attributes of damaged leaves; see attr_salvage.h. */
#include "meta/attr_salvage.h"

#include "base/trail.h"
#include "fs/da.h"
#include "meta/attr_rules.h"
#include "meta/one_byte.h"

#include <errno.h>

/* ---- one attribute ---- */

static void raise_none(struct verdict *v, const struct finding *finding)
{
	(void)v; /* worst tells */
	(void)finding;
}

static bool obeys(const struct attr_salvage *s, const struct attr_slot *slot)
{
	struct verdict v = {.raise = raise_none};

	attr_slot_rules(&v, s->g, slot, "", 0);
	return !verdict_bad(&v) && !(slot->flags & ATTR_INCOMPLETE);
}

void attr_salvage_lose(struct attr_salvage *s, const struct attr_slot *slot)
{
	s->lost++;
	if (s->r->lost)
		s->r->lost->attributes++;
	repair_say(s->r, "inode %llu: attribute '%.*s' lost", (unsigned long long)s->inode.ino.v,
		   (int)slot->name_length, slot->name_length ? (const char *)slot->name : "");
}

int attr_salvage_add(struct attr_salvage *s, const struct attr_slot *slot, const u8 *value)
{
	const struct attr attr = {.flags = attr_namespace(slot->flags),
				  .name = (const char *)slot->name,
				  .name_length = slot->name_length,
				  .value = value,
				  .value_length = slot->value_length};
	struct attr_slot whole = *slot;

	whole.value = value; /* a remote ACL has rules, too */
	whole.flags &= ATTR_NAMESPACES | ATTR_INCOMPLETE;
	if (!obeys(s, &whole)) {
		attr_salvage_lose(s, slot);
		return 0;
	}
	return attr_list_add(&s->list, &attr);
}

/* ---- leaves ---- */

struct leaf {
	struct attr_salvage *s;
	u8 *bytes; /* a copy */
	u32 size, count;
	bool start[65536 / ATTR_ALIGN]; /* where an entry's name begins */
};

static bool slot_of(const struct leaf *l, u32 i, struct attr_slot *slot)
{
	return attr_leaf_slot(l->bytes, l->size, i, slot) && !(slot->offset % ATTR_ALIGN) &&
	       slot->name_length;
}

static bool hash_is_right(const struct attr_slot *slot)
{
	return slot->hash == attr_hash(slot);
}

static struct attr_leaf_entry *entry_of(struct leaf *l, u32 i)
{
	return (struct attr_leaf_entry *)((struct attr_leaf *)l->bytes + 1) + i;
}

/* Its name lies at another place: where no other begins, and one of this hash is. */
static bool find_place(struct leaf *l, u32 i, struct attr_slot *slot)
{
	struct attr_leaf_entry *entry = entry_of(l, i);
	struct be16 was = entry->nameidx;
	u32 from = (u32)sizeof(struct attr_leaf) + l->count * (u32)sizeof(*entry);

	for (u32 at = (u32)round_up_u64(from, ATTR_ALIGN); at < l->size; at += ATTR_ALIGN) {
		if (l->start[at / ATTR_ALIGN])
			continue;
		entry->nameidx = be16_make((u16)at);
		if (slot_of(l, i, slot) && hash_is_right(slot))
			return true;
	}
	entry->nameidx = was;
	return false;
}

static u8 *length_field(struct leaf *l, const struct attr_slot *slot)
{
	u8 *at = l->bytes + slot->offset;

	return attr_is_local(slot) ? &((struct attr_name_local *)at)->namelen
				   : &((struct attr_name_remote *)at)->namelen;
}

/* The name has another length: that in which it has its hash. */
static bool find_length(struct leaf *l, u32 i, struct attr_slot *slot)
{
	u32 at = be16_get(entry_of(l, i)->nameidx);
	u8 *field, was;

	slot->offset = at;
	slot->flags = entry_of(l, i)->flags;
	if (at < sizeof(struct attr_leaf) || at % ATTR_ALIGN ||
	    at + sizeof(struct attr_name_remote) > l->size)
		return false;
	field = length_field(l, slot);
	was = *field;
	for (u32 length = 1; length <= ATTR_NAME_MAX; length++) {
		*field = (u8)length;
		if (slot_of(l, i, slot) && hash_is_right(slot))
			return true;
	}
	*field = was;
	return false;
}

/* Between its neighbours' hashes this one has no place: it is the hash that is wrong. */
static bool hash_is_odd(struct leaf *l, u32 i)
{
	u32 hash = be32_get(entry_of(l, i)->hashval);

	return (i && hash < be32_get(entry_of(l, i - 1)->hashval)) ||
	       (i + 1 < l->count && hash > be32_get(entry_of(l, i + 1)->hashval));
}

/* A local value ends where the next name begins, but for what fills up to 4 bytes. */
static bool ends_rightly(struct leaf *l, const struct attr_slot *slot)
{
	u32 end = slot->offset + slot->size;

	for (u32 at = slot->offset + ATTR_ALIGN; at < end; at += ATTR_ALIGN)
		if (l->start[at / ATTR_ALIGN])
			return false;
	return true;
}

/* The one byte of the name with which it has its hash. */
static bool right_name(void *arg, const u8 *name, u32 length)
{
	return hash_is_right(arg) && !memchr(name, 0, length);
}

static bool find_byte(struct leaf *l, struct attr_slot *slot)
{
	return one_byte_find(l->bytes + (slot->name - l->bytes), slot->name_length, right_name,
			     slot);
}

static bool find_slot(struct leaf *l, u32 i, struct attr_slot *slot)
{
	bool fits = slot_of(l, i, slot);

	if (fits && hash_is_right(slot))
		return ends_rightly(l, slot);
	if (find_length(l, i, slot) || find_place(l, i, slot)) {
		l->s->mended++;
		return ends_rightly(l, slot);
	}
	fits = slot_of(l, i, slot) && ends_rightly(l, slot);
	/* The name or the hash has changed; with a wrong hash, nothing is lost. */
	l->s->mended += fits && (hash_is_odd(l, i) || find_byte(l, slot));
	return fits;
}

static int take_entry(struct leaf *l, u32 i)
{
	struct attr_salvage *s = l->s;
	struct attr_slot slot;
	u8 *value = NULL;
	int err = 0;

	if (!find_slot(l, i, &slot)) {
		slot.name_length = slot_of(l, i, &slot) ? slot.name_length : 0;
		attr_salvage_lose(s, &slot);
		return 0;
	}
	if (attr_is_local(&slot))
		return attr_salvage_add(s, &slot, slot.value);
	if (!(slot.flags & ATTR_INCOMPLETE))
		err = attr_value_read(s, &slot, &value);
	if (!err && !value)
		attr_salvage_lose(s, &slot);
	else if (!err)
		err = attr_salvage_add(s, &slot, value);
	env_free(s->vol->env, value);
	return err;
}

/* How many entries there seem to be: up to where names begin, or the table makes no sense. */
static u32 count_entries(struct leaf *l)
{
	u32 count = attr_leaf_count(l->bytes, l->size), max = attr_leaf_max(l->size), n = 0;
	u32 first = l->size, last = 0;

	while (n < max) {
		const struct attr_leaf_entry *e = entry_of(l, n);
		u32 at = be16_get(e->nameidx), end = (u32)((const u8 *)(e + 1) - l->bytes);
		struct attr_slot slot;

		if (end > first || be32_get(e->hashval) < last ||
		    !attr_leaf_slot(l->bytes, l->size, n, &slot) || at < end ||
		    !hash_is_right(&slot))
			break;
		first = at < first ? at : first;
		last = be32_get(e->hashval);
		n++;
	}
	while (count > n && count <= max && !be16_get(entry_of(l, count - 1)->nameidx))
		count--;
	/* What the header says counts where all of it can be entries. */
	return n > count ||
		       count * sizeof(struct attr_leaf_entry) + sizeof(struct attr_leaf) > first
		   ? n
		   : count;
}

static int read_leaf(struct leaf *l)
{
	bool any = false;
	int err = 0;

	l->count = count_entries(l);
	memset(l->start, 0, sizeof(l->start));
	for (u32 i = 0; i < l->count; i++) {
		struct attr_slot slot;

		if (slot_of(l, i, &slot) && hash_is_right(&slot))
			any = l->start[slot.offset / ATTR_ALIGN] = true;
	}
	if (!any && da_magic(l->bytes) != ATTR_LEAF_MAGIC)
		return 0; /* a node, or anything else */
	for (u32 i = 0; i < l->count && !err; i++)
		err = take_entry(l, i);
	return err;
}

/* By its magic, or by what else is in its header; what is nothing at all is counted. */
static bool looks_like_leaf(struct attr_salvage *s, const struct buf *buf)
{
	const struct da_info *info = (const struct da_info *)buf->data;

	if (da_magic(buf->data) == ATTR_LEAF_MAGIC)
		return true;
	if (da_magic(buf->data) == DA_NODE_MAGIC ||
	    be32_get(*(const struct be32 *)buf->data) == ATTR_REMOTE_MAGIC)
		return false;
	if (be64_get(info->owner) == s->inode.ino.v && be64_get(info->blkno) == buf->at.v / 512)
		return true;
	s->senseless++;
	return false;
}

static int see_place(void *arg, const struct da_place *place)
{
	struct leaf *l = arg;
	struct attr_salvage *s = l->s;
	struct buf *buf;
	int err = cache_get_ranges(s->vol->cache, NULL, NULL, place->range, place->count, &buf);

	if (err) {
		s->lost++;
		trail_clear();
		return 0;
	}
	if (looks_like_leaf(s, buf)) {
		memcpy(l->bytes, buf->data, buf->size);
		l->size = buf->size;
		s->err = read_leaf(l);
	}
	cache_put(s->vol->cache, buf);
	return s->err != 0;
}

static int salvage_blocks(struct attr_salvage *s)
{
	struct env *env = s->vol->env;
	struct leaf *l = env_alloc(env, sizeof(*l));
	int err;

	if (l)
		l->bytes = env_alloc(env, s->g->block_size);
	if (!l || !l->bytes) {
		env_free(env, l);
		return fail(-ENOMEM, "attributes: out of memory");
	}
	l->s = s;
	err = da_place_each(s->vol, &s->inode, FORK_ATTR, 0, NULL64, see_place, l);
	env_free(env, l->bytes);
	env_free(env, l);
	if (s->err)
		return s->err;
	if (err == -ENOMEM)
		return err;
	trail_clear();
	return 0;
}

int attr_salvage_all(struct attr_salvage *s)
{
	int err;

	if (s->inode.fork[FORK_ATTR].format == FORMAT_LOCAL)
		return attr_salvage_short(s);
	err = attr_values_find(s);
	return err ? err : salvage_blocks(s);
}
