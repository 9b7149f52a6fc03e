/*
 * Rebuilding quota records; see rebuild.h.
 *
 * Usage is derived: a sweep adds up what inodes are charged, and every record gets its sum.  Limits
 * and times of grace are in the records alone: they stay, of a record that can be recognized at
 * all.  Records go back block by block, each block in a transaction of its own: the records of a
 * block say nothing of those of another.
 */
#include "base/sorter.h"
#include "base/trail.h"
#include "format/quota.h"
#include "format/verify.h"
#include "fs/fork.h"
#include "fs/fork_modify.h"
#include "fs/quota.h"
#include "ledger/sweep.h"
#include "meta/rebuild.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#define CHARGES_MEMORY (4u << 20)

/* What one inode is charged, for sorting. */
struct charge {
	struct be32 type, id, resource;
	struct be64 amount;
};
#define CHARGE_KEY offsetof(struct charge, amount)

struct quota_work {
	struct repair *r;
	const struct geometry *g;
	struct sorter *charges;
	struct charge next;
	bool has;
	int err;
	/* of the file at hand */
	u64 ino;
	u32 type;
	struct dquot defaults; /* the record of id 0 */
	u8 *block;
	u64 done; /* blocks with ids below are done */
	u64 changed, lost;
};

static void on_posting(void *arg, const struct sweep_posting *p)
{
	struct quota_work *w = arg;
	const struct charge c = {be32_make((u32)p->fact->w[0]), be32_make((u32)p->fact->w[1]),
				 be32_make((u32)p->fact->w[2]), be64_make((u64)p->times)};
	int err = p->side == SIDE_LEFT ? sorter_add(w->charges, &c) : 0;

	if (err && !w->err)
		w->err = err;
}

static int take_charge(struct quota_work *w)
{
	return sorter_take(w->charges, &w->next, &w->has);
}

static int gather(struct quota_work *w)
{
	const struct sweep_options options = {
	    .posted = on_posting, .posted_arg = w, .posted_accounts = 1u << ACCOUNT_QUOTA};
	int err = sorter_open(w->r->vol->env, sizeof(struct charge), CHARGE_KEY, CHARGES_MEMORY,
			      &w->charges);

	if (!err)
		err = repair_gather(w->r, 0, &options);
	if (!err)
		err = w->err;
	if (!err)
		err = sorter_sort(w->charges);
	return err ? err : take_charge(w);
}

/* Charges come by type, id and resource; whoever comes before this id has no record. */
static int usage_of(struct quota_work *w, u64 id, u64 amount[3])
{
	int err = 0;

	memset(amount, 0, 3 * sizeof(*amount));
	while (!err && w->has && be32_get(w->next.type) <= w->type) {
		bool same = be32_get(w->next.type) == w->type;

		if (same && be32_get(w->next.id) > id)
			break;
		if (same && be32_get(w->next.id) == id && be32_get(w->next.resource) < 3)
			amount[be32_get(w->next.resource)] += be64_get(w->next.amount);
		err = take_charge(w);
	}
	return err;
}

/* ---- one record ---- */

static void settle_limits(const struct be64 *hard, struct be64 *soft)
{
	if (be64_get(*hard) && be64_get(*soft) > be64_get(*hard))
		*soft = *hard;
}

static void put_usage(struct dquot *d, const u64 amount[3])
{
	d->bcount = be64_make(amount[QUOTA_BLOCKS]);
	d->icount = be64_make(amount[QUOTA_INODES]);
	d->rtbcount = be64_make(amount[QUOTA_RT_BLOCKS]);
}

/* Is there anything of a record that could be believed? */
static bool recognized(const struct quota_work *w, const struct dquot *d, u64 id)
{
	u32 signs = (be16_get(d->magic) == DQUOT_MAGIC) + (be32_get(d->id) == id) +
		    !memcmp(d->uuid, w->g->meta_uuid.b, sizeof(d->uuid)) +
		    (verify_crc(d, sizeof(*d), offsetof(struct dquot, crc)) == le32_get(d->crc));

	return signs >= 2;
}

