/*
 * Directories rebuilt from what is left of them; see rebuild.h.
 *
 * 1. What the hash index knows of entries (hash and address) is collected as hints.
 * 2. Each data block is read as far as its entries make sense (dir_salvage.h). Where that is not
 * all of it, the block is written anew with these entries, in their places.
 * 3. The hash index, the free index and the size follow from the data blocks.
 *
 * A directory of one block is written with its index; a short one is put together anew in its
 * inode. What names a directory, and how many, is not looked at here (names_rebuild()).
 */
#include "base/sorter.h"
#include "base/trail.h"
#include "meta/dir_salvage.h"

#include <errno.h>

#define HINTS_MEMORY (4u << 20)
#define AGAIN_MAX 4 /* entries that lie where `.` and `..` must be */

struct again {
	u64 ino;
	u8 type, length, name[DIR_NAME_MAX];
};

struct remake {
	struct repair *r;
	const struct geometry *g;
	u64 ino;
	struct dir_remake m;
	struct dir_salvage s;
	struct sorter *hints;
	struct dir_hint next, *hint; /* of one block */
	bool has_next;
	bool one_block; /* its index is in it */
	bool started;	/* its first block has been written, or was as it should be */
	bool written;	/* with its index */
	bool is_short;
	u64 parent;
	struct again again[AGAIN_MAX];
	u32 agains, blocks, lost, twice;
};

/* ---- hints ---- */

static int add_hints(struct remake *k, const u8 *block, u32 len, bool whole)
{
	struct dir_index index;
	int err = 0;

	if (!dir_index_open(block, len, &index))
		return 0;
	for (u32 i = 0; i < index.count && !err; i++) {
		const struct dir_hint hint = {index.entries[i].address, index.entries[i].hashval,
					      whole};

		if (be32_get(hint.address))
			err = sorter_add(k->hints, &hint);
	}
	return err;
}

/* A block as it is; *verified: and it is what it should be. *out NULL: it cannot be read. */
static int read_raw(struct remake *k, enum meta_id id, u64 off, struct buf **out, bool *verified)
{
	const struct meta_type *type = vol_type(k->m.vol, id);
	struct cache *cache = k->m.op.view.cache;
	struct da_place place;
	struct inode inode;
	struct where where;
	int err;

	*out = NULL;
	da_parse(&k->m.op, &inode);
	err = da_place_at(&k->m.op.view, &inode, FORK_DATA, off, &place);
	if (err || place.blocks != k->g->dir_fsblocks) {
		trail_clear();
		return err == -ENOMEM ? err : 0;
	}
	where = da_where(k->g, &inode, type, &place);
	err = cache_get_ranges(cache, type, &where, place.range, place.count, out);
	*verified = !err;
	if (err && err != -ENOMEM)
		err = cache_get_ranges(cache, NULL, NULL, place.range, place.count, out);
	if (err == -ENOMEM)
		return err;
	if (err)
		*out = NULL;
	trail_clear();
	return 0;
}

/* Calls fn for each block of [off, end) of which anything is mapped; it may change the block. */
static int each_block(struct remake *k, u64 off, u64 end, int (*fn)(struct remake *k, u64 off))
{
	u32 step = k->g->dir_fsblocks;
	int err = 0;

	while (!err && off < end) {
		struct extent e;

		err = fork_piece(&k->m.op.fork, off, end, &e);
		if (err)
			return err;
		if (e.start == NULL64) {
			off = e.off + e.count;
			continue;
		}
		off = e.off / step * step;
		err = fn(k, off);
		off += step;
	}
	return err;
}

static int hint_block(struct remake *k, u64 off)
{
	struct buf *buf;
	bool verified;
	int err = read_raw(k, META_DIRLEAFN, off, &buf, &verified);

	if (!err && buf && !verified && da_magic(buf->data) == DIR_LEAF1_MAGIC) {
		cache_put(k->m.op.view.cache, buf);
		err = read_raw(k, META_DIRLEAF, off, &buf, &verified);
	}
	if (!err && buf)
		err = add_hints(k, buf->data, buf->size, verified);
	cache_put(k->m.op.view.cache, buf);
	return err;
}

static int next_hint(struct remake *k)
{
	return sorter_take(k->hints, &k->next, &k->has_next);
}

static int collect_hints(struct remake *k)
{
	int err = sorter_open(k->r->vol->env, sizeof(struct dir_hint), sizeof(struct dir_hint),
			      HINTS_MEMORY, &k->hints);

	if (!err)
		err = each_block(k, k->g->dir_leaf_off, k->g->dir_free_off, hint_block);
	if (!err && k->one_block) {
		struct buf *buf;
		bool verified;

		err = read_raw(k, META_DIRBLOCK, 0, &buf, &verified);
		if (!err && buf &&
		    be32_get(((const struct dir_data *)buf->data)->magic) == DIR_BLOCK_MAGIC)
			err = add_hints(k, buf->data, buf->size, false);
		cache_put(k->m.op.view.cache, buf);
	}
	if (!err)
		err = sorter_sort(k->hints);
	return err ? err : next_hint(k);
}

