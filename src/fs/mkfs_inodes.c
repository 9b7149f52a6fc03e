/*
 * The first inodes of a new filesystem: the root directory, and behind it the realtime bitmap and
 * summary, which are there without a realtime section, too.
 *
 * Space for bitmap and summary is taken from the longest free run of each AG, from the first on, a
 * part of which is left alone; what does not fit into few extents is refused (-ENOSPC).
 */
#include "base/trail.h"
#include "format/btree.h"
#include "format/dir.h"
#include "format/inode.h"
#include "format/realtime.h"
#include "fs/mkfs_build.h"

#include <errno.h>
#include <sys/stat.h>

#define PIECE (64u << 10) /* of bitmap and summary, written at a time */
#define LEFT_ALONE 16	  /* one part of so many */
#define CHANGES_OF_NEW 2

/* What differs between the inodes. */
struct new_inode {
	u16 mode;
	u32 nlink, generation, project;
	enum fork_format format;
	u64 size, blocks, extents;
	u16 flags;
	u64 flags2;
	u32 extent_size, cow_extent_size;
	bool no_access_time; /* the bitmap keeps something else there */
};

static struct be64 time_of(const struct maker *m, s64 seconds, u32 nanoseconds)
{
	u64 since = (u64)(seconds - BIGTIME_EPOCH);

	if (geometry_has(m->g, FEATURE_BIGTIME))
		return be64_make(since * NS_PER_SECOND + nanoseconds);
	return be64_make((u64)(u32)seconds << 32 | nanoseconds);
}

/* What is common to all, in use or not. */
static struct dinode *begin(const struct maker *m, u64 ino, u32 generation)
{
	u32 index = (u32)(ino - m->g->root_ino);
	struct dinode *d = (struct dinode *)(m->buffer + (size_t)index * m->g->inode_size);

	d->magic = be16_make(INODE_MAGIC);
	d->version = INODE_VERSION;
	d->gen = be32_make(generation);
	d->next_unlinked = be32_make(NULL32);
	d->ino = be64_make(ino);
	memcpy(d->uuid, m->g->meta_uuid.b, sizeof(d->uuid));
	return d;
}

static void put_extents(const struct maker *m, struct dinode *d, u64 count)
{
	struct dinode64 *d64 = (struct dinode64 *)d;

	if (geometry_has(m->g, FEATURE_NREXT64))
		d64->big_nextents = be64_make(count);
	else
		d->nextents = be32_make((u32)count);
}

static void fill(const struct maker *m, u64 ino, const struct new_inode *new)
{
	struct dinode *d = begin(m, ino, new->generation);
	struct be64 now = time_of(m, m->options->seconds, m->options->nanoseconds);
	u64 flags2 = new->flags2;

	if (geometry_has(m->g, FEATURE_BIGTIME))
		flags2 |= INODE_FLAG2_BIGTIME;
	if (geometry_has(m->g, FEATURE_NREXT64))
		flags2 |= INODE_FLAG2_NREXT64;
	d->mode = be16_make(new->mode);
	d->format = (u8) new->format;
	d->aformat = FORMAT_EXTENTS;
	d->nlink = be32_make(new->nlink);
	d->projid_lo = be16_make((u16) new->project);
	d->projid_hi = be16_make((u16)(new->project >> 16));
	d->atime = new->no_access_time ? time_of(m, 0, 0) : now;
	d->mtime = d->ctime = d->crtime = now;
	d->size = be64_make(new->size);
	d->nblocks = be64_make(new->blocks);
	d->extsize = be32_make(new->extent_size);
	d->cowextsize = be32_make(new->cow_extent_size);
	d->flags = be16_make(new->flags);
	d->flags2 = be64_make(flags2);
	d->changecount = be64_make(CHANGES_OF_NEW);
	put_extents(m, d, new->extents);
}

/* Empty, in short form: its parent is itself. */
static void fill_root(const struct maker *m)
{
	const struct mkfs_options *o = m->options;
	const struct geometry *g = m->g;
	struct new_inode root = {
	    .mode = S_IFDIR | 0755,
	    .nlink = 2,
	    .format = FORMAT_LOCAL,
	    .size = sizeof(struct dir_short) + sizeof(struct dir_ino4),
	    .project = o->project,
	    .extent_size = o->extent_size,
	    .cow_extent_size = o->cow_extent_size,
	};
	struct dir_ino4 parent = {be32_make((u32)g->root_ino)};

	if (o->project)
		root.flags |= INODE_FLAG_PROJINHERIT;
	if (o->extent_size)
		root.flags |= INODE_FLAG_EXTSZINHERIT;
	if (o->cow_extent_size)
		root.flags2 |= INODE_FLAG2_COWEXTSIZE;
	if (o->dax)
		root.flags2 |= INODE_FLAG2_DAX;
	fill(m, g->root_ino, &root);
	memcpy(m->buffer + sizeof(struct dinode) + sizeof(struct dir_short), &parent,
	       sizeof(parent));
}

static void fill_realtime(const struct maker *m, bool summary, u32 generation)
{
	const struct geometry *g = m->g;
	u64 ino = g->root_ino + 1 + summary;
	u8 *inode = m->buffer + (size_t)(1 + summary) * g->inode_size;
	struct bmbt_rec *recs = (struct bmbt_rec *)(inode + sizeof(struct dinode));
	struct new_inode new = {
	    .mode = S_IFREG,
	    .nlink = 1,
	    .generation = generation,
	    .format = FORMAT_EXTENTS,
	    .flags = summary ? 0 : INODE_FLAG_NEWRTBM,
	    .no_access_time = !summary,
	};

	for (u32 i = 0; i < m->rt_count; i++) {
		const struct rt_extent *e = &m->rt[i];
		u64 start = fsblock_make(g, e->ag, e->start).v;

		if (e->summary != summary)
			continue;
		*recs++ = (struct bmbt_rec){
		    be64_make(new.blocks << 9 | start >> (EXTENT_START_BITS - 9)),
		    be64_make(start << EXTENT_COUNT_BITS | e->count),
		};
		new.blocks += e->count;
		new.extents++;
	}
	new.size = new.blocks << g->block_log;
	fill(m, ino, &new);
}

