/* Finding chunks of inodes; see chunk_find.h. */
#include "fs/chunk_find.h"

#include "base/trail.h"
#include "format/inode.h"
#include "format/verify.h"

#include <errno.h>

struct search {
	const struct chunk_find *find;
	const struct geometry *g;
	struct found_chunks *out;
	u32 room;
	u8 *unit; /* one aligned piece */
	u32 unit_blocks;
	u64 used; /* of the chunk at hand */
};

/* Where pieces may begin, in blocks; and how long each is. */
static u32 unit_blocks(const struct geometry *g)
{
	if (geometry_has(g, FEATURE_SPARSE) && g->spino_align)
		return g->spino_align < g->chunk_blocks ? g->spino_align : g->chunk_blocks;
	return g->chunk_blocks;
}

static u32 step_blocks(const struct geometry *g)
{
	if (geometry_has(g, FEATURE_SPARSE) && g->spino_align)
		return unit_blocks(g);
	/* alignment may be less than a chunk on old filesystems */
	return g->inode_align ? (u32)min_u64(g->inode_align, g->chunk_blocks) : 1;
}

u32 chunk_record_start(const struct geometry *g, u32 agino)
{
	u32 bno = agino_bno(g, agino), align = g->inode_align ? g->inode_align : 1;

	if (g->inodes_per_block >= INODES_PER_CHUNK)
		return agino - agino % INODES_PER_CHUNK;
	return (bno - bno % align) << g->inopb_log;
}

static bool is_inode(const struct search *s, u32 agino, const u8 *raw)
{
	const struct geometry *g = s->g;
	const struct dinode *d = (const struct dinode *)raw;

	return be16_get(d->magic) == INODE_MAGIC && d->version == INODE_VERSION &&
	       be64_get(d->ino) == inum_make(g, s->find->ag, agino).v &&
	       !memcmp(d->uuid, g->meta_uuid.b, sizeof(d->uuid)) &&
	       verify_crc(raw, g->inode_size, offsetof(struct dinode, crc)) == le32_get(d->crc);
}

static int read_blocks(struct search *s, u32 bno, u32 index, u32 count)
{
	const struct geometry *g = s->g;

	return device_read(s->find->vol->data, agblock_daddr(g, s->find->ag, bno + index),
			   s->unit + ((size_t)index << g->block_log),
			   (size_t)count << g->block_log);
}

static const u8 *inode_at(const struct search *s, u32 index)
{
	return s->unit + ((size_t)index << s->g->inode_log);
}

/* Any inode in the first block. */
static bool looks_like(struct search *s, u32 bno)
{
	u32 agino = bno << s->g->inopb_log;

	for (u32 i = 0; i < s->g->inodes_per_block; i++)
		if (is_inode(s, agino + i, inode_at(s, i)))
			return true;
	return false;
}

static int grow(struct search *s)
{
	u32 room = s->room ? s->room * 2 : 64;
	struct found_chunk *chunk =
	    env_grow(s->find->vol->env, s->out->chunk, s->out->count, room, sizeof(*chunk));

	if (!chunk)
		return fail(-ENOMEM, "looking for inodes: out of memory");
	s->out->chunk = chunk;
	s->room = room;
	return 0;
}

/* The last chunk is complete: unless nothing is in use in it. */
static void finish_chunk(struct search *s)
{
	if (s->out->count && !s->used)
		s->out->count--;
	s->used = 0;
}

/* `count` inodes from `agino` on, all in one record. */
static int add_piece(struct search *s, u32 agino, u32 index, u32 count)
{
	u32 start = chunk_record_start(s->g, agino), first = agino - start;
	struct found_chunk *c;

	if (first + count > INODES_PER_CHUNK)
		return 0;
	if (!s->out->count || s->out->chunk[s->out->count - 1].startino != start) {
		finish_chunk(s);
		if (s->out->count == s->room) {
			int err = grow(s);

			if (err)
				return err;
		}
		s->out->chunk[s->out->count++] = (struct found_chunk){start, NULL64};
	}
	c = &s->out->chunk[s->out->count - 1];
	for (u32 i = 0; i < count; i++) {
		const struct dinode *d = (const struct dinode *)inode_at(s, index + i);

		c->holes &= ~(1ull << (first + i));
		if (is_inode(s, agino + i, inode_at(s, index + i)) && be16_get(d->mode))
			s->used |= 1ull << (first + i);
	}
	return 0;
}

static int add_unit(struct search *s, u32 bno)
{
	u32 inodes = s->unit_blocks << s->g->inopb_log, agino = bno << s->g->inopb_log;
	int err = 0;

	for (u32 i = 0; i < inodes && !err; i += INODES_PER_CHUNK)
		err = add_piece(s, agino + i, i, (u32)min_u64(inodes - i, INODES_PER_CHUNK));
	return err;
}

static bool may_hold(const struct search *s, u32 bno)
{
	for (u32 i = 0; i < s->unit_blocks; i++)
		if (!s->find->candidate(s->find->arg, bno + i))
			return false;
	return true;
}

static int look(struct search *s)
{
	const struct geometry *g = s->g;
	u32 length = geometry_ag_blocks(g, s->find->ag), step = step_blocks(g);
	u32 first = geometry_ag_header_blocks(g);
	int err = 0;

	for (u64 bno = div_up_u64(first, step) * step; bno + s->unit_blocks <= length && !err;) {
		u64 next = bno + step;

		if (may_hold(s, (u32)bno) && !read_blocks(s, (u32)bno, 0, 1) &&
		    looks_like(s, (u32)bno) &&
		    (s->unit_blocks == 1 || !read_blocks(s, (u32)bno, 1, s->unit_blocks - 1))) {
			err = add_unit(s, (u32)bno);
			next = bno + s->unit_blocks;
		}
		bno = next;
	}
	finish_chunk(s);
	return err;
}

int chunk_find(const struct chunk_find *find, struct found_chunks *out)
{
	struct env *env = find->vol->env;
	struct search s = {.find = find, .g = &find->vol->geo, .out = out};
	int err;

	*out = (struct found_chunks){NULL, 0};
	s.unit_blocks = unit_blocks(s.g);
	s.unit = env_array(env, s.unit_blocks, s.g->block_size);
	err = s.unit ? grow(&s) : fail(-ENOMEM, "looking for inodes: out of memory");
	if (!err)
		err = look(&s);
	env_free(env, s.unit);
	if (err)
		env_free(env, out->chunk);
	else
		trail_clear();
	return err;
}
