/*
 * The namespace: names, link counts, `..` and parent pointers, put right against each other.
 *
 * A name is what counts; link counts, `..` and parent pointers follow from it. Only where a name is
 * missing, they tell it. In this order:
 * 1. Link counts that are not the number of names; `..` that leads elsewhere than the only name.
 * 2. In directories: names of no inode go, of several names of a directory all but one, file types
 *    are the inodes', parent pointers are added.
 * 3. Inodes without a name get one.
 * Circles of directories are cut at one place, so that one of them has no name, and the next round
 * attaches it.
 */
#include "meta/inode.h"
#include "meta/names.h"

#include "base/trail.h"
#include "format/dir.h"
#include "fs/dir_modify.h"
#include "ledger/loops.h"
#include "meta/dir_salvage.h"

#include <errno.h>

#define LOOPS_MAX 4096 /* directories in circles that one round looks at */
#define FIXES_MEMORY (4u << 20)

struct circles {
	struct names_work *w;
	struct loops *loops;
	u32 count;
	u64 dir[LOOPS_MAX];
};

int names_fix_add(struct names_work *w, u64 dir, u64 ino, enum dir_fix_kind kind)
{
	const struct dir_fix fix = {be64_make(dir), be64_make(ino), (u8)kind};

	return sorter_add(w->fixes, &fix);
}

/* ---- one inode ---- */

static bool names_it(const struct named *n, u64 dir)
{
	for (u32 i = 0; i < n->dirs && i < NAMERS_MAX; i++)
		if (n->dir[i] == dir)
			return true;
	return false;
}

/* The one name that a directory keeps. */
static u64 only_parent(const struct named *n, const struct geometry *g)
{
	if (n->ino == g->root_ino)
		return n->ino;
	return n->has_dotdot && names_it(n, n->dotdot) ? n->dotdot : n->dir[0];
}

static int drop_other_names(struct names_work *w, const struct named *n, u64 parent)
{
	int err = 0;

	repair_say(w->r, "directory %llu: has %u names; it stays in directory %llu",
		   (unsigned long long)n->ino, n->dirs, (unsigned long long)parent);
	for (u32 i = 0; i < n->dirs && i < NAMERS_MAX && !err; i++)
		err = names_fix_add(w, n->dir[i], n->ino,
				    n->dir[i] == parent ? DIR_FIX_TWICE : DIR_FIX_DROP);
	return err;
}

static int orphan(struct names_work *w, u64 ino)
{
	const struct be64 record = be64_make(ino);

	return sorter_add(w->orphans, &record);
}

static int put_links(struct names_work *w, const struct named *n)
{
	/* one without links posts neither its `.` nor its `..` */
	u64 links = n->names + (n->zero && n->type == DIR_FT_DIR);
	u32 added = 0;
	int err = 0;

	if (n->pointers && n->names < n->nlink)
		err = names_from_pointers(w, n->ino, &added);
	if (err || added)
		return err;
	if (n->pointers)
		err = names_drop_pointers(w, n->ino);
	if (!err && links != n->nlink)
		err = names_set_links(w, n->ino, links);
	return err;
}

/* Only an empty directory can have been removed: one with names in it has lost its own, and its
 * links. */
static int revive(struct names_work *w, u64 ino)
{
	struct inode dir;
	int empty = inode_get(w->vol, inum_of(ino), &dir), err;

	if (!empty)
		empty = dir.size ? dir_is_empty(w->vol, &dir) : 1;
	inode_put(w->vol, &dir);
	if (empty)
		return empty < 0 ? empty : 0;
	err = names_set_links(w, ino, 2);
	return err ? err : orphan(w, ino);
}

static int judge_directory(struct names_work *w, struct circles *c, const struct named *n)
{
	u64 parent = n->dirs ? only_parent(n, &w->vol->geo) : 0;
	int err;

	if (!n->dirs && n->zero)
		return revive(w, n->ino);
	if (!n->dirs)
		return orphan(w, n->ino);
	if (n->dirs > 1)
		return drop_other_names(w, n, parent);
	if (!n->zero && (!n->has_dotdot || n->dotdot != parent)) {
		err = names_set_dotdot(w, n->ino, parent);
		if (err)
			return err;
	} else if (!n->zero && n->ino != w->vol->geo.root_ino) {
		err = loops_add(c->loops, n->ino, parent);
		if (err)
			return err;
	}
	return put_links(w, n);
}

static int judge(struct names_work *w, struct circles *c, const struct named *n)
{
	const struct geometry *g = &w->vol->geo;

	if (!n->there)
		return 0;
	if (inode_internal(g, inum_of(n->ino)))
		return n->names ? put_links(w, n) : 0;
	if (n->type == DIR_FT_DIR)
		return judge_directory(w, c, n);
	if (!n->names)
		return n->zero ? 0 : orphan(w, n->ino);
	return put_links(w, n);
}

/* What one inode resists does not hold up the rest. */
static int tolerate(struct names_work *w, u64 ino, int err)
{
	if (!err || err == -ENOMEM || err == -EIO)
		return err;
	repair_say(w->r, "inode %llu: its names were not repaired: %s", (unsigned long long)ino,
		   trail_text());
	trail_clear();
	return 0;
}

static int judge_all(struct names_work *w, struct circles *c)
{
	struct named n;
	int more, err = 0;

	while (!err && (more = names_next(w, &n)) > 0)
		err = tolerate(w, n.ino, judge(w, c, &n));
	return err ? err : more;
}

/* ---- circles ---- */

