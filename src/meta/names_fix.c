/*
 * Names that are changed in directories, and single inodes; see names.h.
 *
 * A directory is walked until enough is to be changed for one transaction; behind that the walk
 * goes on. What is to be done is looked at again here, against the inodes as they are now.
 */
#include "base/trail.h"
#include "fs/attr_modify.h"
#include "fs/dir_modify.h"
#include "fs/names_impl.h"
#include "meta/dir_salvage.h"
#include "meta/names.h"

#include <errno.h>
#include <stdlib.h>

#define BATCH 4096 /* inodes of one directory that one walk is for */
#define OPS 64	   /* changes of one transaction */

struct change {
	u64 ino;
	u8 kind, type, length;
	char name[DIR_NAME_MAX];
};

struct fixing {
	struct names_work *w;
	u64 dir, cookie;
	u32 gen;
	struct dir_fix fix[BATCH]; /* sorted by inode */
	bool seen[BATCH];	   /* a name of it */
	u32 fixes;
	struct change change[OPS];
	u32 changes;
};

static int compare(const void *a, const void *b)
{
	const struct dir_fix *x = a, *y = b;
	u64 p = be64_get(x->ino), q = be64_get(y->ino);

	return p < q ? -1 : p > q;
}

static int on_entry(void *arg, const struct dir_entry *entry)
{
	struct fixing *f = arg;
	const struct dir_fix key = {.ino = be64_make(entry->ino.v)};
	const struct dir_fix *fix;
	struct change *c = &f->change[f->changes];

	f->cookie = entry->next;
	if (dir_name_is_dots((const u8 *)entry->name, entry->length))
		return 0;
	fix = bsearch(&key, f->fix, f->fixes, sizeof(key), compare);
	if (!fix)
		return 0;
	if (fix->kind == DIR_FIX_TWICE && !f->seen[fix - f->fix]) {
		f->seen[fix - f->fix] = true;
		return 0;
	}
	*c = (struct change){.ino = entry->ino.v,
			     .kind = fix->kind,
			     .type = entry->type,
			     .length = (u8)entry->length};
	memcpy(c->name, entry->name, entry->length);
	f->changes++;
	return f->changes == OPS;
}

static int drop_name(struct fixing *f, struct txn *txn, const struct change *c)
{
	u8 type;
	int there = dir_salvage_inode(f->w->vol, c->ino, &type);

	if (c->kind == DIR_FIX_FALSE && (there <= 0 || type == c->type))
		return there < 0 ? there : 0;
	repair_say(f->w->r, "directory %llu: name '%.*s' of inode %llu dropped",
		   (unsigned long long)f->dir, (int)c->length, c->name, (unsigned long long)c->ino);
	if (!there || c->kind == DIR_FIX_FALSE)
		repair_lost_name(f->w->r, f->dir, c->type, (const u8 *)c->name, c->length);
	return dir_remove(f->w->vol, txn, inum_of(f->dir), c->name, c->length);
}

static int set_type(struct fixing *f, struct txn *txn, const struct change *c)
{
	u8 type;
	int there = dir_salvage_inode(f->w->vol, c->ino, &type);

	if (there <= 0 || type == DIR_FT_UNKNOWN)
		return there < 0 ? there : 0;
	return dir_replace(f->w->vol, txn, inum_of(f->dir), c->name, c->length, inum_of(c->ino),
			   type);
}

static int add_pointer(struct fixing *f, struct txn *txn, const struct change *c)
{
	int err = parent_change(f->w->vol, txn, inum_of(c->ino), inum_of(f->dir), f->gen, c->name,
				c->length, true);

	if (err != -EEXIST)
		return err;
	trail_clear();
	return 0;
}

static int apply(struct fixing *f)
{
	struct txn *txn;
	struct vol view;
	int err = vol_begin(f->w->vol, &view, &txn);

	if (err)
		return err;
	for (u32 i = 0; i < f->changes && !err; i++) {
		const struct change *c = &f->change[i];

		if (c->kind == DIR_FIX_DROP || c->kind == DIR_FIX_TWICE || c->kind == DIR_FIX_FALSE)
			err = drop_name(f, txn, c);
		else if (c->kind == DIR_FIX_TYPE)
			err = set_type(f, txn, c);
		else
			err = add_pointer(f, txn, c);
	}
	f->w->done += f->changes;
	f->changes = 0;
	return vol_end(f->w->vol, txn, err);
}

