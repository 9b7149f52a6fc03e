/*
 * Writing a new filesystem; see mkfs.h.
 *
 * Order: what could be taken for an older filesystem goes first (flushed); then all AGs without
 * their superblock copies, the log, the inodes (flushed); then the copies (flushed); then the
 * primary (flushed).  So whoever finds any superblock finds a whole filesystem behind it, and until
 * the end there is none that a mount would look at.  When a write fails, the first sectors are
 * zeroed again, as well as the device lets it.
 */
#include "fs/mkfs.h"

#include "base/trail.h"
#include "format/ag.h"
#include "format/log.h"
#include "format/super.h"
#include "fs/mkfs_build.h"

#include <errno.h>
#include <stdio.h>

#define WIPE_BYTES (128u << 10) /* at both ends: where others have their signatures */
#define LOG_UNMOUNT_TID 0xb0c0d0d0u
#define UUID_VERSION_AT 6
#define UUID_VARIANT_AT 8

static u32 maker_buffer_size(const struct geometry *g)
{
	u64 size = (u64)mkfs_fixed_blocks(g) << g->block_log;

	size = max_u64(size, (u64)maker_inodes(g) << g->inode_log);
	return (u32)max_u64(max_u64(size, g->log_stripe_unit), WIPE_BYTES);
}

static int draw_uuid(struct maker *m)
{
	u8 *b = m->g->uuid.b;

	if (!m->options->has_uuid) {
		int err = m->env->random(m->env, b, sizeof(m->g->uuid.b));

		if (err)
			return fail_in(err, "uuid");
		b[UUID_VERSION_AT] = (u8)((b[UUID_VERSION_AT] & 0x0f) | 0x40);
		b[UUID_VARIANT_AT] = (u8)((b[UUID_VARIANT_AT] & 0x3f) | 0x80);
	}
	m->g->meta_uuid = m->g->uuid;
	return 0;
}

/* Superblocks of an older XFS that a search would find: those that lie where its AGs begin. */
static int wipe_copies(struct maker *m, const struct geometry *old)
{
	struct device *dev = m->devices->data;
	int err = 0;

	for (u32 ag = 1; ag < old->ag_count && !err; ag++) {
		struct daddr at = agblock_daddr(old, ag, 0);

		if (at.v + old->sector_size > dev->size)
			break;
		err = device_read(dev, at, m->buffer, old->sector_size);
		if (!err && be32_get(((const struct sb *)m->buffer)->magicnum) == SB_MAGIC)
			err = device_zero(dev, at, old->sector_size);
	}
	return err;
}

static void discard(struct maker *m)
{
	struct device *const dev[] = {m->devices->data, m->devices->log, m->devices->rt};

	for (u32 i = 0; i < ARRAY_COUNT(dev) && !m->options->keep; i++)
		if (dev[i])
			device_discard(dev[i], daddr_of(0), dev[i]->size);
}

/* The front goes first: what is behind it is then nobody's. A discard may leave anything there, so
 * it goes again. */
static int wipe(struct maker *m)
{
	struct device *dev = m->devices->data;
	u64 ends = min_u64(WIPE_BYTES, dev->size);
	struct geometry old = {0};
	int err = device_read(dev, daddr_of(0), m->buffer, 1u << SB_MAX_SECTOR_LOG);

	if (!err && geometry_from_sb(&old, (const struct sb *)m->buffer))
		old.ag_count = 0;
	if (!err)
		err = device_zero(dev, daddr_of(0), ends);
	if (!err)
		err = device_flush(dev);
	if (!err)
		err = wipe_copies(m, &old);
	if (err)
		return err;
	discard(m);
	err = device_zero(dev, daddr_of(0), ends);
	if (!err)
		err = device_zero(dev, daddr_of(dev->size - ends), ends);
	return err ? err : device_flush(dev);
}

/* An unmount record in blocks of cycle 1, `unit` bytes with its headers, into the buffer. */
static void make_record(struct maker *m, u32 unit)
{
	u32 size = (u32)max_u64(unit, LOG_HEADER_COVERS),
	    headers = (u32)div_up_u64(size, LOG_HEADER_COVERS);
	struct log_record *r = (struct log_record *)m->buffer;
	struct log_op *op = (struct log_op *)(m->buffer + (size_t)headers * LOG_BLOCK);
	struct log_unmount unmount = {.magic = le16_make(LOG_UNMOUNT_MAGIC)};

	memset(m->buffer, 0, unit);
	op->tid = be32_make(LOG_UNMOUNT_TID);
	op->len = be32_make(sizeof(unmount));
	op->clientid = LOG_CLIENT_LOG;
	op->flags = LOG_OP_UNMOUNT;
	memcpy(op + 1, &unmount, sizeof(unmount));
	r->magicno = be32_make(LOG_RECORD_MAGIC);
	r->version = be32_make(LOG_VERSION_2);
	r->len = be32_make(unit - headers * LOG_BLOCK);
	r->lsn = r->tail_lsn = be64_make(1ull << 32);
	r->prev_block = be32_make(NULL32);
	r->num_logops = be32_make(1);
	r->fmt = be32_make(LOG_FMT_LINUX_LE);
	r->size = be32_make(size);
	memcpy(r->fs_uuid, m->g->uuid.b, sizeof(r->fs_uuid));
	/* The first words are kept in the header: all are zero but that of the operation. */
	memcpy(&r->cycle_data[0], op, sizeof(r->cycle_data[0]));
	r->cycle = be32_make(1);
	for (u32 at = LOG_BLOCK; at < unit; at += LOG_BLOCK)
		memcpy(m->buffer + at, &r->cycle, sizeof(r->cycle));
}

