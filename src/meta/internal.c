/* Walking the files of the filesystem itself, block by block; see internal.h. */
#include "meta/internal.h"

#include "base/trail.h"
#include "fs/fork.h"
#include "meta/findings.h"

#include <errno.h>

static int read_block(struct internal_file *f, u64 off, u64 start)
{
	const struct geometry *g = f->sweep->g;
	struct fsblock at = fsblock_of(start);
	struct where where = {.type = f->type->name,
			      .ag = fsblock_ag(g, at),
			      .ino = f->inode->ino.v,
			      .daddr = fsblock_daddr(g, at).v,
			      .owner = f->inode->ino.v};
	const struct cache_range range = {daddr_of(where.daddr), g->block_size};
	struct verdict v = sweep_verdict(f->sweep, &where);
	struct verdict *outer = f->sweep->verdict;
	enum severity worst;
	struct buf *buf;
	int err = sweep_read(f->sweep, f->type, &where, &range, 1, &buf, &worst);

	if (err || !buf)
		return err ? err : -EIO;
	f->sweep->verdict = &v;
	err = f->block(f, &v, off, buf->data, worst);
	f->sweep->verdict = outer;
	cache_put(f->sweep->vol->cache, buf);
	return err;
}

static int take_extent(void *arg, const struct extent *e)
{
	struct internal_file *f = arg;
	u64 end = min_u64(e->off + e->count, f->blocks);

	if (e->off >= f->blocks)
		return 1;
	if (e->unwritten)
		raise_value(f->sweep->verdict, FOUND(INTERNAL_UNWRITTEN), NULL, e->off);
	if (e->off > f->next && !f->sparse)
		return 1;
	for (u64 off = e->off; off < end && !f->err; off++)
		f->err = read_block(f, off, e->start + (off - e->off));
	f->next = end;
	return f->err != 0;
}

int internal_each(struct internal_file *f, bool *whole)
{
	int err;

	f->next = 0;
	f->err = 0;
	*whole = false;
	err = fork_each(f->sweep->vol, f->inode, FORK_DATA, fileoff_of(0), take_extent, f);
	if (f->err)
		err = f->err == -EIO ? 0 : f->err;
	else if (err == 1 || err_is_damage(err) || err == -EIO)
		err = 0;
	if (!f->sparse && f->next < f->blocks) {
		if (!err && !f->err)
			raise_u64(f->sweep->verdict, FOUND(INTERNAL_HOLE), NULL, f->next,
				  f->blocks);
		return err;
	}
	*whole = !f->err;
	return err;
}
