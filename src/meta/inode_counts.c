/* How many extents an inode has; see inode_mend_impl.h. */
#include "meta/inode_mend_impl.h"
#include "meta/space_claims.h"

/* As many as are counted can be there. */
static bool extents_possible(const struct mend_inode *m, const struct fork *fork)
{
	return fork->extents <= fork_capacity(fork) &&
	       inode_records_valid(m->g, fork, (u32)fork->extents) == fork->extents;
}

/* As many extents as come to what the reverse map says, or to what the inode counts? One of the two
 * may be what is damaged. */
static bool has_witness(const struct mend_inode *m, const struct inode *inode, u32 which)
{
	const struct fork *fork = &inode->fork[which];
	u64 other = m->facts->seen[1 - which].blocks;

	if (!extents_possible(m, fork))
		return false;
	return (m->facts->rmaps &&
		inode_count_extents(m->g, fork, m->facts->seen[which].blocks) == fork->extents) ||
	       (inode->nblocks >= other &&
		inode_count_extents(m->g, fork, inode->nblocks - other) == fork->extents);
}

bool inode_has_all_blocks(const struct mend_inode *m)
{
	struct inode inode;
	bool tree = false;
	u64 sum = 0;

	inode_parse(m->g, inum_of(m->ino), m->raw, &inode);
	for (u32 which = FORK_DATA; which <= FORK_ATTR; which++) {
		const struct fork *fork = &inode.fork[which];

		if (which == FORK_ATTR && !inode.forkoff)
			continue;
		tree |= fork->format == FORMAT_BTREE;
		if (fork->format != FORMAT_EXTENTS)
			continue;
		if (!extents_possible(m, fork))
			return false;
		for (u32 i = 0; i < fork->extents; i++) {
			struct extent e;

			extent_load((const struct bmbt_rec *)fork->data + i, &e);
			sum += e.count;
		}
	}
	return tree ? sum < inode.nblocks : sum == inode.nblocks;
}

/* Blocks of a fork in the inode; false: they cannot be told. */
static bool fork_blocks(const struct mend_inode *m, u32 which, u64 count, u64 *blocks)
{
	struct inode inode;
	const struct fork *fork = &inode.fork[which];

	inode_parse(m->g, inum_of(m->ino), m->raw, &inode);
	*blocks = 0;
	if ((which == FORK_ATTR && !inode.forkoff) || fork->format == FORMAT_LOCAL ||
	    fork->format == FORMAT_DEV)
		return true;
	if (fork->format != FORMAT_EXTENTS || count > fork_capacity(fork) ||
	    inode_records_valid(m->g, fork, (u32)count) != count)
		return false;
	for (u64 i = 0; i < count; i++) {
		struct extent e;

		extent_load((const struct bmbt_rec *)fork->data + i, &e);
		*blocks += e.count;
	}
	return true;
}

/* Does nobody else have what the extents from `from` up to `to` map? */
static bool unclaimed(const struct mend_inode *m, const struct fork *fork, u64 from, u64 to)
{
	for (u64 i = from; i < to; i++) {
		struct extent e;
		s64 owner;

		extent_load((const struct bmbt_rec *)fork->data + i, &e);
		if (!m->facts->claims ||
		    claims_of_others(m->facts->claims, m->ino, e.start, e.count, &owner))
			return false;
	}
	return true;
}

/* Without a reverse map: the count with which the inode has as many blocks as it says, if that is
 * likelier than that a record, or the number of blocks, is wrong. */
static void mend_count(struct mend_inode *m, u32 which, const char *name)
{
	struct inode inode;
	const struct fork *fork = &inode.fork[which];
	u64 blocks, other, wanted, count;

	inode_parse(m->g, inum_of(m->ino), m->raw, &inode);
	if (!fork_blocks(m, 1 - which, inode.fork[1 - which].extents, &other) ||
	    inode.nblocks < other)
		wanted = NULL64;
	else
		wanted = inode.nblocks - other;
	count = inode_count_extents(m->g, fork, wanted);
	if (wanted != NULL64 && fork_blocks(m, which, count, &blocks) && blocks == wanted) {
		u64 less = min_u64(count, fork->extents), more = max_u64(count, fork->extents);

		/* what is counted and is nobody else's is the file's, whatever the sum */
		if (count < fork->extents && fork_blocks(m, which, fork->extents, &blocks) &&
		    unclaimed(m, fork, less, more))
			return;
		inode_set(m, name, count);
	} else if (fork->extents > fork_capacity(fork)) {
		inode_set(m, name, inode_count_extents(m->g, fork, inode.nblocks));
	}
}

void inode_mend_counts(struct mend_inode *m)
{
	bool large = be64_get(((struct dinode *)m->raw)->flags2) & INODE_FLAG2_NREXT64;
	const char *const name[2][2] = {{"nextents", "anextents"},
					{"big_nextents", "big_anextents"}};
	bool sound = !m->facts->rmaps && inode_has_all_blocks(m);

	for (u32 which = FORK_DATA; which <= FORK_ATTR; which++) {
		const struct mapped *seen = &m->facts->seen[which];
		const char *count = name[large][which];
		const struct fork *fork;
		struct inode inode;

		inode_parse(m->g, inum_of(m->ino), m->raw, &inode);
		fork = &inode.fork[which];
		if (fork->format != FORMAT_EXTENTS || (which == FORK_ATTR && !inode.forkoff)) {
			if (fork->format != FORMAT_BTREE)
				inode_better(m, count, 0);
			continue;
		}
		/* what lies behind the last extent may look like one */
		if (sound || inode_realtime(&inode) || has_witness(m, &inode, which))
			continue;
		/* more than fit: it may be a tree */
		if (fork->extents > fork_capacity(fork) && inode_better(m, "format", FORMAT_BTREE))
			continue;
		if (!m->facts->rmaps)
			mend_count(m, which, count);
		else
			inode_set(m, count, inode_count_extents(m->g, fork, seen->blocks));
	}
}
