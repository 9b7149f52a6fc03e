/*
 * Decoding of inodes; the field tables of what is inside them. Pure functions on hostile bytes: no
 * value is believed further than the inode's own length.
 */
#include "format/inode.h"

#include "format/btree.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

LAYOUT_TABLE(dinode, DINODE_FIELDS);
LAYOUT_TABLE(dinode64, DINODE64_FIELDS);
LAYOUT_TABLE(bmbt_key, BMBT_KEY_FIELDS);
LAYOUT_TABLE(bmdr, BMDR_FIELDS);
LAYOUT_TABLE(inode_dev, DEV_FIELDS);

_Static_assert(sizeof(struct dinode) == 176, "inode core size");
_Static_assert(sizeof(struct dinode64) == 176, "inode core size");
_Static_assert(offsetof(struct dinode, v3_pad) == 24, "dinode.v3_pad");
_Static_assert(offsetof(struct dinode, atime) == 32, "dinode.atime");
_Static_assert(offsetof(struct dinode, size) == 56, "dinode.size");
_Static_assert(offsetof(struct dinode, nextents) == 76, "dinode.nextents");
_Static_assert(offsetof(struct dinode, forkoff) == 82, "dinode.forkoff");
_Static_assert(offsetof(struct dinode, next_unlinked) == 96, "dinode.next_unlinked");
_Static_assert(offsetof(struct dinode, crc) == 100, "dinode.crc");
_Static_assert(offsetof(struct dinode, flags2) == 120, "dinode.flags2");
_Static_assert(offsetof(struct dinode, crtime) == 144, "dinode.crtime");
_Static_assert(offsetof(struct dinode, ino) == 152, "dinode.ino");
_Static_assert(offsetof(struct dinode, uuid) == 160, "dinode.uuid");
_Static_assert(offsetof(struct dinode64, big_nextents) == 24, "dinode64.big_nextents");
_Static_assert(offsetof(struct dinode64, big_anextents) == 76, "dinode64.big_anextents");
_Static_assert(offsetof(struct dinode64, nrext64_pad) == 80, "dinode64.nrext64_pad");
_Static_assert(offsetof(struct dinode64, forkoff) == 82, "dinode64.forkoff");
_Static_assert(sizeof(struct bmbt_rec) == 16, "extent record size");
_Static_assert(sizeof(struct bmdr) == 4, "block map root header size");

static const struct field bmbt_rec_fields[] = {
    {"extentflag", 0, 1, 1, FIELD_UINT},
    {"startoff", 1, EXTENT_OFF_BITS, 1, FIELD_FILEOFF},
    {"startblock", 1 + EXTENT_OFF_BITS, EXTENT_START_BITS, 1, FIELD_FSBLOCK},
    {"blockcount", 1 + EXTENT_OFF_BITS + EXTENT_START_BITS, EXTENT_COUNT_BITS, 1, FIELD_BLOCKS},
};
const struct layout bmbt_rec_layout = {"bmbt_rec", bmbt_rec_fields, ARRAY_COUNT(bmbt_rec_fields),
				       sizeof(struct bmbt_rec)};

static void time_load(struct be64 stored, bool bigtime, s64 *seconds, u32 *ns)
{
	u64 v = be64_get(stored);

	if (bigtime) {
		*seconds = (s64)(v / NS_PER_SECOND) + BIGTIME_EPOCH;
		*ns = (u32)(v % NS_PER_SECOND);
	} else {
		*seconds = (s32)(v >> 32);
		*ns = (u32)v;
	}
}

static void times_load(const struct dinode *d, struct inode *out)
{
	bool bigtime = out->flags2 & INODE_FLAG2_BIGTIME;

	time_load(d->atime, bigtime, &out->atime, &out->atime_ns);
	time_load(d->mtime, bigtime, &out->mtime, &out->mtime_ns);
	time_load(d->ctime, bigtime, &out->ctime, &out->ctime_ns);
	time_load(d->crtime, bigtime, &out->crtime, &out->crtime_ns);
}

static void forks_load(const struct geometry *g, const struct dinode *d, struct inode *out)
{
	struct fork *data = &out->fork[FORK_DATA], *attr = &out->fork[FORK_ATTR];
	const struct dinode64 *d64 = (const struct dinode64 *)d;
	u32 room = g->inode_size - (u32)sizeof(*d), cut;

	out->forkoff = d->forkoff * 8u;
	cut = out->forkoff && out->forkoff < room ? out->forkoff : room;
	data->data = out->raw + sizeof(*d);
	data->size = cut;
	data->format = d->format;
	attr->data = out->raw + sizeof(*d) + cut;
	attr->size = room - cut;
	attr->format = d->aformat;
	if (out->flags2 & INODE_FLAG2_NREXT64) {
		data->extents = be64_get(d64->big_nextents);
		attr->extents = be32_get(d64->big_anextents);
	} else {
		data->extents = be32_get(d->nextents);
		attr->extents = be16_get(d->anextents);
	}
}

