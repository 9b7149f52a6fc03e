/*
 * Rebuilding the realtime bitmap and its summary; see rebuild.h.
 *
 * Files say which blocks of the section are in use; the rest is free.  Bitmap blocks are made in
 * order from the sorted claims, and the runs of free extents that they have are counted for the
 * summary on the way.  Each block is a transaction of its own.
 *
 * Memory: the summary, four bytes for each level and bitmap block.
 */
#include "base/sorter.h"
#include "base/trail.h"
#include "format/realtime.h"
#include "fs/fork.h"
#include "fs/fork_modify.h"
#include "ledger/sweep.h"
#include "meta/rebuild.h"

#include <errno.h>

#define CLAIMS_MEMORY (4u << 20)

struct rt_claim {
	struct be64 start, count; /* blocks */
};

struct rt_work {
	struct repair *r;
	const struct geometry *g;
	struct sorter *claims;
	struct rt_claim claim;
	bool has;
	int err;
	u8 *block, *old;
	struct rtsummary_word *summary;
	u64 run_start, run_length; /* of free extents */
	u64 free, changed;
};

static void on_posting(void *arg, const struct sweep_posting *p)
{
	struct rt_work *w = arg;
	const struct rt_claim claim = {be64_make(p->start), be64_make(p->length)};
	bool bitmap = p->where && p->where->ino == w->g->rbm_ino;
	int err = 0;

	if (p->side == SIDE_LEFT && !bitmap && p->length)
		err = sorter_add(w->claims, &claim);
	if (err && !w->err)
		w->err = err;
}

static int next_claim(struct rt_work *w)
{
	return sorter_take(w->claims, &w->claim, &w->has);
}

static int gather(struct rt_work *w)
{
	const struct sweep_options options = {
	    .posted = on_posting, .posted_arg = w, .posted_accounts = 1u << ACCOUNT_RT_SPACE};
	struct vol *vol = w->r->vol;
	int err = sorter_open(vol->env, sizeof(struct rt_claim), sizeof(struct rt_claim),
			      CLAIMS_MEMORY, &w->claims);

	if (!err)
		err = sweep_gather(vol, 0, &options);
	if (!err)
		err = w->err;
	if (!err)
		err = sorter_sort(w->claims);
	return err ? err : next_claim(w);
}

/* ---- the bitmap ---- */

static void end_run(struct rt_work *w)
{
	u32 bits = rt_bits_per_block(w->g), level, block;
	struct le32 *count;

	if (!w->run_length || !bits)
		return;
	block = (u32)(w->run_start / bits);
	level = 63u - (u32)__builtin_clzll(w->run_length);
	count = &w->summary[(u64)level * w->g->rt_bitmap_blocks + block].count;
	*count = le32_make(le32_get(*count) + 1);
	w->free += w->run_length;
	w->run_length = 0;
}

/* Is any block of this extent claimed? Extents come in rising order. */
static int is_used(struct rt_work *w, u64 extent, bool *used)
{
	u64 start = extent * w->g->rt_extent_size, end = start + w->g->rt_extent_size;
	int err = 0;

	while (!err && w->has && be64_get(w->claim.start) + be64_get(w->claim.count) <= start)
		err = next_claim(w);
	*used = w->has && be64_get(w->claim.start) < end;
	return err;
}

static int make_bitmap(struct rt_work *w, u64 off)
{
	u64 first = off * rt_bits_per_block(w->g);
	int err = 0;

	memset(w->block, 0, w->g->block_size);
	for (u64 i = 0; i < rt_bits_per_block(w->g) && first + i < w->g->rt_extents && !err; i++) {
		bool used;

		err = is_used(w, first + i, &used);
		if (used) {
			end_run(w);
			continue;
		}
		if (!w->run_length++)
			w->run_start = first + i;
		/* words are little-endian: bits count up through the bytes */
		w->block[i / 8] |= (u8)(1u << i % 8);
	}
	return err;
}

/* ---- blocks of either file ---- */

