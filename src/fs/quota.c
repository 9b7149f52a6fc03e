/*
 * Quotas; see quota.h.
 *
 * 1. What is posted is the difference between before and after, summed by owner; so the order of
 *    changes within a transaction does not matter, and what cancels leaves no trace.
 * 2. Blocks of quota files are added while postings are applied.  That changes the quota inode and
 *    no other, and quota inodes are charged to nobody: so nothing is posted any more by then.
 */
#include "fs/quota.h"

#include "base/mutate.h"
#include "base/trail.h"
#include "format/verify.h"
#include "fs/fork.h"
#include "fs/fork_modify.h"

#include <errno.h>

#define WEEK (7u * 24 * 60 * 60) /* the time of grace when nothing else has been set */

static const char *type_name(u32 type)
{
	return type == DQUOT_USER ? "user" : type == DQUOT_GROUP ? "group" : "project";
}

u64 quota_inode_of(const struct geometry *g, u32 type)
{
	u64 ino = type == DQUOT_USER	? g->uquota_ino
		  : type == DQUOT_GROUP ? g->gquota_ino
					: g->pquota_ino;

	return quota_type_of(g, ino) == type ? ino : 0;
}

/* ---- records ---- */

void quota_block_init(const struct geometry *g, u32 type, u64 first, u8 *block)
{
	struct dquot *d = (struct dquot *)block;

	memset(block, 0, g->block_size);
	for (u32 i = 0; i < dquots_per_block(g) && first + i <= NULL32; i++) {
		bool big = first + i && geometry_has(g, FEATURE_BIGTIME);

		d[i].magic = be16_make(DQUOT_MAGIC);
		d[i].version = DQUOT_VERSION;
		d[i].type = (u8)(type | (big ? DQUOT_BIGTIME : 0));
		d[i].id = be32_make((u32)(first + i));
		memcpy(d[i].uuid, g->meta_uuid.b, sizeof(d[i].uuid));
		d[i].crc = le32_make(verify_crc(&d[i], sizeof(*d), offsetof(struct dquot, crc)));
	}
}

static struct where place_of(const struct vol *vol, u64 ino, u64 start)
{
	const struct geometry *g = &vol->geo;

	return (struct where){.type = vol_type(vol, META_DQUOT)->name,
			      .ag = fsblock_ag(g, fsblock_of(start)),
			      .ino = ino,
			      .daddr = fsblock_daddr(g, fsblock_of(start)).v,
			      .owner = ino};
}

/* The block of the file that has the record; start NULL64: a hole. -ENOENT: there is no such file.
 */
static int find_block(struct vol *view, u32 type, u32 id, u64 *ino, u64 *off, u64 *start)
{
	struct inode inode;
	struct extent e;
	int err;

	*ino = quota_inode_of(&view->geo, type);
	*off = id / dquots_per_block(&view->geo);
	*start = NULL64;
	if (!*ino)
		return -ENOENT;
	err = inode_get(view, inum_of(*ino), &inode);
	if (err)
		return err == -ENOENT ? -EUCLEAN : err;
	err = fork_lookup(view, &inode, FORK_DATA, fileoff_of(*off), &e);
	inode_put(view, &inode);
	if (!err && e.start != NULL64)
		*start = e.start + (*off - e.off);
	return err;
}

static int add_block(struct vol *vol, struct txn *txn, u32 type, u64 ino, u64 off,
		     struct txn_buf **out)
{
	const struct geometry *g = &vol->geo;
	struct txn_buf *inode;
	struct fork_edit f;
	struct where where;
	u64 start = NULL64;
	int err = inode_edit(vol, txn, inum_of(ino), &inode);

	if (!err) {
		fork_edit_open(&f, vol, txn, inum_of(ino), inode, FORK_DATA);
		err = fork_add_block(&f, off, NULL64, &start);
	}
	if (err)
		return err;
	where = place_of(vol, ino, start);
	err = txn_new(txn, vol_type(vol, META_DQUOT), &where, fsblock_daddr(g, fsblock_of(start)),
		      g->block_size, out);
	if (!err)
		quota_block_init(g, type, off * dquots_per_block(g), (*out)->data);
	return err;
}

