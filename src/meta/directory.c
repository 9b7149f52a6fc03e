/*
 * Directories as a whole: every form, walked as a unit within one call.
 *
 * The names are read once, in the order of the fork, and posted to the books of the filesystem
 * (links, types, parents, dot-dot), and the way up is told to the search for circles. What the
 * directory writes down twice itself, names and hash index, best free space and free index, is held
 * against each other by keyed sums that live as long as the call: memory does not grow with the
 * directory. Where sums disagree dir_audit.c walks this directory again.
 *
 * 1. Names of a block are posted as far as its entries fit, whatever else is wrong with it.
 * 2. A directory without links keeps its `.` and `..` but nobody counts them: they are not posted.
 */
#include "base/trail.h"
#include "format/bytes.h"
#include "fs/fork.h"
#include "meta/da_walk.h"
#include "meta/dir_rules.h"
#include "meta/dir_walk.h"
#include "meta/findings.h"
#include "meta/inode.h"
#include "meta/rebuild.h"
#include "meta/local_parts.h"

#include <errno.h>
#include <stdio.h>

#define MODE_TYPE 0170000u
#define MODE_DIRECTORY 0040000u

static void emit(struct part_sink *sink, const char *name, u32 index, bool repeated, u32 offset,
		 const struct layout *layout)
{
	const struct part part = {name, index, repeated, offset, layout};

	sink->part(sink, &part);
}

void dir_short_parts(const struct geometry *g, const u8 *fork, u32 size, u32 at,
		     struct part_sink *sink)
{
	const struct layout *ino_layout;
	struct dir_short_cursor c;
	struct dir_slot slot;
	u64 parent;

	if (!dir_short_open(&c, g, fork, size, &parent))
		return;
	ino_layout = c.wide ? &dir_ino8_layout : &dir_ino4_layout;
	emit(sink, "sfdir", 0, false, at, &dir_short_layout);
	emit(sink, "parent", 0, false, at + (u32)sizeof(struct dir_short), ino_layout);
	for (u32 i = 0; dir_short_next(&c, &slot); i++) {
		u32 name = at + (u32)(slot.name - fork);

		emit(sink, "entry", i, true, at + slot.offset, &dir_short_entry_layout);
		emit(sink, "name", i, true, name, name_layout(slot.length));
		if (dir_has_type(g))
			emit(sink, "type", i, true, name + slot.length, &dir_ftype_layout);
		emit(sink, "inumber", i, true, at + slot.offset + slot.size - ino_layout->size,
		     ino_layout);
	}
}

bool dir_block_is_bad(const struct dir_walk *w, u64 block)
{
	if (w->map_bad || w->bad_count > DIR_BAD_MAX)
		return true;
	for (u32 i = 0; i < w->bad_count; i++)
		if (w->bad[i] == block)
			return true;
	return false;
}

static void mark_bad(struct dir_walk *w, u64 block)
{
	if (w->bad_count < DIR_BAD_MAX)
		w->bad[w->bad_count] = block;
	if (w->bad_count <= DIR_BAD_MAX)
		w->bad_count++;
}

static void post(struct dir_walk *w, const struct where *where, enum account account,
		 enum side side, u64 w0, u64 w1, u64 w2, u64 w3)
{
	const struct fact fact = {{w0, w1, w2, w3}};

	sweep_post_of(w->sweep, where, account, side, &fact, 1);
}

static void post_dots(struct dir_walk *w, const struct where *where, const struct dir_slot *slot)
{
	bool dot = slot->length == 1;
	bool *seen = dot ? &w->dot : &w->dotdot;

	if (*seen)
		return; /* raised as a name that is there twice */
	*seen = true;
	if (dot && slot->ino != w->dir->ino.v)
		raise_u64(&w->verdict, FOUND(DIR_DOT), NULL, slot->ino, w->dir->ino.v);
	if (dir_has_type(w->g) && slot->type != DIR_FT_DIR)
		raise_u64(&w->verdict, FOUND(DIR_DOT_TYPE), dot ? "." : "..", slot->type,
			  DIR_FT_DIR);
	if (!dot)
		w->parent = slot->ino;
	if (!w->dir->nlink)
		return;
	/* Short forms have no type for these two, and all forms no other. */
	post(w, where, ACCOUNT_LINKS, SIDE_LEFT, slot->ino, dir_has_type(w->g) ? DIR_FT_DIR : 0, 0,
	     0);
	if (!dot)
		post(w, where, ACCOUNT_DOTDOT, SIDE_RIGHT, w->dir->ino.v, slot->ino, 0, 0);
}

