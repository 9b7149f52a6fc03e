/* Names, inodes and attributes, in the volume and in the model; see grove.h. */
#include "grove.h"

#include "base/trail.h"
#include "fs/attr_modify.h"
#include "fs/dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct names_entry entry_of(const struct grove_node *dir, const char *name)
{
	return (struct names_entry){dir->ino, name, (u32)strlen(name)};
}

static struct names_time now_of(const struct grove *g)
{
	return (struct names_time){1000000000 + g->operation, 5};
}

struct request {
	struct names_entry at, to;
	struct names_new new;
	struct names_time now;
	struct names_attr setattr;
	struct attr attr;
	struct inum ino, gone;
	u32 flags;
	bool dir;
};

static int create_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct request *r = arg;

	return names_create(vol, txn, &r->at, &r->new, &r->ino);
}

int grove_create(struct grove *g, struct grove_node *dir, const char *name, u16 mode,
		 const char *target)
{
	struct request r = {
	    .at = entry_of(dir, name),
	    .new = {.mode = mode, .uid = 7, .major = 3, .target = target, .now = now_of(g)}};
	struct grove_node *n;
	int err = change(g->changer, create_step, &r);

	err = grove_judge(g, err, grove_find(g, dir, name) ? -EEXIST : 0);
	if (err)
		return err;
	n = grove_node_add(g, r.ino, mode);
	n->links = S_ISDIR(mode) ? 2 : 1;
	n->uid = 7;
	n->target = target ? strdup(target) : NULL;
	if (S_ISDIR(mode)) {
		n->up = dir;
		dir->links++;
		if (dir->mode & S_ISGID)
			n->mode |= S_ISGID;
	}
	grove_name_add(g, dir, name, n);
	return 0;
}

static int link_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct request *r = arg;

	return names_link(vol, txn, &r->at, r->ino, &r->now);
}

int grove_link(struct grove *g, struct grove_node *n, struct grove_node *dir, const char *name)
{
	struct request r = {.at = entry_of(dir, name), .ino = n->ino, .now = now_of(g)};
	int expected = S_ISDIR(n->mode) ? -EPERM : grove_find(g, dir, name) ? -EEXIST : 0;
	int err = grove_judge(g, change(g->changer, link_step, &r), expected);

	if (err)
		return err;
	n->links++;
	grove_name_add(g, dir, name, n);
	return 0;
}

/* What the model has under this name has it no more. */
static void lose(struct grove *g, struct grove_name *name, struct inum gone)
{
	struct grove_node *n = name->node, *dir = name->dir;
	bool last = S_ISDIR(n->mode) || n->links == 1;

	if (last != (gone.v == n->ino.v))
		grove_broken(g, "inode %llu: %u links before its name goes, and %llu is gone",
			     (unsigned long long)n->ino.v, n->links, (unsigned long long)gone.v);
	grove_name_drop(g, name);
	if (S_ISDIR(n->mode))
		dir->links--;
	n->links--;
	if (!last)
		return;
	grove_node_drop(g, n);
	orphan_add(g->changer, gone);
	if (g->gones == ARRAY_COUNT(g->gone))
		grove_forget(g);
	g->gone[g->gones++] = gone;
}

int grove_forget(struct grove *g)
{
	while (g->gones)
		orphan_forget(g->changer, g->gone[--g->gones]);
	return 0;
}

static int remove_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct request *r = arg;

	return r->dir ? names_rmdir(vol, txn, &r->at, &r->now, &r->gone)
		      : names_unlink(vol, txn, &r->at, &r->now, &r->gone);
}

int grove_remove(struct grove *g, struct grove_node *dir, const char *name)
{
	struct request r = {.at = entry_of(dir, name), .now = now_of(g)};
	struct grove_name *n = grove_find(g, dir, name);
	int err, expected = !n ? -ENOENT : n->node->names ? -ENOTEMPTY : 0;

	r.dir = n && S_ISDIR(n->node->mode);
	err = grove_judge(g, change(g->changer, remove_step, &r), expected);
	if (!err)
		lose(g, n, r.gone);
	return err;
}

static int rename_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct request *r = arg;

	return names_rename(vol, txn, &r->at, &r->to, r->flags, &r->now, &r->gone);
}

static bool inside(const struct grove_node *dir, const struct grove_node *of)
{
	while (dir && dir != of)
		dir = dir->up;
	return dir;
}

static int expected_rename(const struct grove_node *dir, const struct grove_name *from,
			   const struct grove_node *to_dir, const struct grove_name *to, u32 flags)
{
	bool is_dir = from && S_ISDIR(from->node->mode), to_is = to && S_ISDIR(to->node->mode);

	if (!from || (!to && flags & NAMES_EXCHANGE))
		return -ENOENT;
	if (to && flags & NAMES_NOREPLACE)
		return -EEXIST;
	if (to && to->node == from->node)
		return 0;
	if (is_dir && dir != to_dir && inside(to_dir, from->node))
		return -EINVAL;
	if (!to)
		return 0;
	if (flags & NAMES_EXCHANGE)
		return to_is && dir != to_dir && inside(dir, to->node) ? -EINVAL : 0;
	if (is_dir != to_is)
		return is_dir ? -ENOTDIR : -EISDIR;
	return to->node->names ? -ENOTEMPTY : 0;
}

