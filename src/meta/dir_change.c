/*
 * What directories post when a transaction changes them; see dir_change.h.
 *
 * 1. Names are posted by who holds them: an inode in short form, or a block. What is at the same
 *    place and says the same before and after, is left out.
 * 2. `.` and `..` count while the directory has links. While it keeps them they are posted like
 *    names; in a block, they are posted by the inode when it gets or loses its links.
 * 3. The index is held against the names here only for directories that have it in blocks of its
 *    own afterwards: the rules of a single block do it for that, and an index that is given up is
 *    freed without having been read.
 */
#include "meta/dir_change.h"

#include "base/trail.h"
#include "format/bytes.h"
#include "format/dir.h"
#include "fs/dir.h"
#include "fs/fork.h"
#include "meta/dir_walk.h"
#include "meta/findings.h"

#include <errno.h>

static bool in_blocks(const struct inode *dir)
{
	return dir && dir->fork[FORK_DATA].format != FORMAT_LOCAL;
}

static bool has_index(struct sweep *sweep, const struct dinode *d)
{
	struct inode dir;
	struct extent e;

	if (d->format == FORMAT_LOCAL)
		return false;
	inode_parse(sweep->g, inum_of(be64_get(d->ino)), (const u8 *)d, &dir);
	if (fork_lookup(guard_vol(sweep, true), &dir, FORK_DATA, fileoff_of(sweep->g->dir_leaf_off),
			&e)) {
		trail_clear();
		return false;
	}
	return e.start != NULL64;
}

static const struct guard_dir *know(struct sweep *sweep, u64 ino)
{
	struct guard_dir *d = guard_dir(sweep);
	const struct dinode *was, *is;

	if (d->ino == ino)
		return d;
	was = guard_dinode(sweep, inum_of(ino), false);
	is = guard_dinode(sweep, inum_of(ino), true);
	*d = (struct guard_dir){.ino = ino};
	if (was && be16_get(was->mode)) {
		d->was_gen = be32_get(was->gen);
		d->was_live = be32_get(was->nlink);
	}
	if (is && be16_get(is->mode)) {
		d->is_gen = be32_get(is->gen);
		d->is_live = be32_get(is->nlink);
		d->indexed = has_index(sweep, is);
	}
	return d;
}

/* ---- names ---- */

static void post(struct sweep *sweep, enum account account, enum side side, u64 w0, u64 w1, u64 w2,
		 u64 w3)
{
	const struct fact fact = {{w0, w1, w2, w3}};

	sweep_post(sweep, account, side, &fact, 1);
}

static void post_dot(struct sweep *sweep, u64 dir, u64 ino, bool dotdot)
{
	post(sweep, ACCOUNT_LINKS, SIDE_LEFT, ino, dir_has_type(sweep->g) ? DIR_FT_DIR : 0, 0, 0);
	if (dotdot)
		post(sweep, ACCOUNT_DOTDOT, SIDE_RIGHT, dir, ino, 0, 0);
}

static void post_dots(struct sweep *sweep, u64 dir, u64 parent)
{
	post_dot(sweep, dir, dir, false);
	post_dot(sweep, dir, parent, true);
}

static void post_name(struct sweep *sweep, u64 dir, u32 gen, const struct dir_slot *slot)
{
	bool typed = dir_has_type(sweep->g);

	post(sweep, ACCOUNT_LINKS, SIDE_LEFT, slot->ino, typed ? slot->type : 0, 0, 0);
	if (slot->type == DIR_FT_DIR)
		post(sweep, ACCOUNT_DOTDOT, SIDE_LEFT, slot->ino, dir, 0, 0);
	if (geometry_has(sweep->g, FEATURE_PARENT))
		post(sweep, ACCOUNT_PARENTS, SIDE_LEFT, slot->ino, dir, gen,
		     book_digest(sweep->book, slot->name, slot->length));
}

/* ---- short form ---- */

struct short_form {
	struct dir_short_cursor c;
	struct dir_slot slot;
	bool more;
	u64 ino, parent;
	u32 gen;
};

static bool short_open(struct sweep *sweep, const struct inode *dir, struct short_form *out)
{
	const struct fork *fork;

	*out = (struct short_form){.more = false};
	if (!dir || in_blocks(dir))
		return false;
	fork = &dir->fork[FORK_DATA];
	out->ino = dir->ino.v;
	out->gen = dir->gen;
	if (!dir_short_open(&out->c, sweep->g, fork->data, (u32)min_u64(dir->size, fork->size),
			    &out->parent))
		return false;
	out->more = dir_short_next(&out->c, &out->slot);
	return true;
}