static int write_in(struct rt_work *w, struct vol *view, struct txn *txn, u64 ino,
		    const struct meta_type *type, u64 off, u64 start)
{
	struct where where = {.type = type->name, .ino = ino, .owner = ino};
	struct fork_edit f;
	struct txn_buf *buf;
	struct daddr at;
	int err = 0;

	if (start == NULL64) {
		err = inode_edit(view, txn, inum_of(ino), &buf);
		if (err)
			return err;
		fork_edit_open(&f, view, txn, inum_of(ino), buf, FORK_DATA);
		err = fork_add_block(&f, off, NULL64, &start);
	}
	if (err)
		return err;
	at = fsblock_daddr(w->g, fsblock_of(start));
	where.ag = fsblock_ag(w->g, fsblock_of(start));
	where.daddr = at.v;
	err = txn_new(txn, type, &where, at, w->g->block_size, &buf);
	if (!err)
		memcpy(buf->data, w->block, w->g->block_size);
	return err;
}

/* w->block to where the file has it; a block that is missing is added. */
static int put_block(struct rt_work *w, u64 ino, enum meta_id id, u64 off)
{
	struct vol *vol = w->r->vol, view;
	struct inode inode;
	struct extent e;
	struct txn *txn;
	int err = inode_get(vol, inum_of(ino), &inode);

	if (err)
		return err;
	err = fork_lookup(vol, &inode, FORK_DATA, fileoff_of(off), &e);
	inode_put(vol, &inode);
	if (err)
		return err;
	if (e.start != NULL64) {
		e.start += off - e.off;
		if (!device_read(vol->data, fsblock_daddr(w->g, fsblock_of(e.start)), w->old,
				 w->g->block_size) &&
		    !memcmp(w->old, w->block, w->g->block_size))
			return 0;
	}
	w->changed++;
	err = vol_begin(vol, &view, &txn);
	return err ? err
		   : vol_end(vol, txn,
			     write_in(w, &view, txn, ino, vol_type(vol, id), off, e.start));
}

static int put_summary(struct rt_work *w)
{
	const struct geometry *g = w->g;
	u64 bytes = rt_summary_words(g) * sizeof(*w->summary);
	int err = 0;

	for (u64 off = 0; off < g->rt_summary_size >> g->block_log && !err; off++) {
		u64 at = off << g->block_log;

		memset(w->block, 0, g->block_size);
		if (at < bytes)
			memcpy(w->block, (const u8 *)w->summary + at,
			       min_u64(bytes - at, g->block_size));
		err = put_block(w, g->rsum_ino, META_RTSUMMARY, off);
	}
	return err;
}

static int rebuild(struct rt_work *w)
{
	int err = gather(w);

	for (u64 off = 0; off < w->g->rt_bitmap_blocks && !err; off++) {
		err = make_bitmap(w, off);
		if (!err)
			err = put_block(w, w->g->rbm_ino, META_RTBITMAP, off);
	}
	end_run(w);
	if (!err)
		err = put_summary(w);
	if (!err && w->changed)
		repair_say(
		    w->r, "realtime: bitmap and summary from what files map: %llu extents are free",
		    (unsigned long long)w->free);
	return err;
}

int rt_rebuild(struct repair *r, u32 ag, u64 ino)
{
	const struct geometry *g = &r->vol->geo;
	struct env *env = r->vol->env;
	struct rt_work w = {.r = r, .g = g};
	int err;

	(void)ag;
	(void)ino;
	if (!g->rt_extents || r->rt_done)
		return 0;
	w.block = env_alloc(env, g->block_size);
	w.old = env_alloc(env, g->block_size);
	w.summary = env_array(env, rt_summary_words(g) + 1, sizeof(*w.summary));
	err = w.block && w.old && w.summary ? rebuild(&w)
					    : fail(-ENOMEM, "the realtime bitmap: out of memory");
	r->rt_done = !err;
	sorter_close(w.claims);
	env_free(env, w.block);
	env_free(env, w.old);
	env_free(env, w.summary);
	return err;
}
