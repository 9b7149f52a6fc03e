/*
 * Extended attributes of an inode as a whole: every form, walked as a unit within one call.
 *
 * Blocks of the fork that nothing leads to are found by two keyed sums: what the fork maps, and
 * what the tree and the remote values reach.  Parent pointers are posted to the books.
 */
#include "base/trail.h"
#include "format/bytes.h"
#include "meta/attr_rules.h"
#include "meta/da_walk.h"
#include "meta/findings.h"
#include "meta/inode.h"
#include "meta/rebuild.h"
#include "meta/local_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static void emit(struct part_sink *sink, const char *name, u32 index, u32 offset,
		 const struct layout *layout)
{
	const struct part part = {name, index, true, offset, layout};

	sink->part(sink, &part);
}

void attr_short_parts(const struct geometry *g, const u8 *fork, u32 size, u32 at,
		      struct part_sink *sink)
{
	const struct part header = {"sfattr", 0, false, at, &attr_short_layout};
	struct attr_short_cursor c;
	struct attr_slot slot;

	(void)g;
	if (size >= sizeof(struct attr_short))
		sink->part(sink, &header);
	if (!attr_short_open(&c, fork, size))
		return;
	for (u32 i = 0; attr_short_next(&c, &slot); i++) {
		u32 name = at + (u32)(slot.name - fork), value = name + slot.name_length;

		emit(sink, "attr", i, at + slot.offset, &attr_short_entry_layout);
		if (slot.name_length)
			emit(sink, "attr_name", i, name, name_layout(slot.name_length));
		if (slot.flags & ATTR_PARENT && slot.value_length == sizeof(struct attr_parent))
			emit(sink, "attr_parent", i, value, &attr_parent_layout);
		else if (slot.value_length)
			emit(sink, "attr_value", i, value, bytes_layout(slot.value_length));
	}
}

struct attr_walk {
	struct sweep *sweep;
	const struct geometry *g;
	const struct inode *inode;
	struct verdict verdict;
	u64 mapped, reached; /* blocks */
	u128 mapped_sum, reached_sum;
	bool incomplete;
	u64 before; /* the leaf before, a byte address; 0: none */
	u32 before_size, before_hash;
};

static void post_parent(struct attr_walk *w, const struct where *where,
			const struct attr_slot *slot)
{
	struct fact fact = {{w->inode->ino.v, 0, 0, 0}};
	u32 gen;

	if (slot->flags & ATTR_INCOMPLETE || !geometry_has(w->g, FEATURE_PARENT) ||
	    !attr_parent_get(slot, &fact.w[1], &gen))
		return;
	fact.w[2] = gen;
	fact.w[3] = book_digest(w->sweep->book, slot->name, slot->name_length);
	sweep_post_of(w->sweep, where, ACCOUNT_PARENTS, SIDE_RIGHT, &fact, 1);
}

static void check_name(struct attr_walk *w, const struct attr_slot *slot)
{
	char text[FINDING_TEXT];

	if (w->sweep->names && !(slot->flags & ATTR_PARENT) &&
	    name_has_control(slot->name, slot->name_length))
		raise_text(&w->verdict, FOUND(ATTR_NAME_CONTROL), NULL,
			   name_shown(slot->name, slot->name_length, text, sizeof(text)), NULL);
}

static void short_twice(struct attr_walk *w, const struct attr_short_cursor *c,
			const struct attr_slot *slot)
{
	struct attr_short_cursor other = {.fork = c->fork, .size = c->size};
	struct attr_slot before;

	attr_short_open(&other, c->fork, c->size);
	while (attr_short_next(&other, &before) && before.offset < slot->offset)
		if (attr_same(&before, slot))
			attr_name_twice(&w->verdict, slot);
}

static void check_short(struct attr_walk *w)
{
	const struct fork *fork = &w->inode->fork[FORK_ATTR];
	const struct attr_short *header = (const struct attr_short *)fork->data;
	struct attr_short_cursor c;
	struct attr_slot slot;

	if (!attr_short_open(&c, fork->data, fork->size)) {
		raise_u64(&w->verdict, FOUND(ATTR_SHORT_SIZE), "totsize",
			  fork->size < sizeof(*header) ? 0 : be16_get(header->totsize), fork->size);
		return;
	}
	if (header->padding)
		raise_value(&w->verdict, FOUND(ATTR_SHORT_PAD), "padding", header->padding);
	for (u32 i = 0; attr_short_next(&c, &slot); i++) {
		if (slot.flags & ~ATTR_NAMESPACES)
			raise_hex(&w->verdict, FOUND(ATTR_SHORT_FLAGS), NULL, slot.flags,
				  attr_namespace(slot.flags));
		attr_slot_rules(&w->verdict, w->g, &slot, "attr", i);
		short_twice(w, &c, &slot);
		check_name(w, &slot);
		post_parent(w, &w->verdict.where, &slot);
	}
	if (c.index < c.count)
		raise_value(&w->verdict, FOUND(ATTR_SHORT_FIT), NULL, c.index);
	else if (c.at != c.size)
		raise_u64(&w->verdict, FOUND(ATTR_SHORT_SIZE), "totsize", c.size, c.at);
}