static void raise_control(struct dir_walk *w, const struct dir_slot *slot)
{
	char text[FINDING_TEXT];

	raise_text(&w->verdict, FOUND(DIR_NAME_CONTROL), NULL,
		   name_shown(slot->name, slot->length, text, sizeof(text)), NULL);
}

static void post_name(struct dir_walk *w, const struct where *where, const struct dir_slot *slot)
{
	const struct inode *dir = w->dir;

	w->names++;
	if (!inum_valid(w->g, inum_of(slot->ino)))
		return; /* raised by the rules; no inode can answer it */
	if (dir_name_is_dots(slot->name, slot->length)) {
		post_dots(w, where, slot);
		return;
	}
	w->children++;
	if (w->sweep->names && name_has_control(slot->name, slot->length))
		raise_control(w, slot);
	w->directories += !dir_has_type(w->g) || slot->type == DIR_FT_DIR;
	post(w, where, ACCOUNT_LINKS, SIDE_LEFT, slot->ino, dir_has_type(w->g) ? slot->type : 0, 0,
	     0);
	if (slot->type == DIR_FT_DIR)
		post(w, where, ACCOUNT_DOTDOT, SIDE_LEFT, slot->ino, dir->ino.v, 0, 0);
	if (geometry_has(w->g, FEATURE_PARENT))
		post(w, where, ACCOUNT_PARENTS, SIDE_LEFT, slot->ino, dir->ino.v, dir->gen,
		     book_digest(w->sweep->book, slot->name, slot->length));
}

/* The short form: no index, and all of it in the inode. */
static void check_short_entries(struct dir_walk *w, struct dir_short_cursor *c,
				const struct where *where, u32 *wide)
{
	u32 next = dir_first_offset(w->g);
	struct dir_slot slot;
	char field[48];

	for (u32 i = 0; dir_short_next(c, &slot); i++) {
		struct dir_short_cursor other;
		struct dir_slot before;
		u64 parent;

		dir_entry_rules(&w->verdict, w->g, &slot, "entry", i);
		if (slot.tag < next || slot.tag % DIR_ALIGN) {
			snprintf(field, sizeof(field), "entry[%u].offset", i);
			raise_u64(&w->verdict, FOUND(DIR_SHORT_OFFSET), field, slot.tag, next);
		}
		next = slot.tag + dir_entry_size(w->g, slot.length);
		*wide += slot.ino > NULL32;
		dir_short_open(&other, w->g, c->fork, c->size, &parent);
		while (dir_short_next(&other, &before) && before.offset < slot.offset)
			if (before.length == slot.length &&
			    !memcmp(before.name, slot.name, slot.length))
				dir_name_twice(&w->verdict, slot.name, slot.length);
		if (dir_name_is_dots(slot.name, slot.length))
			raise_value(&w->verdict, FOUND(DIR_SHORT_DOTS), NULL, i);
		else
			post_name(w, where, &slot);
	}
	/* As a block it must have room for the index, with `.` and `..`. */
	next += (c->count + 2) * (u32)sizeof(struct dir_leaf_entry) +
		(u32)sizeof(struct dir_block_tail);
	if (next > w->g->dir_block_size)
		raise_u64(&w->verdict, FOUND(DIR_SHORT_TOO_LARGE), NULL, next,
			  w->g->dir_block_size);
}

