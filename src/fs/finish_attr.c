/*
 * Finishing changes of attributes and parent pointers (ATTRI).
 *
 * The kernel does them in many small steps and logs what is left to do, so the fork may be in any
 * state in between: the new value incomplete beside the old, or neither there any more.  All states
 * have in common what shall be in the end, so the fork is built anew from that: what it holds now
 * that is complete, without the old, with the new.  Where that would be too much for one
 * transaction, the one attribute is changed where it is.
 */
#include "base/trail.h"
#include "fs/attr_build.h"
#include "fs/finish_impl.h"

#include <errno.h>

struct attr_change {
	u64 ino;
	u32 kind, igen;
	struct attr old, new;
};

static const void *region(const struct log_pending *p, u32 i, u32 length)
{
	u32 start;

	if (i >= p->regions)
		return NULL;
	start = p->region_end[i - 1];
	return length <= p->region_end[i] - start ? p->bytes + start : NULL;
}

/* Lengths have been checked against the regions when the log was read; that is not relied on. */
static int load(const struct log_pending *p, struct attr_change *c)
{
	const struct log_attri *l = (const struct log_attri *)p->bytes;
	bool parent;
	u32 names, value, next = 1;

	if (!p->regions || p->region_end[0] < sizeof(*l))
		return fail(-EUCLEAN, "attribute intent: too short");
	names = le32_get(l->name_len);
	value = le32_get(l->value_len);
	c->ino = le64_get(l->ino);
	c->igen = le32_get(l->igen);
	c->kind = le32_get(l->op_flags) & LOG_INTENT_KIND;
	parent = c->kind >= LOG_ATTR_PARENT_SET;
	c->old = (struct attr){
	    .flags = parent ? ATTR_PARENT : le32_get(l->attr_filter) & ATTR_NAMESPACES,
	    .name_length = c->kind == LOG_ATTR_PARENT_REPLACE ? names & 0xffff : names,
	    .value_length = value};
	c->new = c->old;
	c->old.name = c->new.name = region(p, next++, c->old.name_length);
	if (c->kind == LOG_ATTR_PARENT_REPLACE) {
		c->new.name_length = names >> 16;
		c->new.name = region(p, next++, c->new.name_length);
	}
	if (value)
		c->old.value = c->new.value = region(p, next++, value);
	if (value && c->kind == LOG_ATTR_PARENT_REPLACE)
		c->new.value = region(p, next, value);
	if (!c->old.name || !c->new.name || (value && (!c->old.value || !c->new.value)))
		return fail(-EUCLEAN, "attribute intent: a part is missing");
	return 0;
}

static int change_list(const struct attr_change *c, struct attr_list *list)
{
	attr_list_remove(list, &c->old);
	if (c->kind == LOG_ATTR_REMOVE || c->kind == LOG_ATTR_PARENT_REMOVE)
		return 0;
	attr_list_remove(list, &c->new);
	return attr_list_add(list, &c->new);
}

static int rebuild(struct finish *f, const struct attr_change *c, struct attr_list *list)
{
	struct fork_edit edit;
	int err = change_list(c, list);

	if (!err)
		err = finish_fork(f, c->ino, FORK_ATTR, &edit);
	return err ? err : attr_list_write(&edit, list);
}

/* All of that name, complete or not: a value may be there twice while one takes the place of the
 * other. */
static int drop(struct da_op *op, const struct attr *attr)
{
	for (u32 incomplete = 0; incomplete <= ATTR_INCOMPLETE; incomplete += ATTR_INCOMPLETE) {
		struct attr wanted = *attr;
		int err = 0;

		wanted.flags |= (u8)incomplete;
		while (!err)
			err = attr_tree_remove(op, &wanted);
		if (err != -ENODATA)
			return err;
	}
	return 0;
}

/* A fork that is too large for that is changed in place. Blocks of a value that was not complete,
 * which nothing names yet, stay in the fork. */
static int change_in_place(struct finish *f, const struct attr_change *c)
{
	struct da_op op;
	int err = da_op_open(&op, f->vol, f->txn, inum_of(c->ino), FORK_ATTR);

	if (!err)
		err = drop(&op, &c->old);
	if (err || c->kind == LOG_ATTR_REMOVE || c->kind == LOG_ATTR_PARENT_REMOVE)
		return err;
	err = drop(&op, &c->new);
	return err ? err : attr_tree_add(&op, &c->new);
}

static int change(struct finish *f, const struct attr_change *c, const struct inode *inode)
{
	struct attr_list list;
	bool large;
	int err = 0;

	attr_list_open(f->vol->env, &list);
	if (inode->forkoff)
		err = attr_list_read(&list, f->vol, inode);
	large = err == -EFBIG || attr_list_large(&f->vol->geo, &list);
	if (!err && !large)
		err = rebuild(f, c, &list);
	attr_list_close(&list);
	return large ? change_in_place(f, c) : err;
}

int finish_attri(struct finish *f, const struct log_pending *p)
{
	struct attr_change c;
	struct inode inode;
	int err = load(p, &c);

	if (err)
		return err;
	err = inode_get(f->vol, inum_of(c.ino), &inode);
	if (err)
		return err;
	if (c.kind >= LOG_ATTR_PARENT_SET && inode.gen != c.igen)
		err = fail(-EUCLEAN, "inode %llu is another now", (unsigned long long)c.ino);
	else
		err = change(f, &c, &inode);
	inode_put(f->vol, &inode);
	return err;
}
