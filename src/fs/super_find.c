/* Which geometry to believe; see super_find.h. */
#include "fs/super_find.h"

#include "base/trail.h"
#include "format/super.h"
#include "format/verify.h"
#include "fs/super_doubt.h"

#include <errno.h>
#include <stdio.h>

#define STEP (1u << SB_MIN_SECTOR_LOG)
#define WINDOW (1u << 20) /* read at a time while searching */
#define COPIES_ASKED 4	  /* of the primary's own copies, before it is doubted */

static bool fits(const struct geometry *g, const struct device *dev)
{
	return g->data_blocks <= dev->size >> g->block_log;
}

/* What everything else is computed from. */
static bool same_core(const struct geometry *a, const struct geometry *b)
{
	return a->block_log == b->block_log && a->sector_log == b->sector_log &&
	       a->ag_blocks == b->ag_blocks && a->ag_count == b->ag_count &&
	       a->ag_block_log == b->ag_block_log && a->data_blocks == b->data_blocks &&
	       a->inode_log == b->inode_log && a->dir_block_log == b->dir_block_log &&
	       a->log_start == b->log_start && a->log_blocks == b->log_blocks &&
	       a->incompat == b->incompat && a->ro_compat == b->ro_compat &&
	       !memcmp(&a->meta_uuid, &b->meta_uuid, sizeof(a->meta_uuid));
}

static bool checksum_good(const u8 *block, u64 readable)
{
	const struct sb *sb = (const struct sb *)block;
	u32 size = be16_get(sb->sectsize);

	return size >= STEP && size <= 1u << SB_MAX_SECTOR_LOG && !(size & (size - 1)) &&
	       size <= readable &&
	       verify_crc(block, size, offsetof(struct sb, crc)) == le32_get(sb->crc);
}

/* A whole copy at byte `at`, which an AG of its geometry begins with. */
static bool is_copy(const struct device *dev, const u8 *block, u64 readable, u64 at,
		    struct geometry *g)
{
	const struct sb *sb = (const struct sb *)block;

	if (be32_get(sb->magicnum) != SB_MAGIC || !checksum_good(block, readable) ||
	    geometry_from_sb(g, sb) || !fits(g, dev))
		return false;
	return at && at % ((u64)g->ag_blocks << g->block_log) == 0 &&
	       at >> g->block_log < g->data_blocks;
}

/* How many of the first copies, where g says they are, have the same core; *others: how many are
 * whole, and say something else. */
static u32 agreeing(struct device *dev, const struct geometry *g, u8 *block, u32 *others)
{
	u32 count = 0;

	*others = 0;
	for (u32 ag = 1; ag < g->ag_count && ag <= COPIES_ASKED; ag++) {
		struct daddr at = agblock_daddr(g, ag, 0);
		struct geometry copy;

		if (device_read(dev, at, block, g->sector_size) ||
		    !is_copy(dev, block, g->sector_size, at.v, &copy))
			continue;
		if (same_core(g, &copy))
			count++;
		else
			(*others)++;
	}
	return count;
}

/* Searches all the device; *support: how many copies have the geometry that is returned. */
static bool search(struct env *env, struct device *dev, u8 *window, struct geometry *best,
		   struct daddr *from, u32 *support)
{
	struct progress p = {"searching superblocks", 0, dev->size >> 20, "MiB"};
	u8 *block = window + WINDOW;
	u32 others;

	*support = 0;
	best->root_ino = NULL64; /* none yet */
	for (u64 start = 0; start < dev->size; start += WINDOW) {
		u64 size = min_u64(WINDOW, dev->size - start);

		if (device_read(dev, daddr_of(start), window, (size_t)size))
			continue; /* unreadable here: the next copy may be */
		for (u64 at = 0; at + STEP <= size; at += STEP) {
			struct be32 magic;
			struct geometry g;
			u32 count;

			memcpy(&magic, window + at, sizeof(magic));
			if (be32_get(magic) != SB_MAGIC ||
			    !is_copy(dev, window + at, size - at, start + at, &g))
				continue;
			count = agreeing(dev, &g, block, &others);
			/* mkfs leaves the root inode null in some copies */
			if (count > *support || (count == *support && best->root_ino == NULL64)) {
				*best = g;
				*support = count;
				*from = daddr_of(start + at);
			}
			if (*support >= 2 && best->root_ino != NULL64)
				return true;
		}
		p.done = (start + size) >> 20;
		env->progress(env, &p);
	}
	return *support > 0;
}

/* What mkfs fills in the primary alone: the realtime inodes lie behind the root. */
static void complete(struct geometry *g)
{
	if (g->root_ino == NULL64)
		return;
	if (g->rbm_ino == NULL64)
		g->rbm_ino = g->root_ino + 1;
	if (g->rsum_ino == NULL64)
		g->rsum_ino = g->root_ino + 2;
}

/* A filesystem of a kind that is not known, made over an older one, is not taken for that. */
static bool same_name(const struct geometry *copy, const struct sb *primary)
{
	return !memcmp(primary->uuid, copy->uuid.b, sizeof(primary->uuid));
}

/* The primary, as it is read, and what becomes of it. */
struct choice {
	struct device *dev;
	const void *primary;
	u32 size;
	int err; /* of the primary alone */
	bool usable;
	struct geometry *g;
	u32 doubts;
};

/* Does it need no search? */
static bool sure(struct choice *c, u8 *block)
{
	u32 others;

	if (!c->usable)
		return false;
	if (c->g->ag_count == 1 || agreeing(c->dev, c->g, block, &others))
		return true;
	c->doubts = super_doubts(c->dev, c->g, block);
	return !others && !c->doubts;
}

static bool prefer(const struct choice *c, const struct geometry *copy, u32 support, u8 *block)
{
	u32 doubts;

	if (!c->usable)
		return c->err != -EOPNOTSUPP || same_name(copy, c->primary);
	doubts = super_doubts(c->dev, copy, block);
	if (doubts != c->doubts)
		return doubts < c->doubts;
	return support >= 2 || !checksum_good(c->primary, c->size);
}

int super_find(struct env *env, struct device *dev, const void *primary, u32 size,
	       struct geometry *g, struct daddr *from)
{
	struct choice c = {.dev = dev, .primary = primary, .size = size, .g = g};
	char trail[TRAIL_MAX];
	struct daddr at = {0};
	struct geometry copy;
	u32 support;
	u8 *window;

	c.err = geometry_from_sb(g, primary);
	*from = daddr_of(0);
	snprintf(trail, sizeof(trail), "%s", c.err ? trail_text() : "");
	c.usable = !c.err && fits(g, dev);
	window = env_alloc(env, WINDOW + (1u << SB_MAX_SECTOR_LOG));
	if (!window)
		return fail(-ENOMEM, "searching superblocks: out of memory");
	if (!sure(&c, window) && search(env, dev, window, &copy, &at, &support) &&
	    prefer(&c, &copy, support, window)) {
		*g = copy;
		*from = at;
		complete(g);
		c.err = 0;
	}
	env_free(env, window);
	return c.err ? fail(c.err, "%s", trail) : 0;
}