static void check_short(struct dir_walk *w)
{
	const struct fork *fork = &w->dir->fork[FORK_DATA];
	u32 size = (u32)min_u64(w->dir->size, fork->size), wide;
	struct dir_slot dots = {
	    .ino = w->dir->ino.v, .name = (const u8 *)"..", .length = 1, .type = DIR_FT_DIR};
	const struct where *where = &w->verdict.where;
	struct dir_short_cursor c;
	u64 parent;

	if (w->dir->size > fork->size)
		raise_u64(&w->verdict, FOUND(DIR_SIZE), "size", w->dir->size, fork->size);
	if (!dir_short_open(&c, w->g, fork->data, size, &parent)) {
		raise_value(&w->verdict, FOUND(DIR_SHORT_FIT), NULL, 0);
		return;
	}
	wide = parent > NULL32;
	post_name(w, where, &dots);
	dots.ino = parent;
	dots.length = 2;
	if (!inum_valid(w->g, inum_of(parent)))
		raise_value(&w->verdict, FOUND(DIR_ENTRY_INO), "parent", parent);
	post_name(w, where, &dots);
	check_short_entries(w, &c, where, &wide);
	if (c.index < c.count)
		raise_value(&w->verdict, FOUND(DIR_SHORT_FIT), NULL, c.index);
	else if (c.at != w->dir->size)
		raise_u64(&w->verdict, FOUND(DIR_SIZE), "size", w->dir->size, c.at);
	if (((const struct dir_short *)fork->data)->i8count != wide)
		raise_u64(&w->verdict, FOUND(DIR_SHORT_WIDE), "i8count",
			  ((const struct dir_short *)fork->data)->i8count, wide);
}

struct buf *dir_peek(const struct dir_walk *w, const struct da_place *place)
{
	struct buf *buf;

	if (place->blocks == w->g->dir_fsblocks &&
	    !cache_get_ranges(w->sweep->vol->cache, NULL, NULL, place->range, place->count, &buf))
		return buf;
	trail_clear();
	return NULL;
}

struct buf *dir_peek_at(const struct dir_walk *w, u64 off)
{
	struct da_place place;

	if (!da_place_at(w->sweep->vol, w->dir, FORK_DATA, off, &place))
		return dir_peek(w, &place);
	trail_clear();
	return NULL;
}

bool dir_peek_entry(const struct dir_walk *w, u32 address, struct dir_slot *slot, struct buf **out)
{
	const struct geometry *g = w->g;
	struct buf *buf = dir_peek_at(w, dir_address_block(g, address) * g->dir_fsblocks);

	*out = buf;
	if (!buf)
		return false;
	if (dir_data_slot(g, buf->data, dir_data_end(buf->data, buf->size),
			  dir_address_offset(g, address), slot) &&
	    !slot->free)
		return true;
	cache_put(w->sweep->vol->cache, buf);
	*out = NULL;
	return false;
}

/* They are the first two entries of the directory, in this order. */
static void check_dots_place(struct dir_walk *w, const struct dir_slot *slot, u64 block, u32 at)
{
	bool dot = slot->length == 1;
	u64 found = block * w->g->dir_block_size + at;
	u64 expected = sizeof(struct dir_data) + (dot ? 0 : dir_entry_size(w->g, 1));

	if (found != expected)
		raise_u64(&w->verdict, FOUND(DIR_DOT_PLACE), dot ? "." : "..", found, expected);
}

/* Every entry of a data block; the block is marked when they cannot all be read. */
static void check_entries(struct dir_walk *w, const struct where *where, const struct buf *buf,
			  u64 block)
{
	u32 end = dir_data_end(buf->data, buf->size), at = sizeof(struct dir_data);
	struct dir_slot slot;

	for (; at < end; at += slot.size) {
		struct fact fact;
		u32 address;

		if (!dir_data_slot(w->g, buf->data, end, at, &slot))
			break;
		if (slot.free)
			continue;
		if (dir_name_is_dots(slot.name, slot.length))
			check_dots_place(w, &slot, block, at);
		post_name(w, where, &slot);
		if (w->block_form)
			continue; /* its own rules hold the index against the names */
		address = dir_address(w->g, block, at);
		if (w->twice)
			dir_twice_name(w, &slot, address);
		fact = dir_index_fact(da_hash(slot.name, slot.length), address);
		w->name_sum += book_hash(w->sweep->book, &fact);
	}
	if (at < end || !end)
		mark_bad(w, block);
}

