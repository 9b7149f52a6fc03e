/*
 * Rebuilding one inode and its maps; see rebuild.h.
 *
 * One transaction: the record is mended in a copy, its forks are decided, and the inode is written
 * when its own rules let it pass.  Nothing else has changed until then but blocks of new maps.
 */
#include "base/trail.h"
#include "format/symlink.h"
#include "format/verify.h"
#include "fs/fork.h"
#include "fs/inode.h"
#include "fs/rmap.h"
#include "meta/fork_rebuild.h"

#include <errno.h>
#include <sys/stat.h>

#define SYMLINK_TARGET_MAX 1024

struct target {
	struct vol *view;
	u64 ino, bytes;
	bool broken;
};

struct place {
	struct txn_buf *cluster;
	u32 offset;
	struct where where; /* of the inode */
};

static int find_place(struct vol *view, struct txn *txn, struct inum ino, struct place *p)
{
	const struct geometry *g = &view->geo;
	const struct meta_type *all = vol_type(view, META_INODES);
	u32 ag = inum_ag(g, ino), agino = inum_agino(g, ino), bno, blocks;
	struct where where = {.type = all->name, .ag = ag, .ino = NO_INO, .owner = NO_OWNER};
	struct daddr at;

	inode_cluster(g, ag, agino, &bno, &blocks);
	at = agblock_daddr(g, ag, bno);
	where.daddr = at.v;
	p->offset = (agino - (bno << g->inopb_log)) << g->inode_log;
	p->where = (struct where){.type = vol_type(view, META_INODE)->name,
				  .ag = ag,
				  .ino = ino.v,
				  .daddr = at.v + p->offset,
				  .owner = ino.v};
	return txn_get_whole(txn, all, &where, at, blocks << g->block_log, &p->cluster);
}

static enum inode_use use_of(struct vol *view, struct inum ino)
{
	bool used;
	int err = inode_listed(view, ino, &used);

	trail_clear();
	return err ? USE_UNKNOWN : used ? USE_TAKEN : USE_FREE;
}

static int write_back(struct vol *view, struct txn *txn, const struct place *p, const u8 *raw)
{
	struct txn_buf *buf;
	int err = txn_part(txn, p->cluster, vol_type(view, META_INODE), &p->where, p->offset,
			   view->geo.inode_size, &buf);

	if (err)
		return err;
	txn_dirty(txn, buf);
	memcpy(buf->data, raw, view->geo.inode_size);
	return 0;
}

static bool checksum_right(const u8 *raw, u32 size)
{
	return verify_crc(raw, size, offsetof(struct dinode, crc)) ==
	       le32_get(((const struct dinode *)raw)->crc);
}

/* The length of a target in blocks of its own: what their headers say. */
static int add_target(void *arg, const struct extent *e)
{
	struct target *t = arg;
	const struct geometry *g = &t->view->geo;

	for (u64 i = 0; i < e->count && !t->broken; i++) {
		struct fsblock at = fsblock_of(e->start + i);
		struct symlink_hdr header;

		t->broken =
		    device_read(t->view->data, fsblock_daddr(g, at), &header, sizeof(header)) ||
		    be32_get(header.magic) != SYMLINK_MAGIC || be64_get(header.owner) != t->ino;
		if (!t->broken)
			t->bytes += be32_get(header.bytes);
	}
	return t->broken;
}

static void mend_target_size(struct mend_inode *m, struct vol *view)
{
	struct target t = {.view = view, .ino = m->ino};
	struct inode inode;

	inode_parse(m->g, inum_of(m->ino), m->raw, &inode);
	/* between a size that can be and another, the rebuild of the target decides */
	if (!S_ISLNK(inode.mode) || inode.fork[FORK_DATA].format != FORMAT_EXTENTS ||
	    !inode.fork[FORK_DATA].extents || inode.size)
		return;
	if (fork_each(view, &inode, FORK_DATA, fileoff_of(0), add_target, &t) || !t.bytes ||
	    t.bytes > SYMLINK_TARGET_MAX)
		trail_clear();
	else
		inode_set(m, "size", t.bytes);
}

/* Is an inode at that place at all? What does not look like one is overwritten only where the
 * reverse map has inodes there, or something beside it looks like one: the inobt that led here may
 * be damaged itself. */