static u64 dev_load(const struct inode *inode)
{
	struct inode_dev stored;
	u32 dev;

	if (!S_ISCHR(inode->mode) && !S_ISBLK(inode->mode))
		return 0;
	memcpy(&stored, inode->fork[FORK_DATA].data, sizeof(stored));
	dev = be32_get(stored.dev);
	return makedev(dev >> DEV_MINOR_BITS, dev & ((1u << DEV_MINOR_BITS) - 1));
}

void inode_parse(const struct geometry *g, struct inum ino, const u8 *raw, struct inode *out)
{
	const struct dinode *d = (const struct dinode *)raw;

	out->ino = ino;
	out->raw = raw;
	out->buf = NULL;
	out->mode = be16_get(d->mode);
	out->uid = be32_get(d->uid);
	out->gid = be32_get(d->gid);
	out->projid = (u32)be16_get(d->projid_hi) << 16 | be16_get(d->projid_lo);
	out->nlink = be32_get(d->nlink);
	out->gen = be32_get(d->gen);
	out->next_unlinked = be32_get(d->next_unlinked);
	out->size = be64_get(d->size);
	out->nblocks = be64_get(d->nblocks);
	out->flags = be16_get(d->flags);
	out->flags2 = be64_get(d->flags2);
	out->extsize = be32_get(d->extsize);
	out->cowextsize = be32_get(d->cowextsize);
	out->change = be64_get(d->changecount);
	out->lsn = be64_get(d->lsn);
	times_load(d, out);
	forks_load(g, d, out);
	out->rdev = dev_load(out);
}

u8 inode_ftype(u16 mode)
{
	/* by the four type bits of the mode */
	static const u8 ftype[16] = {
	    [S_IFREG >> 12] = 1, [S_IFDIR >> 12] = 2,  [S_IFCHR >> 12] = 3, [S_IFBLK >> 12] = 4,
	    [S_IFIFO >> 12] = 5, [S_IFSOCK >> 12] = 6, [S_IFLNK >> 12] = 7,
	};

	return ftype[mode >> 12];
}

bool inode_internal(const struct geometry *g, struct inum ino)
{
	return ino.v == g->rbm_ino || ino.v == g->rsum_ino || ino.v == g->uquota_ino ||
	       ino.v == g->gquota_ino || ino.v == g->pquota_ino;
}

bool bmap_root_of(const struct fork *fork, struct bmap_root *out)
{
	const struct bmdr *header = (const struct bmdr *)fork->data;
	u32 room;

	if (fork->size < sizeof(*header) + BMDR_ENTRY_SIZE)
		return false;
	room = (fork->size - (u32)sizeof(*header)) / (u32)BMDR_ENTRY_SIZE;
	out->level = be16_get(header->level);
	out->numrecs = be16_get(header->numrecs);
	out->count = out->numrecs < room ? out->numrecs : room;
	out->keys = (const struct bmbt_key *)(header + 1);
	out->ptrs = (const struct be64 *)(out->keys + room);
	return true;
}

/* Pointers that a root can always have, however large the other fork is. */
#define ROOT_PTRS_DATA 3
#define ROOT_PTRS_ATTR 2

u32 bmap_levels_max(const struct geometry *g, enum fork_id which)
{
	bool large = geometry_has(g, FEATURE_NREXT64);
	u64 extents = which == FORK_DATA ? large ? NEXTENTS_MAX_LARGE : NEXTENTS_MAX_SMALL
		      : large		 ? ANEXTENTS_MAX_LARGE
					 : ANEXTENTS_MAX_SMALL;
	u64 root = which == FORK_DATA ? ROOT_PTRS_DATA : ROOT_PTRS_ATTR;
	u64 least = (g->block_size - sizeof(struct btree_long)) / sizeof(struct bmbt_rec) /
		    2; /* both kinds */
	u64 blocks = div_up_u64(extents, least);
	u32 levels = 1;

	for (; blocks > 1; levels++)
		blocks = blocks <= root ? 1 : div_up_u64(blocks, least);
	return levels;
}
