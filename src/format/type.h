/*
 * The descriptor of one metadata type, and what its functions are handed.
 *
 * Check, repair, inspect, damage, health, statistics and the cache read descriptors; none of them
 * switches on the type.  The instances live in src/meta, one file each; the list of their names is
 * the build file's, from which types.h (enum meta_id, META_COUNT) is generated, so a lower layer
 * can name a type without including a higher one and finds the instance in the table that it was
 * handed.
 *
 * parts() and rules() are pure: bytes and geometry in, calls to the sink out.  They get hostile
 * bytes, so every offset and count is checked against `len` before use.
 */
#ifndef MENDFS_FORMAT_TYPE_H
#define MENDFS_FORMAT_TYPE_H

#include "base/types.h"
#include "format/finding.h"
#include "format/geometry.h"
#include "format/layout.h"
#include "format/scrub.h"
#include "format/types.h" /* generated */

struct sweep;
struct ref;
struct buf;
struct inode;
struct repair;
struct txn_change;
struct vol_guard;

enum meta_class { CLASS_PRIMARY, CLASS_SECONDARY, CLASS_SUMMARY };

/* A structure instance inside an object: `layout` at byte `offset`. */
struct part {
	const char *name; /* "hdr", "recs", "keys", "ptrs", "entry" */
	u32 index;	  /* of a repeated part; 0 otherwise */
	bool repeated;
	u32 offset;
	const struct layout *layout;
};
/* A part that objects of a type can have: its name, and the fields. Of a run of bytes, a short one
 * stands for all. */
struct part_kind {
	const char *name;
	const struct layout *layout;
};
struct part_sink {
	void (*part)(struct part_sink *sink, const struct part *part);
};

/* One key pair of a btree record, wide enough for every tree. Compared lexicographically. */
struct btree_key {
	u64 w[3];
};

/*
 * A btree's schema: pure functions on bytes; knows nothing of where blocks live.
 * Sizes in bytes. Long-format blocks (bmbt) have 64-bit siblings and pointers.
 */
struct btree_schema {
	const char *name;
	bool long_format;
	bool overlapping; /* keys are (low, high) pairs: rmapbt */
	u32 record_size, key_size, ptr_size;
	/* The low key of a record / of an on-disk key. */
	void (*record_key)(const void *record, struct btree_key *low);
	void (*key_load)(const void *key, struct btree_key *low);
	/* Overlapping trees only: the high key of a record (last block that it covers). */
	void (*record_high)(const void *record, struct btree_key *high);
	/* The key of a record as a node has it, and in overlapping trees its high key (else NULL).
	 * NULL: the record begins with its key. */
	void (*key_of)(const void *record, void *low, void *high);
	/* Records must be strictly ascending by record_key and, where `end` is given, must not
	 * reach into the next (but for overlapping trees): the first key value that lies behind the
	 * record. NULL: no such rule. */
	u64 (*record_end)(const void *record);
	/* Should these two records, one behind the other, be one? And the finding when they are
	 * not. NULL: no such rule. */
	bool (*mergeable)(const void *left, const void *right);
	const struct finding_def *merge;
	const struct layout *record_layout, *key_layout;
};

/* The field of an AG header that points to the root of an AG tree. */
struct meta_root {
	enum meta_id header;
	const char *field; /* NULL: no such root */
	u32 index;
};

/* Which CRC a type has: byte offset of the le32 within the object, or CRC_NONE. */
#define CRC_NONE 0xffffffffu