int mkfs_inodes_write(struct maker *m)
{
	const struct geometry *g = m->g;
	u32 count = maker_inodes(g), generation[3];
	u32 size = count << g->inode_log;
	int err = 0;

	memset(m->buffer, 0, size);
	for (u32 i = 0; i < count && !err; i++) {
		err = m->env->random(m->env, generation, sizeof(generation));
		if (i >= MKFS_INODES_USED)
			begin(m, g->root_ino + i, generation[0]);
	}
	if (err)
		return fail_in(err, "generations of inodes");
	fill_root(m);
	fill_realtime(m, false, generation[1]);
	fill_realtime(m, true, generation[2]);
	for (u32 i = 0; i < count && !err; i++) {
		u64 ino = g->root_ino + i, offset = (u64)i << g->inode_log;
		struct where where = {.ag = 0,
				      .ino = ino,
				      .daddr = agblock_daddr(g, 0, m->root_block).v + offset,
				      .owner = ino};

		err = maker_seal(m, META_INODE, where, m->buffer + offset, g->inode_size);
	}
	if (err)
		return err;
	return device_write(m->devices->data, agblock_daddr(g, 0, m->root_block), m->buffer, size);
}

/* --- the realtime section's bitmap and summary --- */

/* In the first free run that holds `blocks`, close to the inodes; or else the longest without a
 * part of it. */
static struct used choose_run(const struct maker *m, const struct ag_model *ag, u64 blocks)
{
	struct used run, longest = {0};
	u32 at = 0;

	while (ag_model_free(ag, &at, &run)) {
		bool before = !ag->number && run.start < m->root_block;
		u32 spare = before ? 0 : run.count / LEFT_ALONE;

		if (run.count >= blocks && run.count - blocks >= spare)
			return (struct used){before ? at - (u32)blocks : run.start, (u32)blocks, 0};
		if (run.count > longest.count)
			longest = run;
	}
	longest.count -= longest.count / LEFT_ALONE;
	longest.count = (u32)min_u64(min_u64(longest.count, blocks), EXTENT_COUNT_MAX);
	return longest;
}

static int place_one(struct maker *m, bool summary, u64 blocks)
{
	const struct geometry *g = m->g;
	u32 room = (u32)((g->inode_size - sizeof(struct dinode)) / sizeof(struct bmbt_rec)),
	    taken = 0;

	for (u32 number = 0; number < g->ag_count && blocks; number++) {
		struct used run;
		struct ag_model ag;
		int err = ag_model_init(m, number, &ag);

		if (err)
			return err;
		run = choose_run(m, &ag, min_u64(blocks, EXTENT_COUNT_MAX));
		if (!run.count)
			continue;
		if (taken++ == room || m->rt_count == RT_EXTENTS_MAX)
			break;
		m->rt[m->rt_count++] = (struct rt_extent){number, run.start, run.count, summary};
		blocks -= run.count;
	}
	return blocks
		   ? fail(-ENOSPC, "the data device has no room for the %s of the realtime section",
			  summary ? "summary" : "bitmap")
		   : 0;
}

int mkfs_rt_place(struct maker *m)
{
	int err = place_one(m, false, m->g->rt_bitmap_blocks);

	return err ? err : place_one(m, true, rt_summary_blocks(m->g));
}

/* All extents are free: bits up to the last are set. */
static void bitmap_piece(const struct maker *m, u64 first_byte, u32 size)
{
	struct rtbitmap_word *words = (struct rtbitmap_word *)m->buffer;

	for (u32 i = 0; i < size / sizeof(*words); i++) {
		u64 bit = first_byte * 8 + (u64)i * RT_WORD_BITS, end = m->g->rt_extents;
		u64 set = end > bit ? min_u64(end - bit, RT_WORD_BITS) : 0;

		words[i].free = le32_make((u32)((1ull << set) - 1));
	}
}

/* They are one run, which begins in the first block of the bitmap. */
static void summary_piece(const struct maker *m, u64 first_byte, u32 size)
{
	struct rtsummary_word *words = (struct rtsummary_word *)m->buffer;
	u64 at = (u64)m->g->rt_extslog * m->g->rt_bitmap_blocks * sizeof(*words);

	memset(words, 0, size);
	if (at >= first_byte && at < first_byte + size)
		words[(at - first_byte) / sizeof(*words)].count = le32_make(1);
}

int mkfs_rt_write(struct maker *m)
{
	const struct geometry *g = m->g;
	u64 at[2] = {0};
	int err = 0;

	for (u32 i = 0; i < m->rt_count; i++) {
		const struct rt_extent *e = &m->rt[i];
		u64 daddr = agblock_daddr(g, e->ag, e->start).v,
		    left = (u64)e->count << g->block_log;

		while (left && !err) {
			u32 size = (u32)min_u64(left, PIECE);

			(e->summary ? summary_piece : bitmap_piece)(m, at[e->summary], size);
			err = device_write(m->devices->data, daddr_of(daddr), m->buffer, size);
			at[e->summary] += size;
			daddr += size;
			left -= size;
		}
	}
	return err;
}
