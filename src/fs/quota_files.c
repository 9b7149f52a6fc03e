/*
 * The quota inodes, and what the superblock says of quotas; see quota.h.
 *
 * Both are named in the primary superblock alone, as in the kernel: the copies know of no quota.
 * The geometry of the volume is not touched: it becomes true with the commit.
 */
#include "fs/quota.h"

#include "format/super.h"
#include "fs/ag.h"
#include "fs/names_impl.h"

#include <sys/stat.h>

static struct be64 *field_of(struct sb *sb, u32 type)
{
	return type == DQUOT_USER    ? &sb->uquotino
	       : type == DQUOT_GROUP ? &sb->gquotino
				     : &sb->pquotino;
}

static int make_file(struct vol *vol, struct txn *txn, struct sb *sb, u32 type)
{
	const struct names_time now = {(s64)env_wall(vol->env), 0};
	struct node n;
	int err = inode_alloc(vol, txn, inum_of(vol->geo.root_ino), S_IFREG, &n.ino, &n.buf);

	if (err)
		return err;
	n.d = (struct dinode *)n.buf->data;
	node_touch(txn, &n, NODE_ATIME | NODE_MTIME | NODE_CTIME, &now);
	n.d->crtime = n.d->ctime;
	*field_of(sb, type) = be64_make(n.ino.v);
	return node_links(txn, &n, 1); /* the superblock's */
}

int quota_make_files(struct vol *vol, struct txn *txn, u32 types)
{
	static const u32 type[] = {DQUOT_USER, DQUOT_GROUP, DQUOT_PROJECT};
	struct txn_buf *buf;
	struct sb *sb;
	int err = ag_super(vol, txn, &buf);

	types &= ~quota_types_there(&vol->geo);
	if (err || !types)
		return err;
	sb = (struct sb *)buf->data;
	txn_dirty(txn, buf);
	if (!geometry_has(&vol->geo, FEATURE_QUOTA)) {
		sb->versionnum = be16_make(be16_get(sb->versionnum) | SB_VERSION_QUOTA);
		sb->uquotino = sb->gquotino = sb->pquotino = be64_make(NULL64);
	}
	for (u32 i = 0; i < ARRAY_COUNT(type) && !err; i++)
		if (types & type[i])
			err = make_file(vol, txn, sb, type[i]);
	return err;
}

int quota_set_flags(struct vol *vol, struct txn *txn, u32 qflags)
{
	struct txn_buf *buf;
	int err = ag_super(vol, txn, &buf);

	if (err)
		return err;
	txn_dirty(txn, buf);
	((struct sb *)buf->data)->qflags = be16_make((u16)qflags);
	return 0;
}