static int check_data(struct dir_walk *w, const struct da_place *place)
{
	const struct meta_type *type =
	    vol_type(w->sweep->vol, w->block_form ? META_DIRBLOCK : META_DIRDATA);
	struct where where = da_where(w->g, w->dir, type, place);
	u64 block = dir_data_block(w->g, place->off);
	const struct dir_data *header;
	enum severity worst;
	struct buf *buf;
	int err;

	w->data_end = block + 1;
	err = sweep_read(w->sweep, type, &where, place->range, place->count, &buf, &worst);
	if (err)
		return err;
	header = buf ? (const struct dir_data *)buf->data : NULL;
	if (header && be32_get(header->magic) == type->magic) {
		struct fact fact = dir_best_fact(block, dir_data_best(buf->data));

		check_entries(w, &where, buf, block);
		w->best_sum += book_hash(w->sweep->book, &fact);
	} else {
		mark_bad(w, block);
	}
	cache_done(w->sweep->vol->cache, buf);
	return 0;
}

static int check_free(struct dir_walk *w, const struct da_place *place)
{
	const struct meta_type *type = vol_type(w->sweep->vol, META_DIRFREE);
	struct where where = da_where(w->g, w->dir, type, place);
	u64 index = (place->off - w->g->dir_free_off) / w->g->dir_fsblocks, first;
	const struct dir_free *header;
	enum severity worst;
	struct buf *buf;
	int err = sweep_read(w->sweep, type, &where, place->range, place->count, &buf, &worst);

	if (err)
		return err;
	header = buf ? (const struct dir_free *)buf->data : NULL;
	if (!header || be32_get(header->magic) != DIR_FREE_MAGIC) {
		w->free_bad = true;
		cache_done(w->sweep->vol->cache, buf);
		return 0;
	}
	first = index * dir_free_max(buf->size);
	if (be32_get(header->firstdb) != first)
		raise_u64(&w->verdict, FOUND(DIR_FREE_PLACE), NULL, be32_get(header->firstdb),
			  first);
	for (u32 i = 0; i < dir_free_count(buf->data, buf->size); i++) {
		u32 best = be16_get(dir_free_bests(buf->data)[i].best);
		struct fact fact = dir_best_fact(first + i, best);

		if (best != DIR_NO_BEST)
			w->free_sum += book_hash(w->sweep->book, &fact);
	}
	cache_done(w->sweep->vol->cache, buf);
	return 0;
}

/* One mapped block of the fork, in the order of the fork. */
static int check_place(void *arg, const struct da_place *place)
{
	struct dir_walk *w = arg;
	const struct geometry *g = w->g;

	if (++w->places > g->data_blocks) {
		raise_u64(&w->verdict, FOUND(DIR_TOO_MANY), NULL, w->places, g->data_blocks);
		w->map_bad = true;
		return 1;
	}
	if (place->off >= g->dir_free_off + (g->dir_free_off - g->dir_leaf_off) ||
	    (w->block_form && place->off)) {
		raise_value(&w->verdict, FOUND(DIR_BLOCK_STRAY), NULL, place->off);
		return 0;
	}
	if (place->blocks < g->dir_fsblocks) {
		raise_value(&w->verdict, FOUND(DIR_BLOCK_PARTIAL), NULL, place->off);
		mark_bad(w, dir_data_block(g, place->off));
		return 0;
	}
	if (place->off < g->dir_leaf_off)
		return check_data(w, place);
	if (w->sweep->audit)
		return 1; /* the rest posts nothing */
	if (place->off >= g->dir_free_off) {
		if (!w->leaf_form)
			return check_free(w, place);
		raise_value(&w->verdict, FOUND(DIR_BLOCK_STRAY), NULL, place->off);
		return 0;
	}
	w->leaf_blocks++;
	w->leaf_mapped += da_walk_hash(w->sweep, place->off);
	return 0;
}

