/* Changing attributes; see attr_modify.h. */
#include "fs/attr_modify.h"

#include "base/mutate.h"
#include "base/trail.h"
#include "fs/attr_build.h"
#include "fs/health.h"

#include <errno.h>

struct attr_edit {
	struct vol *vol;
	struct txn *txn;
	struct inum ino;
	struct da_op op;
	bool built; /* the list is loaded, and the fork is to be built of it */
	struct attr_list list;
};

static int edit_open(struct vol *vol, struct txn *txn, struct inum ino, struct attr_edit *e)
{
	*e = (struct attr_edit){.vol = vol, .txn = txn, .ino = ino};
	attr_list_open(vol->env, &e->list);
	return da_op_open(&e->op, vol, txn, ino, FORK_ATTR);
}

/* Into the list, for a fork that changes its form. */
static int edit_load(struct attr_edit *e)
{
	struct inode inode;
	int err = inode_get(&e->op.view, e->ino, &inode);

	e->built = true;
	if (err)
		return err;
	if (inode.forkoff)
		err = attr_list_read(&e->list, &e->op.view, &inode);
	inode_put(&e->op.view, &inode);
	return err;
}

/* The blocks that this transaction has changed go with the old fork. */
static int drop_known(struct attr_edit *e)
{
	return attr_tree_is(&e->op) ? da_blocks_free(&e->op, 0, e->op.end) : 0;
}

static int edit_write(struct attr_edit *e)
{
	int err = e->op.d->forkoff ? drop_known(e) : 0;

	return err ? err : attr_list_write(&e->op.fork, &e->list);
}

static int edit_close(struct attr_edit *e, int err)
{
	if (!err && e->built)
		err = edit_write(e);
	attr_list_close(&e->list);
	if (err)
		fail_in(err, "inode %llu", (unsigned long long)e->ino.v);
	return health_blame(err, SCRUB_XATTR, NO_AG, e->ino.v);
}

static int check_how(bool there, enum attr_how how)
{
	if (there && how == ATTR_HOW_CREATE)
		return fail(-EEXIST, "the attribute is there already");
	if (!there && how == ATTR_HOW_REPLACE)
		return fail(-ENODATA, "there is no such attribute");
	return 0;
}

static int set_built(struct attr_edit *e, const struct attr *attr, enum attr_how how)
{
	int err = edit_load(e);

	if (!err)
		err = check_how(attr_list_remove(&e->list, attr), how);
	return err ? err : attr_list_add(&e->list, attr);
}

static int set_in_tree(struct attr_edit *e, const struct attr *attr, enum attr_how how)
{
	int found = attr_tree_find(&e->op, attr),
	    err = found && found != -ENODATA ? found : check_how(!found, how);

	if (!err && !found)
		err = attr_tree_remove(&e->op, attr);
	return err ? err : attr_tree_add(&e->op, attr);
}

int attr_set(struct vol *vol, struct txn *txn, struct inum ino, const struct attr *attr,
	     enum attr_how how)
{
	struct attr_edit e;
	int err;

	if (!attr->name_length || attr->name_length > 255)
		return fail(-ERANGE, "an attribute name of %u bytes", attr->name_length);
	if (attr->value_length > ATTR_VALUE_MAX)
		return fail(-E2BIG, "an attribute value of %u bytes", attr->value_length);
	err = edit_open(vol, txn, ino, &e);
	if (!err)
		err = attr_tree_is(&e.op) ? set_in_tree(&e, attr, how) : set_built(&e, attr, how);
	return edit_close(&e, err);
}

/* What fits into the inode again goes there. */
static int remove_in_tree(struct attr_edit *e, const struct attr *attr)
{
	bool small = false;
	int err = attr_tree_remove(&e->op, attr);

	if (err == -ENODATA)
		return fail(err, "there is no such attribute");
	if (!err)
		err = attr_tree_small(&e->op, &small);
	return !err && small ? edit_load(e) : err;
}

static int remove_built(struct attr_edit *e, const struct attr *attr)
{
	int err = edit_load(e);

	if (!err && !attr_list_remove(&e->list, attr))
		err = fail(-ENODATA, "there is no such attribute");
	return err;
}

int attr_remove(struct vol *vol, struct txn *txn, struct inum ino, const struct attr *attr)
{
	struct attr_edit e;
	int err = edit_open(vol, txn, ino, &e);

	txn_set_giving(txn);
	if (!err)
		err = attr_tree_is(&e.op) ? remove_in_tree(&e, attr) : remove_built(&e, attr);
	return edit_close(&e, err);
}

int attr_drop_all(struct vol *vol, struct txn *txn, struct inum ino)
{
	struct attr_edit e;
	int err = edit_open(vol, txn, ino, &e);

	e.built = true;
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

	if ((add && MUTATE(PARENT_NOT_ADDED)) || (!add && MUTATE(PARENT_NOT_REMOVED)))
		return 0;
	return add ? attr_set(vol, txn, child, &attr, ATTR_HOW_CREATE)
		   : attr_remove(vol, txn, child, &attr);
}
