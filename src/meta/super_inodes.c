/*
 * What the superblock says of the filesystem's own inodes; see super_inodes.h.
 *
 * Stateless. What cannot be read is not found. A quota inode without a single record cannot be told
 * from another file; there is nothing in it to lose.
 */
#include "meta/super_inodes.h"

#include "base/trail.h"
#include "format/quota.h"
#include "format/realtime.h"
#include "fs/fork.h"

#include <errno.h>
#include <sys/stat.h>

#define RECORDS_ASKED 5 /* fit into the smallest block */
#define QUOTA_LOOK 256	/* inodes from the root on, where quota inodes are made */

static int take_first(void *arg, const struct extent *e)
{
	u64 *start = arg;

	*start = e->start;
	return 1;
}

/* The type that most of the first records of a block have; 0: they are none. */
static u32 type_of_records(const struct geometry *g, const struct dquot *d)
{
	const u32 types[] = {DQUOT_USER, DQUOT_GROUP, DQUOT_PROJECT};
	u32 best = 0, most = 0;

	for (u32 i = 0; i < ARRAY_COUNT(types); i++) {
		u32 count = 0;

		for (u32 j = 0; j < RECORDS_ASKED; j++)
			count += be16_get(d[j].magic) == DQUOT_MAGIC &&
				 (d[j].type & DQUOT_TYPES) == types[i] &&
				 !memcmp(d[j].uuid, g->meta_uuid.b, sizeof(d[j].uuid));
		if (count > most) {
			most = count;
			best = types[i];
		}
	}
	return best;
}

/* DQUOT_USER, _GROUP or _PROJECT when the inode has such records; 0 otherwise. */
static u32 records_of(struct vol *vol, u64 ino)
{
	struct dquot d[RECORDS_ASKED];
	struct inode inode;
	u64 start = NULL64;
	u32 type = 0;

	if (inode_get(vol, inum_of(ino), &inode))
		return 0;
	if (S_ISREG(inode.mode) && !inode_realtime(&inode) &&
	    fork_each(vol, &inode, FORK_DATA, fileoff_of(0), take_first, &start) == 1 &&
	    !device_read(vol->data, fsblock_daddr(&vol->geo, fsblock_of(start)), d, sizeof(d)))
		type = type_of_records(&vol->geo, d);
	inode_put(vol, &inode);
	return type;
}

u64 super_quota_inode(struct vol *vol, u32 type, u64 said)
{
	u64 root = vol->geo.root_ino, found = NULL64;

	if (inum_valid(&vol->geo, inum_of(said)) && records_of(vol, said) == type)
		return said;
	for (u64 ino = root; ino < root + QUOTA_LOOK && found == NULL64; ino++)
		if (records_of(vol, ino) == type)
			found = ino;
	trail_clear();
	return found;
}

/* ---- realtime ---- */

struct counting {
	struct vol *vol;
	u8 *block;
	u64 free;
	int err;
};

static void count_block(struct counting *c, u64 off)
{
	const struct geometry *g = &c->vol->geo;
	const struct rtbitmap_word *words = (const struct rtbitmap_word *)c->block;
	u64 first = off * rt_bits_per_block(g);

	for (u32 i = 0; i < g->block_size / sizeof(*words) && first < g->rt_extents;
	     i++, first += RT_WORD_BITS) {
		u64 bits = min_u64(g->rt_extents - first, RT_WORD_BITS);
		u32 word = le32_get(words[i].free) & (u32)((1ull << bits) - 1);

		c->free += (u32)__builtin_popcount(word);
	}
}

static int count_extent(void *arg, const struct extent *e)
{
	struct counting *c = arg;
	const struct geometry *g = &c->vol->geo;

	for (u64 i = 0; i < e->count && e->off + i < g->rt_bitmap_blocks && !c->err; i++) {
		c->err = device_read(c->vol->data, fsblock_daddr(g, fsblock_of(e->start + i)),
				     c->block, g->block_size);
		if (!c->err)
			count_block(c, e->off + i);
	}
	return c->err != 0;
}

int super_count_rt(struct vol *vol, u64 *free)
{
	struct counting c = {.vol = vol, .block = env_alloc(vol->env, vol->geo.block_size)};
	struct inode inode;
	int err = c.block ? inode_get(vol, inum_of(vol->geo.rbm_ino), &inode)
			  : fail(-ENOMEM, "the realtime bitmap: out of memory");

	if (!err) {
		err = fork_each(vol, &inode, FORK_DATA, fileoff_of(0), count_extent, &c);
		inode_put(vol, &inode);
	}
	env_free(vol->env, c.block);
	*free = c.free;
	return c.err ? c.err : err;
}
