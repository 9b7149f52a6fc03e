/*
 * What is left of a directory's entries in a block that is damaged.
 *
 * A block is walked from entry to entry. One that contradicts itself is mended from what else tells
 * of it: the inode (its type), the hash index (the name's hash at this address), the tag at its
 * end. Behind nonsense the walk goes on at the next place, in steps of 8 bytes, where the tag names
 * its own offset and an inode of the type is there.
 */
#ifndef MENDFS_META_DIR_SALVAGE_H
#define MENDFS_META_DIR_SALVAGE_H

#include "fs/dir_remake.h"
#include "meta/rebuild.h"

/* The hash index has this hash for an entry at this address. whole: of a block without a fault. */
struct dir_hint {
	struct be32 address, hash;
	u8 whole;
};

struct dir_salvage {
	struct repair *r;
	struct vol *vol; /* or a view: as it is now */
	const struct geometry *g;
	u64 dir;
	/* Of the block at hand, by address; in units of 8 bytes from its start. */
	const struct dir_hint *hint;
	u32 hints, first_address;
	bool verified; /* the block has its checksum */
	/* results */
	u8 *bytes; /* a copy of the block: names point into it */
	struct dir_kept *kept;
	u32 count;
	bool changed; /* the block must be written anew */
	u64 dot, dotdot;
	bool has_dot, has_dotdot;
	u32 mended, dropped;
	int err;
};

int dir_salvage_open(struct repair *r, struct vol *vol, u64 dir, struct dir_salvage *s);
void dir_salvage_close(struct dir_salvage *s);
/* The entries of a block, in the order of their offsets, `.` and `..` apart. end: where the entries
 * end, or its whole length. */
int dir_salvage_block(struct dir_salvage *s, const u8 *block, u32 end);

/* 1: there is such an inode, *type is DIR_FT_*; 0: it is free, or there is none, or it is not one
 * that has names. A damaged one is there, *type DIR_FT_UNKNOWN. */
int dir_salvage_inode(struct vol *vol, u64 ino, u8 *type);
/* Bytes that no name may have become '_'. */
void dir_name_mend(u8 *name, u32 length);

#endif
