/*
 * Names for inodes that have none; see names.h.
 *
 * Best is what parent pointers tell: directory and name. A directory without a name may know its
 * parent by `..`; then it comes there, under its number. Everything else goes to lost+found in the
 * root, which is made when it is missing.
 */
#include "base/trail.h"
#include "fs/attr_build.h"
#include "fs/attr_modify.h"
#include "fs/dir_modify.h"
#include "fs/names_impl.h"
#include "meta/dir_salvage.h"
#include "meta/names.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define DEPTH_MAX 65536 /* a way up is not longer */
#define NAME_TRIES 100
#define LOST_AND_FOUND "lost+found"

static int lookup(struct vol *vol, u64 dir, const char *name, u32 length, u64 *ino)
{
	struct inum found = {0};
	struct inode inode;
	u8 type;
	int err = inode_get(vol, inum_of(dir), &inode);

	if (!err && !S_ISDIR(inode.mode))
		err = fail(-ENOTDIR, "inode %llu is no directory", (unsigned long long)dir);
	if (!err && !inode.nlink)
		err = fail(-ESTALE, "directory %llu has no links", (unsigned long long)dir);
	if (!err)
		err = dir_lookup(vol, &inode, name, length, &found, &type);
	inode_put(vol, &inode);
	*ino = found.v;
	return err;
}

/* ---- lost+found ---- */

static struct names_time root_time(struct vol *vol)
{
	struct names_time now = {0, 0};
	struct inode root;

	if (!inode_get(vol, inum_of(vol->geo.root_ino), &root))
		now = (struct names_time){root.mtime, root.mtime_ns};
	inode_put(vol, &root);
	return now;
}

static int make_lost_found(struct names_work *w, const char *name)
{
	const struct names_entry at = {inum_of(w->vol->geo.root_ino), name, (u32)strlen(name)};
	const struct names_new new = {.mode = S_IFDIR | 0700, .now = root_time(w->vol)};
	struct vol view;
	struct txn *txn;
	int err = vol_begin(w->vol, &view, &txn);

	if (!err)
		err = vol_end(w->vol, txn, names_create(w->vol, txn, &at, &new, &w->lost_found));
	if (!err)
		repair_say(w->r, "/%s made, inode %llu", name, (unsigned long long)w->lost_found.v);
	return err;
}

/* There may be something else of that name. */
static int find_lost_found(struct names_work *w)
{
	char name[32];
	u64 ino;
	u8 type;
	int err;

	for (u32 i = 0; i < NAME_TRIES && !w->lost_found.v; i++) {
		snprintf(name, sizeof(name), i ? LOST_AND_FOUND ".%u" : LOST_AND_FOUND, i);
		err = lookup(w->vol, w->vol->geo.root_ino, name, (u32)strlen(name), &ino);
		if (err == -ENOENT) {
			trail_clear();
			return make_lost_found(w, name);
		}
		if (err)
			return fail_in(err, "looking for lost+found");
		if (dir_salvage_inode(w->vol, ino, &type) > 0 && type == DIR_FT_DIR)
			w->lost_found = inum_of(ino);
	}
	return w->lost_found.v ? 0 : fail(-EEXIST, "no lost+found can be made");
}

/* ---- entering ---- */

static int add_dotdot(struct names_work *w, struct txn *txn, struct node *n, struct node *dir)
{
	struct vol view = vol_in(w->vol, txn);
	struct inum old = {0};
	struct inode inode;
	u8 type;
	int err = inode_get(&view, n->ino, &inode);

	if (!err)
		err = dir_lookup(&view, &inode, "..", 2, &old, &type);
	inode_put(&view, &inode);
	if (err || old.v == dir->ino.v)
		return err;
	err = dir_replace(w->vol, txn, n->ino, "..", 2, dir->ino, DIR_FT_DIR);
	return err ? err : node_links(txn, dir, 1);
}

/* The name, its parent pointer, and for a directory its `..`; -EEXIST. pointed: it has the pointer.
 */
