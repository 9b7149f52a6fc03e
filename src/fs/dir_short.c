/*
 * Short form directories: all entries in the inode. A change loads them, changes the list, and
 * stores it again; what does not fit any more goes to a block.
 *
 * Inode numbers have 8 bytes each as soon as one of them, or the parent's, needs more than 4.
 */
#include "base/mutate.h"
#include "base/trail.h"
#include "fs/dir_impl.h"

#include <errno.h>

bool dir_list_add(struct dir_list *list, u64 ino, u8 type, const void *name, u32 length, u32 offset)
{
	if (list->count == DIR_SHORT_MAX || length > sizeof(list->names) - list->used)
		return false;
	list->entry[list->count++] = (struct dir_short_entry_copy){
	    .ino = ino,
	    .offset = offset,
	    .type = type,
	    .length = (u8)length,
	    .name = (u16)list->used,
	};
	memcpy(list->names + list->used, name, length);
	list->used += length;
	return true;
}

int dir_list_load(struct da_op *op, struct dir_list *list)
{
	struct dir_short_cursor c;
	struct dir_slot slot;
	struct inode inode;
	const struct fork *fork = &inode.fork[FORK_DATA];

	da_parse(op, &inode);
	list->count = list->used = 0;
	if (!dir_short_open(&c, op->g, fork->data, (u32)min_u64(inode.size, fork->size),
			    &list->parent))
		return fail(-EUCLEAN, "directory %llu: short form without a header",
			    (unsigned long long)op->ino.v);
	while (dir_short_next(&c, &slot))
		if (!dir_list_add(list, slot.ino, slot.type, slot.name, slot.length, slot.tag))
			return fail(-EUCLEAN, "directory %llu: too many entries",
				    (unsigned long long)op->ino.v);
	if (c.index < c.count)
		return fail(-EUCLEAN, "directory %llu: entry %u does not fit",
			    (unsigned long long)op->ino.v, c.index);
	return 0;
}

static u32 wide_count(const struct dir_list *list)
{
	u32 wide = list->parent > NULL32;

	for (u32 i = 0; i < list->count; i++)
		wide += list->entry[i].ino > NULL32;
	return wide;
}

u32 dir_list_size(const struct da_op *op, const struct dir_list *list, u32 room)
{
	u32 ino = wide_count(list) ? 8 : 4, size = (u32)sizeof(struct dir_short) + ino;

	for (u32 i = 0; i < list->count; i++)
		size += (u32)sizeof(struct dir_short_entry) + list->entry[i].length +
			dir_has_type(op->g) + ino;
	return size <= room && list->count <= 255 ? size : 0;
}

static u8 *put_ino(u8 *to, u64 ino, bool wide)
{
	struct be64 i8 = be64_make(ino);
	struct be32 i4 = be32_make((u32)ino);

	memcpy(to, wide ? i8.b : i4.b, wide ? 8 : 4);
	return to + (wide ? 8 : 4);
}

/* The list fits. */
void dir_list_store(struct da_op *op, const struct dir_list *list)
{
	u32 wide = wide_count(list);
	struct inode inode;
	u8 *to;

	txn_dirty(op->txn, op->buf);
	op->d->format = FORMAT_LOCAL;
	da_parse(op, &inode);
	to = op->buf->data + (inode.fork[FORK_DATA].data - op->buf->data);
	memset(to, 0, inode.fork[FORK_DATA].size);
	*(struct dir_short *)to = (struct dir_short){(u8)list->count, (u8)wide};
	to = put_ino(to + sizeof(struct dir_short), list->parent, wide);
	for (u32 i = 0; i < list->count; i++) {
		const struct dir_short_entry_copy *e = &list->entry[i];
		const struct dir_short_entry head = {e->length, be16_make((u16)e->offset)};

		memcpy(to, &head, sizeof(head));
		to += sizeof(head);
		memcpy(to, list->names + e->name, e->length);
		to += e->length;
		if (dir_has_type(op->g))
			*to++ = e->type;
		to = put_ino(to, e->ino, wide);
	}
	dir_set_size(op, dir_list_size(op, list, NULL32));
}

static u32 room_of(const struct da_op *op)
{
	struct inode inode;

	da_parse(op, &inode);
	return inode.fork[FORK_DATA].size;
}

/* Entries must fit into a block with their index, at rising offsets. Where the last has no room
 * behind it, all are numbered anew. */