static void moved(struct grove_node *n, struct grove_node *from, struct grove_node *to)
{
	if (!S_ISDIR(n->mode))
		return;
	from->links--;
	to->links++;
	n->up = to;
}

/* The whiteout is a new inode that only the directory can tell. */
static void add_whiteout(struct grove *g, struct grove_node *dir, const char *name)
{
	const struct names_entry at = entry_of(dir, name);
	struct inode inode;
	struct grove_node *n;
	struct inum ino;
	u8 type;

	grove_must(g, inode_get(g->vol, dir->ino, &inode));
	grove_must(g, dir_lookup(g->vol, &inode, at.name, at.length, &ino, &type));
	inode_put(g->vol, &inode);
	n = grove_node_add(g, ino, S_IFCHR);
	n->links = 1;
	grove_name_add(g, dir, name, n);
}

int grove_rename(struct grove *g, struct grove_node *dir, const char *name,
		 struct grove_node *to_dir, const char *to, u32 flags)
{
	struct request r = {.at = entry_of(dir, name),
			    .to = entry_of(to_dir, to),
			    .flags = flags,
			    .now = now_of(g)};
	struct grove_name *a = grove_find(g, dir, name), *b = grove_find(g, to_dir, to);
	struct grove_node *n;
	int err = grove_judge(g, change(g->changer, rename_step, &r),
			      expected_rename(dir, a, to_dir, b, flags));

	if (err || (b && a->node == b->node))
		return err;
	n = a->node;
	if (flags & NAMES_EXCHANGE) {
		a->node = b->node;
		b->node = n;
		moved(a->node, to_dir, dir);
		moved(n, dir, to_dir);
		return 0;
	}
	grove_name_drop(g, a);
	if (b)
		lose(g, b, r.gone);
	grove_name_add(g, to_dir, to, n);
	moved(n, dir, to_dir);
	if (flags & NAMES_WHITEOUT)
		add_whiteout(g, dir, name);
	return 0;
}

/* ---- inodes ---- */

static int setattr_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct request *r = arg;

	return names_setattr(vol, txn, r->ino, &r->setattr);
}

int grove_setattr(struct grove *g, struct grove_node *n, u16 mode, u32 uid)
{
	struct request r = {.ino = n->ino,
			    .setattr = {.what = SETATTR_MODE | SETATTR_UID | SETATTR_MTIME,
					.mode = mode,
					.uid = uid,
					.mtime = now_of(g)}};
	int err = grove_judge(g, change(g->changer, setattr_step, &r), 0);

	if (err)
		return err;
	n->mode = (u16)((n->mode & S_IFMT) | (mode & 07777));
	n->uid = uid;
	return 0;
}

static int attr_step(struct vol *vol, struct txn *txn, void *arg)
{
	struct request *r = arg;

	return r->attr.value ? attr_set(vol, txn, r->ino, &r->attr, ATTR_HOW_ANY)
			     : attr_remove(vol, txn, r->ino, &r->attr);
}

static struct grove_attr **find_attr(struct grove_node *n, u8 flags, const char *name)
{
	struct grove_attr **link = &n->attrs;

	while (*link && ((*link)->flags != flags || strcmp((*link)->name, name)))
		link = &(*link)->next;
	return link;
}

int grove_attr(struct grove *g, struct grove_node *n, u8 flags, const char *name, const void *value,
	       u32 length)
{
	struct request r = {.ino = n->ino,
			    .attr = {.flags = flags,
				     .name = name,
				     .name_length = (u32)strlen(name),
				     .value = value,
				     .value_length = length}};
	struct grove_attr **link = find_attr(n, flags, name), *a = *link;
	int err = grove_judge(g, change(g->changer, attr_step, &r), value || a ? 0 : -ENODATA);

	if (err)
		return err;
	if (a) {
		*link = a->next;
		free(a->value);
		free(a);
	}
	if (!value)
		return 0;
	a = calloc(1, sizeof(*a));
	a->flags = flags;
	a->length = length;
	a->value = malloc(length + 1u);
	memcpy(a->value, value, length);
	snprintf(a->name, sizeof(a->name), "%s", name);
	a->next = n->attrs;
	n->attrs = a;
	return 0;
}

/* ---- the journal ---- */

int grove_force(struct grove *g)
{
	struct journal *j = g->vol->journal;

	return grove_judge(g, journal_force(j, journal_number(j), true), 0);
}

int grove_push(struct grove *g)
{
	return grove_judge(g, journal_push(g->vol->journal), 0);
}
