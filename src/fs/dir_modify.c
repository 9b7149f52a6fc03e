/* Changing directories: the forms, and blocks of the fork; see dir_modify.h. */
#include "fs/dir_modify.h"

#include "base/mutate.h"
#include "base/trail.h"
#include "fs/dir_impl.h"

#include <errno.h>

int dir_open(struct vol *vol, struct txn *txn, struct inum ino, struct dir_op *op)
{
	int err;

	*op = (struct dir_op){
	    .vol = vol, .view = vol_in(vol, txn), .txn = txn, .g = &vol->geo, .ino = ino};
	err = inode_edit(vol, txn, ino, &op->buf);
	if (err)
		return err;
	op->d = (struct dinode *)op->buf->data;
	fork_edit_open(&op->fork, vol, txn, ino, op->buf, FORK_DATA);
	if ((be16_get(op->d->mode) & 0170000) != 0040000)
		return fail(-ENOTDIR, "inode %llu is no directory", (unsigned long long)ino.v);
	return 0;
}

/* ---- blocks ---- */

int dir_block_get(struct dir_op *op, enum meta_id id, u64 off, struct txn_buf **out)
{
	const struct meta_type *type = vol_type(op->vol, id);
	struct da_place place;
	struct inode inode;
	struct where where;
	int err;

	dir_parse(op, &inode);
	err = da_place_at(&op->view, &inode, FORK_DATA, off, &place);
	if (err)
		return err;
	if (!place.blocks)
		return -ENOENT;
	if (place.blocks != op->g->dir_fsblocks)
		return fail(-EUCLEAN, "directory %llu: a part of block %llu is missing",
			    (unsigned long long)op->ino.v, (unsigned long long)off);
	where = da_where(op->g, &inode, type, &place);
	err = txn_get_ranges(op->txn, type, &where, place.range, place.count, out);
	if (!err)
		txn_dirty(op->txn, *out);
	return err;
}

static void write_header(struct dir_op *op, struct txn_buf *buf, enum meta_id id)
{
	const struct meta_type *type = vol_type(op->vol, id);
	struct be64 blkno = be64_make(buf->at.v / 512), owner = be64_make(op->ino.v);
	struct be32 magic = be32_make(type->magic);
	struct be16 magic16 = be16_make((u16)type->magic);

	if (type->magic_width == 2)
		memcpy(buf->data + type->magic_offset, magic16.b, sizeof(magic16));
	else
		memcpy(buf->data + type->magic_offset, magic.b, sizeof(magic));
	memcpy(buf->data + type->blkno_offset, blkno.b, sizeof(blkno));
	memcpy(buf->data + type->owner_offset, owner.b, sizeof(owner));
	memcpy(buf->data + type->uuid_offset, op->g->meta_uuid.b, 16);
}

int dir_block_new(struct dir_op *op, enum meta_id id, u64 off, struct txn_buf **out)
{
	const struct meta_type *type = vol_type(op->vol, id);
	struct da_place place;
	struct inode inode;
	struct where where;
	u64 near = NULL64;
	int err = 0;

	for (u32 i = 0; i < op->g->dir_fsblocks && !err; i++)
		err = fork_add_block(&op->fork, off + i, near == NULL64 ? near : near + 1, &near);
	if (err)
		return err;
	dir_parse(op, &inode);
	err = da_place_at(&op->view, &inode, FORK_DATA, off, &place);
	if (err)
		return err;
	where = da_where(op->g, &inode, type, &place);
	err = txn_new_ranges(op->txn, type, &where, place.range, place.count, out);
	if (!err)
		write_header(op, *out, id);
	return err;
}

void dir_block_retype(struct dir_op *op, struct txn_buf *buf, enum meta_id id)
{
	buf->type = vol_type(op->vol, id);
	buf->where.type = buf->type->name;
	txn_dirty(op->txn, buf);
	write_header(op, buf, id);
}

int dir_block_free(struct dir_op *op, u64 off, struct txn_buf *buf)
{
	txn_drop(op->txn, buf);
	return fork_release(&op->fork, off, op->g->dir_fsblocks);
}

/* What the transaction holds of them must not be written. */
static int drop_one(void *arg, const struct da_place *place)
{
	struct dir_op *op = arg;
	struct txn_buf *buf = txn_known(op->txn, place->range[0].at);

	if (buf)
		txn_drop(op->txn, buf);
	return 0;
}

int dir_blocks_free(struct dir_op *op, u64 off, u64 end)
{
	struct inode inode;
	int err;

	dir_parse(op, &inode);
	err = da_place_each(&op->view, &inode, FORK_DATA, off, end, drop_one, op);
	return err ? err : fork_release(&op->fork, off, end - off);
}