/* The log says that it was unmounted, so nobody looks for anything to replay; the rest was never
 * written. */
static int write_log(struct maker *m)
{
	const struct geometry *g = m->g;
	struct device *dev = g->log_internal ? m->devices->data : m->devices->log;
	struct daddr at =
	    g->log_internal ? fsblock_daddr(g, fsblock_of(g->log_start)) : daddr_of(0);
	u32 unit = g->log_stripe_unit > 1 ? g->log_stripe_unit : 2 * LOG_BLOCK;
	int err = device_zero(dev, at, (u64)g->log_blocks << g->block_log);

	make_record(m, unit);
	if (!err)
		err = device_write(dev, at, m->buffer, unit);
	return err ? fail_in(err, "log") : 0;
}

static int write_ags(struct maker *m)
{
	struct geometry *g = m->g;
	struct progress progress = {"writing AGs", 0, g->ag_count, "AGs"};
	int err = 0;

	g->fdblocks = 0;
	for (u32 number = 0; number < g->ag_count && !err; number++) {
		struct ag_model ag;

		err = ag_model_init(m, number, &ag);
		if (!err)
			err = ag_model_write(m, &ag);
		g->fdblocks += (u64)ag.free + ag.list_count;
		progress.done = number + 1;
		m->env->progress(m->env, &progress);
	}
	return err;
}

static int write_super(struct maker *m, u32 ag)
{
	const struct geometry *g = m->g;
	struct sb *sb = (struct sb *)m->buffer;
	struct where where = {
	    .ag = ag, .ino = NO_INO, .daddr = agblock_daddr(g, ag, 0).v, .owner = NO_OWNER};
	int err;

	memset(m->buffer, 0, g->sector_size);
	geometry_to_sb(g, sb);
	/* In copies it stays: nobody mounts those. */
	sb->inprogress = ag != 0;
	err = maker_seal(m, META_SUPERBLOCK, where, m->buffer, g->sector_size);
	return err ? err
		   : device_write(m->devices->data, daddr_of(where.daddr), m->buffer,
				  g->sector_size);
}

static int write_copies(struct maker *m)
{
	int err = 0;

	for (u32 ag = 1; ag < m->g->ag_count && !err; ag++)
		err = write_super(m, ag);
	return err ? err : device_flush(m->devices->data);
}

static int prepare(struct maker *m)
{
	struct geometry *g = m->g;
	bool log_first = g->log_internal && !fsblock_ag(g, fsblock_of(g->log_start));
	int err = draw_uuid(m);

	m->root_block = mkfs_root_block(g, log_first);
	g->root_ino = inum_make(g, 0, m->root_block << g->inopb_log).v;
	g->rbm_ino = g->root_ino + 1;
	g->rsum_ino = g->root_ino + 2;
	g->icount = maker_inodes(g);
	g->ifree = g->icount - MKFS_INODES_USED;
	return err ? err : mkfs_rt_place(m);
}

static int write_all(struct maker *m)
{
	int err = wipe(m);

	if (!err)
		err = write_log(m);
	if (!err && m->devices->log)
		err = device_flush(m->devices->log);
	if (!err)
		err = write_ags(m);
	if (!err)
		err = mkfs_rt_write(m);
	if (!err)
		err = mkfs_inodes_write(m);
	if (!err)
		err = device_flush(m->devices->data);
	if (!err)
		err = write_copies(m);
	if (!err)
		err = write_super(m, 0);
	return err ? err : device_flush(m->devices->data);
}

/* Whatever came of it is no filesystem. Keeps the trail of what happened. */
static void take_back(struct maker *m)
{
	char trail[TRAIL_MAX];

	snprintf(trail, sizeof(trail), "%s", trail_text());
	device_zero(m->devices->data, daddr_of(0), m->g->sector_size);
	device_flush(m->devices->data);
	fail(-EIO, "%s", trail);
}

int mkfs_build(struct env *env, const struct meta_types *types, const struct mkfs_options *options,
	       struct geometry *g, const struct mkfs_devices *devices)
{
	struct maker *m = env_alloc(env, sizeof(*m));
	int err;

	if (!m)
		return fail(-ENOMEM, "making a filesystem: out of memory");
	*m = (struct maker){.env = env,
			    .types = types,
			    .options = options,
			    .g = g,
			    .devices = devices,
			    .buffer = env_alloc(env, maker_buffer_size(g))};
	err = m->buffer ? prepare(m) : fail(-ENOMEM, "making a filesystem: out of memory");
	if (!err) {
		err = write_all(m);
		if (err)
			take_back(m);
	}
	env_free(env, m->buffer);
	env_free(env, m);
	return err;
}