static int fix_one_dir(struct fixing *f)
{
	struct names_work *w = f->w;
	int stopped = 1, err = 0;

	memset(f->seen, 0, sizeof(f->seen));
	f->cookie = 0;
	while (!err && stopped == 1) {
		struct inode dir;

		err = inode_get(w->vol, inum_of(f->dir), &dir);
		if (err)
			return err;
		f->gen = dir.gen;
		stopped = dir_each(w->vol, &dir, f->cookie, on_entry, f);
		inode_put(w->vol, &dir);
		err = stopped < 0 ? stopped : 0;
		if (!err && f->changes)
			err = apply(f);
	}
	return err;
}

/* All fixes of one directory, as many as fit at a time. */
static int fix_batch(struct fixing *f)
{
	int err = f->fixes ? fix_one_dir(f) : 0;

	f->fixes = f->changes = 0;
	if (!err || err == -ENOMEM || err == -EIO)
		return err;
	repair_say(f->w->r, "directory %llu: its names were not repaired: %s",
		   (unsigned long long)f->dir, trail_text());
	trail_clear();
	return 0;
}

int names_fix_dirs(struct names_work *w)
{
	struct fixing *f = env_alloc(w->vol->env, sizeof(*f));
	int err = f ? sorter_sort(w->fixes) : fail(-ENOMEM, "repairing names: out of memory");
	int more = 0;
	struct dir_fix fix;

	if (f)
		f->w = w;
	while (!err && (more = sorter_next(w->fixes, &fix)) > 0) {
		if (f->fixes && (be64_get(fix.dir) != f->dir || f->fixes == BATCH))
			err = fix_batch(f);
		f->dir = be64_get(fix.dir);
		/* what comes first of one inode is what counts most */
		if (!f->fixes || compare(&f->fix[f->fixes - 1], &fix))
			f->fix[f->fixes++] = fix;
	}
	if (!err && more >= 0)
		err = fix_batch(f);
	env_free(w->vol->env, f);
	return err ? err : more < 0 ? more : 0;
}

/* ---- single inodes ---- */

/* One that gets links is on no list of those without. */
static int leave_list(struct vol *vol, struct txn *txn, struct node *n)
{
	int err = iunlink_remove(vol, txn, n->ino);

	if (err != -EUCLEAN)
		return err;
	/* It was on none; what it says of a list is not so. */
	trail_clear();
	txn_dirty(txn, n->buf);
	n->d->next_unlinked = be32_make(NULL32);
	return 0;
}

int names_set_links(struct names_work *w, u64 ino, u64 links)
{
	struct vol view;
	struct node n;
	struct txn *txn;
	u32 was = 0;
	int err = vol_begin(w->vol, &view, &txn);

	if (err)
		return err;
	err = node_open(w->vol, txn, inum_of(ino), &n);
	if (!err)
		was = be32_get(n.d->nlink);
	if (!err && !was)
		err = leave_list(w->vol, txn, &n);
	if (!err && links > INODE_NLINK_MAX)
		err = fail(-EMLINK, "%llu names are more than there may be",
			   (unsigned long long)links);
	if (!err) {
		txn_dirty(txn, n.buf);
		n.d->nlink = be32_make((u32)links);
	}
	err = vol_end(w->vol, txn, err);
	if (err)
		return err;
	w->done++;
	repair_say(w->r, "inode %llu: has %llu links now, not %u", (unsigned long long)ino,
		   (unsigned long long)links, was);
	return 0;
}

int names_set_dotdot(struct names_work *w, u64 ino, u64 parent)
{
	struct vol view;
	struct txn *txn;
	int err = vol_begin(w->vol, &view, &txn);

	if (err)
		return err;
	err = dir_replace(w->vol, txn, inum_of(ino), "..", 2, inum_of(parent), DIR_FT_DIR);
	err = vol_end(w->vol, txn, err);
	if (err)
		return err;
	w->done++;
	repair_say(w->r, "directory %llu: its .. is directory %llu now", (unsigned long long)ino,
		   (unsigned long long)parent);
	return 0;
}
