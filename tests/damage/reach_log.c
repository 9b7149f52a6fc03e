/*
 * Writes records that kernels leave behind only now and then, or did years ago, into the clean log
 * of an image, so that the damage campaign has them:
 *
 *	reach-log IMAGE
 *
 * One record with headers beyond its first; then, in another, all intents with their done items, as
 * a kernel leaves them when a checkpoint comes in between; those of 32-bit kernels, too; and quotas
 * turned off, as kernels did up to 5.15.  None of it changes the filesystem: buffers and an inode
 *are logged as they are, and what intents announce has been done.
 *
 * IMAGE is plain_base() of lib.sh.  The fields are set one by one, by name, from the field tables.
 */
#include "base/trail.h"
#include "fs/dir.h"
#include "fs/fork.h"
#include "format/ag.h"
#include "host/host.h"
#include "log/scan.h"
#include "meta/types_table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TID 0x4d454e44

struct out {
	struct env env;
	struct vol *vol;
	struct log_scan scan;
	u8 record[LOG_RECORD_BYTES];
	u32 block, cycle, before; /* of the record; of the one before */
	u64 tail;
	u32 headers, used, ops; /* of its body */
	u32 tid;
	u64 id; /* of intents */
};

static void must(int err)
{
	if (!err)
		return;
	fprintf(stderr, "%s\n", trail_text());
	exit(1);
}

/* NAME, VALUE, .., NULL */
static void set_fields(const struct layout *layout, void *to, va_list args)
{
	const char *name;

	while ((name = va_arg(args, const char *)) != NULL) {
		const struct field *field = layout_field(layout, name);

		if (!field)
			abort();
		field_set(field, to, 0, va_arg(args, u64));
	}
}

static void set(const struct layout *layout, void *to, ...)
{
	va_list args;

	va_start(args, to);
	set_fields(layout, to, args);
	va_end(args);
}

static void add_op(struct out *o, u8 flags, const void *bytes, u32 length)
{
	u8 *to = o->record + o->headers * LOG_BLOCK + o->used;

	if (o->used + sizeof(struct log_op) + length > LOG_RECORD_MAX)
		abort();
	set(&log_op_layout, to, "tid", (u64)o->tid, "len", (u64)length, "clientid",
	    (u64)LOG_CLIENT_TRANSACTION, "flags", (u64)flags, NULL);
	if (length)
		memcpy(to + sizeof(struct log_op), bytes, length);
	o->used += (u32)sizeof(struct log_op) + length;
	o->ops++;
}

/* An item of one region: a structure, and as many of `element` as come behind it. */
static void add_item(struct out *o, const struct layout *head, const struct layout *element, ...)
{
	u8 bytes[256] = {0};
	va_list args;

	va_start(args, element);
	set_fields(head, bytes, args);
	if (element)
		set_fields(element, bytes + head->size, args);
	va_end(args);
	add_op(o, 0, bytes, head->size + (element ? element->size : 0));
}

static void begin_record(struct out *o, u32 size)
{
	memset(o->record, 0, sizeof(o->record));
	o->headers = size / LOG_HEADER_COVERS;
	o->used = o->ops = 0;
	set(&log_record_layout, o->record, "size", (u64)size, NULL);
}

static void end_record(struct out *o)
{
	const struct geometry *g = &o->vol->geo;
	u32 blocks = o->headers + (u32)div_up_u64(o->used, LOG_BLOCK);
	u64 lsn = lsn_make(o->cycle, o->block);
	const struct log_event place = {
	    .block = o->block, .header_blocks = o->headers, .blocks = blocks};
	struct cache_range range[2];

	o->tail = o->tail ? o->tail : lsn;
	set(&log_record_layout, o->record, "magicno", (u64)LOG_RECORD_MAGIC, "cycle", (u64)o->cycle,
	    "version", (u64)LOG_VERSION_2, "len", (u64)o->used, "lsn", lsn, "tail_lsn", o->tail,
	    "prev_block", (u64)o->before, "num_logops", (u64)o->ops, "fmt", (u64)LOG_FMT_LINUX_LE,
	    NULL);
	memcpy(((struct log_record *)o->record)->fs_uuid, g->uuid.b, sizeof(g->uuid.b));
	for (u32 i = 1; i < o->headers; i++)
		set(&log_ext_layout, o->record + i * LOG_BLOCK, "cycle", (u64)o->cycle, NULL);
	must(log_record_store(&o->env, g, o->vol->data, NULL, &place, NULL, o->record, true));
	if (log_ranges(g, o->block, blocks, range) != 1)
		abort();
	must(device_write(o->vol->data, range[0].at, o->record, range[0].size));
	o->before = o->block;
	o->block += blocks;
}

