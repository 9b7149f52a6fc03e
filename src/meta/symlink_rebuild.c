/*
 * The target of a symbolic link, as far as it can be proven; see rebuild.h.
 *
 * Its length is said by the inode's size and, for targets in blocks, once more by their headers;
 * the bytes before a zero byte are the target in any case. Where the two differ, the longer is
 * believed in which there is no zero byte. A block counts when most of its header says whose it is:
 * a target behind a wrong checksum is better than none. One of which nothing is left becomes LOST:
 * there is no link without a target, and the name should not go for it.
 */
#include "base/trail.h"
#include "format/symlink.h"
#include "format/verify.h"
#include "fs/fork.h"
#include "fs/fork_modify.h"
#include "fs/names_impl.h"
#include "meta/rebuild.h"

#include <errno.h>
#include <sys/stat.h>

#define LOST "...target-lost"

struct salvage {
	struct vol *vol;
	const struct inode *inode;
	u32 length; /* the inode's size, where it can be one */
	u32 done;
	bool whole;    /* nothing is missing so far */
	bool doubtful; /* a checksum is wrong */
	char target[SYMLINK_MAX + 1];
};

static bool is_piece(struct salvage *s, const u8 *block, u32 size, u64 at)
{
	const struct symlink_hdr *h = (const struct symlink_hdr *)block;
	u32 says = (be32_get(h->magic) == SYMLINK_MAGIC) +
		   !memcmp(h->uuid, s->vol->geo.meta_uuid.b, sizeof(h->uuid)) +
		   (be64_get(h->owner) == s->inode->ino.v) + (be64_get(h->blkno) == at / 512);

	s->doubtful |=
	    verify_crc(block, size, offsetof(struct symlink_hdr, crc)) != le32_get(h->crc);
	return says >= 3;
}

/* How many bytes of the target are here. Fewer than both witnesses say: the rest is lost. */
static u32 piece_bytes(struct salvage *s, const u8 *block, u32 size)
{
	const char *text = (const char *)block + sizeof(struct symlink_hdr);
	u32 room = (u32)min_u64(size - sizeof(struct symlink_hdr), SYMLINK_MAX - 1 - s->done);
	u32 full = (u32)strnlen(text, room), best = 0;
	u32 left = s->length > s->done ? s->length - s->done : 0;
	const u32 said[] = {be32_get(((const struct symlink_hdr *)block)->bytes),
			    left < room ? left : room};

	for (u32 i = 0; i < ARRAY_COUNT(said); i++)
		if (said[i] <= full && said[i] > best)
			best = said[i];
	s->whole = best != 0;
	return best ? best : full;
}

static int take_piece(void *arg, const struct extent *e)
{
	struct salvage *s = arg;
	const struct geometry *g = &s->vol->geo;
	struct daddr at;
	struct buf *buf;
	u32 size;

	s->whole = false;
	if (!fsblock_valid(g, fsblock_of(e->start), e->count) || e->count > SYMLINK_MAX)
		return 1;
	size = (u32)e->count << g->block_log;
	at = fsblock_daddr(g, fsblock_of(e->start));
	if (cache_get_raw(s->vol->cache, at, size, &buf)) {
		trail_clear();
		return 1;
	}
	if (is_piece(s, buf->data, size, at.v)) {
		u32 bytes = piece_bytes(s, buf->data, size);

		memcpy(s->target + s->done, buf->data + sizeof(struct symlink_hdr), bytes);
		s->done += bytes;
	}
	cache_put(s->vol->cache, buf);
	return !s->whole;
}

static void read_inline(struct salvage *s, const struct fork *fork)
{
	u32 room = (u32)min_u64(fork->size, SYMLINK_MAX - 1);

	if (s->length && s->length < room)
		room = s->length;
	memcpy(s->target, fork->data, room);
	s->done = (u32)strnlen(s->target, room);
	/* a fork is longer than what is in it */
	s->whole = !s->length || s->length == s->done;
	for (u32 i = s->done; i < room && !s->whole; i++)
		if (s->target[i])
			return;
	s->whole = true;
}

static void read_target(struct salvage *s)
{
	const struct fork *fork = &s->inode->fork[FORK_DATA];

	if (fork->format == FORMAT_LOCAL)
		read_inline(s, fork);
	else if (fork_each(s->vol, s->inode, FORK_DATA, fileoff_of(0), take_piece, s) < 0)
		trail_clear();
	s->target[s->done] = 0;
	if (s->done && s->whole)
		return;
	s->whole = false;
	s->done = (u32)min_u64(s->done, SYMLINK_MAX - sizeof(LOST));
	memcpy(s->target + s->done, LOST, sizeof(LOST));
}

static int replace(struct repair *r, struct txn *txn, struct node *n, const char *target)
{
	struct fork_edit f;
	struct inode inode;
	int err = 0;

	inode_parse(&r->vol->geo, n->ino, n->buf->data, &inode);
	fork_edit_open(&f, r->vol, txn, n->ino, n->buf, FORK_DATA);
	if (inode.fork[FORK_DATA].format != FORMAT_LOCAL)
		err = fork_release(&f, 0, FILEOFF_END);
	if (err)
		return err;
	txn_dirty(txn, n->buf);
	n->d->format = FORMAT_LOCAL;
	memset(n->buf->data + (inode.fork[FORK_DATA].data - n->buf->data), 0,
	       inode.fork[FORK_DATA].size);
	return node_write_target(r->vol, txn, n, target);
}

static int rebuild(struct repair *r, struct vol *view, struct txn *txn, u64 ino, struct salvage *s,
		   struct inode *inode)
{
	struct node n;
	int err = node_open(r->vol, txn, inum_of(ino), &n);

	if (err || !node_is(&n, S_IFLNK))
		return err;
	inode_parse(&r->vol->geo, n.ino, n.buf->data, inode);
	s->vol = view;
	s->inode = inode;
	s->length = inode->size < SYMLINK_MAX ? (u32)inode->size : 0;
	read_target(s);
	return replace(r, txn, &n, s->target);
}

int symlink_rebuild(struct repair *r, u32 ag, u64 ino)
{
	struct salvage *s = env_alloc(r->vol->env, sizeof(*s));
	struct inode inode = {0};
	struct vol view;
	struct txn *txn;
	int err = s ? vol_begin(r->vol, &view, &txn) : fail(-ENOMEM, "out of memory");

	(void)ag;
	if (!err)
		err = vol_end(r->vol, txn, rebuild(r, &view, txn, ino, s, &inode));
	if (!err)
		repair_say(r, "symbolic link %llu: leads to '%s' now%s", (unsigned long long)ino,
			   s->target,
			   !s->whole	 ? ": the rest of its target is lost"
			   : s->doubtful ? ": a checksum of it was wrong"
					 : "");
	env_free(r->vol->env, s);
	return err;
}