static int enter(struct names_work *w, struct txn *txn, const struct names_entry *at, u64 ino,
		 bool pointed)
{
	struct node n = {0}, dir = {0};
	bool is_dir;
	int err = node_open(w->vol, txn, inum_of(ino), &n);

	if (!err)
		err = node_open(w->vol, txn, at->dir, &dir);
	if (err)
		return err;
	is_dir = node_is(&n, S_IFDIR);
	err = dir_add(w->vol, txn, at->dir, at->name, at->length, n.ino,
		      dir_type_of_mode(be16_get(n.d->mode)));
	if (!err && is_dir)
		err = add_dotdot(w, txn, &n, &dir);
	if (!err && !pointed && geometry_has(&w->vol->geo, FEATURE_PARENT))
		err = parent_change(w->vol, txn, n.ino, at->dir, be32_get(dir.d->gen), at->name,
				    at->length, true);
	return err;
}

static int enter_alone(struct names_work *w, const struct names_entry *at, u64 ino)
{
	struct txn *txn;
	struct vol view;
	struct node n;
	int err = vol_begin(w->vol, &view, &txn);

	if (err)
		return err;
	err = enter(w, txn, at, ino, false);
	if (!err)
		err = node_open(w->vol, txn, inum_of(ino), &n);
	if (!err && !node_is(&n, S_IFDIR)) {
		txn_dirty(txn, n.buf);
		n.d->nlink = be32_make(1);
	}
	err = vol_end(w->vol, txn, err);
	w->done += !err;
	return err;
}

/* Under its number, or that with a number behind it. */
static int enter_by_number(struct names_work *w, u64 dir, u64 ino)
{
	char name[48];
	struct names_entry at = {inum_of(dir), name, 0};
	int err = -EEXIST;

	for (u32 i = 0; i < NAME_TRIES && err == -EEXIST; i++) {
		trail_clear();
		snprintf(name, sizeof(name), i ? "%llu.%u" : "%llu", (unsigned long long)ino, i);
		at.length = (u32)strlen(name);
		err = enter_alone(w, &at, ino);
	}
	if (!err)
		repair_say(w->r, "inode %llu: had no name: is '%s' in directory %llu now",
			   (unsigned long long)ino, name, (unsigned long long)dir);
	return err;
}

/* ---- what it knows itself ---- */

/* Whether `dir` lies below the root, and not below `ino`. */
static bool is_outside(struct names_work *w, u64 dir, u64 ino)
{
	u64 root = w->vol->geo.root_ino;

	for (u32 depth = 0; depth < DEPTH_MAX && dir != ino; depth++) {
		if (dir == root)
			return true;
		if (lookup(w->vol, dir, "..", 2, &dir)) {
			trail_clear();
			return false;
		}
	}
	return false;
}

static bool is_directory(struct names_work *w, u64 ino)
{
	u8 type;

	return dir_salvage_inode(w->vol, ino, &type) > 0 && type == DIR_FT_DIR;
}

void repair_lost_name(struct repair *r, u64 dir, u8 type, const u8 *name, u32 length)
{
	struct lost_names *lost = r->lost;
	struct lost_name *l = &lost->name[lost->count];

	if (!lost || !dir_name_valid(name, length) || lost->count++ >= LOST_NAMES)
		return;
	*l = (struct lost_name){.dir = dir, .type = type, .length = (u8)length};
	memcpy(l->name, name, length);
}

/* One name of no inode and one inode of that type without a name belong together; a directory must
 * know its parent, too. */
static struct lost_name *lost_name_of(struct names_work *w, u64 ino, u64 parent)
{
	struct lost_names *lost = w->r->lost;
	struct lost_name *found = NULL;
	u32 fitting = 0;
	u8 type;

	if (!lost || lost->count > LOST_NAMES || dir_salvage_inode(w->vol, ino, &type) <= 0 ||
	    type == DIR_FT_UNKNOWN || w->orphan_types[type] != 1)
		return NULL;
	for (u32 i = 0; i < lost->count; i++) {
		struct lost_name *l = &lost->name[i];

		if (l->used || l->type != type || (type == DIR_FT_DIR && l->dir != parent))
			continue;
		found = l;
		fitting++;
	}
	return fitting == 1 ? found : NULL;
}

