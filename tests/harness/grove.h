/*
 * A tree of files that is worked on through the library, held against a model of it.
 *
 * Each operation is done as the mount does it (src/fuse/change.h), and in the model; it must end as
 * the model says.  Errors that the world may bring at any time (no space, no memory, a device that
 * fails) are in `may_fail`: then the tree must be as it was before; what is done in several steps
 * must show at each byte what was there before or what should be there afterwards, and the model
 * takes that over.
 *
 * Prints what went wrong, with seed and operation, and exits: there is nothing to go on with.
 */
#ifndef MENDFS_TESTS_GROVE_H
#define MENDFS_TESTS_GROVE_H

#include "disk.h"
#include "fs/mkfs.h"
#include "fuse/change.h"
#include "world.h"

#define GROVE_NODES 65536
#define GROVE_NAMES 65536
#define GROVE_CHAINS 4096
#define GROVE_FILE_MAX (1u << 20) /* bytes of a file */

struct grove_attr {
	struct grove_attr *next;
	char name[256];
	u8 flags;
	u32 length;
	u8 *value;
};

struct grove_node {
	struct inum ino;
	u16 mode;
	u32 uid, links, names; /* names: entries of a directory */
	u32 index;
	u64 size;
	u8 *bytes; /* of a file; room for `room` of them */
	u64 room;
	char *target;
	struct grove_attr *attrs;
	struct grove_node *up; /* of a directory */
};

struct grove_name {
	struct grove_node *dir, *node;
	char text[256];
	struct grove_name *chain;
	u32 index;
};

struct grove {
	struct world world;
	struct disk disk;
	struct vol *vol;
	struct changer *changer;
	size_t memory;	/* of the volume's cache */
	bool new_judge; /* an old xfs_repair does not know this */
	struct grove_node *node[GROVE_NODES];
	u32 nodes;
	struct grove_name *name[GROVE_NAMES];
	u32 names;
	struct grove_name *chain[GROVE_CHAINS];
	u64 seed;
	u32 operation;
	const char *doing;
	int (*may_fail)(struct grove *g, int err); /* NULL: nothing */
	struct grove_node spare;		   /* its buffer is for the next operation */
	struct inum gone[64];			   /* without a name, and not forgotten */
	u32 gones;
	u64 failed; /* operations, as may_fail has allowed */
};

/* A new filesystem, with an empty tree. path NULL: in memory. */
void grove_make(struct grove *g, const char *path, u64 size, const struct mkfs_options *options,
		u64 seed);
void grove_close(struct grove *g); /* and forgets the model */
/* Unmounted, and mounted again. */
void grove_unmount(struct grove *g);
int grove_mount(struct grove *g);
u32 grove_draw(struct grove *g, u32 below);
_Noreturn void __attribute__((format(printf, 2, 3)))
grove_broken(struct grove *g, const char *format, ...);
void grove_must(struct grove *g, int err);

/* The whole tree is what the model says. */
void grove_compare(struct grove *g);
/* The same of one inode. */
void grove_compare_node(struct grove *g, const struct grove_node *n);
/* The books of a snapshot balance. */
void grove_check(struct grove *g);
/* The books of the device itself do; only between unmount and mount. */
void grove_check_disk(struct grove *g);
/* Those of what a crash at this moment would leave. */
void grove_check_wreck(struct grove *g);

/* What the model has under a name, or NULL. */
struct grove_name *grove_find(struct grove *g, const struct grove_node *dir, const char *name);
struct grove_node *grove_root(struct grove *g);

/* Operations. They return what the mount would answer. */
int grove_create(struct grove *g, struct grove_node *dir, const char *name, u16 mode,
		 const char *target);
int grove_link(struct grove *g, struct grove_node *n, struct grove_node *dir, const char *name);
int grove_remove(struct grove *g, struct grove_node *dir, const char *name);
int grove_rename(struct grove *g, struct grove_node *dir, const char *name,
		 struct grove_node *to_dir, const char *to, u32 flags);
int grove_setattr(struct grove *g, struct grove_node *n, u16 mode, u32 uid);
/* value NULL: is removed. */
int grove_attr(struct grove *g, struct grove_node *n, u8 flags, const char *name, const void *value,
	       u32 length);
int grove_write(struct grove *g, struct grove_node *n, u64 off, u64 length);
int grove_truncate(struct grove *g, struct grove_node *n, u64 size);
int grove_punch(struct grove *g, struct grove_node *n, u64 off, u64 length);
/* In blocks. */
int grove_allocate(struct grove *g, struct grove_node *n, u64 at, u64 count);
int grove_collapse(struct grove *g, struct grove_node *n, u64 at, u64 count);
int grove_insert(struct grove *g, struct grove_node *n, u64 at, u64 count);
int grove_share(struct grove *g, struct grove_node *from, struct grove_node *to, u64 from_at,
		u64 to_at, u64 count);
int grove_unshare(struct grove *g, struct grove_node *n);
/* What has lost its name is taken apart. */
int grove_forget(struct grove *g);
int grove_force(struct grove *g);
int grove_push(struct grove *g);

/* Random work: one operation. */
void grove_step(struct grove *g);

/* For the files of this. */
struct grove_node *grove_node_add(struct grove *g, struct inum ino, u16 mode);
void grove_node_drop(struct grove *g, struct grove_node *n);
struct grove_name *grove_name_add(struct grove *g, struct grove_node *dir, const char *name,
				  struct grove_node *n);
void grove_name_drop(struct grove *g, struct grove_name *name);
/* 0 and `expected` as they should be; an error that may be otherwise; ends the program else. */
int grove_judge(struct grove *g, int err, int expected);
/* The first `size` bytes of the model's file can be written to. */
void grove_room(struct grove_node *n, u64 size);

#endif
