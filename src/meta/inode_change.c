/*
 * What an inode posts when a transaction changes it; see ledger/guard.h.
 *
 * A free inode says nothing but what list it is on (none). Attributes are built anew whenever one
 * of them changes, and what their old blocks held is not in the transaction; so parent pointers are
 * posted by the inode, all of them, when the attribute fork is another one or one of its blocks is.
 */
#include "base/trail.h"
#include "format/attr.h"
#include "format/dir.h"
#include "fs/attr.h"
#include "ledger/guard.h"
#include "meta/dir_change.h"
#include "meta/forks.h"
#include "meta/inode.h"

#include <sys/stat.h>

/* Before and after: NULL for one that is not in use. */
struct pair {
	const struct inode *before, *after;
};

static void post_used(struct sweep *sweep, const struct txn_change *c, s64 times)
{
	const struct fact used = {
	    {c->where->ag, inum_agino(sweep->g, inum_of(c->where->ino)), 1, 0}};

	sweep_post(sweep, ACCOUNT_INODES, SIDE_RIGHT, &used, times);
}

static void post_links(struct sweep *sweep, const struct inode *inode, s64 times)
{
	const struct fact unlinked = {{inode->ino.v, 0, 0, 0}};
	const struct fact links = {
	    {inode->ino.v, dir_has_type(sweep->g) ? inode_ftype(inode->mode) : 0, 0, 0}};

	if (inode->nlink)
		sweep_post(sweep, ACCOUNT_LINKS, SIDE_RIGHT, &links, times * inode->nlink);
	else
		sweep_post(sweep, ACCOUNT_UNLINKED, SIDE_RIGHT, &unlinked, times);
}

static void change_links(struct sweep *sweep, const struct pair *p)
{
	if (p->before && p->after && p->before->nlink == p->after->nlink &&
	    inode_ftype(p->before->mode) == inode_ftype(p->after->mode))
		return;
	if (p->before)
		post_links(sweep, p->before, -1);
	if (p->after)
		post_links(sweep, p->after, 1);
}

/* Who an inode on a list of unlinked ones names is on the list; see agi.c. */
static void change_next(struct sweep *sweep, const struct txn_change *c, u32 was, u32 is)
{
	for (u32 i = 0; i < 2 && was != is; i++) {
		u32 next = i ? is : was;
		const struct fact listed = {{inum_make(sweep->g, c->where->ag, next).v, 0, 0, 0}};

		if (next != NULL32)
			sweep_post(sweep, ACCOUNT_UNLINKED, SIDE_LEFT, &listed, i ? 1 : -1);
	}
}

/* Who is charged, and for how much; the records are in dquot.c. */
static void change_charge(struct sweep *sweep, const struct pair *p)
{
	const struct inode *a = p->before, *b = p->after;

	if (a && b && a->uid == b->uid && a->gid == b->gid && a->projid == b->projid &&
	    a->nblocks == b->nblocks)
		return;
	sweep->times = -1;
	if (a)
		quota_charge(sweep, a, 0);
	sweep->times = 1;
	if (b)
		quota_charge(sweep, b, 0);
}

/* ---- parent pointers ---- */

struct parents {
	struct sweep *sweep;
	u64 ino;
};

static int post_parent(void *arg, const struct attr *attr)
{
	struct parents *p = arg;
	const struct attr_slot slot = {.flags = attr->flags,
				       .name = (const u8 *)attr->name,
				       .name_length = attr->name_length,
				       .value = attr->value,
				       .value_length = attr->value_length};
	struct fact fact = {{p->ino, 0, 0, 0}};
	u32 gen;

	if (!attr_parent_get(&slot, &fact.w[1], &gen))
		return 0;
	fact.w[2] = gen;
	fact.w[3] = book_digest(p->sweep->book, slot.name, slot.name_length);
	sweep_post(p->sweep, ACCOUNT_PARENTS, SIDE_RIGHT, &fact, 1);
	return 0;
}