static void reach(struct attr_walk *w, u64 off)
{
	w->reached++;
	w->reached_sum += da_walk_hash(w->sweep, off);
}

/* Block `index` of a remote value: as long as it must be, and in its place. */
static int check_piece(struct attr_walk *w, const struct attr_slot *slot, u32 index)
{
	const struct meta_type *type = vol_type(w->sweep->vol, META_ATTRREMOTE);
	u32 room = attr_remote_room(w->g), offset = index * room;
	u32 bytes = (u32)min_u64(room, slot->value_length - offset);
	u64 off = (u64)slot->value_block + index;
	const struct attr_remote *header;
	enum severity worst;
	struct da_place place;
	struct where where;
	struct buf *buf;
	int err = da_place_at(w->sweep->vol, w->inode, FORK_ATTR, off, &place);

	if (err || !place.blocks) {
		trail_clear();
		if (!(slot->flags & ATTR_INCOMPLETE))
			raise_value(&w->verdict, FOUND(ATTR_VALUE_UNMAPPED), NULL, off);
		return 0;
	}
	reach(w, off);
	if (slot->flags & ATTR_INCOMPLETE || w->reached > w->mapped)
		return 0;
	where = da_where(w->g, w->inode, type, &place);
	err = sweep_read(w->sweep, type, &where, place.range, place.count, &buf, &worst);
	if (err || !buf)
		return err;
	header = (const struct attr_remote *)buf->data;
	if (be32_get(header->magic) == ATTR_REMOTE_MAGIC &&
	    (be32_get(header->offset) != offset || be32_get(header->bytes) != bytes)) {
		struct verdict v = sweep_verdict(w->sweep, &where);
		char found[48], expected[48];

		snprintf(found, sizeof(found), "%" PRIu32 " at %" PRIu32, be32_get(header->bytes),
			 be32_get(header->offset));
		snprintf(expected, sizeof(expected), "%" PRIu32 " at %" PRIu32, bytes, offset);
		raise_text(&v, FOUND(ATTR_VALUE_PIECE), NULL, found, expected);
	}
	cache_put(w->sweep->vol->cache, buf);
	return 0;
}

static int check_value(struct attr_walk *w, const struct attr_slot *slot)
{
	u32 blocks;
	int err = 0;

	if (w->sweep->audit || attr_is_local(slot) || slot->value_length > ATTR_VALUE_MAX)
		return 0;
	blocks = attr_remote_blocks(w->g, slot->value_length);
	for (u32 i = 0; !err && i < blocks && w->reached <= w->mapped; i++)
		err = check_piece(w, slot, i);
	return err;
}

/* Entries with one hash on both sides of the border between two leaves. */
static void border_twice(struct attr_walk *w, const struct buf *leaf)
{
	u32 hash = be32_get(attr_leaf_entries(leaf->data)[0].hashval);
	struct attr_slot a, b;
	struct buf *buf;

	if (!w->before || hash != w->before_hash)
		return;
	if (cache_get_raw(w->sweep->vol->cache, daddr_of(w->before), w->before_size, &buf)) {
		trail_clear();
		return;
	}
	if (attr_leaf_slot(leaf->data, leaf->size, 0, &b))
		for (u32 i = attr_leaf_find(buf->data, buf->size, hash);
		     i < attr_leaf_count(buf->data, buf->size); i++)
			if (attr_leaf_slot(buf->data, buf->size, i, &a) && attr_same(&a, &b))
				attr_name_twice(&w->verdict, &b);
	cache_put(w->sweep->vol->cache, buf);
}

/* As healthy kernels leave a leaf. */
static void leaf_could_be_better(struct attr_walk *w, const struct where *where, const void *block)
{
	static const char *const fields[ATTR_FREEMAPS] = {"free0", "free1", "free2"};
	struct verdict v = sweep_verdict(w->sweep, where);
	const struct attr_leaf *leaf = block;

	/* in a tree it is a fault (DA_LEAF_EMPTY) */
	if (!where->offset && !be16_get(leaf->count))
		raise_text(&v, FOUND(ATTR_LEAF_EMPTY), "count", NULL, NULL);
	if (leaf->holes)
		raise_text(&v, FOUND(ATTR_LEAF_HOLES), "holes", NULL, NULL);
	for (u32 i = 0; i < ATTR_FREEMAPS; i++)
		if (attr_free_base(leaf, i) && !attr_free_size(leaf, i))
			raise_value(&v, FOUND(ATTR_FREEMAP_EMPTY), fields[i],
				    attr_free_base(leaf, i));
}