static int check_record(u32 type, u32 id, const struct dquot *d)
{
	if (be16_get(d->magic) == DQUOT_MAGIC && be32_get(d->id) == id &&
	    (d->type & DQUOT_TYPES) == type)
		return 0;
	return fail(-EUCLEAN, "quota of %s %u: the record in its place is that of %u",
		    type_name(type), id, be32_get(d->id));
}

int quota_record_open(struct vol *vol, struct txn *txn, u32 type, u32 id, bool make,
		      struct quota_record *out)
{
	const struct geometry *g = &vol->geo;
	struct vol view = vol_in(vol, txn);
	struct where where;
	u64 ino, off, start;
	int err = find_block(&view, type, id, &ino, &off, &start);

	*out = (struct quota_record){NULL, NULL};
	if (!err && start == NULL64)
		err = make ? add_block(vol, txn, type, ino, off, &out->buf) : -ENOENT;
	if (!err && start != NULL64) {
		where = place_of(vol, ino, start);
		err = txn_get(txn, vol_type(vol, META_DQUOT), &where,
			      fsblock_daddr(g, fsblock_of(start)), g->block_size, &out->buf);
	}
	if (err)
		return err;
	out->d = (struct dquot *)out->buf->data + id % dquots_per_block(g);
	return check_record(type, id, out->d);
}

int quota_read(struct vol *vol, u32 type, u32 id, struct dquot *out)
{
	const struct geometry *g = &vol->geo;
	struct where where;
	u64 ino, off, start;
	struct buf *buf;
	int err = find_block(vol, type, id, &ino, &off, &start);

	if (!err && start == NULL64)
		err = -ENOENT;
	if (err)
		return err;
	where = place_of(vol, ino, start);
	err = cache_get(vol->cache, vol_type(vol, META_DQUOT), &where,
			fsblock_daddr(g, fsblock_of(start)), g->block_size, &buf);
	if (err)
		return err;
	*out = ((const struct dquot *)buf->data)[id % dquots_per_block(g)];
	cache_put(vol->cache, buf);
	return check_record(type, id, out);
}

/* ---- limits and timers ---- */

/* One resource of a record. */
struct resource {
	const char *name;
	struct be64 *hard, *soft, *count;
	struct be32 *timer;
};

static struct resource resource_of(struct dquot *d, enum quota_resource which)
{
	switch (which) {
	case QUOTA_BLOCKS:
		return (struct resource){"blocks", &d->blk_hardlimit, &d->blk_softlimit, &d->bcount,
					 &d->btimer};
	case QUOTA_INODES:
		return (struct resource){"inodes", &d->ino_hardlimit, &d->ino_softlimit, &d->icount,
					 &d->itimer};
	default:
		return (struct resource){"realtime blocks", &d->rtb_hardlimit, &d->rtb_softlimit,
					 &d->rtbcount, &d->rtbtimer};
	}
}

u64 quota_timer(const struct dquot *d, struct be32 timer)
{
	return (u64)be32_get(timer) << (d->type & DQUOT_BIGTIME ? 2 : 0);
}

struct be32 quota_timer_make(const struct dquot *d, u64 seconds)
{
	return be32_make(
	    (u32)min_u64(d->type & DQUOT_BIGTIME ? (seconds + 3) >> 2 : seconds, NULL32));
}

static bool above_limit(const struct resource *r)
{
	u64 hard = be64_get(*r->hard), soft = be64_get(*r->soft), count = be64_get(*r->count);

	return (hard && count > hard) || (soft && count > soft);
}

void quota_adjust_timers(struct vol *vol, struct dquot *d, const struct dquot *defaults)
{
	struct dquot none = {.magic = be16_make(DQUOT_MAGIC)}, grace = defaults ? *defaults : none;

	if (!be32_get(d->id))
		return; /* its timers are the times of grace */
	for (u32 i = QUOTA_BLOCKS; i <= QUOTA_RT_BLOCKS; i++) {
		struct resource r = resource_of(d, i), def = resource_of(&grace, i);
		u32 seconds = be32_get(*def.timer);

		if (!above_limit(&r))
			*r.timer = be32_make(0);
		else if (!be32_get(*r.timer))
			*r.timer =
			    quota_timer_make(d, env_wall(vol->env) + (seconds ? seconds : WEEK));
	}
}