static void place_last(const struct da_op *op, struct dir_list *list)
{
	u32 at = dir_first_offset(op->g),
	    end = op->g->dir_block_size - (u32)sizeof(struct dir_block_tail) -
		  (list->count + 2) * (u32)sizeof(struct dir_leaf_entry);
	struct dir_short_entry_copy *last = &list->entry[list->count - 1];

	if (list->count > 1)
		at = last[-1].offset + dir_entry_size(op->g, last[-1].length);
	if (at + dir_entry_size(op->g, last->length) <= end) {
		last->offset = at;
		return;
	}
	at = dir_first_offset(op->g);
	for (u32 i = 0; i < list->count; i++) {
		list->entry[i].offset = at;
		at += dir_entry_size(op->g, list->entry[i].length);
	}
}

/* The list is too long: it becomes a block, with what is to be added. */
static int to_block(struct da_op *op, struct dir_list *list)
{
	struct txn_buf *buf;
	struct inode inode;
	int err;

	da_parse(op, &inode);
	txn_dirty(op->txn, op->buf);
	memset(op->buf->data + (inode.fork[FORK_DATA].data - op->buf->data), 0,
	       inode.fork[FORK_DATA].size);
	op->d->format = FORMAT_EXTENTS;
	dir_set_size(op, op->g->dir_block_size);
	err = da_block_new(op, META_DIRBLOCK, 0, &buf);
	return err ? err : dir_block_build(op, list, buf);
}

static int change(struct da_op *op, int (*fn)(struct da_op *op, struct dir_list *list, void *arg),
		  void *arg)
{
	struct dir_list *list = env_alloc(op->vol->env, sizeof(*list));
	int err = list ? dir_list_load(op, list) : fail(-ENOMEM, "out of memory");

	if (!err)
		err = fn(op, list, arg);
	env_free(op->vol->env, list);
	return err;
}

struct wanted_entry {
	const struct dir_name *name;
	struct inum ino;
	u8 type;
};

static int add(struct da_op *op, struct dir_list *list, void *arg)
{
	const struct wanted_entry *w = arg;

	if (!dir_list_add(list, w->ino.v, w->type, w->name->bytes, w->name->length, 0))
		return fail(-EUCLEAN, "directory %llu: too many entries",
			    (unsigned long long)op->ino.v);
	place_last(op, list);
	if (!dir_list_size(op, list, room_of(op)))
		return to_block(op, list);
	dir_list_store(op, list);
	return 0;
}

int dir_short_add(struct da_op *op, const struct dir_name *name, struct inum ino, u8 type)
{
	struct wanted_entry w = {name, inum_of(ino.v + MUTATE(ENTRY_INODE)), type};

	return change(op, add, &w);
}

static u32 find(const struct dir_list *list, const struct dir_name *name)
{
	u32 i = 0;

	while (i < list->count &&
	       (list->entry[i].length != name->length ||
		memcmp(list->names + list->entry[i].name, name->bytes, name->length)))
		i++;
	return i;
}

static int remove_one(struct da_op *op, struct dir_list *list, void *arg)
{
	const struct wanted_entry *w = arg;
	u32 i = find(list, w->name);

	if (i == list->count)
		return -ENOENT;
	memmove(&list->entry[i], &list->entry[i + 1],
		(list->count - i - 1) * sizeof(list->entry[0]));
	list->count--;
	dir_list_store(op, list);
	return 0;
}

int dir_short_remove(struct da_op *op, const struct dir_name *name)
{
	struct wanted_entry w = {.name = name};

	return change(op, remove_one, &w);
}

static int replace_one(struct da_op *op, struct dir_list *list, void *arg)
{
	const struct wanted_entry *w = arg;
	u32 i = find(list, w->name);

	if (w->name->length == 2 && !memcmp(w->name->bytes, "..", 2)) {
		list->parent = w->ino.v;
	} else if (i == list->count) {
		return -ENOENT;
	} else {
		list->entry[i].ino = w->ino.v;
		list->entry[i].type = w->type;
	}
	/* a larger number may make all of them larger */
	if (!dir_list_size(op, list, room_of(op)))
		return to_block(op, list);
	dir_list_store(op, list);
	return 0;
}

int dir_short_replace(struct da_op *op, const struct dir_name *name, struct inum ino, u8 type)
{
	struct wanted_entry w = {name, ino, type};

	return change(op, replace_one, &w);
}
