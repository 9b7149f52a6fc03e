/*
 * Opening and closing a volume; see vol.h.
 *
 * Owns the devices from the call on, also when opening fails.  The superblock is read twice when a
 * log was replayed: recovery may have changed its counters and features.  Fails with -EUCLEAN,
 * -EBADMSG or -EOPNOTSUPP and a trail that names the field.
 *
 * A strict caller (no verdict, nor doubtful_super) is refused a superblock with any finding; one
 * that brings a verdict gets a volume whenever the geometry can be worked with, since its sweep
 * will meet the superblock again and report it.
 */
#include "fs/vol.h"

#include "base/trail.h"
#include "format/inode.h"
#include "format/quota.h"
#include "format/super.h"
#include "format/verify.h"
#include "fs/finish.h"
#include "fs/quota.h"
#include "fs/super_find.h"

#include <errno.h>

#define SUPERBLOCK_MAX (1u << SB_MAX_SECTOR_LOG)
#define OVERLAY_MEMORY (16u << 20) /* what of a replayed log stays in memory */
#define JOURNAL_MEMORY (32u << 20) /* for what is not home yet */
#define SUPERBLOCK_MIN (1u << SB_MIN_SECTOR_LOG)

/* What the superblock says, when it can be true; the CRC that fits best otherwise. */
static u32 sector_size_of(const u8 *block, u64 readable)
{
	const struct sb *sb = (const struct sb *)block;
	u32 said = be16_get(sb->sectsize), size;

	if (said >= SUPERBLOCK_MIN && said <= SUPERBLOCK_MAX && !(said & (said - 1)) &&
	    said <= readable)
		return said;
	for (size = SUPERBLOCK_MIN; size <= readable && size <= SUPERBLOCK_MAX; size *= 2)
		if (verify_crc(block, size, offsetof(struct sb, crc)) == le32_get(sb->crc))
			return size;
	return SUPERBLOCK_MIN;
}

static int check_devices(const struct vol *vol, const struct vol_options *options)
{
	const struct geometry *g = &vol->geo;
	u64 bytes = g->data_blocks << g->block_log;

	if (bytes > vol->data->size)
		return fail(-EUCLEAN,
			    "%s: the filesystem has %llu bytes, the device only %llu: truncated?",
			    vol->data->name, (unsigned long long)bytes,
			    (unsigned long long)vol->data->size);
	if (!g->log_internal && !vol->log && !options->no_recovery)
		return fail(-ENODEV, "%s: the log is on a device of its own, which is not given",
			    vol->data->name);
	return 0;
}

/* The primary superblock into vol->geo. */
static int load_superblock(struct vol *vol, const struct vol_options *options, u8 *block)
{
	const struct meta_type *type = vol_type(vol, META_SUPERBLOCK);
	u64 readable = min_u64(vol->data->size, SUPERBLOCK_MAX);
	struct first_finding first = {0};
	struct verdict v = {
	    .raise = raise_first,
	    .where = {.type = type->name, .ag = 0, .ino = NO_INO, .owner = NO_OWNER},
	    .sink = &first};
	int err;

	if (readable < SUPERBLOCK_MIN)
		return fail(-EUCLEAN, "%s: %llu bytes are too few for a filesystem",
			    vol->data->name, (unsigned long long)vol->data->size);
	err = device_read(vol->data, daddr_of(0), block, (size_t)readable);
	if (err)
		return fail_in(err, "superblock");
	/* A strict caller wants the primary or nothing. */
	if (options->verdict || options->doubtful_super)
		err = super_find(vol->env, vol->data, block, (u32)readable, &vol->geo,
				 &vol->super_at);
	else
		err = geometry_from_sb(&vol->geo, (const struct sb *)block);
	if (err)
		return fail_in(err, "%s", vol->data->name);
	verify(&v, type, &vol->geo, block, sector_size_of(block, readable));
	if (first.err && !options->verdict && !options->doubtful_super)
		return fail_in(first.err, "%s", vol->data->name);
	return check_devices(vol, options);
}

static int empty_log(struct vol *vol, const struct log_options *log_options)
{
	struct log_loss loss = vol->log_status.loss;
	int err = log_discard(vol->env, &vol->geo, vol->data, vol->log);

	vol->log_emptied = !err;
	log_status_free(vol->env, &vol->log_status);
	if (!err)
		err = log_examine(vol->env, &vol->geo, vol->data, vol->log, log_options,
				  &vol->log_status);
	vol->log_status.loss = loss;
	return err;
}

static void tell_refusal(const struct vol *vol, const struct vol_options *options, int err)
{
	if (options->log_refused)
		*options->log_refused = err == -EUCLEAN && !options->accept_loss &&
					vol->log_status.state == LOG_DAMAGED;
}

static int recover_log(struct vol *vol, const struct vol_options *options,
		       const struct log_options *log_options)
{
	int err = options->write ? 0 : device_cover(vol->env, OVERLAY_MEMORY, &vol->data);

	if (err)
		return err;
	vol->replayed = true;
	return log_recover(vol->env, &vol->geo, vol->data, vol->log, log_options, &vol->log_status);
}

