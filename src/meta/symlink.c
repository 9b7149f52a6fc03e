/* Symbolic links, and the blocks of targets that do not fit in the inode. */
#include "base/trail.h"
#include "format/symlink.h"
#include "fs/fork.h"
#include "ledger/sweep.h"
#include "meta/findings.h"
#include "meta/inode.h"
#include "meta/rebuild.h"

#include <errno.h>

static void symlink_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	const struct symlink_hdr *header = block;
	u32 offset = be32_get(header->offset), bytes = be32_get(header->bytes);
	u32 room = len - (u32)sizeof(*header);

	(void)g;
	if (offset >= SYMLINK_MAX)
		raise_value(v, FOUND(SYMLINK_OFFSET), "offset", offset);
	else if (!bytes || bytes > room || offset + bytes >= SYMLINK_MAX)
		raise_value(v, FOUND(SYMLINK_BYTES), "bytes", bytes);
	else if (memchr(header + 1, 0, bytes))
		raise_value(v, FOUND(SYMLINK_ZERO), NULL, offset);
}

#define MODE_TYPE 0170000u
#define MODE_SYMLINK 0120000u

/* One symbolic link being checked: its target lies in the extents one after another. */
struct link_walk {
	struct sweep *sweep;
	const struct inode *inode;
	struct verdict verdict;
	u32 length;    /* of the target */
	u32 done;      /* bytes found so far */
	u64 next, end; /* fork offsets: of the next extent, and behind the last */
};

static int check_extent(void *arg, const struct extent *e)
{
	struct link_walk *w = arg;
	const struct geometry *g = w->sweep->g;
	const struct meta_type *type = vol_type(w->sweep->vol, META_SYMLINK);
	struct where where = w->verdict.where;
	struct cache_range range;
	const struct symlink_hdr *header;
	enum severity worst;
	struct verdict v;
	u32 expected;
	struct buf *buf;
	int err;

	if (e->off != w->next || w->next >= w->end || e->count > w->end - w->next) {
		raise_u64(&w->verdict, FOUND(SYMLINK_BLOCKS), NULL, e->off + e->count, w->end);
		w->next = NULL64;
		return 1;
	}
	if (!fsblock_valid(g, fsblock_of(e->start), e->count))
		return 1; /* the fork's own findings say so */
	w->next += e->count;
	range = (struct cache_range){fsblock_daddr(g, fsblock_of(e->start)),
				     (u32)e->count << g->block_log};
	where.daddr = range.at.v;
	err = sweep_read(w->sweep, type, &where, &range, 1, &buf, &worst);
	if (err || !buf)
		return err;
	header = (const struct symlink_hdr *)buf->data;
	expected = (u32)min_u64(w->length - w->done, range.size - sizeof(*header));
	v = sweep_verdict(w->sweep, &where);
	if (be32_get(header->magic) == SYMLINK_MAGIC && be32_get(header->offset) != w->done)
		raise_u64(&v, FOUND(SYMLINK_PLACE), "offset", be32_get(header->offset), w->done);
	else if (be32_get(header->magic) == SYMLINK_MAGIC && be32_get(header->bytes) != expected)
		raise_u64(&v, FOUND(SYMLINK_LENGTH), "bytes", be32_get(header->bytes), expected);
	w->done += expected;
	cache_put(w->sweep->vol->cache, buf);
	return 0;
}

static int check_remote(struct link_walk *w)
{
	int err;

	w->end = symlink_blocks(w->sweep->g, w->length);
	err = fork_each(w->sweep->vol, w->inode, FORK_DATA, fileoff_of(0), check_extent, w);
	if (err_is_damage(err)) {
		raise_text(&w->verdict, FOUND(SYMLINK_MAP), NULL, trail_text(), NULL);
		trail_clear();
		return 0;
	}
	if (err)
		return err < 0 ? err : 0;
	if (w->next != w->end)
		raise_u64(&w->verdict, FOUND(SYMLINK_BLOCKS), NULL, w->next, w->end);
	return 0;
}

extern const struct meta_type meta_symlink;

static int check_link(struct sweep *sweep, const struct inode *inode)
{
	const struct fork *fork = &inode->fork[FORK_DATA];
	const struct where where = {.type = meta_symlink.name,
				    .ag = inum_ag(sweep->g, inode->ino),
				    .ino = inode->ino.v,
				    .daddr = NO_DADDR,
				    .owner = inode->ino.v};
	struct link_walk w = {.sweep = sweep, .inode = inode, .length = (u32)inode->size};

	w.verdict = sweep_verdict(sweep, &where);
	if (!inode->size || inode->size >= SYMLINK_MAX ||
	    (fork->format == FORMAT_LOCAL && inode->size > fork->size))
		raise_value(&w.verdict, FOUND(SYMLINK_SIZE), "size", inode->size);
	else if (fork->format != FORMAT_LOCAL)
		return check_remote(&w);
	else if (memchr(fork->data, 0, w.length))
		raise_value(&w.verdict, FOUND(SYMLINK_ZERO), NULL, 0);
	return 0;
}

static int symlink_post(struct sweep *sweep, const struct inode *inode)
{
	if ((inode->mode & MODE_TYPE) != MODE_SYMLINK || sweep->audit)
		return 0;
	if (!inode->nlink && !inode->size)
		return 0; /* cut off while it was being freed */
	return check_link(sweep, inode);
}

static u32 symlink_size(const struct geometry *g)
{
	return g->block_size;
}

const struct meta_type meta_symlink = {
    .id = META_SYMLINK,
    .name = "symlink",
    .title = "remote symlink target",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .magic = SYMLINK_MAGIC,
    .magic_width = 4,
    .crc_offset = offsetof(struct symlink_hdr, crc),
    .size = symlink_size,
    .layout = &symlink_hdr_layout,
    .parts = symlink_parts,
    .kinds = symlink_kinds,
    .rules = symlink_rules,
    .post_inode = symlink_post,
    .uuid_offset = offsetof(struct symlink_hdr, uuid),
    .blkno_offset = offsetof(struct symlink_hdr, blkno),
    .owner_offset = offsetof(struct symlink_hdr, owner),
    .owner_width = 8,
    .lsn_offset = offsetof(struct symlink_hdr, lsn),
    .rebuild = symlink_rebuild,
    .needs_rebuild = NAMES_NEED_SPACE,
    .items = SCRUB_BIT(SYMLINK),
    .in_inode = inode_has_target,
    .rebuilt_from = "its size, and its blocks",
    .else_from = "what is left of the target",
    .kernel_scrub = "xchk_symlink",
};