static int post_parents(struct sweep *sweep, const struct inode *inode, bool after)
{
	struct parents p = {sweep, inode ? inode->ino.v : 0};
	int err = 0;

	sweep->times = after ? 1 : -1;
	if (inode && inode->forkoff)
		err = attr_each(guard_vol(sweep, after), inode, post_parent, &p);
	sweep->times = 1;
	return err;
}

static bool same_fork(const struct inode *a, const struct inode *b)
{
	const struct fork *x = &a->fork[FORK_ATTR], *y = &b->fork[FORK_ATTR];

	return a->forkoff == b->forkoff && x->format == y->format && x->size == y->size &&
	       (!a->forkoff || !memcmp(x->data, y->data, x->size));
}

static bool in_blocks(const struct inode *inode)
{
	const struct fork *fork = &inode->fork[FORK_ATTR];

	return inode->forkoff && fork->format != FORMAT_LOCAL && fork->extents;
}

/* Most inodes have theirs in the inode, and most changes leave them alone. */
static int change_parents(struct sweep *sweep, const struct pair *p)
{
	int err;

	if (!geometry_has(sweep->g, FEATURE_PARENT))
		return 0;
	if (p->before && p->after && same_fork(p->before, p->after) && !in_blocks(p->after))
		return 0;
	err = post_parents(sweep, p->before, false);
	return err ? err : post_parents(sweep, p->after, true);
}

/* ---- all of it ---- */

static const struct inode *directory(const struct inode *inode)
{
	return inode && S_ISDIR(inode->mode) ? inode : NULL;
}

static int change_used(struct sweep *sweep, const struct txn_change *c, const struct pair *p)
{
	int err = 0;

	if (!p->before != !p->after)
		post_used(sweep, c, p->after ? 1 : -1);
	change_links(sweep, p);
	change_charge(sweep, p);
	forks_change(sweep, c, p->before, p->after);
	if (directory(p->before) || directory(p->after))
		err = dir_change_inode(sweep, directory(p->before), directory(p->after));
	return err ? err : change_parents(sweep, p);
}

#define DINODE_PART(from, to)                                              \
	{                                                                  \
		offsetof(struct dinode, from), offsetof(struct dinode, to) \
	}

/* Times, and what only counts changes, are in no account. What attributes in blocks say may have
 * changed with those. */
static bool same_to_books(const struct geometry *g, const u8 *before, const u8 *after)
{
	const struct {
		size_t from, to;
	} part[] = {DINODE_PART(magic, atime),
		    DINODE_PART(size, crc),
		    DINODE_PART(flags2, crtime),
		    {sizeof(struct dinode), g->inode_size}};
	const struct dinode *d = (const struct dinode *)after;

	if (d->forkoff && d->aformat != FORMAT_LOCAL && geometry_has(g, FEATURE_PARENT))
		return false;
	for (u32 i = 0; i < ARRAY_COUNT(part); i++)
		if (memcmp(before + part[i].from, after + part[i].from, part[i].to - part[i].from))
			return false;
	return true;
}

static const struct inode *parse_used(const struct geometry *g, const struct txn_change *c,
				      const u8 *raw, struct inode *out)
{
	if (!raw || !be16_get(((const struct dinode *)raw)->mode))
		return NULL;
	inode_parse(g, inum_of(c->where->ino), raw, out);
	return out;
}

static u32 next_of(const u8 *raw)
{
	return raw ? be32_get(((const struct dinode *)raw)->next_unlinked) : NULL32;
}

int inode_change(struct sweep *sweep, const struct txn_change *c)
{
	struct inode before, after;
	struct pair p;

	if (c->before && c->after && same_to_books(sweep->g, c->before, c->after))
		return 0;
	p.before = parse_used(sweep->g, c, c->before, &before);
	p.after = parse_used(sweep->g, c, c->after, &after);
	change_next(sweep, c, next_of(c->before), next_of(c->after));
	return p.before || p.after ? change_used(sweep, c, &p) : 0;
}