struct meta_type {
	enum meta_id id;
	const char *name;  /* "agf", "bnobt", "dirdata": what people type */
	const char *title; /* "AG free space header" */
	enum meta_scope scope;
	enum meta_class class;
	u32 magic;	  /* 0: none. be32 at offset 0 unless magic_offset says otherwise */
	u32 magic_offset; /* bytes; dablocks have a be16 at 8 */
	u32 magic_width;  /* 4, or 2 */
	u32 crc_offset;	  /* CRC_NONE: none, or more than one (inode clusters) */
	bool (*present)(const struct geometry *g); /* NULL: always */
	/* The size of an object of this type in bytes. */
	u32 (*size)(const struct geometry *g);
	/* For headers with a fixed place in each AG (or each rt group): its byte address. NULL:
	 * placed by pointers. */
	struct daddr (*place)(const struct geometry *g, u32 ag);
	const struct layout *layout; /* the fixed part at offset 0 */
	/* Every structure instance in the object, headers first. NULL: layout at offset 0 alone. */
	void (*parts)(const struct geometry *g, const void *block, u32 len, struct part_sink *sink);
	/* All that parts() can call a part, up to one without a name. NULL: what the btree has, or
	 * layout as "hdr"; type_kinds_each() knows. */
	const struct part_kind *kinds;
	/* Everything that this block alone, with the geometry and `where`, must obey; magic, CRC,
	 * uuid, owner and place are checked by verify() (format/verify.h) before it, for all types.
	 */
	void (*rules)(struct verdict *v, const struct geometry *g, const void *block, u32 len);
	/* What it posts to which accounts, and which blocks it leads to (sweep_push). The block has
	 * been verified; a block that has not passed is posted only as far as its rules allow:
	 * v->worst tells. Returns a negative errno only for operational errors. */
	int (*post)(struct sweep *sweep, const struct ref *ref, const void *block, u32 len);
	/* SCOPE_INODE types that hang on an inode (fork map, directory, attributes, symlink,
	 * dquots, rt bitmap): called by the inode's post for each allocated inode that has passed
	 * its rules, in the order of the build file's list; decides itself whether this inode has
	 * one. NULL: none. */
	int (*post_inode)(struct sweep *sweep, const struct inode *inode);
	/* For the commit guard (ledger/guard.h): posts what becomes other in what post() and
	 * post_inode() say of this object, when a transaction changes it. Both contents have passed
	 * the rules. NULL: it says nothing of its own. */
	int (*change)(struct sweep *sweep, const struct txn_change *change);
	const struct btree_schema *btree; /* NULL: no btree */
	struct meta_root root;		  /* AG trees; for inspect and damage */
	/* Byte offsets inside the header of the self-describing fields; 0: it has none. */
	u32 uuid_offset, blkno_offset, owner_offset, owner_width, lsn_offset;
	/* Makes the object anew from the other sides of its entries (meta/rebuild.h), or as much of
	 * it as can be known. Types with one function are rebuilt together. ag or ino as the scope
	 * says. NULL: it cannot be. */
	int (*rebuild)(struct repair *repair, u32 ag, u64 ino);
	/* Until its rebuild has called repair_gather(), others may write. */
	bool gathers;
	/* What must be sound before this is checked, and before it is rebuilt: bits 1 << enum
	 * meta_id. Of the same AG for SCOPE_AG, anywhere else. */
	u64 needs_check, needs_rebuild;
	/* The scrub items (format/scrub.h) that it is part of: bits 1 << enum scrub_type. */
	u64 items;
	/* Types that hang on inodes: does this inode have this one of the items? NULL: yes. */
	bool (*in_inode)(const struct geometry *g, const struct inode *inode, enum scrub_type item);
	/* From what it is rebuilt, and which witness takes its place where that is missing or
	 * damaged itself; for docs/SCRUB.md. */
	const char *rebuilt_from, *else_from;
	const char *kernel_scrub; /* the kernel's scrub type or function, for docs/CHECKS.md */
};

static inline bool type_has_item(const struct meta_type *type, enum scrub_type item)
{
	return type->items >> item & 1;
}

/* And does this inode have that? */
static inline bool type_in_inode(const struct meta_type *type, const struct geometry *g,
				 const struct inode *inode, enum scrub_type item)
{
	return type_has_item(type, item) &&
	       (type->in_inode ? type->in_inode(g, inode, item) : type->scope == SCOPE_INODE);
}

/* Every kind of part that the type's objects can have, whether an image at hand has it or not. */
void type_kinds_each(const struct meta_type *type,
		     void (*fn)(void *arg, const struct part_kind *kind), void *arg);

/* Every type, indexed by enum meta_id; defined in src/meta/types.c (generated). */
struct meta_types {
	const struct meta_type *type[META_COUNT];
	const struct vol_guard *guard; /* of commits (fs/vol.h); NULL: none */
};

#endif