static int visit_leaf(void *arg, const struct where *where, const struct buf *leaf)
{
	struct attr_walk *w = arg;
	u32 count = attr_leaf_count(leaf->data, leaf->size);
	int err = 0;

	if (count)
		border_twice(w, leaf);
	if (w->sweep->preen)
		leaf_could_be_better(w, where, leaf->data);
	for (u32 i = 0; !err && i < count; i++) {
		struct attr_slot slot;

		if (!attr_leaf_slot(leaf->data, leaf->size, i, &slot)) {
			w->incomplete = true;
			continue;
		}
		post_parent(w, where, &slot);
		check_name(w, &slot);
		err = check_value(w, &slot);
		w->before_hash = slot.hash;
	}
	w->before = count ? where->daddr : 0;
	w->before_size = leaf->size;
	return err;
}

static bool leaf_hashes(const void *leaf, u32 len, u32 *first, u32 *last)
{
	u32 count = attr_leaf_count(leaf, len);

	if (!count)
		return false;
	*first = be32_get(attr_leaf_entries(leaf)[0].hashval);
	*last = be32_get(attr_leaf_entries(leaf)[count - 1].hashval);
	return true;
}

static int count_place(void *arg, const struct da_place *place)
{
	struct attr_walk *w = arg;

	w->mapped++;
	w->mapped_sum += da_walk_hash(w->sweep, place->off);
	return w->mapped > w->g->data_blocks;
}

static int check_blocks(struct attr_walk *w)
{
	struct vol *vol = w->sweep->vol;
	struct da_walk tree = {
	    .sweep = w->sweep,
	    .inode = w->inode,
	    .which = FORK_ATTR,
	    .node = vol_type(vol, META_ATTRNODE),
	    .leaf = vol_type(vol, META_ATTRLEAF),
	    .visit = visit_leaf,
	    .arg = w,
	    .hashes = leaf_hashes,
	};
	int err = da_place_each(vol, w->inode, FORK_ATTR, 0, NULL64, count_place, w);

	if (err_is_damage(err)) {
		raise_text(&w->verdict, FOUND(ATTR_MAP), NULL, trail_text(), NULL);
		trail_clear();
		return 0;
	}
	if (err < 0 || !w->mapped)
		return err;
	tree.limit = w->mapped;
	err = da_walk(&tree);
	w->reached += tree.reached;
	w->reached_sum += tree.sum;
	if (!err && !tree.incomplete && !w->incomplete && !w->sweep->audit &&
	    w->reached_sum != w->mapped_sum)
		raise_u64(&w->verdict, FOUND(ATTR_BLOCKS), NULL, w->mapped, w->reached);
	return err;
}

extern const struct meta_type meta_attributes;

static int check_fork(struct sweep *sweep, const struct inode *inode)
{
	const struct where where = {.type = meta_attributes.name,
				    .ag = inum_ag(sweep->g, inode->ino),
				    .ino = inode->ino.v,
				    .daddr = NO_DADDR,
				    .owner = inode->ino.v};
	struct attr_walk w = {.sweep = sweep, .g = sweep->g, .inode = inode};
	enum fork_format format = inode->fork[FORK_ATTR].format;

	w.verdict = sweep_verdict(sweep, &where);
	if (format == FORMAT_LOCAL)
		check_short(&w);
	else if (format == FORMAT_EXTENTS || format == FORMAT_BTREE)
		return check_blocks(&w);
	return 0;
}

/* Most inodes have none: they should cost nothing. */
static int attributes_post(struct sweep *sweep, const struct inode *inode)
{
	const struct fork *fork = &inode->fork[FORK_ATTR];

	if (!inode->forkoff || (sweep->audit && !geometry_has(sweep->g, FEATURE_PARENT)))
		return 0;
	/* Most files have room for attributes and none. */
	if (fork->format == FORMAT_EXTENTS && !fork->extents)
		return 0;
	return check_fork(sweep, inode);
}

const struct meta_type meta_attributes = {
    .id = META_ATTRIBUTES,
    .name = "attributes",
    .title = "extended attributes",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .crc_offset = CRC_NONE,
    .post_inode = attributes_post,
    REBUILT_AS_ATTRIBUTES,
    .kernel_scrub = "xchk_xattr, xchk_parent",
};