static bool same_name(const struct dir_slot *a, const struct dir_slot *b)
{
	return a->ino == b->ino && a->type == b->type && a->length == b->length &&
	       !memcmp(a->name, b->name, a->length);
}

static void post_rest(struct sweep *sweep, struct short_form *s, s64 times)
{
	sweep->times = times;
	for (; s->more; s->more = dir_short_next(&s->c, &s->slot))
		post_name(sweep, s->ino, s->gen, &s->slot);
	sweep->times = 1;
}

static void change_short(struct sweep *sweep, struct short_form *was, struct short_form *is)
{
	while (was->more && is->more && was->gen == is->gen && same_name(&was->slot, &is->slot)) {
		was->more = dir_short_next(&was->c, &was->slot);
		is->more = dir_short_next(&is->c, &is->slot);
	}
	post_rest(sweep, was, -1);
	post_rest(sweep, is, 1);
}

/* ---- the inode ---- */

static int dotdot_of(struct sweep *sweep, const struct inode *dir, bool after, u64 *parent)
{
	struct inum up = {0};
	u8 type;
	int err = dir_lookup(guard_vol(sweep, after), dir, "..", 2, &up, &type);

	*parent = up.v;
	return err == -ENOENT
		   ? fail(-EUCLEAN, "directory %llu: has no ..", (unsigned long long)dir->ino.v)
		   : err;
}

/* See 2. above: who posts the dots of this state, and who those of the other one. */
static int change_dots(struct sweep *sweep, const struct inode *dir[2],
		       const struct short_form s[2])
{
	bool live[2] = {dir[0] && dir[0]->nlink, dir[1] && dir[1]->nlink};
	int err = 0;

	if (live[0] && live[1] && !in_blocks(dir[0]) && !in_blocks(dir[1]) &&
	    s[0].parent == s[1].parent)
		return 0;
	for (u32 i = 0; i < 2 && !err; i++) {
		u64 parent = s[i].parent;

		if (!live[i] || (in_blocks(dir[i]) && live[1 - i]))
			continue;
		if (in_blocks(dir[i]))
			err = dotdot_of(sweep, dir[i], i, &parent);
		sweep->times = i ? 1 : -1;
		if (!err)
			post_dots(sweep, dir[i]->ino.v, parent);
	}
	sweep->times = 1;
	return err;
}

static int beyond(void *arg, const struct extent *e)
{
	u64 *off = arg;

	*off = e->off;
	return 1;
}

/* The size reaches to the end of the last data block; one that is being taken apart has none. */
static int check_size(struct sweep *sweep, const struct inode *dir)
{
	const struct geometry *g = sweep->g;
	struct vol *vol = guard_vol(sweep, true);
	u64 end = dir->size >> g->block_log, next = NULL64;
	struct extent last = {.start = NULL64};
	int err = 0;

	if (!dir->nlink)
		return 0;
	if (end)
		err = fork_lookup(vol, dir, FORK_DATA, fileoff_of(end - 1), &last);
	if (!err)
		err = fork_each(vol, dir, FORK_DATA, fileoff_of(end), beyond, &next);
	if (err < 0)
		return err;
	if (last.start != NULL64 && next >= g->dir_leaf_off &&
	    !(dir->size & (g->dir_block_size - 1)))
		return 0;
	return fail(-EUCLEAN, "directory %llu: its size, %llu, is not where its data end",
		    (unsigned long long)dir->ino.v, (unsigned long long)dir->size);
}

/* In short form the names must take all of it; read to the end. */
static int check_short(const struct inode *dir, const struct short_form *s)
{
	if (s->c.index == s->c.count && s->c.at == dir->size)
		return 0;
	return fail(-EUCLEAN, "directory %llu: its size, %llu, is not that of its names",
		    (unsigned long long)dir->ino.v, (unsigned long long)dir->size);
}

int dir_change_inode(struct sweep *sweep, const struct inode *before, const struct inode *after)
{
	const struct inode *dir[2] = {before, after};
	struct short_form s[2];
	int err;

	for (u32 i = 0; i < 2; i++)
		short_open(sweep, dir[i], &s[i]);
	err = change_dots(sweep, dir, s);
	change_short(sweep, &s[0], &s[1]);
	if (err || !after)
		return err;
	return in_blocks(after) ? check_size(sweep, after) : check_short(after, &s[1]);
}

