/* Finishing intents; see finish.h. */
#include "fs/finish.h"

#include "base/trail.h"
#include "format/super.h"
#include "fs/finish_impl.h"
#include "fs/refcount_modify.h"
#include "fs/rmap_modify.h"

#include <errno.h>
#include <stdio.h>

int finish_free_later(struct finish *f, u64 start, u64 count)
{
	struct late *late = env_alloc(f->vol->env, sizeof(*late));

	if (!late)
		return fail(-ENOMEM, "finishing an intent: out of memory");
	*late = (struct late){f->late, start, count};
	f->late = late;
	return 0;
}

int finish_ag(struct finish *f, u64 start, u64 count, struct ag *out)
{
	const struct geometry *g = &f->vol->geo;
	int err;

	if (!fsblock_valid(g, fsblock_of(start), count))
		return fail(-EUCLEAN, "block %llu, %llu blocks, are outside the filesystem",
			    (unsigned long long)start, (unsigned long long)count);
	err = ag_open(f->vol, f->txn, fsblock_ag(g, fsblock_of(start)), out);
	return err ? err : space_prepare(out);
}

/* The log does not say who owned the space: mostly nobody any more, and for blocks of a block map
 * still the file. */
int finish_efi(struct finish *f, const struct log_pending *p)
{
	static const struct owner unknown = {(u64)OWNER_UNKNOWN, 0};
	int err = 0;

	for (u32 i = 0; i < p->change_count && !err; i++) {
		const struct log_change *c = &p->change[i];
		struct ag ag;

		err = finish_ag(f, c->start, c->count, &ag);
		if (!err)
			err = space_free(&ag, fsblock_bno(&f->vol->geo, fsblock_of(c->start)),
					 (u32)c->count, &unknown);
	}
	return err;
}

static int rmap_change(struct ag *ag, const struct log_change *c)
{
	u32 bno = fsblock_bno(&ag->vol->geo, fsblock_of(c->start)), blocks = (u32)c->count;
	struct owner owner = {c->ino, c->offset};

	if (c->flags & LOG_MAP_ATTR)
		owner.offset |= RMAP_OFFSET_ATTR;
	if (c->flags & LOG_RMAP_BMBT)
		owner.offset |= RMAP_OFFSET_BMBT;
	if (c->flags & LOG_RMAP_UNWRITTEN)
		owner.offset |= RMAP_OFFSET_UNWRITTEN;
	switch (c->flags & LOG_INTENT_KIND) {
	case LOG_RMAP_MAP:
	case LOG_RMAP_MAP_SHARED:
	case LOG_RMAP_ALLOC:
		return rmap_map(ag, bno, blocks, &owner);
	case LOG_RMAP_UNMAP:
	case LOG_RMAP_UNMAP_SHARED:
	case LOG_RMAP_FREE:
		return rmap_unmap(ag, bno, blocks, &owner);
	case LOG_RMAP_CONVERT:
	case LOG_RMAP_CONVERT_SHARED:
		/* the intent has the state that it shall get */
		owner.offset ^= RMAP_OFFSET_UNWRITTEN;
		return rmap_convert(ag, bno, blocks, &owner);
	default:
		return fail(-EUCLEAN, "reverse map intent of kind %u", c->flags & LOG_INTENT_KIND);
	}
}

int finish_rui(struct finish *f, const struct log_pending *p)
{
	int err = 0;

	if (!geometry_has(&f->vol->geo, FEATURE_RMAPBT))
		return fail(-EUCLEAN, "the filesystem has no reverse map");
	for (u32 i = 0; i < p->change_count && !err; i++) {
		const struct log_change *c = &p->change[i];
		struct ag ag;

		if (c->offset & ~RMAP_OFFSET_MASK)
			return fail(-EUCLEAN, "offset %llu is beyond any file",
				    (unsigned long long)c->offset);
		err = finish_ag(f, c->start, c->count, &ag);
		if (!err)
			err = rmap_change(&ag, c);
	}
	return err;
}

struct unused_sink {
	struct refcount_sink sink;
	struct finish *f;
};

static int unused(struct refcount_sink *sink, u32 ag, u32 bno, u32 blocks)
{
	struct finish *f = ((struct unused_sink *)sink)->f;

	return finish_free_later(f, fsblock_make(&f->vol->geo, ag, bno).v, blocks);
}