/* The record of id 0 is what holds for all. */
static int defaults_of(struct vol *vol, struct txn *txn, u32 type, struct dquot *out)
{
	struct vol view = vol_in(vol, txn);
	int err = quota_read(&view, type, 0, out);

	if (err == -ENOENT)
		*out = (struct dquot){.magic = be16_make(DQUOT_MAGIC)};
	return err == -ENOENT ? 0 : err;
}

/* As in the kernel, who has no limits gets those of id 0 when something is charged to him. */
static void take_defaults(struct dquot *d, struct dquot *defaults)
{
	for (u32 i = QUOTA_BLOCKS; i <= QUOTA_RT_BLOCKS; i++) {
		struct resource r = resource_of(d, i), def = resource_of(defaults, i);

		if (!be64_get(*r.hard))
			*r.hard = *def.hard;
		if (!be64_get(*r.soft))
			*r.soft = *def.soft;
	}
}

static void seal(struct txn *txn, struct quota_record *record)
{
	struct dquot *d = record->d;

	d->crc = le32_make(verify_crc(d, sizeof(*d), offsetof(struct dquot, crc)));
	txn_dirty(txn, record->buf);
}

void quota_record_changed(struct vol *vol, struct txn *txn, struct quota_record *record)
{
	struct dquot defaults;
	bool known = !defaults_of(vol, txn, record->d->type & DQUOT_TYPES, &defaults);

	quota_adjust_timers(vol, record->d, known ? &defaults : NULL);
	seal(txn, record);
}

/* ---- postings ---- */

struct posting {
	u32 type, id;
	s64 amount[2]; /* QUOTA_BLOCKS, QUOTA_INODES */
};

struct settle {
	struct vol *vol;
	struct txn *txn;
	u32 types;
	struct posting *posting;
	u32 count, room;
};

static int post(struct settle *s, u32 type, u32 id, s64 blocks, s64 inodes)
{
	struct posting *p = NULL;

	if (!(s->types & type))
		return 0;
	id += MUTATE(QUOTA_OWNER) ? 1 : 0;
	for (u32 i = 0; i < s->count && !p; i++)
		if (s->posting[i].type == type && s->posting[i].id == id)
			p = &s->posting[i];
	if (!p && s->count == s->room) {
		u32 room = s->room ? s->room * 2 : 12;

		p = env_grow(s->vol->env, s->posting, s->count, room, sizeof(*p));
		if (!p)
			return fail(-ENOMEM, "quotas: out of memory");
		s->posting = p;
		s->room = room;
		p = NULL;
	}
	if (!p) {
		p = &s->posting[s->count++];
		*p = (struct posting){.type = type, .id = id};
	}
	p->amount[QUOTA_BLOCKS] += blocks;
	p->amount[QUOTA_INODES] += inodes;
	return 0;
}

/* An inode as it was (sign -1), or as it will be. NULL, or no mode: not in use. */
static int post_inode(struct settle *s, const struct dinode *d, s64 sign)
{
	u32 project;
	s64 blocks;
	int err;

	if (!d || !be16_get(d->mode))
		return 0;
	project = (u32)be16_get(d->projid_hi) << 16 | be16_get(d->projid_lo);
	blocks = sign * (s64)be64_get(d->nblocks);
	err = post(s, DQUOT_USER, be32_get(d->uid), blocks, sign);
	if (!err)
		err = post(s, DQUOT_GROUP, be32_get(d->gid), blocks, sign);
	return err ? err : post(s, DQUOT_PROJECT, project, blocks, sign);
}

static bool same_charge(const struct dinode *a, const struct dinode *b)
{
	return !be16_get(a->mode) == !be16_get(b->mode) && be32_get(a->uid) == be32_get(b->uid) &&
	       be32_get(a->gid) == be32_get(b->gid) &&
	       be16_get(a->projid_lo) == be16_get(b->projid_lo) &&
	       be16_get(a->projid_hi) == be16_get(b->projid_hi) &&
	       be64_get(a->nblocks) == be64_get(b->nblocks);
}