/* ---- blocks of entries ---- */

struct block {
	struct sweep *sweep;
	const struct txn_change *c;
	const struct guard_dir *dir;
	u64 number;   /* of the data block */
	bool indexed; /* its names are in an index of blocks */
};

static void post_entry(const struct block *b, const struct dir_slot *slot, s64 times)
{
	struct sweep *sweep = b->sweep;
	bool dots = dir_name_is_dots(slot->name, slot->length);
	u64 dir = b->dir->ino;

	sweep->times = times;
	if (!dots)
		post_name(sweep, dir, times > 0 ? b->dir->is_gen : b->dir->was_gen, slot);
	else if (b->dir->was_live && b->dir->is_live)
		post_dot(sweep, dir, slot->ino, slot->length == 2);
	if (b->indexed)
		post(sweep, ACCOUNT_INDEX, SIDE_LEFT, dir, da_hash(slot->name, slot->length),
		     dir_address(sweep->g, b->number, slot->offset), 0);
}

/* One side of a block, entry by entry. */
struct entries {
	const u8 *bytes;
	u32 at, end;
	struct dir_slot slot;
	bool more;
};

static void entries_next(const struct block *b, struct entries *e)
{
	e->at += e->slot.size;
	e->more = e->at < e->end && dir_data_slot(b->sweep->g, e->bytes, e->end, e->at, &e->slot);
}

static void entries_open(const struct block *b, const u8 *bytes, u32 size, struct entries *e)
{
	*e = (struct entries){.bytes = bytes, .at = sizeof(struct dir_data)};
	if (bytes)
		e->end = dir_data_end(bytes, size);
	entries_next(b, e);
}

static void step(const struct block *b, struct entries *e, s64 times)
{
	if (!e->slot.free)
		post_entry(b, &e->slot, times);
	entries_next(b, e);
}

/* Of a slot that has passed the rules, when there is one. */
static u32 slot_size(const struct geometry *g, const u8 *at)
{
	const struct dir_data_unused *run = (const struct dir_data_unused *)at;

	if (be16_get(run->freetag) == DIR_FREE_TAG)
		return be16_get(run->length);
	return dir_entry_size(g, ((const struct dir_data_entry *)at)->namelen);
}

/* Up to the first difference one side is enough: there both have the same entries. */
static void skip_same(const struct block *b, struct entries *was, struct entries *is)
{
	const struct geometry *g = b->sweep->g;
	u32 end = was->end < is->end ? was->end : is->end, same, at = is->at, size;

	if (!was->more || !is->more)
		return;
	same = txn_first_difference(b->c, at, end);
	while (at + sizeof(struct dir_data_entry) <= same) {
		size = slot_size(g, is->bytes + at);
		if (!size || at + size > same)
			break;
		at += size;
	}
	if (at == is->at)
		return;
	was->at = is->at = at;
	was->slot.size = is->slot.size = 0;
	entries_next(b, was);
	entries_next(b, is);
}

/* Side by side, by their place. */
static void change_entries(const struct block *b, struct entries *was, struct entries *is)
{
	u32 differ = was->end; /* from there on all is the same */

	if (was->more && is->more && was->end == is->end)
		differ = txn_last_difference(b->c, was->at, was->end);
	skip_same(b, was, is);
	while (was->more || is->more) {
		bool both = was->more && is->more && was->at == is->at;

		/* the rest is the same */
		if (both && was->end == is->end && was->at >= differ)
			break;

		if (both && was->slot.size == is->slot.size && was->slot.free == is->slot.free &&
		    (was->slot.free ||
		     !memcmp(was->bytes + was->at, is->bytes + is->at, was->slot.size))) {
			entries_next(b, was);
			entries_next(b, is);
		} else if (was->more && (!is->more || was->at <= is->at)) {
			step(b, was, -1);
		} else {
			step(b, is, 1);
		}
	}
	b->sweep->times = 1;
}

static void change_block(const struct block *b, const struct txn_change *c)
{
	struct entries was, is;

	entries_open(b, c->before, c->size, &was);
	entries_open(b, c->after, c->size, &is);
	change_entries(b, &was, &is);
}

int dir_change_names(struct sweep *sweep, const struct txn_change *c)
{
	struct block b = {.sweep = sweep, .c = c, .dir = know(sweep, c->where->ino)};

	change_block(&b, c);
	return 0;
}

