/*
 * Building an attribute fork; see attr_build.h.
 *
 * A plan says which attributes go to which leaf and where remote values lie in the fork: leaves
 * first (behind the node, when there are several), remote values behind them. Then the old fork is
 * emptied, the blocks of the plan are allocated in order, and written.
 */
#include "fs/attr_build.h"

#include "base/trail.h"
#include "format/super.h"
#include "fs/space.h"

#include <errno.h>
#include <stdlib.h>

#define DADDR_UNIT 512
#define SHORT_FIELD_MAX 255

struct leaf_plan {
	u32 first, count; /* of the sorted attributes */
};

struct plan {
	struct fork_edit *f;
	const struct geometry *g;
	struct attr_item **item; /* by hash */
	u32 count;
	struct leaf_plan *leaf;
	u32 leaves;
	u32 blocks;   /* of the fork */
	u64 *fsblock; /* where each is */
};

/* ---- sizes ---- */

static u32 local_size(const struct attr_item *item)
{
	return (u32)round_up_u64(
	    sizeof(struct attr_name_local) + item->name_length + item->value_length, ATTR_ALIGN);
}

static u32 remote_size(const struct attr_item *item)
{
	return (u32)round_up_u64(
	    sizeof(struct attr_name_remote) + ATTR_REMOTE_SPARE + item->name_length, ATTR_ALIGN);
}

bool attr_item_remote(const struct geometry *g, const struct attr_item *item)
{
	return local_size(item) >= g->block_size / 4 * 3;
}

u32 attr_item_size(const struct geometry *g, const struct attr_item *item)
{
	return attr_item_remote(g, item) ? remote_size(item) : local_size(item);
}

static struct fork fork_of(const struct fork_edit *f)
{
	struct inode inode;

	inode_parse(&f->vol->geo, f->ino, f->buf->data, &inode);
	return inode.fork[FORK_ATTR];
}

static u8 *fork_bytes(struct fork_edit *f)
{
	txn_dirty(f->txn, f->buf);
	return f->buf->data + (fork_of(f).data - f->buf->data);
}

/* ---- short form ---- */

static bool fits_short(const struct attr_list *list, u32 room)
{
	u64 size = sizeof(struct attr_short);

	for (const struct attr_item *item = list->first; item; item = item->next) {
		if (item->name_length > SHORT_FIELD_MAX || item->value_length > SHORT_FIELD_MAX)
			return false;
		size += sizeof(struct attr_short_entry) + item->name_length + item->value_length;
	}
	return size <= room && list->count <= SHORT_FIELD_MAX;
}

static void write_short(struct fork_edit *f, const struct attr_list *list)
{
	u8 *start = fork_bytes(f), *to = start + sizeof(struct attr_short);
	struct dinode *d = (struct dinode *)f->buf->data;

	memset(start, 0, fork_of(f).size);
	d->aformat = FORMAT_LOCAL;
	for (const struct attr_item *item = list->first; item; item = item->next) {
		u32 size = item->name_length + item->value_length;

		*(struct attr_short_entry *)to = (struct attr_short_entry){
		    (u8)item->name_length, (u8)item->value_length, item->flags};
		to += sizeof(struct attr_short_entry);
		memcpy(to, item->bytes, size);
		to += size;
	}
	*(struct attr_short *)start =
	    (struct attr_short){.totsize = be16_make((u16)(to - start)), .count = (u8)list->count};
}

/* ---- the plan ---- */

static int by_hash(const void *a, const void *b)
{
	const struct attr_item *x = *(struct attr_item *const *)a,
			       *y = *(struct attr_item *const *)b;

	return (x->hash > y->hash) - (x->hash < y->hash);
}

static void pack_leaves(struct plan *p)
{
	u32 used = 0;

	for (u32 i = 0; i < p->count; i++) {
		u32 size = (u32)sizeof(struct attr_leaf_entry) + attr_item_size(p->g, p->item[i]);

		if (!p->leaves || used + size > p->g->block_size) {
			used = sizeof(struct attr_leaf);
			p->leaf[p->leaves++].first = i;
		}
		p->leaf[p->leaves - 1].count++;
		used += size;
	}
}

bool attr_list_large(const struct geometry *g, const struct attr_list *list)
{
	u64 bytes = 0;

	/* leaves are half full at least, but for the last */
	for (const struct attr_item *item = list->first; item; item = item->next)
		bytes += sizeof(struct attr_leaf_entry) + attr_item_size(g, item);
	return bytes > (u64)da_node_max(g->block_size) * (g->block_size / 2);
}