static int visit_leaf(void *arg, const struct where *where, const struct buf *leaf)
{
	struct dir_walk *w = arg;
	struct dir_index index;
	int err = 0;

	(void)where;
	dir_index_open(leaf->data, leaf->size, &index);
	for (u32 i = 0; i < index.count && !err; i++) {
		u32 hash = be32_get(index.entries[i].hashval);
		u32 address = be32_get(index.entries[i].address);
		struct fact fact = dir_index_fact(hash, address);

		if (!address)
			continue;
		w->index_sum += book_hash(w->sweep->book, &fact);
		err = dir_twice_index(w, hash, address);
	}
	return err;
}

/* The second time, when the sums are known. */
static int visit_leaf_again(void *arg, const struct where *where, const struct buf *leaf)
{
	struct dir_walk *w = arg;
	struct dir_index index;
	int err = 0;

	(void)where;
	dir_index_open(leaf->data, leaf->size, &index);
	for (u32 i = 0; i < index.count && !err; i++)
		if (be32_get(index.entries[i].address))
			err = dir_twice_index(w, be32_get(index.entries[i].hashval),
					      be32_get(index.entries[i].address));
	return err;
}

static bool leaf_hashes(const void *leaf, u32 len, u32 *first, u32 *last)
{
	struct dir_index index;

	if (!dir_index_open(leaf, len, &index) || !index.count)
		return false;
	*first = be32_get(index.entries[0].hashval);
	*last = be32_get(index.entries[index.count - 1].hashval);
	return true;
}

/* The best-free table of the only leaf. */
static void sum_leaf_bests(struct dir_walk *w)
{
	struct buf *buf = dir_peek_at(w, w->g->dir_leaf_off);
	struct dir_index index;

	if (!buf || !dir_index_open(buf->data, buf->size, &index)) {
		w->free_bad = true;
		cache_done(w->sweep->vol->cache, buf);
		return;
	}
	if (index.raw_best_count != w->data_end)
		raise_u64(&w->verdict, FOUND(DIR_BESTS_SHORT), NULL, index.raw_best_count,
			  w->data_end);
	for (u32 i = 0; i < index.best_count; i++) {
		u32 best = be16_get(index.bests[i].best);
		struct fact fact = dir_best_fact(i, best);

		if (best != DIR_NO_BEST)
			w->free_sum += book_hash(w->sweep->book, &fact);
	}
	cache_done(w->sweep->vol->cache, buf);
}

static struct da_walk index_walk(struct dir_walk *w)
{
	struct vol *vol = w->sweep->vol;

	return (struct da_walk){
	    .sweep = w->sweep,
	    .inode = w->dir,
	    .which = FORK_DATA,
	    .root = w->g->dir_leaf_off,
	    .limit = w->leaf_blocks,
	    .node = vol_type(vol, META_DIRNODE),
	    .leaf = vol_type(vol, w->leaf_form ? META_DIRLEAF : META_DIRLEAFN),
	    .visit = visit_leaf,
	    .arg = w,
	    .hashes = leaf_hashes,
	};
}

/* Names and index disagree: what dir_twice.c has concluded from the names alone may be wrong. */
static int walk_index_again(struct dir_walk *w)
{
	struct da_walk tree = index_walk(w);
	int err;

	if (!dir_twice_again(w))
		return 0;
	tree.again = true;
	tree.visit = visit_leaf_again;
	err = da_walk(&tree);
	dir_twice_end(w);
	return err;
}

