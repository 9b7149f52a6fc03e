/*
 * Changing the map of a fork inside a transaction: extents and btree format, and from one to the
 * other as they grow and shrink; the inode's own counts with it, and the reverse map.
 *
 * Blocks of the map that fall free are not freed here, but handed to `unused`.  Quota usage
 * follows when the transaction ends (fs/quota.h).
 */
#ifndef MENDFS_FS_FORK_MODIFY_H
#define MENDFS_FS_FORK_MODIFY_H

#include "fs/ag.h"
#include "fs/inode.h"

struct fork_edit {
	struct vol *vol;
	struct txn *txn;
	struct inum ino;
	struct txn_buf *buf; /* the inode */
	enum fork_id which;
	int (*unused)(void *arg, u64 start, u64 count);
	void *arg;
};

/* The inode as an object of the transaction; -ENOENT, -EUCLEAN as inode_get(). */
int inode_edit(struct vol *vol, struct txn *txn, struct inum ino, struct txn_buf **out);

/* For who wants its space freed at once. buf: of inode_edit(). */
void fork_edit_open(struct fork_edit *f, struct vol *vol, struct txn *txn, struct inum ino,
		    struct txn_buf *buf, enum fork_id which);
/* Takes [off, off + count) out of the map and frees the blocks. Not for what may be shared. */
int fork_release(struct fork_edit *f, u64 off, u64 count);
/* Makes room for an attribute fork, of which there is none: the data fork keeps what it needs.
 * -ENOSPC when nothing would be left. */
int fork_add_attr(struct fork_edit *f);

/* Maps an extent where there is a hole; -EUCLEAN where there is none. */
int fork_map(struct fork_edit *f, const struct extent *e);
/* Allocates a block, near another where that is given (NULL64: not), and maps it at off. */
int fork_add_block(struct fork_edit *f, u64 off, u64 near, u64 *fsblock);
/* Takes [off, off + count) out of the map; what is a hole stays one. */
int fork_unmap(struct fork_edit *f, u64 off, u64 count);
/* What is mapped in [off, off + count) becomes unwritten, or written; what is a hole stays one. */
int fork_convert(struct fork_edit *f, u64 off, u64 count, bool unwritten);
/* The extent that holds `off`, or the hole (start NULL64) up to the next extent or `end`. */
int fork_extent(struct fork_edit *f, u64 off, u64 end, struct extent *out);
/* That, cut to what lies in [off, end). */
int fork_piece(struct fork_edit *f, u64 off, u64 end, struct extent *out);
/* The last extent that begins at off or before it; -ENOENT, without a trail. */
int fork_before(struct fork_edit *f, u64 off, struct extent *out);

#endif
