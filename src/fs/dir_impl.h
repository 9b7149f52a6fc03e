/* What the files that change directories share; see dir_modify.h. */
#ifndef MENDFS_FS_DIR_IMPL_H
#define MENDFS_FS_DIR_IMPL_H

#include "fs/da_modify.h"
#include "fs/dir_modify.h"

struct dir_name {
	const char *bytes;
	u32 length, hash;
};

int dir_open(struct vol *vol, struct txn *txn, struct inum ino, struct da_op *op);
void dir_set_size(struct da_op *op, u64 size);
/* The size follows from the last data block. */
int dir_fit_size(struct da_op *op);

/* ---- short form: dir_short.c ---- */

#define DIR_SHORT_MAX 256
struct dir_short_entry_copy {
	u64 ino;
	u32 offset; /* it would have in a data block */
	u8 type, length;
	u16 name; /* in `names` */
};
struct dir_list {
	u64 parent;
	u32 count, used;
	struct dir_short_entry_copy entry[DIR_SHORT_MAX];
	u8 names[4096];
};
int dir_list_load(struct da_op *op, struct dir_list *list);
/* False: no more fit. */
bool dir_list_add(struct dir_list *list, u64 ino, u8 type, const void *name, u32 length,
		  u32 offset);
/* The bytes that it takes as short form, or 0 when it does not fit into `room`. */
u32 dir_list_size(const struct da_op *op, const struct dir_list *list, u32 room);
void dir_list_store(struct da_op *op, const struct dir_list *list);
int dir_short_add(struct da_op *op, const struct dir_name *name, struct inum ino, u8 type);
int dir_short_remove(struct da_op *op, const struct dir_name *name);
int dir_short_replace(struct da_op *op, const struct dir_name *name, struct inum ino, u8 type);

/* ---- data blocks: dir_data.c. `end` is where entries end ---- */

/* All free but what the header takes. */
void dir_data_init(struct txn_buf *buf, u32 end);
/* Where a run of at least `need` bytes begins that is free; 0: none. */
u32 dir_data_find(const struct txn_buf *buf, u32 end, u32 need);
void dir_data_put(const struct da_op *op, struct txn_buf *buf, u32 end, u32 offset, u64 ino,
		  u8 type, const void *name, u32 length);
int dir_data_take(const struct da_op *op, struct txn_buf *buf, u32 end, u32 offset);
void dir_data_set(const struct da_op *op, struct txn_buf *buf, u32 offset, u64 ino, u8 type);
bool dir_data_is_empty(const struct txn_buf *buf, u32 end);
/* [from, to) becomes a free run at the end of the entries, or ceases to be one. */
void dir_data_grow(const struct da_op *op, struct txn_buf *buf, u32 from, u32 to);

/* The free run [at, ...) is cut at `offset`, where an entry is going to be put. */
void dir_data_skip(const struct da_op *op, struct txn_buf *buf, u32 end, u32 at, u32 offset);
/* Whether a free run of at least `size` bytes lies before `end`. */
bool dir_data_ends_free(const struct da_op *op, const struct txn_buf *buf, u32 end, u32 size);

/* ---- block form: dir_blockform.c ---- */

/* From a list, in the order of its offsets, with `.` and `..`. */
int dir_block_build(struct da_op *op, const struct dir_list *list, struct txn_buf *buf);
int dir_block_add(struct da_op *op, const struct dir_name *name, struct inum ino, u8 type);
int dir_block_remove(struct da_op *op, const struct dir_name *name);
int dir_block_replace(struct da_op *op, const struct dir_name *name, struct inum ino, u8 type);

/* ---- index of its own: dir_index.c, dir_tree.c, dir_freeindex.c ---- */

/* Block form with no more room: its index moves to a block of its own. */
int dir_index_begin(struct da_op *op, struct txn_buf *buf);
int dir_tree_add(struct da_op *op, const struct dir_name *name, struct inum ino, u8 type);
int dir_tree_remove(struct da_op *op, const struct dir_name *name);
int dir_tree_replace(struct da_op *op, const struct dir_name *name, struct inum ino, u8 type);
/* Enters (hash, address). */
int dir_hash_insert(struct da_op *op, u32 hash, u32 address);
/* Looks a name up: where its index entry is, and its address. */
struct dir_spot {
	u64 leaf;
	u32 index, address;
};
int dir_hash_find(struct da_op *op, const struct dir_name *name, struct dir_spot *spot);
/* That index entry goes. */
int dir_hash_delete(struct da_op *op, const struct dir_spot *spot);

/* What is free in data block `db`; DIR_NO_BEST: it is not there. */
int dir_free_set(struct da_op *op, u64 db, u32 best);
/* A data block with `need` bytes in one run, -ENOENT: none; then *db is the first that is not
 * there. */
int dir_free_find(struct da_op *op, u32 need, u64 *db);

#endif
