/*
 * A volume: one opened filesystem, mounted or not.
 *
 * Owns the devices, the cache and the geometry.  Opening verifies the primary superblock, and
 * replays a dirty log into an overlay unless told not to; the devices given are never written when
 * opened to read.  Opened to write, it has a journal (log/journal.h): vol_begin() and vol_end() are
 * around every change, and vol_close() leaves all on the device and a clean log.
 */
#ifndef MENDFS_FS_VOL_H
#define MENDFS_FS_VOL_H

#include "cache/cache.h"
#include "device/device.h"
#include "format/log.h"
#include "format/type.h"
#include "log/journal.h"
#include "log/recover.h"
#include "log/txn.h"

#include <errno.h>

struct vol;

/* Who guards the commits of volumes that are written to; it belongs to the table of types, since it
 * needs what they post. */
struct vol_guard {
	int (*open)(struct vol *vol, struct txn_guard **out);
	void (*close)(struct txn_guard *guard);
};

/* Who has to hear what a repair changes, since it has not asked for it: which inodes, or blocks
 * that hang on them. In the thread of the repair, before it is committed; done() behind all of it.
 */
struct vol_repaired {
	void (*inode)(void *arg, u64 ino);
	void (*done)(void *arg);
	void *arg;
};

struct vol {
	struct env *env;
	struct device *data; /* the overlay, once a log has been replayed; or the journal's */
	struct device *home; /* where file data goes: the same, or what lies below the journal */
	struct device *log;  /* NULL: internal */
	struct device *rt;   /* NULL: none given */
	struct geometry geo;
	struct daddr
	    super_at; /* the superblock that geo comes from: 0, or a copy if the primary is lost */
	struct cache *cache;
	struct journal *journal; /* NULL: opened to read */
	u32 rotor;		 /* the writer's: the AG for the next directory */
	bool writable;		 /* with a journal, and opened to the end */
	bool alone;		 /* see vol_alone_begin() */
	/* Not NULL: an AG that is built aside, whose trees get blocks from here alone. */
	struct space_pool *pool;
	struct vol *origin;		     /* whose copy it is then */
	struct txn_guard *guard;	     /* of all commits from then on; NULL: none */
	struct health *health;		     /* of one that is mounted (fs/health.h); NULL */
	const struct vol_repaired *repaired; /* NULL: nobody; the setter's */
	const struct meta_types *types;
	bool replayed;	  /* a dirty log was replayed into the overlay */
	bool log_emptied; /* for vol_options.discard_log, or after a loss that was accepted */
	/* What the log was like, and what its replay did; LOG_UNSEEN with no_recovery, unless
	 * tell_log. */
	struct log_status log_status;
};

struct vol_options {
	struct device *data, *log, *rt; /* vol_open takes them over, also when it fails */
	bool no_recovery;		/* look at a dirty image as it is */
	bool tell_log;			/* with no_recovery: whether there is a log to replay */
	bool accept_loss;		/* of a damaged log replay what is whole */
	/* To be changed: a dirty log is replayed onto the device, and commits go to the log. Not
	 * with no_recovery. -EROFS for a device or features that forbid it, by name. */
	bool write;
	bool *log_refused; /* may be NULL; else set when a damaged log is why opening has failed */
	/* With write: a log that is not clean is emptied instead, and what it has is lost. */
	bool discard_log;
	/* A superblock with findings will do as long as its geometry, or a copy's, can be worked
	 * with: what needs it is refused one by one. */
	bool doubtful_super;
	bool repair;   /* with write: damage is no reason to refuse */
	bool no_guard; /* its commits are not guarded: to measure what that costs */
	size_t memory; /* of the cache, bytes; 0: the default */
	/* Findings about the superblock and the log go here; NULL: only into the trail. */
	struct verdict *verdict;
};

int vol_open(struct env *env, const struct meta_types *types, const struct vol_options *options,
	     struct vol **out);
/* Where there is a journal: puts all home, and marks the log clean. The error of that; the volume
 * is closed in any case. */
int vol_close(struct vol *vol);

/* A transaction of the only writer; *view is the volume as it sees it. vol_end() commits it when
 * err is 0, rolls it back otherwise, and returns err or what the commit says. -EROFS without a
 * journal. */
int vol_begin(struct vol *vol, struct vol *view, struct txn **out);
int vol_end(struct vol *vol, struct txn *txn, int err);
/* For vol_end(), which returns it: rolls back what was begun only to keep others out. */
#define NOTHING_CHANGED (-ECANCELED)
/* Until vol_alone_end(), transactions of `alone`, a copy of vol, are the only ones: all others
 * wait. They are not guarded: a repair brings one side of the books to the other. Never closed. */
void vol_alone_begin(struct vol *vol, struct vol *alone);
void vol_alone_end(struct vol *alone);
/* The same for who is the repair already (journal_repair_begin()), which vol_alone_end() ends, too.
 */
void vol_alone_too(struct vol *vol, struct vol *alone);
/* From now on the geometry is this one, which is that of the primary superblock. */
void vol_geometry_set(struct vol *vol, const struct geometry *g);
/* Around the reading of several objects that belong together, on a volume that others change. */
void vol_read_begin(struct vol *vol);
void vol_read_end(struct vol *vol);
/* Of what is written to a copy that is only to be looked at, so much stays in memory; the rest
 * spills. */
#define VOL_COPY_MEMORY (64u << 20)
/* All metadata as of now, as a volume of its own that is opened to read: for check and inspect, of
 * a volume that is mounted. It is the caller's env that they use; of the options memory, verdict
 * and write count. With write it is a copy to be changed, and repaired: what is written stays in
 * memory, and is forgotten when it is closed. To be closed before `vol`. */
int vol_snapshot(struct vol *vol, struct env *env, const struct vol_options *how, struct vol **out);

/* A new label, of 12 bytes at most: in the superblock first, *ag 0, and then copy by copy until
 * *more is false. */
int label_set_step(struct vol *vol, struct txn *txn, const char *label, u32 *ag, bool *more);
/* From now on nothing is written any more, as if the machine had stopped: -EIO to whoever tries. */
void vol_stop(struct vol *vol);

/* The volume as a transaction sees it, for everything that reads: what it has changed is in front.
 * Good until the transaction ends; never closed. */
static inline struct vol vol_in(const struct vol *vol, struct txn *txn)
{
	struct vol view = *vol;

	view.cache = txn_view(txn);
	return view;
}

/* Where the log ended when the volume was opened: nothing can have been changed behind it by then.
 * 0: nobody has looked. */
static inline u64 vol_log_head(const struct vol *vol)
{
	const struct log_status *log = &vol->log_status;

	return log->head_cycle ? lsn_make(log->head_cycle, log->head_block) : 0;
}

static inline bool vol_lsn_ahead(const struct vol *vol, u64 lsn)
{
	return lsn_ahead(lsn, vol_log_head(vol));
}

static inline const struct meta_type *vol_type(const struct vol *vol, enum meta_id id)
{
	return vol->types->type[id];
}

#endif