static void begin_transaction(struct out *o, u32 items)
{
	o->tid++;
	add_op(o, LOG_OP_START, NULL, 0);
	add_item(o, &log_trans_layout, NULL, "magic", (u64)LOG_TRANS_MAGIC, "type", (u64)40, "tid",
		 (u64)o->tid, "num_items", (u64)items, NULL);
}

static void end_transaction(struct out *o)
{
	add_op(o, LOG_OP_COMMIT, NULL, 0);
}

/* --- what is logged as it is --- */

static void add_block(struct out *o, u32 ag, u32 bno)
{
	const struct geometry *g = &o->vol->geo;
	struct daddr at = agblock_daddr(g, ag, bno);
	u8 block[4096];

	if (g->block_size != sizeof(block))
		abort();
	must(device_read(o->vol->data, at, block, sizeof(block)));
	add_item(o, &log_buf_layout, &log_buf_map_layout, "type", (u64)LOG_BUF, "size", (u64)2,
		 "flags", (u64)LOG_BUF_TYPE_BTREE << LOG_BUF_TYPE_SHIFT, "len",
		 (u64)sizeof(block) / LOG_BLOCK, "blkno", at.v / LOG_BLOCK, "map_size", (u64)1,
		 NULL, "data_map", (u64)NULL32, NULL);
	add_op(o, 0, block, sizeof(block));
}

/* The roots of all trees of all AGs: more than one header has cycle words for. */
static void log_roots(struct out *o)
{
	const struct geometry *g = &o->vol->geo;
	u32 roots = 0;

	begin_record(o, LOG_RECORD_MAX);
	begin_transaction(o, 1);
	for (u32 ag = 0; ag < g->ag_count; ag++)
		for (u32 i = 0; i < META_COUNT; i++) {
			const struct meta_type *type = vol_type(o->vol, i), *header;
			u8 block[4096];

			if (!type->root.field)
				continue;
			header = vol_type(o->vol, type->root.header);
			must(device_read(o->vol->data, header->place(g, ag), block,
					 header->size(g)));
			add_block(o, ag,
				  (u32)field_get(layout_field(header->layout, type->root.field),
						 block, type->root.index));
			roots++;
		}
	end_transaction(o);
	if (o->used <= LOG_HEADER_COVERS || !roots)
		abort();
	end_record(o);
}

/* As a 32-bit kernel does it. The core is in the order of the host, at the same places. */
static void log_root_inode(struct out *o)
{
	const struct geometry *g = &o->vol->geo;
	struct daddr at = inum_daddr(g, inum_of(g->root_ino));
	struct log_dinode core = {0};
	u8 raw[512];

	must(device_read(o->vol->data, at, raw, sizeof(raw)));
	for (u32 i = 0; i < log_dinode_layout.field_count; i++) {
		const struct field *to = &log_dinode_layout.fields[i];
		const struct layout *disk =
		    layout_field(&dinode64_layout, to->name) ? &dinode64_layout : &dinode_layout;
		const struct field *from = layout_field(disk, to->name);

		for (u32 e = 0; from && e < to->count; e++)
			field_set(to, &core, e, field_get(from, raw, e));
	}
	add_item(o, &log_inode32_layout, NULL, "type", (u64)LOG_INODE, "size", (u64)2, "fields",
		 (u64)LOG_INODE_CORE, "ino", g->root_ino, "blkno", at.v / LOG_BLOCK, "len",
		 (u64)(g->cluster_blocks << (g->block_log - LOG_BLOCK_LOG)), NULL);
	add_op(o, 0, &core, sizeof(core));
}

/* --- intents, and that they are done --- */

struct file {
	u64 ino, start; /* of its first block */
};

static struct file find_file(struct out *o, const char *name)
{
	struct inode dir, inode;
	struct inum ino;
	struct extent e;
	u8 type;

	must(inode_get(o->vol, inum_of(o->vol->geo.root_ino), &dir));
	must(dir_lookup(o->vol, &dir, "dir", 3, &ino, &type));
	inode_put(o->vol, &dir);
	must(inode_get(o->vol, ino, &dir));
	must(dir_lookup(o->vol, &dir, name, (u32)strlen(name), &ino, &type));
	inode_put(o->vol, &dir);
	must(inode_get(o->vol, ino, &inode));
	must(fork_lookup(o->vol, &inode, FORK_DATA, fileoff_of(0), &e));
	inode_put(o->vol, &inode);
	return (struct file){ino.v, e.start};
}