static u64 data_block(const struct sweep *sweep, const struct txn_change *c)
{
	return dir_data_block(sweep->g, c->where->offset);
}

static void change_best(struct sweep *sweep, enum side side, u64 dir, u64 block, u32 was, u32 is)
{
	if (was == is)
		return;
	sweep->times = -1;
	if (was != DIR_NO_BEST)
		post(sweep, ACCOUNT_FREE_INDEX, side, dir, block, was, 0);
	sweep->times = 1;
	if (is != DIR_NO_BEST)
		post(sweep, ACCOUNT_FREE_INDEX, side, dir, block, is, 0);
}

int dir_change_data(struct sweep *sweep, const struct txn_change *c)
{
	const struct guard_dir *dir = know(sweep, c->where->ino);
	struct block b = {.sweep = sweep,
			  .c = c,
			  .dir = dir,
			  .number = data_block(sweep, c),
			  .indexed = dir->indexed};

	change_block(&b, c);
	if (dir->indexed)
		change_best(sweep, SIDE_LEFT, dir->ino, b.number,
			    c->before ? dir_data_best(c->before) : DIR_NO_BEST,
			    c->after ? dir_data_best(c->after) : DIR_NO_BEST);
	return 0;
}

/* ---- the index ---- */

static void post_hash(struct sweep *sweep, u64 dir, const struct dir_leaf_entry *e, s64 times)
{
	sweep->times = times;
	if (e && be32_get(e->address))
		post(sweep, ACCOUNT_INDEX, SIDE_RIGHT, dir, be32_get(e->hashval),
		     be32_get(e->address), 0);
	sweep->times = 1;
}

static void changed_hash(struct sweep *sweep, const struct txn_change *c, const void *before,
			 const void *after)
{
	post_hash(sweep, c->where->ino, before, -1);
	post_hash(sweep, c->where->ino, after, 1);
}

static struct guard_array hashes_of(const u8 *block, u32 len, struct dir_index *index)
{
	*index = (struct dir_index){.count = 0};
	if (!block || !dir_index_open(block, len, index))
		return (struct guard_array){NULL, 0};
	return (struct guard_array){(const u8 *)index->entries, index->count};
}

/* A leaf that has the best runs, too, is another's; what changes it makes it a plain one. */
static void change_leaf_bests(struct sweep *sweep, u64 dir, const struct dir_index *was,
			      const struct dir_index *is)
{
	u32 count = was->best_count > is->best_count ? was->best_count : is->best_count;

	for (u32 i = 0; i < count; i++)
		change_best(sweep, SIDE_RIGHT, dir, i,
			    i < was->best_count ? be16_get(was->bests[i].best) : DIR_NO_BEST,
			    i < is->best_count ? be16_get(is->bests[i].best) : DIR_NO_BEST);
}

int dir_change_index(struct sweep *sweep, const struct txn_change *c)
{
	struct guard_array before, after;
	struct dir_index was, is;

	if (!know(sweep, c->where->ino)->indexed)
		return 0;
	before = hashes_of(c->before, c->size, &was);
	after = hashes_of(c->after, c->size, &is);
	guard_entries(sweep, c, before, after, sizeof(struct dir_leaf_entry), changed_hash);
	change_leaf_bests(sweep, c->where->ino, &was, &is);
	return 0;
}

static u32 best_at(const u8 *block, u32 count, u32 i)
{
	return i < count ? be16_get(dir_free_bests(block)[i].best) : DIR_NO_BEST;
}

int dir_change_free(struct sweep *sweep, const struct txn_change *c)
{
	const struct geometry *g = sweep->g;
	u64 first = (c->where->offset - g->dir_free_off) / g->dir_fsblocks * dir_free_max(c->size);
	u32 was = c->before ? dir_free_count(c->before, c->size) : 0;
	u32 is = c->after ? dir_free_count(c->after, c->size) : 0;
	u32 header = sizeof(struct dir_free), size = sizeof(struct dir_best), from = header;
	u32 end = header + (was > is ? was : is) * size;

	if (!know(sweep, c->where->ino)->indexed)
		return 0;
	/* behind the shorter table lies what does not count */
	if (c->before && c->after && was == is) {
		from = txn_first_difference(c, from, end);
		end = txn_last_difference(c, from, end);
	}
	for (u32 i = (from - header) / size; i * size + header < end; i++)
		change_best(sweep, SIDE_RIGHT, c->where->ino, first + i, best_at(c->before, was, i),
			    best_at(c->after, is, i));
	return 0;
}
