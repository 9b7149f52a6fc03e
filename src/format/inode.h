/*
 * Inodes on disk, and their decoded form; the records of the block map.
 * Source: XFS_Filesystem_Structure, "On-disk Inode", "Data Extents".
 */
#ifndef MENDFS_FORMAT_INODE_H
#define MENDFS_FORMAT_INODE_H

#include "base/types.h"
#include "format/geometry.h"
#include "format/layout.h"

#define INODE_MAGIC 0x494eu /* "IN" */
#define INODE_VERSION 3	    /* of V5 filesystems */
#define INODES_PER_CHUNK 64

enum fork_id { FORK_DATA, FORK_ATTR };
enum fork_format { FORMAT_DEV = 0, FORMAT_LOCAL = 1, FORMAT_EXTENTS = 2, FORMAT_BTREE = 3 };

/*
 * The core, in two variants that differ in how extents are counted: flags2 says which one it is.
 * A time is seconds and nanoseconds of 32 bits each, or with INODE_FLAG2_BIGTIME a 64-bit count of
 * nanoseconds from BIGTIME_EPOCH.
 */
#define DINODE_HEAD(F, A, S)              \
	F(S, be16, magic, FIELD_MAGIC)    \
	F(S, be16, mode, FIELD_MODE)      \
	F(S, u8, version, FIELD_UINT)     \
	F(S, u8, format, FIELD_UINT)      \
	F(S, be16, onlink, FIELD_PAD)     \
	F(S, be32, uid, FIELD_UINT)       \
	F(S, be32, gid, FIELD_UINT)       \
	F(S, be32, nlink, FIELD_UINT)     \
	F(S, be16, projid_lo, FIELD_UINT) \
	F(S, be16, projid_hi, FIELD_UINT)
#define DINODE_MIDDLE(F, A, S)            \
	F(S, be64, atime, FIELD_TIME)     \
	F(S, be64, mtime, FIELD_TIME)     \
	F(S, be64, ctime, FIELD_TIME)     \
	F(S, be64, size, FIELD_UINT)      \
	F(S, be64, nblocks, FIELD_BLOCKS) \
	F(S, be32, extsize, FIELD_BLOCKS)
#define DINODE_TAIL(F, A, S)                   \
	F(S, u8, forkoff, FIELD_UINT)          \
	F(S, u8, aformat, FIELD_UINT)          \
	F(S, be32, dmevmask, FIELD_HEX)        \
	F(S, be16, dmstate, FIELD_UINT)        \
	F(S, be16, flags, FIELD_FLAGS)         \
	F(S, be32, gen, FIELD_UINT)            \
	F(S, be32, next_unlinked, FIELD_AGINO) \
	F(S, le32, crc, FIELD_CRC)             \
	F(S, be64, changecount, FIELD_UINT)    \
	F(S, be64, lsn, FIELD_LSN)             \
	F(S, be64, flags2, FIELD_FLAGS)        \
	F(S, be32, cowextsize, FIELD_BLOCKS)   \
	A(S, u8, 12, pad2, FIELD_PAD)          \
	F(S, be64, crtime, FIELD_TIME)         \
	F(S, be64, ino, FIELD_INO)             \
	A(S, u8, 16, uuid, FIELD_UUID)

#define DINODE_FIELDS(F, A, S)            \
	DINODE_HEAD(F, A, S)              \
	F(S, be64, v3_pad, FIELD_PAD)     \
	DINODE_MIDDLE(F, A, S)            \
	F(S, be32, nextents, FIELD_UINT)  \
	F(S, be16, anextents, FIELD_UINT) \
	DINODE_TAIL(F, A, S)
#define DINODE64_FIELDS(F, A, S)              \
	DINODE_HEAD(F, A, S)                  \
	F(S, be64, big_nextents, FIELD_UINT)  \
	DINODE_MIDDLE(F, A, S)                \
	F(S, be32, big_anextents, FIELD_UINT) \
	F(S, be16, nrext64_pad, FIELD_PAD)    \
	DINODE_TAIL(F, A, S)
LAYOUT_STRUCT(dinode, DINODE_FIELDS);
LAYOUT_STRUCT(dinode64, DINODE64_FIELDS);

/* di_flags */
#define INODE_FLAG_REALTIME 0x0001u
#define INODE_FLAG_PREALLOC 0x0002u
#define INODE_FLAG_NEWRTBM 0x0004u
#define INODE_FLAG_IMMUTABLE 0x0008u
#define INODE_FLAG_APPEND 0x0010u
#define INODE_FLAG_SYNC 0x0020u
#define INODE_FLAG_NOATIME 0x0040u
#define INODE_FLAG_NODUMP 0x0080u
#define INODE_FLAG_RTINHERIT 0x0100u
#define INODE_FLAG_PROJINHERIT 0x0200u
#define INODE_FLAG_NOSYMLINKS 0x0400u
#define INODE_FLAG_EXTSIZE 0x0800u
#define INODE_FLAG_EXTSZINHERIT 0x1000u
#define INODE_FLAG_NODEFRAG 0x2000u
#define INODE_FLAG_FILESTREAM 0x4000u
#define INODE_FLAG_KNOWN 0x7fffu