/* False: there is none, or it cannot have it. */
static bool enter_lost_name(struct names_work *w, u64 ino, u64 parent)
{
	struct lost_name *l = lost_name_of(w, ino, parent);
	struct names_entry at;

	if (!l || (is_directory(w, ino) && !is_outside(w, l->dir, ino)))
		return false;
	l->used = true;
	at = (struct names_entry){inum_of(l->dir), (const char *)l->name, l->length};
	if (enter_alone(w, &at, ino)) {
		trail_clear();
		return false;
	}
	w->r->lost->found++;
	repair_say(w->r,
		   "inode %llu: had no name, and '%.*s' in directory %llu no inode: taken for each "
		   "other",
		   (unsigned long long)ino, (int)l->length, (const char *)l->name,
		   (unsigned long long)l->dir);
	return true;
}

int names_attach(struct names_work *w, u64 ino)
{
	u64 parent = 0;
	int err;

	if (is_directory(w, ino) && lookup(w->vol, ino, "..", 2, &parent))
		trail_clear();
	if (enter_lost_name(w, ino, parent))
		return 0;
	if (is_directory(w, ino) && parent && parent != w->vol->geo.root_ino &&
	    is_outside(w, parent, ino))
		return enter_by_number(w, parent, ino);
	trail_clear();
	err = w->lost_found.v ? 0 : find_lost_found(w);
	return err ? err : enter_by_number(w, w->lost_found.v, ino);
}

/* ---- parent pointers ---- */

static bool pointer_of(const struct attr_item *item, struct attr_parent *parent)
{
	if (!(item->flags & ATTR_PARENT) || item->value_length != sizeof(*parent))
		return false;
	memcpy(parent, item->bytes + item->name_length, sizeof(*parent));
	return true;
}

static int read_pointers(struct names_work *w, u64 ino, struct attr_list *list)
{
	struct inode inode;
	int err = inode_get(w->vol, inum_of(ino), &inode);

	if (!err)
		err = attr_list_read(list, w->vol, &inode);
	inode_put(w->vol, &inode);
	return err;
}

static u32 generation(struct names_work *w, u64 dir)
{
	struct inode inode;
	u32 gen = 0;

	if (!inode_get(w->vol, inum_of(dir), &inode))
		gen = inode.gen;
	inode_put(w->vol, &inode);
	trail_clear();
	return gen;
}

struct sought {
	const struct attr_item *item;
	bool found;
};

static int compare_pointer(void *arg, const struct attr *attr)
{
	struct sought *s = arg;
	const struct attr_item *item = s->item;

	s->found |= attr->flags == item->flags && attr->name_length == item->name_length &&
		    attr->value_length == item->value_length && attr->value &&
		    !memcmp(attr->name, item->bytes, item->name_length) &&
		    !memcmp(attr->value, item->bytes + item->name_length, item->value_length);
	return s->found;
}

/* Whether another inode has this parent pointer, too; one that is not there has not. */
static bool points_back(struct names_work *w, u64 ino, const struct attr_item *item)
{
	struct sought s = {item, false};
	struct inode inode;
	int err = inode_get(w->vol, inum_of(ino), &inode);

	if (!err)
		err = attr_each(w->vol, &inode, compare_pointer, &s);
	inode_put(w->vol, &inode);
	trail_clear();
	return s.found || (err < 0 && err != -ENOENT);
}

/* What a directory says to a parent pointer. */
enum answer {
	ANSWER_NONE, /* there is no such directory */
	ANSWER_YES,  /* the name leads here */
	ANSWER_FREE, /* it has no such name */
	ANSWER_FALSE /* it leads to one that does not point back, or to another */
};

static int has_name(struct names_work *w, const struct attr_item *item, u64 ino,
		    enum answer *answer, u64 *found)
{
	struct attr_parent p;
	int err;

	*answer = ANSWER_NONE;