/* A dirty log is replayed above the device, or onto it by who will write. */
static int replay_log(struct vol *vol, const struct vol_options *options)
{
	const struct log_options log_options = {
	    .types = vol->types, .verdict = options->verdict, .accept_loss = options->accept_loss};
	int err =
	    log_examine(vol->env, &vol->geo, vol->data, vol->log, &log_options, &vol->log_status);

	if (options->discard_log && options->write &&
	    (err == -EUCLEAN || vol->log_status.state != LOG_CLEAN))
		err = empty_log(vol, &log_options);
	if (!err && vol->log_status.state == LOG_DIRTY)
		err = recover_log(vol, options, &log_options);
	tell_refusal(vol, options, err);
	/* what is whole of it has been replayed, and the rest was given up */
	if (!err && options->write && options->repair && vol->log_status.state == LOG_DAMAGED)
		err = empty_log(vol, &log_options);
	return err;
}

/* For who looks at the disk as it is. */
static int look_at_log(struct vol *vol, const struct vol_options *options)
{
	const struct log_options log_options = {.types = vol->types, .verdict = options->verdict};
	int err =
	    log_look(vol->env, &vol->geo, vol->data, vol->log, &log_options, &vol->log_status);

	/* where a damaged one ends is not known: no block can be ahead of it */
	if (vol->log_status.state == LOG_DAMAGED)
		vol->log_status.head_cycle = 0;
	return err;
}

/* What the log announced and did not do; the superblock's counters change with it. */
static int finish_log(struct vol *vol, const struct vol_options *options, u8 *block)
{
	struct log_status *status = &vol->log_status;
	u16 qflags = vol->geo.quota_flags;
	bool pending = status->pending;
	int err;

	/* a repair counts anew: damaged quotas are not to keep it from beginning */
	if (options->repair)
		vol->geo.quota_flags = 0;
	err = pending ? finish_pending(vol, status) : 0;
	vol->geo.quota_flags = qflags;
	if (!err && pending)
		err = load_superblock(vol, options, block);
	if (!err && options->verdict)
		log_pending_report(status, &vol->geo, options->verdict);
	return err;
}

/* ---- writing ---- */

/* Of a superblock with findings, what most of its fields say. */
static bool has_realtime(const struct geometry *g)
{
	return !!g->rt_blocks + !!g->rt_extents + !!g->rt_bitmap_blocks >= 2;
}

static int check_writable(const struct vol *vol, const struct vol_options *options)
{
	const char *why = NULL;

	if (vol->data->read_only)
		why = "the device is read-only";
	else if (options->no_recovery)
		why = "its log has not been replayed";
	else if (options->repair)
		why = vol->log_status.state == LOG_DAMAGED ? "its log is damaged" : NULL;
	else if (vol->super_at.v && !options->doubtful_super)
		why = "the primary superblock is lost";
	else if (vol->log_status.state == LOG_DAMAGED)
		why = "its log is damaged";
	else if (geometry_has(&vol->geo, FEATURE_NEEDSREPAIR))
		why = "it needs repair (needsrepair)";
	else if (has_realtime(&vol->geo))
		why = "it has a realtime section";
	return why ? fail(-EROFS, "%s: cannot be written to: %s", vol->data->name, why) : 0;
}

/* From here on vol->data is what the journal shows. */
static int open_journal(struct vol *vol, const struct vol_options *options)
{
	const struct journal_options journal_options = {
	    .g = &vol->geo,
	    .home = vol->data,
	    .log = vol->log,
	    .status = &vol->log_status,
	    .memory = JOURNAL_MEMORY,
	};
	int err = check_writable(vol, options);

	if (!err)
		err = journal_open(vol->env, &journal_options, &vol->journal);
	if (!err)
		vol->data = journal_device(vol->journal);
	return err;
}

/* What finishing has done goes to the log in one checkpoint: with that the intents are behind the
 * tail, and never come again. */
static int settle_recovery(struct vol *vol)
{
	if (vol->log_status.pending)
		return fail(-EROFS,
			    "%s: cannot be written to: its log has intents that cannot be "
			    "finished",
			    vol->home->name);
	return vol->replayed ? journal_push(vol->journal) : 0;
}

static int open_steps(struct vol *vol, const struct vol_options *options, u8 *block)
{
	int err = load_superblock(vol, options, block);

	if (!err && !options->no_recovery) {
		err = replay_log(vol, options);
		if (!err && vol->replayed)
			err = load_superblock(vol, options, block);
	} else if (!err && options->tell_log) {
		err = look_at_log(vol, options);
	}
	vol->home = vol->data;
	if (!err && options->write)
		err = open_journal(vol, options);
	if (err)
		return err;
	err = cache_open(vol->env, vol->data, &vol->geo, options->memory, &vol->cache);
	if (err)
		return err;
	if (vol->journal) {
		journal_attach(vol->journal, vol->cache);
		journal_hold(vol->journal, true);
	}
	err = finish_log(vol, options, block);
	if (err || !vol->journal)
		return err;
	journal_hold(vol->journal, false);
	err = settle_recovery(vol);
	/* Not before: what a log has left undone does not balance until it is done. */
	if (!err && vol->types->guard && !options->no_guard)
		err = vol->types->guard->open(vol, &vol->guard);
	vol->writable = !err;
	return err;
}