void dir_set_size(struct dir_op *op, u64 size)
{
	txn_dirty(op->txn, op->buf);
	if (!MUTATE(DIR_SIZE))
		op->d->size = be64_make(size);
}

int dir_fit_size(struct dir_op *op)
{
	struct extent e;
	int err = fork_before(&op->fork, op->g->dir_leaf_off - 1, &e);
	u64 end;

	if (err)
		return err == -ENOENT ? fail(-EUCLEAN, "directory %llu: has no blocks",
					     (unsigned long long)op->ino.v)
				      : err;
	end = min_u64(e.off + e.count, op->g->dir_leaf_off);
	dir_set_size(op, end << op->g->block_log);
	return 0;
}

/* ---- forms ---- */

enum form { FORM_SHORT, FORM_BLOCK, FORM_TREE };

static int form_of(struct dir_op *op, enum form *form)
{
	struct da_place place;
	struct inode inode;
	int err;

	dir_parse(op, &inode);
	*form = FORM_SHORT;
	if (inode.fork[FORK_DATA].format == FORMAT_LOCAL)
		return 0;
	err = da_place_at(&op->view, &inode, FORK_DATA, op->g->dir_leaf_off, &place);
	*form = place.blocks ? FORM_TREE : FORM_BLOCK;
	return err;
}

static struct dir_name name_of(const char *name, u32 length)
{
	return (struct dir_name){name, length, da_hash(name, length)};
}

static int check_free(struct dir_op *op, const struct dir_name *name)
{
	struct inode inode;
	struct inum ino;
	u8 type;
	int err;

	dir_parse(op, &inode);
	err = dir_lookup(&op->view, &inode, name->bytes, name->length, &ino, &type);
	if (!err)
		return fail(-EEXIST, "directory %llu: the name is there already",
			    (unsigned long long)op->ino.v);
	return err == -ENOENT ? 0 : err;
}

int dir_init(struct vol *vol, struct txn *txn, struct inum dir, struct inum parent)
{
	struct dir_list *list = env_alloc(vol->env, sizeof(*list));
	struct dir_op op;
	int err = list ? dir_open(vol, txn, dir, &op) : fail(-ENOMEM, "out of memory");

	if (!err) {
		list->parent = parent.v;
		dir_list_store(&op, list);
	}
	env_free(vol->env, list);
	return err;
}

int dir_add(struct vol *vol, struct txn *txn, struct inum dir, const char *bytes, u32 length,
	    struct inum ino, u8 type)
{
	const struct dir_name name = name_of(bytes, length);
	enum form form = FORM_SHORT;
	struct dir_op op;
	int err = dir_open(vol, txn, dir, &op);

	if (!err)
		err = check_free(&op, &name);
	if (!err)
		err = form_of(&op, &form);
	if (err)
		return err;
	if (form == FORM_SHORT)
		return dir_short_add(&op, &name, ino, type);
	return form == FORM_BLOCK ? dir_block_add(&op, &name, ino, type)
				  : dir_tree_add(&op, &name, ino, type);
}

int dir_remove(struct vol *vol, struct txn *txn, struct inum dir, const char *bytes, u32 length)
{
	const struct dir_name name = name_of(bytes, length);
	enum form form = FORM_SHORT;
	struct dir_op op;
	int err = dir_open(vol, txn, dir, &op);

	if (!err)
		err = form_of(&op, &form);
	if (err)
		return err;
	if (form == FORM_SHORT)
		return dir_short_remove(&op, &name);
	return form == FORM_BLOCK ? dir_block_remove(&op, &name) : dir_tree_remove(&op, &name);
}

int dir_replace(struct vol *vol, struct txn *txn, struct inum dir, const char *bytes, u32 length,
		struct inum ino, u8 type)
{
	const struct dir_name name = name_of(bytes, length);
	enum form form = FORM_SHORT;
	struct dir_op op;
	int err = dir_open(vol, txn, dir, &op);

	if (!err)
		err = form_of(&op, &form);
	if (err)
		return err;
	if (form == FORM_SHORT)
		return dir_short_replace(&op, &name, ino, type);
	return form == FORM_BLOCK ? dir_block_replace(&op, &name, ino, type)
				  : dir_tree_replace(&op, &name, ino, type);
}

static int not_dots(void *arg, const struct dir_entry *entry)
{
	(void)arg;
	return !dir_name_is_dots((const u8 *)entry->name, entry->length);
}

int dir_is_empty(struct vol *vol, const struct inode *dir)
{
	int found = dir_each(vol, dir, 0, not_dots, NULL);

	return found < 0 ? found : !found;
}