/* Those of one block; blocks come in rising order. */
static int hints_of(struct remake *k, u64 block)
{
	u32 first = dir_address(k->g, block, 0), max = k->g->dir_block_size / DIR_ALIGN;
	int err = 0;

	k->s.hint = k->hint;
	k->s.hints = 0;
	k->s.first_address = first;
	while (!err && k->has_next && be32_get(k->next.address) < first)
		err = next_hint(k);
	while (!err && k->has_next && be32_get(k->next.address) - first < max) {
		if (k->s.hints < max)
			k->hint[k->s.hints++] = k->next;
		err = next_hint(k);
	}
	return err;
}

/* ---- data blocks ---- */

/* Whether it can be a directory's parent. */
static bool is_parent(struct remake *k, u64 ino)
{
	u8 type;

	return dir_salvage_inode(k->s.vol, ino, &type) > 0 &&
	       (type == DIR_FT_DIR || type == DIR_FT_UNKNOWN);
}

static void put_aside(struct remake *k, const struct dir_kept *e)
{
	struct again *a = &k->again[k->agains];

	if (k->agains == AGAIN_MAX)
		return;
	*a = (struct again){.ino = e->ino, .type = e->type, .length = e->length};
	memcpy(a->name, e->name, e->length);
	k->agains++;
}

/* Where no other name can be, `.` and `..` may have lost their names. */
static void find_dots(struct remake *k)
{
	struct dir_salvage *s = &k->s;
	u32 to = 0;

	for (u32 i = 0; i < s->count; i++) {
		const struct dir_kept *e = &s->kept[i];

		if (e->offset == DIR_DOT_OFFSET && e->length == 1 && e->ino == k->ino) {
			s->has_dot = s->changed = true;
		} else if (e->offset == dir_dotdot_offset(k->g) && e->length == 2 &&
			   !s->has_dotdot && is_parent(k, e->ino)) {
			s->has_dotdot = s->changed = true;
			s->dotdot = e->ino;
		} else {
			s->kept[to++] = *e;
		}
	}
	s->count = to;
}

/* `.` and `..` are where they must be in the first block. */
static void put_dots(struct remake *k)
{
	u8 type = dir_has_type(k->g) ? DIR_FT_DIR : DIR_FT_UNKNOWN;
	struct dir_salvage *s = &k->s;
	u32 aside = 0;

	if (!s->has_dot || !s->has_dotdot)
		find_dots(k);
	if (!s->has_dot || !s->has_dotdot)
		s->changed = true;
	if (s->has_dotdot && is_parent(k, s->dotdot)) {
		k->parent = s->dotdot;
	} else {
		s->changed = true;
		k->parent = k->g->root_ino; /* until its name is known */
		repair_say(k->r, "directory %llu: its .. was lost", (unsigned long long)k->ino);
	}
	while (aside < s->count && s->kept[aside].offset < dir_first_offset(k->g))
		put_aside(k, &s->kept[aside++]);
	memmove(s->kept + 2, s->kept + aside, (s->count - aside) * sizeof(*s->kept));
	s->count += 2 - aside;
	s->kept[0] = (struct dir_kept){DIR_DOT_OFFSET, k->ino, type, 1, (const u8 *)"."};
	s->kept[1] =
	    (struct dir_kept){dir_dotdot_offset(k->g), k->parent, type, 2, (const u8 *)".."};
}

static int write_block(struct remake *k, u64 off, bool new)
{
	const struct dir_salvage *s = &k->s;

	if (!new)
		k->blocks++;
	if (k->one_block && dir_remake_fits_block(k->g, s->kept, s->count)) {
		k->written = true;
		return dir_remake_block(&k->m, new, s->kept, s->count);
	}
	return dir_remake_data(&k->m, off, new, s->kept, s->count);
}

static int lose_block(struct remake *k, u64 off)
{
	int err = dir_remake_room(&k->m, 16u << k->g->block_log);

	k->lost++;
	return err ? err : da_blocks_free(&k->m.op, off, off + k->g->dir_fsblocks);
}

/* Where the entries end that are to be believed: before an index that is believable, too. */
static u32 entries_end(struct remake *k, const struct buf *buf)
{
	u32 end = dir_data_end(buf->data, buf->size);

	if (!k->one_block)
		return buf->size;
	return k->s.verified && end ? end : buf->size - (u32)sizeof(struct dir_block_tail);
}

static int salvage(struct remake *k, u64 off, const struct buf *buf)
{
	int err = hints_of(k, off / k->g->dir_fsblocks);

	k->s.vol = &k->m.op.view;
	if (!err)
		err = dir_salvage_block(&k->s, buf->data, entries_end(k, buf));
	if (!err && (k->r->force ||
		     vol_lsn_ahead(k->r->vol, be64_get(((const struct dir_data *)buf->data)->lsn))))
		k->s.changed = true;
	return err;
}