static int post_change(void *arg, const struct txn_change *c)
{
	struct settle *s = arg;
	const struct dinode *before = (const struct dinode *)c->before;
	const struct dinode *after = (const struct dinode *)c->after;
	int err;

	if (c->type->id != META_INODE || quota_type_of(&s->vol->geo, c->where->ino) ||
	    (before && after && same_charge(before, after)))
		return 0;
	err = post_inode(s, before, -1);
	return err || MUTATE(QUOTA_NOT_CHARGED) ? err : post_inode(s, after, 1);
}

/* ---- to the records ---- */

static int exceeds(const struct posting *p, const char *what, const struct resource *r, u64 total)
{
	int err = p->type == DQUOT_PROJECT ? -ENOSPC : -EDQUOT;

	return fail(err, "quota of %s %u: %llu %s, above the %s limit of %llu", type_name(p->type),
		    p->id, (unsigned long long)total, r->name, what,
		    (unsigned long long)be64_get(strcmp(what, "hard") ? *r->soft : *r->hard));
}

/* Only who wants more is asked. The soft limit holds when the time of grace is over. */
static int check_limits(const struct settle *s, const struct posting *p, struct dquot *d,
			const struct resource *r, s64 amount)
{
	u64 hard = be64_get(*r->hard), soft = be64_get(*r->soft);
	u64 total = be64_get(*r->count) + (u64)amount, timer = quota_timer(d, *r->timer);

	if (amount <= 0 || !p->id || txn_giving(s->txn) || txn_forced(s->txn) ||
	    !(quota_types_enforced(&s->vol->geo) & p->type))
		return 0;
	if (hard && total > hard)
		return exceeds(p, "hard", r, total);
	if (soft && total > soft && timer && env_wall(s->vol->env) > timer)
		return exceeds(p, "soft", r, total);
	return 0;
}

static int add_amounts(const struct settle *s, const struct posting *p, struct dquot *d)
{
	int err = 0;

	for (u32 i = QUOTA_BLOCKS; i <= QUOTA_INODES && !err; i++) {
		struct resource r = resource_of(d, i);
		u64 count = be64_get(*r.count), total = count + (u64)p->amount[i];

		if ((p->amount[i] < 0) != (total < count) && p->amount[i])
			return fail(-EUCLEAN,
				    "quota of %s %u: the record has %llu %s, which change by %lld",
				    type_name(p->type), p->id, (unsigned long long)count, r.name,
				    (long long)p->amount[i]);
		err = check_limits(s, p, d, &r, p->amount[i]);
		if (!MUTATE(QUOTA_COUNT))
			*r.count = be64_make(total);
	}
	return err;
}

/* Of the same block, if it is there. */
static int defaults_near(const struct settle *s, const struct posting *p,
			 const struct quota_record *record, struct dquot *out)
{
	if (p->id >= dquots_per_block(&s->vol->geo))
		return defaults_of(s->vol, s->txn, p->type, out);
	*out = *(const struct dquot *)record->buf->data;
	return check_record(p->type, 0, out);
}

static int apply(struct settle *s, const struct posting *p)
{
	struct quota_record record;
	struct dquot defaults;
	int err;

	if ((!p->amount[QUOTA_BLOCKS] && !p->amount[QUOTA_INODES]) || MUTATE(QUOTA_RECORD))
		return 0;
	err = quota_record_open(s->vol, s->txn, p->type, p->id, true, &record);
	if (!err)
		err = defaults_near(s, p, &record, &defaults);
	if (err)
		return err == -ENOENT ? fail(-EUCLEAN, "quota of %ss: there is no inode for it",
					     type_name(p->type))
				      : err;
	if (p->id)
		take_defaults(record.d, &defaults);
	err = add_amounts(s, p, record.d);
	if (err)
		return err;
	quota_adjust_timers(s->vol, record.d, &defaults);
	seal(s->txn, &record);
	return 0;
}

int quota_settle(struct vol *vol, struct txn *txn)
{
	struct settle s = {.vol = vol, .txn = txn, .types = quota_types_counted(&vol->geo)};
	int err = txn_each_change(txn, post_change, &s);

	for (u32 i = 0; i < s.count && !err; i++)
		err = apply(&s, &s.posting[i]);
	env_free(vol->env, s.posting);
	return err;
}
