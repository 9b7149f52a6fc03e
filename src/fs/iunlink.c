/*
 * The lists of inodes without a name; see ialloc.h.
 *
 * Each AG has AGI_BUCKETS of them, chained by next_unlinked; an inode is in the one that its number
 * says.  A new one goes to the front.  Lists of hostile length are walked no further than the AG
 * has inodes.
 */
#include "base/mutate.h"
#include "base/trail.h"
#include "fs/fork_modify.h"
#include "fs/health.h"
#include "fs/ialloc.h"

#include <errno.h>

static int open_ag(struct vol *vol, struct txn *txn, struct inum ino, struct ag *ag)
{
	int err = ag_open(vol, txn, inum_ag(&vol->geo, ino), ag);

	return err ? err : ag_open_inodes(ag);
}

static struct be32 *bucket(struct ag *ag, u32 agino)
{
	return &ag_agi(ag)->unlinked[agino % AGI_BUCKETS];
}

int iunlink_renew(struct vol *vol, struct txn *txn, struct inum ino)
{
	struct txn_buf *buf;
	int err = inode_edit(vol, txn, ino, &buf);

	if (err)
		return err;
	txn_dirty(txn, buf);
	((struct dinode *)buf->data)->next_unlinked = be32_make(NULL32);
	return iunlink_add(vol, txn, ino);
}

int iunlink_add(struct vol *vol, struct txn *txn, struct inum ino)
{
	u32 agino = inum_agino(&vol->geo, ino);
	struct txn_buf *buf;
	struct dinode *d;
	struct ag ag;
	int err = open_ag(vol, txn, ino, &ag);

	if (!err)
		err = inode_edit(vol, txn, ino, &buf);
	if (err)
		return err;
	d = (struct dinode *)buf->data;
	if (be32_get(d->next_unlinked) != NULL32 || be32_get(*bucket(&ag, agino)) == agino)
		return fail(-EUCLEAN, "inode %llu: on a list of unlinked inodes already",
			    (unsigned long long)ino.v);
	txn_dirty(txn, buf);
	txn_dirty(txn, ag.agi_buf);
	if (!MUTATE(UNLINKED_NEXT))
		d->next_unlinked = *bucket(&ag, agino);
	if (!MUTATE(UNLINKED_BUCKET))
		*bucket(&ag, agino) = be32_make(agino);
	return 0;
}

/* The inode whose next is `agino`. */
static int find_previous(struct ag *ag, u32 agino, struct txn_buf **out)
{
	u32 at = be32_get(*bucket(ag, agino)), rounds = be32_get(ag_agi(ag)->count);
	int err = 0;

	while (at != NULL32 && rounds-- && !err) {
		err = inode_edit(ag->vol, ag->txn, inum_make(&ag->vol->geo, ag->number, at), out);
		if (err)
			return err;
		at = be32_get(((struct dinode *)(*out)->data)->next_unlinked);
		if (at == agino)
			return 0;
	}
	err = fail(-EUCLEAN, "AG %u: inode %u is not on its list of unlinked inodes", ag->number,
		   agino);
	health_blame(err, SCRUB_AGI, ag->number, NO_INO);
	return err;
}

int iunlink_remove(struct vol *vol, struct txn *txn, struct inum ino)
{
	u32 agino = inum_agino(&vol->geo, ino);
	struct txn_buf *buf, *previous;
	struct dinode *d;
	struct ag ag;
	int err = open_ag(vol, txn, ino, &ag);

	if (!err)
		err = inode_edit(vol, txn, ino, &buf);
	if (err)
		return err;
	d = (struct dinode *)buf->data;
	if (be32_get(*bucket(&ag, agino)) == agino) {
		txn_dirty(txn, ag.agi_buf);
		if (!MUTATE(UNLINKED_STAYS))
			*bucket(&ag, agino) = d->next_unlinked;
	} else {
		err = find_previous(&ag, agino, &previous);
		if (err)
			return err;
		txn_dirty(txn, previous);
		if (!MUTATE(UNLINKED_SKIPPED))
			((struct dinode *)previous->data)->next_unlinked = d->next_unlinked;
	}
	txn_dirty(txn, buf);
	d->next_unlinked = be32_make(NULL32);
	return 0;
}

int iunlink_first(struct vol *vol, u32 *number, struct inum *out)
{
	const struct meta_type *type = vol_type(vol, META_AGI);
	int err = 0;

	for (; *number < vol->geo.ag_count && !err; ++*number) {
		struct daddr at = type->place(&vol->geo, *number);
		const struct where where = {.type = type->name,
					    .ag = *number,
					    .ino = NO_INO,
					    .daddr = at.v,
					    .owner = NO_OWNER};
		struct buf *buf;
		u32 agino = NULL32;

		err = cache_get(vol->cache, type, &where, at, vol->geo.sector_size, &buf);
		if (err)
			return err;
		for (u32 i = 0; i < AGI_BUCKETS && agino == NULL32; i++)
			agino = be32_get(((const struct agi *)buf->data)->unlinked[i]);
		cache_put(vol->cache, buf);
		if (agino != NULL32) {
			*out = inum_make(&vol->geo, *number, agino);
			return 0;
		}
	}
	return -ENOENT;
}