	if (!pointer_of(item, &p) || !is_directory(w, be64_get(p.ino)) ||
	    generation(w, be64_get(p.ino)) != be32_get(p.gen) ||
	    !dir_name_valid(item->bytes, item->name_length))
		return 0;
	err = lookup(w->vol, be64_get(p.ino), (const char *)item->bytes, item->name_length, found);
	*answer = err ? ANSWER_FREE : *found == ino ? ANSWER_YES : ANSWER_FALSE;
	if (err == -ESTALE || err == -ENOTDIR)
		*answer = ANSWER_NONE;
	else if (err && err != -ENOENT)
		return err;
	trail_clear();
	return 0;
}

/* replace: the name is there, and leads elsewhere. */
static int restore_name(struct names_work *w, const struct attr_item *item, u64 ino, bool replace)
{
	const struct attr_parent *p =
	    (const struct attr_parent *)(const void *)(item->bytes + item->name_length);
	const struct names_entry at = {inum_of(be64_get(p->ino)), (const char *)item->bytes,
				       item->name_length};
	struct txn *txn;
	struct vol view;
	int err = vol_begin(w->vol, &view, &txn);

	if (err)
		return err;
	if (replace)
		err = dir_remove(w->vol, txn, at.dir, at.name, at.length);
	if (!err)
		err = enter(w, txn, &at, ino, true);
	err = vol_end(w->vol, txn, err);
	if (!err)
		repair_say(w->r, "directory %llu: name '%.*s' of inode %llu restored",
			   (unsigned long long)be64_get(p->ino), (int)item->name_length,
			   (const char *)item->bytes, (unsigned long long)ino);
	return err;
}

static int try_pointer(struct names_work *w, const struct attr_item *item, u64 ino, bool is_dir,
		       u32 *added)
{
	struct attr_parent p;
	enum answer answer;
	u64 found = 0;
	int err = has_name(w, item, ino, &answer, &found);

	if (err || answer == ANSWER_NONE || answer == ANSWER_YES || !pointer_of(item, &p))
		return err;
	if (answer == ANSWER_FALSE && points_back(w, found, item))
		return 0;
	if (is_dir && !is_outside(w, be64_get(p.ino), ino))
		return 0;
	err = restore_name(w, item, ino, answer == ANSWER_FALSE);
	*added += !err;
	w->done += !err;
	return err;
}

int names_from_pointers(struct names_work *w, u64 ino, u32 *added)
{
	struct attr_list list;
	bool is_dir;
	int err;

	*added = 0;
	if (!geometry_has(&w->vol->geo, FEATURE_PARENT) || ino == w->vol->geo.root_ino)
		return 0;
	is_dir = is_directory(w, ino);
	attr_list_open(w->vol->env, &list);
	err = read_pointers(w, ino, &list);
	for (const struct attr_item *item = list.first; item && !err; item = item->next)
		if (item->flags & ATTR_PARENT && !(is_dir && *added))
			err = try_pointer(w, item, ino, is_dir, added);
	attr_list_close(&list);
	return err;
}

static int drop_pointer(struct names_work *w, const struct attr_item *item, u64 ino)
{
	const struct attr attr = {.flags = ATTR_PARENT,
				  .name = (const char *)item->bytes,
				  .name_length = item->name_length,
				  .value = item->bytes + item->name_length,
				  .value_length = item->value_length};
	struct vol view;
	struct txn *txn;
	int err = vol_begin(w->vol, &view, &txn);

	if (!err)
		err = vol_end(w->vol, txn, attr_remove(w->vol, txn, inum_of(ino), &attr));
	if (!err)
		repair_say(w->r, "inode %llu: parent pointer '%.*s' dropped: no directory has it",
			   (unsigned long long)ino, (int)item->name_length,
			   (const char *)item->bytes);
	return err;
}

int names_drop_pointers(struct names_work *w, u64 ino)
{
	struct attr_list list;
	int err;

	attr_list_open(w->vol->env, &list);
	err = read_pointers(w, ino, &list);
	for (const struct attr_item *item = list.first; item && !err; item = item->next) {
		enum answer answer;
		u64 found;

		if (!(item->flags & ATTR_PARENT))
			continue;
		err = has_name(w, item, ino, &answer, &found);
		if (err || answer == ANSWER_YES)
			continue;
		err = drop_pointer(w, item, ino);
		w->done += !err;
	}
	attr_list_close(&list);
	return err;
}