static int make_plan(struct plan *p, const struct attr_list *list)
{
	struct env *env = list->env;
	u64 blocks;

	p->item = env_array(env, list->count, sizeof(*p->item));
	p->leaf = env_array(env, list->count, sizeof(*p->leaf));
	if (!p->item || !p->leaf)
		return fail(-ENOMEM, "attributes: out of memory");
	for (struct attr_item *item = list->first; item; item = item->next)
		p->item[p->count++] = item;
	qsort(p->item, p->count, sizeof(*p->item), by_hash);
	pack_leaves(p);
	if (p->leaves > da_node_max(p->g->block_size))
		return fail(-EFBIG, "attributes that need %u leaves", p->leaves);
	blocks = p->leaves > 1 ? p->leaves + 1u : 1;
	for (u32 i = 0; i < p->count; i++) {
		if (!attr_item_remote(p->g, p->item[i]))
			continue;
		p->item[i]->value_block = (u32)blocks;
		blocks += attr_remote_blocks(p->g, p->item[i]->value_length);
	}
	p->blocks = (u32)blocks; /* below the sum of all bytes */
	p->fsblock = env_array(env, blocks, sizeof(*p->fsblock));
	return p->fsblock ? 0 : fail(-ENOMEM, "attributes: out of memory");
}

static void drop_plan(struct plan *p, struct env *env)
{
	env_free(env, p->item);
	env_free(env, p->leaf);
	env_free(env, p->fsblock);
}

/* ---- blocks ---- */

static int new_block(struct plan *p, enum meta_id id, u32 off, struct txn_buf **out)
{
	const struct meta_type *type = vol_type(p->f->vol, id);
	struct fsblock block = fsblock_of(p->fsblock[off]);
	struct daddr at = fsblock_daddr(p->g, block);
	const struct where where = {.type = type->name,
				    .ag = fsblock_ag(p->g, block),
				    .ino = p->f->ino.v,
				    .daddr = at.v,
				    .owner = p->f->ino.v};

	return txn_new(p->f->txn, type, &where, at, p->g->block_size, out);
}

static int new_da_block(struct plan *p, enum meta_id id, u32 off, u16 magic, u8 **out)
{
	struct txn_buf *buf;
	struct da_info *info;
	int err = new_block(p, id, off, &buf);

	if (err)
		return err;
	info = (struct da_info *)buf->data;
	info->magic = be16_make(magic);
	info->blkno = be64_make(buf->at.v / DADDR_UNIT);
	memcpy(info->uuid, p->g->meta_uuid.b, sizeof(info->uuid));
	info->owner = be64_make(p->f->ino.v);
	*out = buf->data;
	return 0;
}

void attr_item_put(const struct geometry *g, const struct attr_item *item, u8 *to)
{
	if (attr_item_remote(g, item)) {
		*(struct attr_name_remote *)to =
		    (struct attr_name_remote){be32_make(item->value_block),
					      be32_make(item->value_length), (u8)item->name_length};
		memcpy(to + sizeof(struct attr_name_remote), item->bytes, item->name_length);
		return;
	}
	*(struct attr_name_local *)to =
	    (struct attr_name_local){be16_make((u16)item->value_length), (u8)item->name_length};
	memcpy(to + sizeof(struct attr_name_local), item->bytes,
	       item->name_length + item->value_length);
}

/* Entries behind the header, names from the end of the block, one free range between them. */
static void fill_leaf(const struct plan *p, u32 index, u8 *block)
{
	const struct leaf_plan *plan = &p->leaf[index];
	struct attr_leaf *leaf = (struct attr_leaf *)block;
	struct attr_leaf_entry *entry = (struct attr_leaf_entry *)(leaf + 1);
	u32 at = p->g->block_size, base = (u32)((u8 *)(entry + plan->count) - block);

	for (u32 i = 0; i < plan->count; i++) {
		const struct attr_item *item = p->item[plan->first + i];
		bool remote = attr_item_remote(p->g, item);

		at -= attr_item_size(p->g, item);
		entry[i] = (struct attr_leaf_entry){
		    .hashval = be32_make(item->hash),
		    .nameidx = be16_make((u16)at),
		    .flags = (u8)(item->flags | (remote ? 0 : ATTR_LOCAL))};
		attr_item_put(p->g, item, block + at);
	}
	leaf->count = be16_make((u16)plan->count);
	leaf->usedbytes = be16_make((u16)(p->g->block_size - at));
	leaf->firstused = be16_make((u16)at);
	leaf->free0_base = be16_make((u16)base);
	leaf->free0_size = be16_make((u16)(at - base));
}

static int write_leaves(struct plan *p)
{
	u32 first = p->leaves > 1;
	int err = 0;

	for (u32 i = 0; i < p->leaves && !err; i++) {
		u8 *block;

		err = new_da_block(p, META_ATTRLEAF, first + i, ATTR_LEAF_MAGIC, &block);
		if (err)
			return err;
		((struct da_info *)block)->back = be32_make(i ? first + i - 1 : 0);
		((struct da_info *)block)->forw = be32_make(i + 1 < p->leaves ? first + i + 1 : 0);
		fill_leaf(p, i, block);
	}
	return err;
}