int vol_begin(struct vol *vol, struct vol *view, struct txn **out)
{
	int err;

	*out = NULL;
	if (vol->journal)
		err = journal_begin(vol->journal, vol->alone, out);
	else if (vol->data->read_only)
		err = fail(-EROFS, "%s: opened to read", vol->data->name);
	else
		err = txn_begin(vol->env, vol->cache, vol->data, &vol->geo, out);
	if (err)
		return err;
	txn_use_guard(*out, vol->alone ? NULL : vol->guard);
	if (view)
		*view = vol_in(vol, *out);
	return 0;
}

/* What a checksum, a log sequence number and the count of changes say to nobody who has it in
 * memory. */
static bool inode_differs(const struct txn_change *c)
{
	u32 from = offsetof(struct dinode, crc),
	    end = offsetof(struct dinode, lsn) + (u32)sizeof(((struct dinode *)0)->lsn);

	return !c->before || !c->after || txn_first_difference(c, 0, from) < from ||
	       txn_first_difference(c, end, c->size) < c->size;
}

static int tell_repaired(void *arg, const struct txn_change *c)
{
	const struct vol_repaired *repaired = arg;
	u64 ino = c->where->ino != NO_INO ? c->where->ino : c->where->owner;

	if ((s64)ino > 0 && (c->type->id != META_INODE || inode_differs(c)))
		repaired->inode(repaired->arg, ino);
	return 0;
}

int vol_end(struct vol *vol, struct txn *txn, int err)
{
	if (!err && vol->alone && vol->repaired)
		txn_each_change(txn, tell_repaired, (void *)vol->repaired);
	/* a repair brings the records to what it has found, when it comes to them */
	if (!err && !vol->alone && quota_types_counted(&vol->geo))
		err = quota_settle(vol, txn);
	if (vol->journal)
		return journal_end(vol->journal, vol->alone, txn, err);
	if (!err)
		return txn_commit(txn);
	txn_rollback(txn);
	return err;
}

static void set_alone(struct vol *vol, struct vol *alone)
{
	*alone = *vol;
	alone->alone = true;
	alone->origin = vol;
}

void vol_alone_begin(struct vol *vol, struct vol *alone)
{
	if (vol->journal)
		journal_alone(vol->journal, true);
	set_alone(vol, alone);
}

void vol_alone_too(struct vol *vol, struct vol *alone)
{
	if (vol->journal)
		journal_alone_too(vol->journal);
	set_alone(vol, alone);
}

void vol_geometry_set(struct vol *vol, const struct geometry *g)
{
	vol->geo = *g;
	vol->super_at = daddr_of(0);
	if (vol->alone)
		vol_geometry_set(vol->origin, g);
}

void vol_alone_end(struct vol *alone)
{
	if (alone->journal)
		journal_alone(alone->journal, false);
}

void vol_read_begin(struct vol *vol)
{
	if (vol->journal)
		journal_read_begin(vol->journal);
}

void vol_read_end(struct vol *vol)
{
	if (vol->journal)
		journal_read_end(vol->journal);
}

void vol_stop(struct vol *vol)
{
	vol->writable = false; /* nothing is to be put home at the end */
	if (vol->journal)
		journal_stop(vol->journal);
}

int vol_open(struct env *env, const struct meta_types *types, const struct vol_options *options,
	     struct vol **out)
{
	struct vol *vol = env_alloc(env, sizeof(*vol));
	u8 *block = env_alloc(env, SUPERBLOCK_MAX);
	int err;

	*out = NULL;
	if (!vol || !block) {
		env_free(env, vol);
		env_free(env, block);
		device_close(options->data);
		device_close(options->log);
		device_close(options->rt);
		return fail(-ENOMEM, "opening a filesystem: out of memory");
	}
	vol->env = env;
	vol->types = types;
	vol->data = options->data;
	vol->log = options->log;
	vol->rt = options->rt;
	err = open_steps(vol, options, block);
	env_free(env, block);
	if (err) {
		vol_close(vol);
		return err;
	}
	*out = vol;
	return 0;
}

int vol_close(struct vol *vol)
{
	int err = 0;

	if (!vol)
		return 0;
	/* where opening has failed, nothing is to be put home */
	if (vol->writable)
		err = journal_finish(vol->journal);
	if (vol->guard)
		vol->types->guard->close(vol->guard);
	log_status_free(vol->env, &vol->log_status);
	journal_close(vol->journal);
	cache_close(vol->cache);
	device_close(vol->rt);
	device_close(vol->log);
	device_close(vol->home ? vol->home : vol->data);
	env_free(vol->env, vol);
	return err;
}