static bool is_place(struct vol *view, struct txn *txn, const struct mend_inode *m,
		     const struct place *p)
{
	const struct geometry *g = &view->geo;
	u64 first = m->ino - (p->offset >> g->inode_log), owner;
	struct fsblock at = fsblock_make(g, inum_ag(g, inum_of(m->ino)),
					 inum_agino(g, inum_of(m->ino)) >> g->inopb_log);

	for (u32 i = 0; i < p->cluster->size >> g->inode_log; i++)
		if (inode_believable(g, first + i, p->cluster->data + ((size_t)i << g->inode_log)))
			return true;
	return rmap_owner_at(view, txn, at, &owner) && (s64)owner == RMAP_OWN_INODES;
}

static int mend(struct repair *r, struct vol *view, struct txn *txn, struct mend_inode *m,
		struct fork_work *w, bool *changed)
{
	u32 size = view->geo.inode_size;
	struct place p;
	int err = find_place(view, txn, inum_of(m->ino), &p);

	if (!err && !is_place(view, txn, m, &p))
		err = fail(-EUCLEAN, "inode %llu: something else is at its place",
			   (unsigned long long)m->ino);
	if (err)
		return err;
	memcpy(m->raw, p.cluster->data + p.offset, size);
	m->use = use_of(view, inum_of(m->ino));
	inode_mend(m);
	*w = (struct fork_work){.r = r, .view = view, .txn = txn, .m = m};
	if (!m->freed)
		err = forks_rebuild(w);
	if (!err && !m->freed)
		inode_mend_size(m);
	if (!err && !m->freed)
		mend_target_size(m, view);
	/* a wrong checksum alone is put right by writing */
	*changed = !err && (r->force || *m->what || w->rewritten[0] || w->rewritten[1] ||
			    !checksum_right(p.cluster->data + p.offset, size));
	return err || !*changed ? err : write_back(view, txn, &p, m->raw);
}

static void say_lost(struct repair *r, unsigned long long ino, const struct fork_work *w)
{
	u64 bytes = w->lost_blocks << r->vol->geo.block_log;

	if (r->lost)
		r->lost->bytes += bytes;
	if (bytes)
		repair_say(r, "inode %llu: %llu extents are lost, about %llu bytes", ino,
			   (unsigned long long)w->lost, (unsigned long long)bytes);
	else
		repair_say(r, "inode %llu: %llu extents are lost", ino,
			   (unsigned long long)w->lost);
}

static void say(struct repair *r, const struct mend_inode *m, const struct fork_work *w)
{
	unsigned long long ino = m->ino;
	const char *const fork[] = {"data", "attributes"};

	/* as it was, but for blocks of the map */
	if (r->force && !w->lost && (!*m->what || !strcmp(m->what, "nblocks")))
		return;
	if (*m->what)
		repair_say(r, "inode %llu: %s", ino, m->what);
	for (u32 i = 0; i < 2; i++)
		if (w->rewritten[i] && m->facts->rmaps && !inode_is_realtime(m))
			repair_say(r, "inode %llu: map of its %s from the reverse map", ino,
				   fork[i]);
		else if (w->rewritten[i])
			repair_say(r, "inode %llu: map of its %s from what could be read of it",
				   ino, fork[i]);
	if (w->lost)
		say_lost(r, ino, w);
	if (!*m->what && !w->rewritten[0] && !w->rewritten[1])
		repair_say(r, "inode %llu: checksum", ino);
}

int inode_rebuild(struct repair *r, u32 ag, u64 ino)
{
	const struct inode_facts none = {.ino = ino, .wanted = true};
	struct mend_inode m = {.g = &r->vol->geo,
			       .type = vol_type(r->vol, META_INODE),
			       .ino = ino,
			       .facts = r->inode ? r->inode : &none,
			       .head = vol_log_head(r->vol)};
	struct env *env = r->vol->env;
	struct fork_work w = {0};
	bool changed = false;
	struct vol view;
	struct txn *txn;
	int err;

	(void)ag;
	m.raw = env_alloc(env, r->vol->geo.inode_size);
	err = m.raw ? vol_begin(r->vol, &view, &txn) : fail(-ENOMEM, "an inode: out of memory");
	if (!err)
		err = vol_end(r->vol, txn, mend(r, &view, txn, &m, &w, &changed));
	if (!err && changed)
		say(r, &m, &w);
	env_free(env, m.raw);
	return err;
}
