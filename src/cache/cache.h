/*
 * The buffer cache: the one way to metadata.
 *
 * A buffer is one metadata object, read whole and verified by its descriptor when it is first read.
 * Buffers are counted; one that nobody holds stays until memory is needed (least recently used
 * goes first), so memory is bounded by `memory` plus what is held.  Content is immutable here:
 * readers of any number of threads share it without a lock.  A transaction makes a new content and
 * publishes it; where bytes have changed on the device, cache_forget() makes the next reader read
 * them anew; who holds the old content keeps it. A buffer may be made of several ranges of blocks
 * (directory blocks larger than a block).
 *
 * A unit has one size per type, so two buffers never overlap; the first address is the key.
 *
 * A view is a cache of another's content with objects in front that only its user sees: a
 * transaction reads what it has changed itself with the functions that everybody reads with.
 *
 * cache_get() fails with -EBADMSG (checksum) or -EUCLEAN (any other rule), the first finding as
 * trail, and keeps no bad buffer.  cache_get_raw() gives the bytes unverified: for the sweep, which
 * runs the rules with its own sink, and for inspect and damage.
 */
#ifndef MENDFS_CACHE_CACHE_H
#define MENDFS_CACHE_CACHE_H

#include "device/device.h"
#include "format/type.h"

struct cache;

struct cache_range {
	struct daddr at;
	u32 size; /* bytes */
};
#define CACHE_RANGES 64 /* a 64 KiB directory block of 1 KiB blocks */

struct buf {
	struct daddr at; /* of the first range */
	u32 size;
	const u8 *data;
	bool in_front; /* of a view: not the cache's, and not counted */
		       /* the rest belongs to the cache */
};

struct cache_stats {
	u64 reads, bytes; /* what was read from the device */
	u64 hits;
};

int cache_open(struct env *env, struct device *dev, const struct geometry *g, size_t memory,
	       struct cache **out);
void cache_close(struct cache *cache);

/* Objects of which a buffer has several, verified one by one: up to 64 that are known to have
 * passed. Content does not change, so they have for good. Of a view's own objects none is known. */
bool cache_part_known(const struct buf *buf, u32 part);
void cache_part_passed(struct buf *buf, u32 part);

/* What lies in front of a view. */
struct cache_front {
	/* The object at `at`, or *out NULL when the cache is to be asked. in_front is set in it,
	 * and it stays as long as the view. type NULL: any. */
	int (*find)(struct cache_front *front, const struct meta_type *type, struct daddr at,
		    u32 size, struct buf **out);
};
/* `below` stays the caller's, and open. */
int cache_open_view(struct cache *below, struct cache_front *front, struct cache **out);

/* `where` gives place and owner for verification and for the trail. */
int cache_get(struct cache *cache, const struct meta_type *type, const struct where *where,
	      struct daddr at, u32 size, struct buf **out);
int cache_get_raw(struct cache *cache, struct daddr at, u32 size, struct buf **out);
/* Several ranges as one buffer; type NULL: raw. */
int cache_get_ranges(struct cache *cache, const struct meta_type *type, const struct where *where,
		     const struct cache_range *ranges, u32 count, struct buf **out);
void cache_put(struct cache *cache, struct buf *buf);
/* The same by a reader that will not come back: unless others have asked for it too, its memory is
 * what the next read takes. So a sweep does not push out what others need, and stays in little
 * memory. */
void cache_done(struct cache *cache, struct buf *buf);
/* One more holder. */
void cache_hold(struct cache *cache, struct buf *buf);

/* A new content for these ranges that only the caller sees, to be written to: all zeroes, or with
 * zeroed false anything, to be written over. cache_put() throws it away, unless cache_publish() has
 * made it what readers get from now on. That it obeys the rules of `type` (NULL: not known) with
 * this owner is the caller's word. Who holds what was there before, keeps it. Neither the device
 * nor buffers that overlap otherwise are touched. */
int cache_make(struct cache *cache, const struct cache_range *ranges, u32 count, bool zeroed,
	       struct buf **out);
static inline u8 *cache_made_bytes(struct buf *buf)
{
	return (u8 *)(uintptr_t)buf->data;
}
void cache_publish(struct cache *cache, struct buf *buf, const struct meta_type *type, u64 owner);
/* Before that: what is as in `before` has passed if it has there. */
void cache_parts_as(struct buf *buf, const struct buf *before);
/* The bytes of these ranges have changed on the device; count 0: of all of it. */
void cache_forget(struct cache *cache, const struct cache_range *ranges, u32 count);
void cache_will_need(struct cache *cache, struct daddr at, u64 size);
void cache_stats(struct cache *cache, struct cache_stats *out);

#endif