static int remake_block(struct remake *k, u64 off)
{
	struct buf *buf;
	int err =
	    read_raw(k, k->one_block ? META_DIRBLOCK : META_DIRDATA, off, &buf, &k->s.verified);

	if (err)
		return err;
	if (!buf)
		return lose_block(k, off);
	err = salvage(k, off, buf);
	cache_put(k->m.op.view.cache, buf);
	if (err)
		return err;
	if (!off) {
		put_dots(k);
		k->started = true;
	}
	if (k->s.changed && !k->s.count)
		return lose_block(k, off);
	if (k->s.changed)
		return write_block(k, off, false);
	k->written = k->one_block;
	return 0;
}

/* ---- the whole ---- */

static int first_block(struct remake *k)
{
	k->s.count = 0;
	k->s.has_dot = k->s.has_dotdot = false;
	put_dots(k);
	return write_block(k, 0, true);
}

static void name_twice(void *arg, const struct dir_slot *slot)
{
	struct remake *k = arg;

	k->twice++;
	repair_say(k->r, "directory %llu: name '%.*s' was there twice: inode %llu loses it",
		   (unsigned long long)k->ino, (int)slot->length, (const char *)slot->name,
		   (unsigned long long)slot->ino);
}

/* What is mapped where no directory has blocks. */
static int drop_strays(struct remake *k)
{
	u64 end = k->g->dir_free_off + (k->g->dir_free_off - k->g->dir_leaf_off);
	struct extent e;
	int err = fork_piece(&k->m.op.fork, end, FILEOFF_END, &e);

	if (err || (e.start == NULL64 && e.off + e.count >= FILEOFF_END))
		return err;
	return da_blocks_free(&k->m.op, end, FILEOFF_END);
}

static int add_again(struct remake *k)
{
	int err = 0;

	for (u32 i = 0; i < k->agains && !err; i++) {
		const struct again *a = &k->again[i];

		err = dir_add(k->m.vol, k->m.txn, inum_of(k->ino), (const char *)a->name, a->length,
			      inum_of(a->ino), a->type);
	}
	return err;
}

static int find_form(struct remake *k)
{
	struct extent e;
	int err = fork_piece(&k->m.op.fork, k->g->dir_fsblocks, FILEOFF_END, &e);

	k->one_block = !err && e.start == NULL64 && e.off + e.count >= FILEOFF_END;
	return err;
}

static int remake_blocks(struct remake *k)
{
	int err = find_form(k);

	k->hint = env_array(k->r->vol->env, k->g->dir_block_size / DIR_ALIGN, sizeof(*k->hint));
	if (!err && !k->hint)
		err = fail(-ENOMEM, "rebuilding a directory: out of memory");
	if (!err)
		err = collect_hints(k);
	if (!err)
		err = drop_strays(k);
	if (!err)
		err = each_block(k, 0, k->g->dir_leaf_off, remake_block);
	if (!err && !k->started)
		err = first_block(k);
	if (!err && !k->written)
		err = dir_remake_index(&k->m, name_twice, k);
	else if (!err)
		dir_set_size(&k->m.op, k->g->dir_block_size);
	return err ? err : add_again(k);
}

static int remake(struct remake *k)
{
	struct inode inode;

	da_parse(&k->m.op, &inode);
	k->is_short = inode.fork[FORK_DATA].format == FORMAT_LOCAL;
	if (k->is_short)
		return dir_short_rebuild(k->r, &k->m);
	return remake_blocks(k);
}

static void tell(struct remake *k)
{
	u32 dropped = k->s.dropped + k->twice;

	if (k->is_short || (k->one_block && !k->blocks))
		return; /* it has said so itself, or there was nothing to do */
	repair_say(k->r, "directory %llu: %s", (unsigned long long)k->ino,
		   k->one_block ? "its block written anew" : "its indexes built anew");
	if (k->blocks + k->lost + k->s.mended + dropped)
		repair_say(k->r,
			   "directory %llu: %u blocks mended, %u lost; %u names mended, %u dropped",
			   (unsigned long long)k->ino, k->blocks, k->lost, k->s.mended, dropped);
}

int dir_rebuild(struct repair *r, u32 ag, u64 ino)
{
	struct env *env = r->vol->env;
	struct remake *k = env_alloc(env, sizeof(*k));
	int err;

	(void)ag;
	if (!k)
		return fail(-ENOMEM, "rebuilding a directory: out of memory");
	k->r = r;
	k->g = &r->vol->geo;
	k->ino = ino;
	err = dir_salvage_open(r, r->vol, ino, &k->s);
	if (!err)
		err = dir_remake_begin(r->vol, inum_of(ino), &k->m);
	if (!err)
		err = remake(k);
	err = dir_remake_end(&k->m, err);
	if (!err)
		tell(k);
	k->s.vol = r->vol;
	dir_salvage_close(&k->s);
	sorter_close(k->hints);
	env_free(env, k->hint);
	env_free(env, k);
	return err;
}
