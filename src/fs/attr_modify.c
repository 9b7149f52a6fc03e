/* Changing attributes; see attr_modify.h. */
#include "fs/attr_modify.h"

#include "base/mutate.h"
#include "base/trail.h"
#include "format/super.h"
#include "fs/ag.h"
#include "fs/attr_build.h"

#include <errno.h>

struct attr_edit {
	struct vol *vol;
	struct txn *txn;
	struct inum ino;
	struct txn_buf *buf;
	struct attr_list list;
};

static int edit_open(struct vol *vol, struct txn *txn, struct inum ino, struct attr_edit *e)
{
	struct vol view = vol_in(vol, txn);
	struct inode inode;
	int err;

	*e = (struct attr_edit){.vol = vol, .txn = txn, .ino = ino};
	attr_list_open(vol->env, &e->list);
	err = inode_edit(vol, txn, ino, &e->buf);
	if (!err)
		err = inode_get(&view, ino, &inode);
	if (err)
		return err;
	if (inode.forkoff)
		err = attr_list_read(&e->list, &view, &inode);
	inode_put(&view, &inode);
	return err;
}

/* The superblock says that there are attributes. */
static int tell_superblock(struct vol *vol, struct txn *txn)
{
	struct txn_buf *buf;
	struct sb *sb;
	int err = ag_super(vol, txn, &buf);

	if (err)
		return err;
	sb = (struct sb *)buf->data;
	if (be16_get(sb->versionnum) & SB_VERSION_ATTR)
		return 0;
	txn_dirty(txn, buf);
	sb->versionnum = be16_make(be16_get(sb->versionnum) | SB_VERSION_ATTR);
	return 0;
}

static int edit_write(struct attr_edit *e)
{
	struct dinode *d = (struct dinode *)e->buf->data;
	struct fork_edit f;
	int err = 0;

	fork_edit_open(&f, e->vol, e->txn, e->ino, e->buf, FORK_ATTR);
	if (e->list.count && !d->forkoff) {
		err = fork_add_attr(&f);
		if (!err)
			err = tell_superblock(e->vol, e->txn);
	}
	if (err || !d->forkoff)
		return err;
	txn_dirty(e->txn, e->buf);
	err = attr_build(&f, &e->list);
	if (!err && !e->list.count)
		attr_fork_drop(&f);
	return err;
}

static int edit_close(struct attr_edit *e, int err)
{
	if (!err)
		err = edit_write(e);
	attr_list_close(&e->list);
	return err ? fail_in(err, "inode %llu", (unsigned long long)e->ino.v) : 0;
}

int attr_set(struct vol *vol, struct txn *txn, struct inum ino, const struct attr *attr,
	     enum attr_how how)
{
	struct attr_edit e;
	bool there;
	int err;

	if (!attr->name_length || attr->name_length > 255)
		return fail(-ERANGE, "an attribute name of %u bytes", attr->name_length);
	if (attr->value_length > ATTR_VALUE_MAX)
		return fail(-E2BIG, "an attribute value of %u bytes", attr->value_length);
	err = edit_open(vol, txn, ino, &e);
	if (!err) {
		there = attr_list_remove(&e.list, attr);
		if (there && how == ATTR_HOW_CREATE)
			err = fail(-EEXIST, "the attribute is there already");
		else if (!there && how == ATTR_HOW_REPLACE)
			err = fail(-ENODATA, "there is no such attribute");
		else
			err = attr_list_add(&e.list, attr);
	}
	return edit_close(&e, err);
}

int attr_remove(struct vol *vol, struct txn *txn, struct inum ino, const struct attr *attr)
{
	struct attr_edit e;
	int err = edit_open(vol, txn, ino, &e);

	if (!err && !attr_list_remove(&e.list, attr))
		err = fail(-ENODATA, "there is no such attribute");
	return edit_close(&e, err);
}

int attr_drop_all(struct vol *vol, struct txn *txn, struct inum ino)
{
	struct attr_edit e;
	int err = edit_open(vol, txn, ino, &e);

	attr_list_close(&e.list);
	attr_list_open(vol->env, &e.list);
	return edit_close(&e, err);
}

int parent_change(struct vol *vol, struct txn *txn, struct inum child, struct inum dir, u32 gen,
		  const char *name, u32 length, bool add)
{
	const struct attr_parent value = {
	    .ino = be64_make(dir.v), .gen = be32_make(gen + (add && MUTATE(PARENT_GENERATION)))};
	const struct attr attr = {.flags = ATTR_PARENT,
				  .name = name,
				  .name_length = length,
				  .value = &value,
				  .value_length = sizeof(value)};

	if (add ? MUTATE(PARENT_NOT_ADDED) : MUTATE(PARENT_NOT_REMOVED))
		return 0;
	return add ? attr_set(vol, txn, child, &attr, ATTR_HOW_CREATE)
		   : attr_remove(vol, txn, child, &attr);
}
