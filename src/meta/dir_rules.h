/*
 * Rules that several directory blocks share. Each takes one block's bytes, whatever they are.
 */
#ifndef MENDFS_META_DIR_RULES_H
#define MENDFS_META_DIR_RULES_H

#include "format/dir.h"

/* Entries, tags, free runs and best-free table of a block or data block. */
void dir_data_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len);
/* Count, order and stale entries of a hash index. */
void dir_index_rules(struct verdict *v, const struct dir_index *index, u32 max);
/* One entry of any form: name, inode number, type. `part` and `index` name it: "entry[3]". */
void dir_entry_rules(struct verdict *v, const struct geometry *g, const struct dir_slot *slot,
		     const char *part, u32 index);
/* Two entries of one directory with one name. */
void dir_name_twice(struct verdict *v, const void *name, u32 length);
/* A padding field of a directory block that should be zero. */
void dir_pad_rule(struct verdict *v, const char *field, u64 value);
/* Header, count, level and order of a node, of directories and attributes. Children must lie in
 * [first, end) of the fork, at a multiple of `unit`. */
void da_node_rules(struct verdict *v, const void *block, u32 len, u64 first, u64 end, u32 unit);

#endif
