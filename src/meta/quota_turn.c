/*
 * Turning quotas on and off; see quota_turn.h.
 *
 * A type counts as checked only when all its records are right: the flags in the superblock change
 * before the first record is touched (what is to be counted loses its flags) and after the last. So
 * a crash in between leaves a type that has to be counted again.
 */
#include "meta/quota_turn.h"

#include "base/trail.h"
#include "format/quota.h"
#include "format/super.h"
#include "fs/ag.h"
#include "fs/quota.h"
#include "meta/rebuild.h"

/* What the superblock says is what holds. */
static int take_over(struct vol *vol)
{
	const struct meta_type *type = vol_type(vol, META_SUPERBLOCK);
	const struct where where = {.type = type->name, .ino = NO_INO, .owner = NO_OWNER};
	struct geometry g;
	struct buf *buf;
	int err = cache_get(vol->cache, type, &where, daddr_of(0), vol->geo.sector_size, &buf);

	if (err)
		return err;
	err = geometry_from_sb(&g, (const struct sb *)buf->data);
	cache_put(vol->cache, buf);
	if (!err)
		vol_geometry_set(vol, &g);
	return err;
}

/* make: types that get an inode where they have none. */
static int set_flags(struct vol *vol, u32 make, u32 qflags)
{
	struct txn *txn;
	int err;

	if (vol->geo.quota_flags == qflags && !(make & ~quota_types_there(&vol->geo)))
		return 0;
	err = vol_begin(vol, NULL, &txn);
	if (err)
		return err;
	err = quota_make_files(vol, txn, make);
	if (!err)
		err = quota_set_flags(vol, txn, qflags);
	err = vol_end(vol, txn, err);
	return err ? err : take_over(vol);
}

static int turn(struct vol *vol, u32 kept, u32 enforced)
{
	u32 counted = quota_types_counted(&vol->geo) & quota_types_there(&vol->geo) & kept;
	u32 qflags = quota_flags_of(kept & ~enforced, false) | quota_flags_of(enforced, true);
	struct repair r = {.vol = vol};
	int err;

	err = set_flags(vol, kept, qflags & quota_flags_of(counted, true));
	if (err || counted == kept)
		return err;
	/* as it will be: the sweep posts, and the records take, what is kept and counted */
	vol->geo.quota_flags = (u16)qflags;
	err = dquot_count(&r);
	vol->geo.quota_flags = (u16)(qflags & quota_flags_of(counted, true));
	return err ? err : set_flags(vol, kept, qflags);
}

/* Is all that is asked for there already? */
static bool has_all(const struct vol *vol, u32 kept, u32 enforced)
{
	return !(kept & ~quota_types_counted(&vol->geo)) &&
	       !(enforced & ~quota_types_enforced(&vol->geo));
}

int quota_turn(struct vol *vol, u32 kept, u32 enforced)
{
	struct vol alone;
	int err;

	vol_alone_begin(vol, &alone);
	err = turn(&alone, kept, enforced & kept);
	vol_alone_end(&alone);
	/* What cannot be turned off goes on, as the superblock says: its usage stays right. */
	if (err_is_damage(err) && has_all(vol, kept, enforced & kept)) {
		trail_clear();
		return 0;
	}
	return err ? fail_in(err, "quotas") : 0;
}
