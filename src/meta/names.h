/*
 * The namespace as a whole, for its rebuild: who is named by whom, and what is to be done about it.
 *
 * One sweep posts every name, link count, `..` and parent pointer; sorted by inode they say what is
 * wrong with each.  What is to be changed in directories is sorted by directory.
 */
#ifndef MENDFS_META_NAMES_H
#define MENDFS_META_NAMES_H

#include "base/sorter.h"
#include "format/dir.h"
#include "fs/names.h"
#include "meta/rebuild.h"

#define NAMERS_MAX 16

/* One inode, as all others see it. */
struct named {
	u64 ino;
	bool there, zero; /* it is in use; without links */
	u8 type;
	u64 nlink, names;
	u64 wrong_dir[NAMERS_MAX]; /* have a name for it with another file type */
	u32 wrong;
	u64 dir[NAMERS_MAX]; /* directories that name a directory */
	u32 dirs;	     /* how many, also beyond the first */
	bool has_dotdot;
	u64 dotdot;
	bool pointers; /* it has parent pointers without names */
};

/* What is to be changed in directories. */
enum dir_fix_kind {
	DIR_FIX_DROP,	/* the name leads to no inode, or a directory has another */
	DIR_FIX_FALSE,	/* its file type is not the inode's, which has all its names without it */
	DIR_FIX_TWICE,	/* of several names of a directory, all but the first go */
	DIR_FIX_TYPE,	/* its file type is not the inode's */
	DIR_FIX_POINTER /* the inode has no parent pointer for it */
};
struct dir_fix {
	struct be64 dir, ino;
	u8 kind;
};

struct names_work {
	struct repair *r;
	struct vol *vol;
	struct sorter *facts; /* of the sweep */
	u8 fact[64];	      /* the next of them, when has_fact is set */
	bool has_fact;
	struct sorter *fixes;	/* struct dir_fix */
	struct sorter *orphans; /* struct be64 */
	struct sorter *rest;	/* of them: those without a parent pointer that tells a name */
	struct inum lost_found; /* 0: not known yet */
	u32 orphan_types[DIR_FT_COUNT]; /* how many of w->rest there are */
	u32 done;			/* changes */
	int err;
};

/* Posts of a sweep to w->facts. */
int names_gather(struct names_work *w);
/* The next inode; 1, 0 at the end, or a negative errno. Facts about names go to w->fixes. */
int names_next(struct names_work *w, struct named *n);
int names_fix_add(struct names_work *w, u64 dir, u64 ino, enum dir_fix_kind kind);
/* All of w->fixes. */
int names_fix_dirs(struct names_work *w);

/* Gives an inode without a name one: that which has led to no inode, if there is but one of either;
 * or by its number, in its directory if `..` tells it, or in lost+found. */
int names_attach(struct names_work *w, u64 ino);
/* Names that its parent pointers tell and the directories lack, or have for an inode that does not
 * point back; *added. */
int names_from_pointers(struct names_work *w, u64 ino, u32 *added);
/* Parent pointers that no name stands for go. */
int names_drop_pointers(struct names_work *w, u64 ino);
/* Single changes, each a transaction. */
int names_set_links(struct names_work *w, u64 ino, u64 links);
int names_set_dotdot(struct names_work *w, u64 ino, u64 parent);

#endif