/* di_flags2 */
#define INODE_FLAG2_DAX 0x01ull
#define INODE_FLAG2_REFLINK 0x02ull
#define INODE_FLAG2_COWEXTSIZE 0x04ull
#define INODE_FLAG2_BIGTIME 0x08ull
#define INODE_FLAG2_NREXT64 0x10ull
#define INODE_FLAG2_KNOWN 0x1full

#define INODE_NLINK_MAX 0x7fffffffu
#define NEXTENTS_MAX_SMALL 0x7fffffffull
#define NEXTENTS_MAX_LARGE 0xffffffffffffull
#define ANEXTENTS_MAX_SMALL 0x7fffull
#define ANEXTENTS_MAX_LARGE 0xffffffffull

#define NS_PER_SECOND 1000000000u
#define BIGTIME_EPOCH (-2147483648ll) /* seconds; where a bigtime of 0 is */

/* An extent record: 128 bits, from the top: unwritten flag, file block, first block, blocks. */
#define EXTENT_OFF_BITS 54
#define EXTENT_START_BITS 52
#define EXTENT_COUNT_BITS 21
#define EXTENT_COUNT_MAX ((1u << EXTENT_COUNT_BITS) - 1)
#define FILEOFF_END (1ull << EXTENT_OFF_BITS)

struct bmbt_rec {
	struct be64 l0, l1;
};
extern const struct layout bmbt_rec_layout;

#define BMBT_KEY_FIELDS(F, A, S) F(S, be64, startoff, FIELD_FILEOFF)
LAYOUT_STRUCT(bmbt_key, BMBT_KEY_FIELDS);

/* The root of a block map, in the fork: this, then the keys, then behind the room for as many keys
 * as fit with their pointers, the pointers. */
#define BMDR_FIELDS(F, A, S)          \
	F(S, be16, level, FIELD_UINT) \
	F(S, be16, numrecs, FIELD_UINT)
LAYOUT_STRUCT(bmdr, BMDR_FIELDS);
#define BMDR_ENTRY_SIZE (sizeof(struct bmbt_key) + sizeof(struct be64))

/* The data fork of device inodes: major << 18 | minor. */
#define DEV_FIELDS(F, A, S) F(S, be32, dev, FIELD_HEX)
LAYOUT_STRUCT(inode_dev, DEV_FIELDS);
#define DEV_MINOR_BITS 18
/* Bytes that the data fork of such an inode takes when an attribute fork follows. */
#define DEV_FORK_SIZE 8

struct buf;

struct extent {
	u64 off;   /* first file block */
	u64 start; /* fsblock; rt block for realtime files; NULL64 for a hole */
	u64 count; /* blocks */
	bool unwritten;
};

struct fork {
	const u8 *data; /* inside the inode */
	u32 size;	/* bytes of the literal area that it may use */
	enum fork_format format;
	u64 extents; /* as the inode counts them */
};

/* Times in seconds and ns since the epoch, both formats decoded. */
struct inode {
	struct inum ino;
	const u8 *raw;
	struct buf *buf; /* held by inode_get(); NULL when parsed in place */
	u16 mode;
	u32 uid, gid, projid, nlink, gen, next_unlinked;
	u64 size, nblocks, rdev;	 /* rdev: as makedev() has it; 0 for what is no device */
	s64 atime, mtime, ctime, crtime; /* seconds */
	u32 atime_ns, mtime_ns, ctime_ns, crtime_ns;
	u16 flags;  /* di_flags */
	u64 flags2; /* di_flags2 */
	u32 extsize, cowextsize;
	u32 forkoff; /* bytes; 0: no attribute fork */
	u64 change, lsn;
	struct fork fork[2];
};

/* Decodes g->inode_size bytes at raw, and follows no rule: forks are cut to the inode, so a
 * reader of fork.data stays inside whatever the bytes say. buf is NULL. */
void inode_parse(const struct geometry *g, struct inum ino, const u8 *raw, struct inode *out);
/* The file type of a directory entry (1 to 7) for a mode, 0 if there is none. */
u8 inode_ftype(u16 mode);

static inline bool inode_realtime(const struct inode *inode)
{
	return inode->flags & INODE_FLAG_REALTIME;
}
/* The file system's own inodes, which the superblock names: no directory does. The root is none. */
bool inode_internal(const struct geometry *g, struct inum ino);

static inline void extent_load(const void *record, struct extent *out)
{
	const struct bmbt_rec *rec = record;
	u64 high = be64_get(rec->l0), low = be64_get(rec->l1);

	out->unwritten = high >> 63;
	out->off = high << 1 >> (64 - EXTENT_OFF_BITS);
	out->start = (high & 0x1ff) << (EXTENT_START_BITS - 9) | low >> EXTENT_COUNT_BITS;
	out->count = low & EXTENT_COUNT_MAX;
}

/* A btree root in a fork of `size` bytes, count cut to what fits. False: too small for any. */
struct bmap_root {
	u32 level, numrecs; /* as stored */
	u32 count;
	const struct bmbt_key *keys;
	const struct be64 *ptrs;
};
bool bmap_root_of(const struct fork *fork, struct bmap_root *out);
/* How many extent records fit into the fork. */
static inline u64 fork_capacity(const struct fork *fork)
{
	return fork->size / sizeof(struct bmbt_rec);
}
/* The highest level that the root of a fork's block map may have: with the least fill everywhere
 * the tree then holds as many extents as can be counted. */
u32 bmap_levels_max(const struct geometry *g, enum fork_id which);

#endif
