/*
 * The attribute fork of an inode, built anew from all attributes that are whole; see rebuild.h.
 *
 * 1. Each mapped block of the fork that looks like a leaf is read, whether the tree leads to it or
 *    not. An entry counts when it follows the rules and its hash is its name's; a wrong offset or
 *    length of a name is found again by the hash.
 * 2. A remote value counts when its blocks have their checksums and stand in a row; a wrong length
 *    or place follows from the blocks.
 * 3. What counts goes to a new fork in its smallest form, in one transaction; what is too much to
 * be laid out at once is added to it one by one.
 *
 * What is lost is said by name.
 */
#include "base/trail.h"
#include "fs/attr_modify.h"
#include "meta/attr_salvage.h"

#include <errno.h>
#include <stdlib.h>

/* ---- names that are there twice ---- */

static int by_hash(const void *a, const void *b)
{
	const struct attr_item *x = *(struct attr_item *const *)a,
			       *y = *(struct attr_item *const *)b;

	return (x->hash > y->hash) - (x->hash < y->hash);
}

static bool same_item(const struct attr_item *a, const struct attr_item *b)
{
	if (a->flags != b->flags || a->name_length != b->name_length ||
	    memcmp(a->bytes, b->bytes, a->name_length))
		return false;
	return !(a->flags & ATTR_PARENT) ||
	       (a->value_length == b->value_length &&
		!memcmp(a->bytes + a->name_length, b->bytes + b->name_length, a->value_length));
}

#define NEIGHBOURS_MAX 64 /* of one hash that are compared */

/* Marks by an empty name. */
static void mark_twice(struct attr_item **item, u32 count)
{
	for (u32 i = 1; i < count; i++)
		for (u32 k = i, n = 0; k-- && n < NEIGHBOURS_MAX && item[k]->hash == item[i]->hash;
		     n++)
			if (item[k]->name_length && same_item(item[k], item[i])) {
				item[i]->name_length = 0;
				break;
			}
}

static int drop_twice(struct attr_list *list)
{
	struct attr_item **item = env_array(list->env, list->count + 1, sizeof(*item));
	struct attr_item **link = &list->first;
	u32 count = 0;

	if (!item)
		return fail(-ENOMEM, "attributes: out of memory");
	for (struct attr_item *i = list->first; i; i = i->next)
		item[count++] = i;
	if (count)
		qsort(item, count, sizeof(*item), by_hash);
	mark_twice(item, count);
	env_free(list->env, item);
	while (*link) {
		struct attr_item *i = *link;

		if (i->name_length) {
			link = &i->next;
			continue;
		}
		*link = i->next;
		list->count--;
		env_free(list->env, i);
	}
	list->end = link;
	return 0;
}

/* ---- the new fork ---- */

/* What is more than attr_list_write() can do goes over, from behind the middle on. */
static void cut_list(const struct geometry *g, struct attr_list *list, struct attr_list *rest)
{
	while (list->count > 1 && attr_list_large(g, list)) {
		struct attr_item *last = list->first, *next;

		for (u32 i = 1; last && i < (list->count + 1) / 2; i++)
			last = last->next;
		if (!last)
			return;
		next = last->next;
		last->next = NULL;
		list->end = &last->next;
		list->count = (list->count + 1) / 2;
		while (next) {
			struct attr_item *item = next;

			next = item->next;
			item->next = rest->first;
			rest->first = item;
		}
	}
}

/* One by one, into the tree that is there by then. */
static int add_rest(struct repair *r, struct attr_salvage *s, struct txn *txn,
		    const struct attr_list *rest)
{
	int err = 0;

	for (const struct attr_item *i = rest->first; i && !err; i = i->next) {
		const struct attr attr = {.flags = i->flags,
					  .name = (const char *)i->bytes,
					  .name_length = i->name_length,
					  .value = i->bytes + i->name_length,
					  .value_length = i->value_length};

		err = attr_set(r->vol, txn, s->inode.ino, &attr, ATTR_HOW_ANY);
	}
	return err;
}

static int write_fork(struct repair *r, struct attr_salvage *s, struct txn *txn,
		      struct txn_buf *buf)
{
	struct attr_list rest;
	struct fork_edit f;
	int err = drop_twice(&s->list);

	if (err)
		return err;
	s->kept = s->list.count;
	attr_list_open(r->vol->env, &rest);
	cut_list(s->g, &s->list, &rest);
	fork_edit_open(&f, r->vol, txn, s->inode.ino, buf, FORK_ATTR);
	txn_dirty(txn, buf);
	err = attr_list_write(&f, &s->list);
	if (!err)
		err = add_rest(r, s, txn, &rest);
	attr_list_close(&rest);
	return err;
}

static int rebuild(struct repair *r, struct attr_salvage *s, struct vol *view, struct txn *txn)
{
	struct txn_buf *buf;
	int err = inode_edit(r->vol, txn, s->inode.ino, &buf);

	if (err)
		return err;
	inode_parse(s->g, s->inode.ino, buf->data, &s->inode);
	s->vol = view;
	if (!s->inode.forkoff)
		return 0;
	err = attr_salvage_all(s);
	return err ? err : write_fork(r, s, txn, buf);
}

int attr_rebuild(struct repair *r, u32 ag, u64 ino)
{
	struct attr_salvage s = {.r = r, .vol = r->vol, .g = &r->vol->geo};
	struct vol view;
	struct txn *txn;
	int err = vol_begin(r->vol, &view, &txn);

	(void)ag;
	if (err)
		return err;
	s.inode.ino = inum_of(ino);
	attr_list_open(r->vol->env, &s.list);
	err = vol_end(r->vol, txn, rebuild(r, &s, &view, txn));
	if (!err)
		repair_say(r, "inode %llu: attributes rebuilt: %u kept, %u mended, %u lost",
			   (unsigned long long)ino, s.kept, s.mended, s.lost);
	if (!err && s.senseless)
		repair_say(r,
			   "inode %llu: %u blocks of its attributes make no sense: what was in "
			   "them is lost",
			   (unsigned long long)ino, s.senseless);
	attr_list_close(&s.list);
	env_free(r->vol->env, s.chain);
	return err;
}