static void make_record(struct quota_work *w, struct dquot *d, u64 id, const u64 *amount)
{
	bool bigtime = id && d->type & DQUOT_BIGTIME && geometry_has(w->g, FEATURE_BIGTIME);

	if (!recognized(w, d, id)) {
		memset(d, 0, sizeof(*d));
		bigtime = false;
		w->lost++;
	}
	d->magic = be16_make(DQUOT_MAGIC);
	d->version = DQUOT_VERSION;
	d->type = (u8)(w->type | (bigtime ? DQUOT_BIGTIME : 0));
	d->id = be32_make((u32)id);
	d->pad0 = be32_make(0);
	d->pad = be16_make(0);
	memset(d->fill, 0, sizeof(d->fill));
	d->lsn = be64_make(0);
	memcpy(d->uuid, w->g->meta_uuid.b, sizeof(d->uuid));
	if (amount)
		put_usage(d, amount);
	settle_limits(&d->blk_hardlimit, &d->blk_softlimit);
	settle_limits(&d->ino_hardlimit, &d->ino_softlimit);
	settle_limits(&d->rtb_hardlimit, &d->rtb_softlimit);
	quota_adjust_timers(w->r->vol, d, &w->defaults);
	d->crc = le32_make(verify_crc(d, sizeof(*d), offsetof(struct dquot, crc)));
}

/* ---- blocks ---- */

static int make_block(struct quota_work *w, u64 off)
{
	struct dquot *d = (struct dquot *)w->block;
	bool counted = quota_types_counted(w->g) & w->type;
	u32 per_block = dquots_per_block(w->g);
	u64 amount[3];
	int err = 0;

	for (u32 i = 0; i < per_block && !err; i++) {
		u64 id = off * per_block + i;

		err = usage_of(w, id, amount);
		if (id <= NULL32)
			make_record(w, &d[i], id, counted ? amount : NULL);
	}
	return err;
}

static int put_block(struct quota_work *w, struct txn *txn, u64 start)
{
	const struct meta_type *type = vol_type(w->r->vol, META_DQUOT);
	struct daddr at = fsblock_daddr(w->g, fsblock_of(start));
	const struct where where = {.type = type->name,
				    .ag = fsblock_ag(w->g, fsblock_of(start)),
				    .ino = w->ino,
				    .daddr = at.v,
				    .owner = w->ino};
	struct txn_buf *buf;
	int err = txn_new(txn, type, &where, at, w->g->block_size, &buf);

	if (!err)
		memcpy(buf->data, w->block, w->g->block_size);
	return err;
}

/* LSNs of the records are not compared: they change with each change. */
static bool differs(const struct quota_work *w, const u8 *old)
{
	return memcmp(old, w->block, w->g->block_size) != 0;
}

static int mend_block(struct quota_work *w, u64 off, u64 start)
{
	struct vol *vol = w->r->vol;
	u8 *old = env_alloc(vol->env, w->g->block_size);
	struct vol view;
	struct txn *txn;
	int err = old ? device_read(vol->data, fsblock_daddr(w->g, fsblock_of(start)), old,
				    w->g->block_size)
		      : fail(-ENOMEM, "quota: out of memory");

	if (!err) {
		memcpy(w->block, old, w->g->block_size);
		err = make_block(w, off);
	}
	if (!err && differs(w, old)) {
		w->changed++;
		err = vol_begin(vol, &view, &txn);
		if (!err)
			err = vol_end(vol, txn, put_block(w, txn, start));
	}
	env_free(vol->env, old);
	return err;
}

/* Inodes are charged to ids whose block is not there. */
static int add_block(struct quota_work *w, u64 off)
{
	struct vol *vol = w->r->vol, view;
	struct fork_edit f;
	struct txn_buf *buf;
	struct txn *txn;
	u64 start;
	int err;

	memset(w->block, 0, w->g->block_size);
	err = make_block(w, off);
	w->lost = 0;
	if (!err)
		err = vol_begin(vol, &view, &txn);
	if (err)
		return err;
	err = inode_edit(&view, txn, inum_of(w->ino), &buf);
	if (!err) {
		fork_edit_open(&f, &view, txn, inum_of(w->ino), buf, FORK_DATA);
		err = fork_add_block(&f, off, NULL64, &start);
	}
	if (!err)
		err = put_block(w, txn, start);
	w->changed++;
	return vol_end(vol, txn, err);
}

