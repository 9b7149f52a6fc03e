/* Remote values of damaged attribute forks; see attr_salvage.h. */
#include "base/trail.h"
#include "fs/da.h"
#include "meta/attr_salvage.h"

#include <errno.h>

static struct buf *read_block(struct attr_salvage *s, u64 off)
{
	struct da_place place;
	struct buf *buf;

	if (!da_place_at(s->vol, &s->inode, FORK_ATTR, off, &place) && place.blocks == 1 &&
	    !cache_get_ranges(s->vol->cache, NULL, NULL, place.range, place.count, &buf))
		return buf;
	trail_clear();
	return NULL;
}

/* Most of its header says so. One behind a wrong checksum counts: a value is better than none. */
static bool is_piece(const struct attr_salvage *s, const struct buf *buf)
{
	const struct attr_remote *h = (const struct attr_remote *)buf->data;
	u32 says = (be32_get(h->magic) == ATTR_REMOTE_MAGIC) +
		   !memcmp(h->uuid, s->g->meta_uuid.b, sizeof(h->uuid)) +
		   (be64_get(h->owner) == s->inode.ino.v) + (be64_get(h->blkno) == buf->at.v / 512);

	return says >= 3;
}

static int add_chain(struct attr_salvage *s, u32 block)
{
	if (s->chains == s->room) {
		u32 room = s->room ? 2 * s->room : 64;
		struct value_chain *more =
		    env_grow(s->vol->env, s->chain, s->chains, room, sizeof(*more));

		if (!more)
			return fail(-ENOMEM, "attributes: out of memory");
		s->chain = more;
		s->room = room;
	}
	s->chain[s->chains++] = (struct value_chain){block, 0};
	return 0;
}

/* A block that begins a value, or goes on with the one before. */
static int see_block(void *arg, const struct da_place *place)
{
	struct attr_salvage *s = arg;
	struct value_chain *last = s->chains ? &s->chain[s->chains - 1] : NULL;
	const struct attr_remote *h;
	u32 room = attr_remote_room(s->g), offset, bytes;
	struct buf *buf = place->off > NULL32 ? NULL : read_block(s, place->off);

	if (!buf)
		return 0;
	h = (const struct attr_remote *)buf->data;
	offset = be32_get(h->offset);
	bytes = be32_get(h->bytes);
	if (is_piece(s, buf) && bytes && bytes <= room) {
		if (!offset)
			s->err = add_chain(s, (u32)place->off);
		else if (last && offset == last->length && last->length % room == 0 &&
			 place->off == (u64)last->block + last->length / room)
			last = &s->chain[s->chains - 1];
		else
			last = NULL;
		if (!s->err && (!offset || last))
			s->chain[s->chains - 1].length += bytes;
	}
	cache_put(s->vol->cache, buf);
	return s->err != 0;
}

int attr_values_find(struct attr_salvage *s)
{
	int err = da_place_each(s->vol, &s->inode, FORK_ATTR, 0, NULL64, see_block, s);

	if (s->err)
		return s->err;
	if (err == -ENOMEM || err == -EIO)
		return err;
	trail_clear(); /* the rest of the map cannot be followed */
	return 0;
}

/* Pieces from `block` on, of that length; false when one is not whole. */
static bool read_pieces(struct attr_salvage *s, u32 block, u32 length, u8 *to)
{
	u32 room = attr_remote_room(s->g);

	for (u32 at = 0, i = 0; at < length; at += room, i++) {
		struct buf *buf = read_block(s, (u64)block + i);
		bool whole = buf && is_piece(s, buf);

		if (whole)
			memcpy(to + at, buf->data + sizeof(struct attr_remote),
			       min_u64(room, length - at));
		cache_put(s->vol->cache, buf);
		if (!whole)
			return false;
	}
	return true;
}

/* How many blocks from there on say that they are what a value of that length has there; *most: as
 * many as it has. */
static u32 count_pieces(struct attr_salvage *s, u32 block, u32 length, u32 *most)
{
	u32 room = attr_remote_room(s->g), count = 0;

	*most = 0;
	for (u32 at = 0; block && length <= ATTR_VALUE_MAX && at < length; at += room) {
		struct buf *buf = read_block(s, (u64)block + (*most)++);
		const struct attr_remote *h;

		if (!buf)
			continue;
		h = (const struct attr_remote *)buf->data;
		count += is_piece(s, buf) && be32_get(h->offset) == at &&
			 be32_get(h->bytes) == min_u64(room, length - at);
		cache_put(s->vol->cache, buf);
	}
	return count;
}

/* The place and length that the blocks tell, where the entry's cannot be. */
static void mend_place(struct attr_salvage *s, struct attr_slot *slot)
{
	const struct value_chain *found = NULL;
	u32 most, other, alike = 0,
			 here = count_pieces(s, slot->value_block, slot->value_length, &most);

	if (most && here == most)
		return;

	for (u32 i = 0; i < s->chains; i++) {
		const struct value_chain *c = &s->chain[i];

		if (c->block == slot->value_block &&
		    here < count_pieces(s, c->block, c->length, &other)) {
			s->mended += c->length != slot->value_length;
			slot->value_length = c->length;
			return;
		}
		if (c->length == slot->value_length) {
			found = c;
			alike++;
		}
	}
	/* a block of it is damaged, but it is the one */
	if (alike != 1 || here * 2 > most)
		return;
	slot->value_block = found->block;
	s->mended++;
}

int attr_value_read(struct attr_salvage *s, struct attr_slot *slot, u8 **value)
{
	*value = NULL;
	mend_place(s, slot);
	if (!slot->value_length || slot->value_length > ATTR_VALUE_MAX || !slot->value_block)
		return 0;
	*value = env_alloc(s->vol->env, slot->value_length);
	if (!*value)
		return fail(-ENOMEM, "attributes: out of memory");
	if (read_pieces(s, slot->value_block, slot->value_length, *value))
		return 0;
	env_free(s->vol->env, *value);
	*value = NULL;
	return 0;
}