static int write_node(struct plan *p)
{
	struct da_node_entry *entry;
	struct da_node *node;
	u8 *block;
	int err = new_da_block(p, META_ATTRNODE, 0, DA_NODE_MAGIC, &block);

	if (err)
		return err;
	node = (struct da_node *)block;
	node->count = be16_make((u16)p->leaves);
	node->level = be16_make(1);
	entry = (struct da_node_entry *)(node + 1);
	for (u32 i = 0; i < p->leaves; i++) {
		u32 last = p->leaf[i].first + p->leaf[i].count - 1;

		entry[i] = (struct da_node_entry){be32_make(p->item[last]->hash), be32_make(i + 1)};
	}
	return 0;
}

static int write_remote(struct plan *p, const struct attr_item *item)
{
	const u8 *value = item->bytes + item->name_length;
	u32 room = attr_remote_room(p->g), off = item->value_block;
	int err = 0;

	for (u32 at = 0; at < item->value_length && !err; at += room, off++) {
		u32 take = (u32)min_u64(room, item->value_length - at);
		struct attr_remote *header;
		struct txn_buf *buf;

		err = new_block(p, META_ATTRREMOTE, off, &buf);
		if (err)
			return err;
		header = (struct attr_remote *)buf->data;
		header->magic = be32_make(ATTR_REMOTE_MAGIC);
		header->offset = be32_make(at);
		header->bytes = be32_make(take);
		memcpy(header->uuid, p->g->meta_uuid.b, sizeof(header->uuid));
		header->owner = be64_make(p->f->ino.v);
		header->blkno = be64_make(buf->at.v / DADDR_UNIT);
		header->lsn = be64_make(NULL64);
		memcpy(header + 1, value + at, take);
	}
	return err;
}

static int write_blocks(struct plan *p)
{
	int err = 0;

	for (u32 off = 0; off < p->blocks && !err; off++)
		err =
		    fork_add_block(p->f, off, off ? p->fsblock[off - 1] : NULL64, &p->fsblock[off]);
	if (!err && p->leaves > 1)
		err = write_node(p);
	if (!err)
		err = write_leaves(p);
	for (u32 i = 0; i < p->count && !err; i++)
		if (attr_item_remote(p->g, p->item[i]))
			err = write_remote(p, p->item[i]);
	return err;
}

/* ---- the old fork ---- */

/* All that is mapped, to be freed later. */
static int empty_fork(struct fork_edit *f)
{
	struct dinode *d = (struct dinode *)f->buf->data;
	struct extent e;
	u64 off = 0;
	int err = 0;

	if (fork_of(f).format == FORMAT_LOCAL) {
		memset(fork_bytes(f), 0, fork_of(f).size);
		d->aformat = FORMAT_EXTENTS;
		return 0;
	}
	while (!err && off < FILEOFF_END) {
		err = fork_extent(f, off, FILEOFF_END, &e);
		if (err)
			return err;
		off = e.off + e.count;
		if (e.start == NULL64)
			continue;
		err = fork_unmap(f, e.off, e.count);
		if (!err)
			err = f->unused(f->arg, e.start, e.count);
	}
	return err;
}

static int build(struct fork_edit *f, const struct attr_list *list)
{
	struct plan plan = {.f = f, .g = &f->vol->geo};
	int err;

	err = empty_fork(f);
	if (err)
		return err;
	if (fits_short(list, fork_of(f).size)) {
		write_short(f, list);
		return 0;
	}
	err = make_plan(&plan, list);
	if (!err)
		err = write_blocks(&plan);
	drop_plan(&plan, list->env);
	return err;
}

/* The kernel gives up the fork with its last attribute, where the data fork can take the room. */
static void drop_fork(struct fork_edit *f)
{
	struct dinode *d = (struct dinode *)f->buf->data;
	struct inode inode;

	if (geometry_has(&f->vol->geo, FEATURE_PARENT) || d->format == FORMAT_BTREE)
		return;
	inode_parse(&f->vol->geo, f->ino, f->buf->data, &inode);
	memset(f->buf->data + (inode.fork[FORK_ATTR].data - f->buf->data), 0,
	       inode.fork[FORK_ATTR].size);
	d->forkoff = 0;
	d->aformat = FORMAT_EXTENTS;
}

/* The superblock says that there are attributes. */
static int tell_superblock(struct vol *vol, struct txn *txn)
{
	struct txn_buf *buf;
	struct sb *sb;
	int err = ag_super(vol, txn, &buf);

	if (err)
		return err;
	sb = (struct sb *)buf->data;
	if (be16_get(sb->versionnum) & SB_VERSION_ATTR)
		return 0;
	txn_dirty(txn, buf);
	sb->versionnum = be16_make(be16_get(sb->versionnum) | SB_VERSION_ATTR);
	return 0;
}

int attr_list_write(struct fork_edit *f, const struct attr_list *list)
{
	const struct dinode *d = (const struct dinode *)f->buf->data;
	int err = 0;

	if (list->count && !d->forkoff) {
		err = fork_add_attr(f);
		if (!err)
			err = tell_superblock(f->vol, f->txn);
	}
	if (err || !d->forkoff)
		return err;
	txn_dirty(f->txn, f->buf);
	err = build(f, list);
	if (!err && !list->count)
		drop_fork(f);
	return err;
}