/* Blocks for charged ids below `off`. */
static int fill_up(struct quota_work *w, u64 off)
{
	u32 per_block = dquots_per_block(w->g);
	int err = 0;

	assert(per_block);
	if (!(quota_types_counted(w->g) & w->type))
		return 0;
	while (!err && w->has && be32_get(w->next.type) <= w->type) {
		u64 at = be32_get(w->next.id) / per_block;

		if (be32_get(w->next.type) < w->type)
			err = take_charge(w);
		else if (at >= off)
			break;
		else
			err = add_block(w, at);
	}
	return err;
}

/* The map changes while blocks are added, so it is asked anew for each extent. */
static int mend_file(struct quota_work *w)
{
	struct vol *vol = w->r->vol;
	u64 end = (u64)NULL32 / max_u64(dquots_per_block(w->g), 1) + 1;
	int err = 0;

	w->changed = w->lost = 0;
	if (quota_read(vol, w->type, 0, &w->defaults))
		w->defaults = (struct dquot){.magic = be16_make(DQUOT_MAGIC)};
	trail_clear();
	for (u64 off = 0; off < end && !err;) {
		struct inode inode;
		struct extent e;

		err = inode_get(vol, inum_of(w->ino), &inode);
		if (err)
			return err;
		err = fork_lookup(vol, &inode, FORK_DATA, fileoff_of(off), &e);
		inode_put(vol, &inode);
		if (!err && e.start == NULL64)
			err = fill_up(w, min_u64(e.off + e.count, end));
		for (; !err && e.start != NULL64 && off < e.off + e.count && off < end; off++)
			err = mend_block(w, off, e.start + (off - e.off));
		if (e.start == NULL64)
			off = e.off + e.count;
	}
	return err;
}

static int mend_files(struct quota_work *w)
{
	const struct geometry *g = w->g;
	const struct {
		u64 ino;
		u32 type;
		const char *name;
	} file[] = {{g->uquota_ino, DQUOT_USER, "user"},
		    {g->pquota_ino, DQUOT_PROJECT, "project"},
		    {g->gquota_ino, DQUOT_GROUP, "group"}};
	int err = 0;

	/* in the order of the types, as charges come */
	for (u32 i = 0; i < ARRAY_COUNT(file) && !err; i++) {
		if (quota_type_of(g, file[i].ino) != file[i].type)
			continue;
		w->ino = file[i].ino;
		w->type = file[i].type;
		err = mend_file(w);
		if (w->changed)
			repair_say(w->r, "quota of %ss (inode %llu): %llu blocks of records mended",
				   file[i].name, (unsigned long long)w->ino,
				   (unsigned long long)w->changed);
		if (w->lost)
			repair_say(w->r, "quota of %ss: the limits of %llu ids are lost",
				   file[i].name, (unsigned long long)w->lost);
	}
	return err;
}

int dquot_count(struct repair *r)
{
	struct quota_work w = {.r = r, .g = &r->vol->geo};
	int err;

	w.block = env_alloc(r->vol->env, w.g->block_size);
	err = w.block ? gather(&w) : fail(-ENOMEM, "quota: out of memory");
	if (!err)
		err = mend_files(&w);
	sorter_close(w.charges);
	env_free(r->vol->env, w.block);
	return err;
}

int dquot_rebuild(struct repair *r, u32 ag, u64 ino)
{
	int err;

	(void)ag;
	(void)ino;
	if (r->quota_done)
		return 0;
	/* it may be that the superblock names other inodes; beside writers it is sound */
	err = r->beside ? 0 : super_rebuild(r, 0, NO_INO);
	if (err || r->moved)
		return err;
	err = dquot_count(r);
	r->quota_done = !err;
	return err;
}