#define HEAD(item, regions) "type", (u64)(item), "size", (u64)(regions)
#define EXTENTS(item) HEAD(item, 1), "nextents", (u64)1, "id"

static void log_free(struct out *o, u16 type, u64 id, const struct layout *extent)
{
	const struct geometry *g = &o->vol->geo;
	u32 ag = g->ag_count - 1;
	u64 last = fsblock_make(g, ag, geometry_ag_blocks(g, ag) - 1).v;

	add_item(o, &log_intent_layout, extent, EXTENTS(type), id, NULL, "start", last, "len",
		 (u64)1, NULL);
}

static void log_map_of(struct out *o, u16 type, u64 id, u32 kind, const struct file *file)
{
	add_item(o, &log_intent_layout, &log_map_layout, EXTENTS(type), id, NULL, "owner",
		 file->ino, "startblock", file->start, "startoff", (u64)0, "len", (u64)1, "flags",
		 (u64)kind, NULL);
}

static void log_intents(struct out *o, const struct file *a, const struct file *b)
{
	static const char name[] = "user.old";

	log_free(o, LOG_EFI, 0x101, &log_extent_layout);
	log_free(o, LOG_EFI, 0x102, &log_extent32_layout);
	log_map_of(o, LOG_RUI, 0x103, LOG_RMAP_MAP, a);
	add_item(o, &log_intent_layout, &log_phys_layout, EXTENTS(LOG_CUI), (u64)0x104, NULL,
		 "startblock", a->start, "len", (u64)1, "flags", (u64)LOG_REFCOUNT_INCREASE, NULL);
	log_map_of(o, LOG_BUI, 0x105, LOG_BMAP_MAP, a);
	add_item(o, &log_attri_layout, NULL, HEAD(LOG_ATTRI, 2), "id", (u64)0x106, "ino", a->ino,
		 "op_flags", (u64)LOG_ATTR_REMOVE, "name_len", (u64)sizeof(name) - 1, NULL);
	add_op(o, 0, name, sizeof(name) - 1);
	add_item(o, &log_xmi_layout, NULL, HEAD(LOG_XMI, 1), "id", (u64)0x107, "inode1", a->ino,
		 "inode2", b->ino, "blockcount", (u64)1, NULL);
}

static void log_dones(struct out *o)
{
	static const u16 type[] = {LOG_RUD, LOG_CUD, LOG_BUD, LOG_ATTRD, LOG_XMD};

	log_free(o, LOG_EFD, 0x101, &log_extent_layout);
	log_free(o, LOG_EFD, 0x102, &log_extent32_layout);
	for (u32 i = 0; i < ARRAY_COUNT(type); i++)
		add_item(o, &log_done_layout, NULL, HEAD(type[i], 1), "id", (u64)0x103 + i, NULL);
}

static void log_items_of_all_kinds(struct out *o)
{
	struct file a = find_file(o, "a-file-of-number-1"), b = find_file(o, "a-file-of-number-2");

	begin_record(o, LOG_RECORD_MAX); /* as the one before: kernels look at the first alone */
	begin_transaction(o, 1);
	log_root_inode(o);
	log_intents(o, &a, &b);
	end_transaction(o);
	begin_transaction(o, 1);
	for (u32 i = 0; i < 2; i++) /* that it begins, and that it has ended */
		add_item(o, &log_quotaoff_layout, NULL, HEAD(LOG_QUOTAOFF, 1), "flags",
			 (u64)LOG_QUOTAOFF_GROUP, NULL);
	log_dones(o);
	end_transaction(o);
	end_record(o);
}

int main(int argc, char **argv)
{
	static struct out o = {.tid = TID};
	struct vol_options options = {.no_recovery = true};
	const struct log_options none = {0};
	struct log_ends ends;

	if (argc != 2)
		return 2;
	host_env_init(&o.env, 1);
	must(device_open_file(&o.env, argv[1], false, &options.data));
	must(vol_open(&o.env, &meta_types, &options, &o.vol));
	must(log_scan_init(&o.scan, &o.env, &o.vol->geo, o.vol->data, NULL, &none));
	must(log_find(&o.scan, &ends));
	if (!ends.clean)
		return 1;
	o.block = ends.head;
	o.cycle = ends.head_cycle;
	o.before = ends.last.block;
	log_roots(&o);
	log_items_of_all_kinds(&o);
	must(o.vol->data->flush(o.vol->data));
	must(vol_close(o.vol));
	return 0;
}