static int check_index(struct dir_walk *w)
{
	struct da_walk tree = index_walk(w);
	int err;

	dir_twice_begin(w);
	err = da_walk(&tree);
	if (err)
		return err;
	dir_twice_end(w);
	w->index_bad = tree.incomplete;
	if (!tree.incomplete && tree.sum != w->leaf_mapped)
		raise_u64(&w->verdict, FOUND(DIR_LEAF_LOST), NULL, w->leaf_blocks, tree.reached);
	if (w->leaf_form)
		sum_leaf_bests(w);
	if (w->name_sum != w->index_sum)
		err = walk_index_again(w);
	if (!err && w->name_sum != w->index_sum)
		err = dir_audit_index(w);
	if (!err && w->best_sum != w->free_sum)
		err = dir_audit_free(w);
	return err;
}

static int check_blocks(struct dir_walk *w)
{
	struct vol *vol = w->sweep->vol;
	const struct geometry *g = w->g;
	struct extent root;
	u64 size;
	u16 magic = 0;
	int err = fork_lookup(vol, w->dir, FORK_DATA, fileoff_of(g->dir_leaf_off), &root);

	w->block_form = !err && root.start == NULL64;
	if (!err)
		err = da_walk_magic(w->sweep, w->dir, FORK_DATA, g->dir_leaf_off, &magic);
	w->leaf_form = !err && magic == DIR_LEAF1_MAGIC;
	if (!err && !w->block_form && !w->sweep->audit)
		err = dir_twice_open(w);
	if (!err)
		err = da_place_each(vol, w->dir, FORK_DATA, 0, NULL64, check_place, w);
	if (err_is_damage(err)) {
		raise_text(&w->verdict, FOUND(DIR_MAP), NULL, trail_text(), NULL);
		trail_clear();
		w->map_bad = true;
		err = 0;
	}
	if (err < 0 || w->sweep->audit)
		return err < 0 ? err : 0;
	size = w->data_end * g->dir_block_size;
	if (!w->map_bad && w->dir->size != size)
		raise_u64(&w->verdict, FOUND(DIR_SIZE), "size", w->dir->size, size);
	if (!w->block_form && !w->map_bad)
		err = check_index(w);
	return err;
}

extern const struct meta_type meta_directory;

static int check_directory(struct sweep *sweep, const struct inode *inode)
{
	struct where where = {.type = meta_directory.name,
			      .ag = inum_ag(sweep->g, inode->ino),
			      .ino = inode->ino.v,
			      .daddr = NO_DADDR,
			      .owner = inode->ino.v};
	struct dir_walk w = {.sweep = sweep, .g = sweep->g, .dir = inode};
	enum fork_format format = inode->fork[FORK_DATA].format;
	int err = 0;

	w.verdict = sweep_verdict(sweep, &where);
	if (format == FORMAT_LOCAL)
		check_short(&w);
	else if (format == FORMAT_EXTENTS || format == FORMAT_BTREE)
		err = check_blocks(&w);
	dir_twice_close(&w);
	/* Circles are made of directories that have directories. */
	if (!err && inode->nlink && w.dotdot && w.directories)
		err = sweep_link(sweep, inode->ino.v, w.parent);
	if (err)
		return err;
	sweep_count(sweep, 0, 1, w.names);
	if (w.map_bad || w.bad_count)
		return 0;
	if (!w.dot)
		raise_text(&w.verdict, FOUND(DIR_DOT_MISSING), ".", NULL, NULL);
	if (!w.dotdot)
		raise_text(&w.verdict, FOUND(DIR_DOT_MISSING), "..", NULL, NULL);
	if (!inode->nlink && w.children)
		raise_value(&w.verdict, FOUND(DIR_UNLINKED_NAMES), NULL, w.children);
	return 0;
}

static int directory_post(struct sweep *sweep, const struct inode *inode)
{
	if ((inode->mode & MODE_TYPE) != MODE_DIRECTORY)
		return 0;
	if (!inode->nlink && !inode->size)
		return 0; /* cut off while it was being freed: its blocks are going, too */
	return check_directory(sweep, inode);
}

const struct meta_type meta_directory = {
    .id = META_DIRECTORY,
    .name = "directory",
    .title = "directory",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .crc_offset = CRC_NONE,
    .post_inode = directory_post,
    REBUILT_AS_DIRECTORY,
    .kernel_scrub = "xchk_directory, xchk_parent",
};