static void in_circle(void *arg, u64 dir)
{
	struct circles *c = arg;

	if (c->count < LOOPS_MAX)
		c->dir[c->count++] = dir;
}

static u64 parent_of(struct names_work *w, u64 ino)
{
	struct inum parent = {0};
	struct inode dir;
	u8 type;
	int err = inode_get(w->vol, inum_of(ino), &dir);

	if (!err)
		err = dir_lookup(w->vol, &dir, "..", 2, &parent, &type);
	inode_put(w->vol, &dir);
	trail_clear();
	return err ? 0 : parent.v;
}

/* Takes the circle that `first` is part of out of the list. */
static void leave_circle(struct circles *c, u64 first)
{
	u64 at = first;

	for (u32 steps = 0; steps <= LOOPS_MAX && at; steps++) {
		for (u32 i = 0; i < c->count; i++)
			if (c->dir[i] == at)
				c->dir[i] = 0;
		at = parent_of(c->w, at);
		if (at == first)
			return;
	}
}

static int cut_circles(struct circles *c)
{
	int err = loops_find(c->loops, in_circle, c);

	for (u32 i = 0; i < c->count && !err; i++) {
		u64 dir = c->dir[i], parent = dir ? parent_of(c->w, dir) : 0;

		if (!parent)
			continue;
		repair_say(c->w->r,
			   "directory %llu: lies below itself: taken out of directory %llu",
			   (unsigned long long)dir, (unsigned long long)parent);
		err = names_fix_add(c->w, parent, dir, DIR_FIX_DROP);
		leave_circle(c, dir);
	}
	return err;
}

/* ---- all ---- */

static int put_aside(struct names_work *w, const struct be64 *ino)
{
	u8 type;

	if (dir_salvage_inode(w->vol, be64_get(*ino), &type) > 0)
		w->orphan_types[type]++;
	return sorter_add(w->rest, ino);
}

/* Those that say themselves what they are called. */
static int name_by_pointers(struct names_work *w)
{
	struct be64 ino;
	int err = sorter_sort(w->orphans), more = 0;

	while (!err && (more = sorter_next(w->orphans, &ino)) > 0) {
		u32 added = 0;

		err = tolerate(w, be64_get(ino), names_from_pointers(w, be64_get(ino), &added));
		if (!err && !added)
			err = put_aside(w, &ino);
	}
	return err ? err : more;
}

static int attach_rest(struct names_work *w)
{
	struct be64 ino;
	int err = sorter_sort(w->rest), more = 0;

	while (!err && (more = sorter_next(w->rest, &ino)) > 0)
		err = tolerate(w, be64_get(ino), names_attach(w, be64_get(ino)));
	return err ? err : more;
}

static int open_work(struct names_work *w, struct circles *c)
{
	struct env *env = w->vol->env;
	int err = sorter_open(env, sizeof(struct dir_fix), sizeof(struct dir_fix), FIXES_MEMORY,
			      &w->fixes);

	if (!err)
		err = sorter_open(env, sizeof(struct be64), sizeof(struct be64), FIXES_MEMORY,
				  &w->orphans);
	if (!err)
		err = sorter_open(env, sizeof(struct be64), sizeof(struct be64), FIXES_MEMORY,
				  &w->rest);
	return err ? err : loops_open(env, &c->loops);
}

static int work(struct names_work *w, struct circles *c)
{
	int err = open_work(w, c);

	if (!err)
		err = names_gather(w);
	if (!err)
		err = judge_all(w, c);
	if (!err)
		err = cut_circles(c);
	if (!err)
		err = name_by_pointers(w);
	if (!err)
		err = names_fix_dirs(w);
	return err ? err : attach_rest(w);
}

int names_rebuild(struct repair *r, u32 ag, u64 ino)
{
	struct env *env = r->vol->env;
	struct names_work w = {.r = r, .vol = r->vol};
	struct circles *c = env_alloc(env, sizeof(*c));
	int err;

	(void)ag;
	(void)ino;
	if (!c)
		return fail(-ENOMEM, "rebuilding names: out of memory");
	c->w = &w;
	err = work(&w, c);
	sorter_close(w.facts);
	sorter_close(w.fixes);
	sorter_close(w.orphans);
	sorter_close(w.rest);
	loops_close(c->loops);
	env_free(env, c);
	return err;
}

const struct meta_type meta_names = {
    .id = META_NAMES,
    .name = "names",
    .title = "names, links and parents of all inodes",
    .scope = SCOPE_FS,
    .class = CLASS_SECONDARY,
    .crc_offset = CRC_NONE,
    .rebuild = names_rebuild,
    .gathers = true,
    .needs_rebuild = NAMES_NEED_SPACE | 1ull << META_DIRECTORY | 1ull << META_DIRBLOCK |
		     1ull << META_DIRDATA | 1ull << META_DIRLEAF | 1ull << META_DIRLEAFN |
		     1ull << META_DIRNODE | 1ull << META_DIRFREE | 1ull << META_ATTRIBUTES |
		     1ull << META_ATTRLEAF | 1ull << META_ATTRNODE | 1ull << META_ATTRREMOTE,
    .items = SCRUB_BIT(NLINKS) | SCRUB_BIT(PARENT) | SCRUB_BIT(DIRTREE),
    .in_inode = inode_has_parent,
    .rebuilt_from = "the names in directories",
    .else_from = "parent pointers, .., link counts; /lost+found",
    .kernel_scrub = "xchk_nlinks, xchk_dirtree",
};
