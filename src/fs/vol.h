/*
 * A volume: one opened filesystem, mounted or not.
 *
 * Owns the devices, the cache and the geometry.  Opening verifies the primary superblock, and
 * replays a dirty log into an overlay unless told not to; the devices given are never written when
 * opened read-only.
 */
#ifndef MENDFS_FS_VOL_H
#define MENDFS_FS_VOL_H

#include "cache/cache.h"
#include "device/device.h"
#include "format/type.h"
#include "log/recover.h"
#include "log/txn.h"

struct vol {
	struct env *env;
	struct device *data; /* the overlay, once a log has been replayed */
	struct device *log;  /* NULL: internal */
	struct device *rt;   /* NULL: none given */
	struct geometry geo;
	struct daddr
	    super_at; /* the superblock that geo comes from: 0, or a copy if the primary is lost */
	struct cache *cache;
	const struct meta_types *types;
	bool replayed; /* a dirty log was replayed into the overlay */
	/* What the log was like, and what its replay did; zeros with no_recovery. */
	struct log_status log_status;
};

struct vol_options {
	struct device *data, *log, *rt; /* vol_open takes them over, also when it fails */
	bool no_recovery;		/* look at a dirty image as it is */
	bool accept_loss;		/* of a damaged log replay what is whole */
	size_t memory;			/* of the cache, bytes; 0: the default */
	/* Findings about the superblock and the log go here; NULL: only into the trail. */
	struct verdict *verdict;
};

int vol_open(struct env *env, const struct meta_types *types, const struct vol_options *options,
	     struct vol **out);
void vol_close(struct vol *vol);

/* The volume as a transaction sees it, for everything that reads: what it has changed is in front.
 * Good until the transaction ends; never closed. */
static inline struct vol vol_in(const struct vol *vol, struct txn *txn)
{
	struct vol view = *vol;

	view.cache = txn_view(txn);
	return view;
}

static inline const struct meta_type *vol_type(const struct vol *vol, enum meta_id id)
{
	return vol->types->type[id];
}

#endif