static int refcount_change(struct finish *f, struct ag *ag, const struct log_change *c)
{
	u32 bno = fsblock_bno(&f->vol->geo, fsblock_of(c->start)), blocks = (u32)c->count;
	struct unused_sink sink = {{unused}, f};

	switch (c->flags & LOG_INTENT_KIND) {
	case LOG_REFCOUNT_INCREASE:
		return refcount_increase(ag, bno, blocks);
	case LOG_REFCOUNT_DECREASE:
		return refcount_decrease(ag, bno, blocks, &sink.sink);
	case LOG_REFCOUNT_ALLOC_COW:
		return refcount_cow_add(ag, bno, blocks);
	case LOG_REFCOUNT_FREE_COW:
		return refcount_cow_remove(ag, bno, blocks);
	default:
		return fail(-EUCLEAN, "reference count intent of kind %u",
			    c->flags & LOG_INTENT_KIND);
	}
}

int finish_cui(struct finish *f, const struct log_pending *p)
{
	int err = 0;

	for (u32 i = 0; i < p->change_count && !err; i++) {
		struct ag ag;

		err = finish_ag(f, p->change[i].start, p->change[i].count, &ag);
		if (!err)
			err = refcount_change(f, &ag, &p->change[i]);
	}
	return err;
}

static int finish_one(struct finish *f, const struct log_pending *p)
{
	switch (p->type) {
	case LOG_EFI:
		return finish_efi(f, p);
	case LOG_RUI:
		return finish_rui(f, p);
	case LOG_CUI:
		return finish_cui(f, p);
	case LOG_BUI:
		return finish_bui(f, p);
	case LOG_ATTRI:
		return finish_attri(f, p);
	case LOG_XMI:
		return finish_xmi(f, p);
	default:
		return fail(-EOPNOTSUPP, "an intent of a type that is not known");
	}
}

/* What became free goes to the end of the list. */
static int hand_over(struct finish *f, struct log_status *status, bool finished)
{
	int err = 0;

	while (f->late) {
		struct late *late = f->late;

		f->late = late->next;
		if (finished && !err)
			err = log_pending_free_later(f->vol->env, status, late->start, late->count);
		env_free(f->vol->env, late);
	}
	return err;
}

static void note(struct vol *vol, const struct log_pending *p)
{
	char line[TRAIL_MAX + 64];

	snprintf(line, sizeof(line), "%s 0x%llx stays pending: %s", p->name,
		 (unsigned long long)p->id, trail_text());
	if (vol->env->note)
		vol->env->note(vol->env, line);
}

/* One intent; *finished says whether it is. */
static int try_one(struct vol *vol, struct log_status *status, struct log_pending *p,
		   bool *finished)
{
	struct finish f = {.vol = vol};
	int err = vol_begin(vol, NULL, &f.txn);

	*finished = false;
	if (err)
		return err;
	err = vol_end(vol, f.txn, finish_one(&f, p));
	*finished = !err;
	if (err)
		note(vol, p);
	if (hand_over(&f, status, *finished))
		return -ENOMEM;
	return err == -ENOMEM ? err : 0;
}

/* With nothing left to do, the log has no items that an older kernel would not know. */
static int clear_log_features(struct vol *vol)
{
	struct txn_buf *buf;
	struct txn *txn;
	struct sb *sb;
	int err = vol_begin(vol, NULL, &txn);

	if (err)
		return err;
	err = ag_super(vol, txn, &buf);
	if (err) {
		vol_end(vol, txn, err);
		return 0; /* a damaged superblock is somebody else's finding */
	}
	sb = (struct sb *)buf->data;
	if (be32_get(sb->features_log_incompat)) {
		txn_dirty(txn, buf);
		sb->features_log_incompat = be32_make(0);
	}
	return vol_end(vol, txn, 0);
}

int finish_pending(struct vol *vol, struct log_status *status)
{
	struct log_pending *p = status->pending, *next;
	int err = 0;

	while (p && !err) {
		bool finished;

		err = try_one(vol, status, p, &finished);
		next = p->next;
		if (finished)
			log_pending_drop(vol->env, status, p);
		p = next;
	}
	return err || status->pending ? err : clear_log_features(vol);
}
