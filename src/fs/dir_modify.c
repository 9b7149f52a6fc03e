/* Changing directories: the forms, and blocks of the fork; see dir_modify.h. */
#include "fs/dir_modify.h"

#include "base/mutate.h"
#include "base/trail.h"
#include "fs/dir_impl.h"
#include "fs/health.h"

#include <errno.h>

int dir_open(struct vol *vol, struct txn *txn, struct inum ino, struct da_op *op)
{
	int err = da_op_open(op, vol, txn, ino, FORK_DATA);

	if (!err && (be16_get(op->d->mode) & 0170000) != 0040000)
		return fail(-ENOTDIR, "inode %llu is no directory", (unsigned long long)ino.v);
	return err;
}

/* ---- blocks ---- */

void dir_set_size(struct da_op *op, u64 size)
{
	txn_dirty(op->txn, op->buf);
	if (!MUTATE(DIR_SIZE))
		op->d->size = be64_make(size);
}

int dir_fit_size(struct da_op *op)
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

static int form_of(struct da_op *op, enum form *form)
{
	struct da_place place;
	struct inode inode;
	int err;

	da_parse(op, &inode);
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

static int check_free(struct da_op *op, const struct dir_name *name)
{
	struct inode inode;
	struct inum ino;
	u8 type;
	int err;

	da_parse(op, &inode);
	err = dir_lookup(&op->view, &inode, name->bytes, name->length, &ino, &type);
	if (!err)
		return fail(-EEXIST, "directory %llu: the name is there already",
			    (unsigned long long)op->ino.v);
	return err == -ENOENT ? 0 : err;
}

int dir_init(struct vol *vol, struct txn *txn, struct inum dir, struct inum parent)
{
	struct dir_list *list = env_alloc(vol->env, sizeof(*list));
	struct da_op op;
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
	struct da_op op;
	int err = dir_open(vol, txn, dir, &op);

	if (!err)
		err = check_free(&op, &name);
	if (!err)
		err = form_of(&op, &form);
	if (!err && form == FORM_SHORT)
		err = dir_short_add(&op, &name, ino, type);
	else if (!err)
		err = form == FORM_BLOCK ? dir_block_add(&op, &name, ino, type)
					 : dir_tree_add(&op, &name, ino, type);
	return health_blame(err, SCRUB_DIR, NO_AG, dir.v);
}

int dir_remove(struct vol *vol, struct txn *txn, struct inum dir, const char *bytes, u32 length)
{
	const struct dir_name name = name_of(bytes, length);
	enum form form = FORM_SHORT;
	struct da_op op;
	int err = dir_open(vol, txn, dir, &op);

	if (!err)
		err = form_of(&op, &form);
	if (!err && form == FORM_SHORT)
		err = dir_short_remove(&op, &name);
	else if (!err)
		err =
		    form == FORM_BLOCK ? dir_block_remove(&op, &name) : dir_tree_remove(&op, &name);
	return health_blame(err, SCRUB_DIR, NO_AG, dir.v);
}

int dir_replace(struct vol *vol, struct txn *txn, struct inum dir, const char *bytes, u32 length,
		struct inum ino, u8 type)
{
	const struct dir_name name = name_of(bytes, length);
	enum form form = FORM_SHORT;
	struct da_op op;
	int err = dir_open(vol, txn, dir, &op);

	if (!err)
		err = form_of(&op, &form);
	if (!err && form == FORM_SHORT)
		err = dir_short_replace(&op, &name, ino, type);
	else if (!err)
		err = form == FORM_BLOCK ? dir_block_replace(&op, &name, ino, type)
					 : dir_tree_replace(&op, &name, ino, type);
	return health_blame(err, SCRUB_DIR, NO_AG, dir.v);
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
