/*
 * The superblock and its copies: rules and postings.
 *
 * The geometry comes from the primary; every copy is compared with it field by field.
 */
#include "base/trail.h"
#include "format/bytes.h"
#include "format/dir.h"
#include "format/super.h"
#include "meta/findings.h"
#include "meta/rebuild.h"
#include "meta/superblock.h"
#include "meta/tree.h"

#include <stdio.h>

static u32 superblock_size(const struct geometry *g)
{
	return g->sector_size;
}

static struct daddr superblock_place(const struct geometry *g, u32 ag)
{
	return agblock_daddr(g, ag, 0);
}

static u32 ceil_log2(u64 v)
{
	u32 log = 0;

	while (v > 1ull << log)
		log++;
	return log;
}

static void check_logs(struct verdict *v, const struct sb *sb)
{
	u32 version = be16_get(sb->versionnum), logsect = be16_get(sb->logsectsize);
	u32 agblklog = ceil_log2(be32_get(sb->agblocks));
	u64 rextents = be64_get(sb->rextents);
	u32 rextslog = rextents ? 63 - (u32)__builtin_clzll(rextents) : 0;

	if (sb->agblklog != agblklog)
		raise_u64(v, FOUND(SB_LOGS), "agblklog", sb->agblklog, agblklog);
	if (sb->rextslog != rextslog)
		raise_u64(v, FOUND(SB_LOGS), "rextslog", sb->rextslog, rextslog);
	/* With 512-byte sectors both log fields are zero. */
	if (!(version & SB_VERSION_SECTOR) ? sb->logsectlog || logsect
					   : logsect != 1u << (sb->logsectlog & 31))
		raise_u64(v, FOUND(SB_LOGS), "logsectsize", logsect, 1u << (sb->logsectlog & 31));
	if (be16_get(sb->inopblock) != 1u << (sb->inopblog & 15))
		raise_u64(v, FOUND(SB_LOGS), "inopblock", be16_get(sb->inopblock),
			  1u << (sb->inopblog & 15));
}

static void check_versions(struct verdict *v, const struct sb *sb)
{
	u32 version = be16_get(sb->versionnum), more = be32_get(sb->features2);
	const u32 always = SB_VERSION_NLINK | SB_VERSION_ALIGN | SB_VERSION_LOGV2 |
			   SB_VERSION_EXTFLG | SB_VERSION_DIRV2 | SB_VERSION_MOREBITS;
	const u32 known = SB_VERSION2_LAZYSBCOUNT | SB_VERSION2_ATTR2 | SB_VERSION2_PROJID32 |
			  SB_VERSION2_CRC | SB_VERSION2_FTYPE;

	if ((version & always) != always)
		raise_hex(v, FOUND(SB_VERSION), "versionnum", version, version | always);
	if (!(more & SB_VERSION2_CRC) || more & ~known)
		raise_hex(v, FOUND(SB_VERSION), "features2", more,
			  (more & known) | SB_VERSION2_CRC);
	if (be32_get(sb->bad_features2) != more)
		raise_hex(v, FOUND(SB_BAD_FEATURES2), "bad_features2", be32_get(sb->bad_features2),
			  more);
	if (be32_get(sb->features_compat))
		raise_hex(v, FOUND(SB_FEATURES), "features_compat", be32_get(sb->features_compat),
			  0);
	if (be32_get(sb->features_ro_compat) & ~SB_RO_KNOWN)
		raise_hex(v, FOUND(SB_FEATURES), "features_ro_compat",
			  be32_get(sb->features_ro_compat), SB_RO_KNOWN);
	if (be32_get(sb->features_log_incompat) & ~SB_LOG_INCOMPAT_KNOWN)
		raise_hex(v, FOUND(SB_FEATURES), "features_log_incompat",
			  be32_get(sb->features_log_incompat), SB_LOG_INCOMPAT_KNOWN);
	if (sb->shared_vn || sb->flags)
		raise_value(v, FOUND(SB_UNUSED), "shared_vn, flags",
			    sb->shared_vn ? sb->shared_vn : sb->flags);
}

/* Kernels mount sparse chunks only where whole ones are aligned to their own size, in whole blocks.
 */
static bool chunk_aligned(const struct sb *sb)
{
	u32 chunk = INODES_PER_CHUNK * be16_get(sb->inodesize);

	return !(be32_get(sb->features_incompat) & SB_INCOMPAT_SPINODES) || sb->blocklog > 16 ||
	       be32_get(sb->inoalignmt) == chunk >> sb->blocklog;
}

static void check_stripe(struct verdict *v, const struct sb *sb)
{
	u32 unit = be32_get(sb->unit), width = be32_get(sb->width);
	bool said = be16_get(sb->versionnum) & SB_VERSION_DALIGN;
	u32 align = be32_get(sb->inoalignmt), spino = be32_get(sb->spino_align);

	if (said ? !unit || !width || width % unit : unit || width)
		raise_u64(v, FOUND(SB_STRIPE), "unit, width", unit, width);
	if (align > be32_get(sb->agblocks) || !chunk_aligned(sb))
		raise_value(v, FOUND(SB_ALIGN), "inoalignmt", align);
	if (spino &&
	    (!(be32_get(sb->features_incompat) & SB_INCOMPAT_SPINODES) || (align && align % spino)))
		raise_value(v, FOUND(SB_ALIGN), "spino_align", spino);
	if (sb->imax_pct > 100)
		raise_u64(v, FOUND(SB_IMAX_PCT), "imax_pct", sb->imax_pct, 100);
}

static void check_log(struct verdict *v, const struct geometry *g, const struct sb *sb)
{
	u32 blocks = be32_get(sb->logblocks), unit = be32_get(sb->logsunit);
	struct fsblock start = fsblock_of(be64_get(sb->logstart));

	if (start.v && !fsblock_valid(g, start, blocks))
		raise_value(v, FOUND(SB_LOG_PLACE), "logstart", start.v);
	if (blocks < SB_MIN_LOG_BLOCKS || blocks > SB_MAX_LOG_BLOCKS ||
	    (u64)blocks << g->block_log > SB_MAX_LOG_BYTES)
		raise_value(v, FOUND(SB_LOG_SIZE), "logblocks", blocks);
	if (unit > 1 && unit % g->block_size)
		raise_u64(v, FOUND(SB_LOG_UNIT), "logsunit", unit, g->block_size);
}

static void check_realtime(struct verdict *v, const struct geometry *g, const struct sb *sb)
{
	u64 rblocks = be64_get(sb->rblocks), rextents = be64_get(sb->rextents);
	u32 rextsize = be32_get(sb->rextsize), bitmap = be32_get(sb->rbmblocks);
	u64 expected = div_up_u64(rextents, 8ull << g->block_log);

	if (!rextsize || (u64)rextsize << g->block_log > 1ull << 30)
		raise_value(v, FOUND(SB_REXTSIZE), "rextsize", rextsize);
	else if (rextents != rblocks / rextsize)
		raise_u64(v, FOUND(SB_RT_COUNTS), "rextents", rextents, rblocks / rextsize);
	if (bitmap != expected)
		raise_u64(v, FOUND(SB_RT_COUNTS), "rbmblocks", bitmap, expected);
	if (be64_get(sb->frextents) > rextents)
		raise_u64(v, FOUND(SB_COUNTERS), "frextents", be64_get(sb->frextents), rextents);
}

static void check_inodes(struct verdict *v, const struct geometry *g, const struct sb *sb)
{
	u64 icount = be64_get(sb->icount), ifree = be64_get(sb->ifree);
	u64 root = be64_get(sb->rootino);

	/* mkfs puts the root first into its chunk and the realtime inodes behind it. */
	if (!inum_valid(g, inum_of(root)))
		raise_value(v, FOUND(SB_INODE), "rootino", root);
	if (be64_get(sb->rbmino) != root + 1)
		raise_u64(v, FOUND(SB_RT_INODE), "rbmino", be64_get(sb->rbmino), root + 1);
	if (be64_get(sb->rsumino) != root + 2)
		raise_u64(v, FOUND(SB_RT_INODE), "rsumino", be64_get(sb->rsumino), root + 2);
	if (ifree > icount)
		raise_u64(v, FOUND(SB_COUNTERS), "ifree", ifree, icount);
	if (be64_get(sb->fdblocks) > be64_get(sb->dblocks))
		raise_u64(v, FOUND(SB_COUNTERS), "fdblocks", be64_get(sb->fdblocks),
			  be64_get(sb->dblocks));
}

static bool quota_inode_valid(const struct geometry *g, u64 ino)
{
	return ino == 0 || ino == NULL64 || inum_valid(g, inum_of(ino));
}

static void check_quota(struct verdict *v, const struct geometry *g, const struct sb *sb)
{
	const u32 known = SB_QFLAG_UQUOTA_ACCT | SB_QFLAG_UQUOTA_ENFD | SB_QFLAG_UQUOTA_CHKD |
			  SB_QFLAG_GQUOTA_ACCT | SB_QFLAG_GQUOTA_ENFD | SB_QFLAG_GQUOTA_CHKD |
			  SB_QFLAG_PQUOTA_ACCT | SB_QFLAG_PQUOTA_ENFD | SB_QFLAG_PQUOTA_CHKD;
	u32 flags = be16_get(sb->qflags);

	if (flags & ~known)
		raise_hex(v, FOUND(SB_QFLAGS), "qflags", flags, flags & known);
	if (flags && !(be16_get(sb->versionnum) & SB_VERSION_QUOTA))
		raise_hex(v, FOUND(SB_QFLAGS), "qflags", flags, 0);
	if (!quota_inode_valid(g, be64_get(sb->uquotino)))
		raise_value(v, FOUND(SB_INODE), "uquotino", be64_get(sb->uquotino));
	if (!quota_inode_valid(g, be64_get(sb->gquotino)))
		raise_value(v, FOUND(SB_INODE), "gquotino", be64_get(sb->gquotino));
	if (!quota_inode_valid(g, be64_get(sb->pquotino)))
		raise_value(v, FOUND(SB_INODE), "pquotino", be64_get(sb->pquotino));
}

/* mkfs leaves inprogress set in the copies; whoever writes one later clears it. */
static void check_copy_quota(struct verdict *v, const struct sb *sb)
{
	const struct {
		const char *name;
		u64 ino;
	} inode[] = {{"uquotino", be64_get(sb->uquotino)},
		     {"gquotino", be64_get(sb->gquotino)},
		     {"pquotino", be64_get(sb->pquotino)}};

	if (!sb->inprogress)
		return;
	for (u32 i = 0; i < ARRAY_COUNT(inode); i++)
		if (inode[i].ino && inode[i].ino != NULL64)
			raise_value(v, FOUND(SB_COPY_QUOTA), inode[i].name, inode[i].ino);
	if (be16_get(sb->qflags))
		raise_value(v, FOUND(SB_COPY_QUOTA), "qflags", be16_get(sb->qflags));
}

static void check_tail(struct verdict *v, const struct sb *sb, const u8 *block, u32 len)
{
	static const struct uuid none;

	u32 at = sizeof(struct sb);

	/* zero, and each byte like the one before it */
	if (at < len && (block[at] || memcmp(block + at, block + at + 1, len - at - 1))) {
		while (!block[at])
			at++;
		raise_u64(v, FOUND(SB_TAIL), NULL, block[at], at);
	}
	if (!(be32_get(sb->features_incompat) & SB_INCOMPAT_META_UUID) &&
	    memcmp(sb->meta_uuid, &none, sizeof(none)))
		raise_text(v, FOUND(SB_META_UUID), "meta_uuid", NULL, NULL);
}

/* The geometry in use may be that of the copies (fs/super_find.h). */
static void check_believed(struct verdict *v, const struct geometry *g, const struct geometry *own)
{
	if (own->block_log != g->block_log)
		raise_u64(v, FOUND(SB_PRIMARY), "blocklog", own->block_log, g->block_log);
	if (own->sector_log != g->sector_log)
		raise_u64(v, FOUND(SB_PRIMARY), "sectlog", own->sector_log, g->sector_log);
	if (own->ag_blocks != g->ag_blocks)
		raise_u64(v, FOUND(SB_PRIMARY), "agblocks", own->ag_blocks, g->ag_blocks);
	if (own->ag_count != g->ag_count)
		raise_u64(v, FOUND(SB_PRIMARY), "agcount", own->ag_count, g->ag_count);
	if (own->data_blocks != g->data_blocks)
		raise_u64(v, FOUND(SB_PRIMARY), "dblocks", own->data_blocks, g->data_blocks);
	if (own->inode_log != g->inode_log)
		raise_u64(v, FOUND(SB_PRIMARY), "inodelog", own->inode_log, g->inode_log);
	if (own->dir_block_log != g->dir_block_log)
		raise_u64(v, FOUND(SB_PRIMARY), "dirblklog", own->dir_block_log, g->dir_block_log);
	if (own->log_start != g->log_start)
		raise_u64(v, FOUND(SB_PRIMARY), "logstart", own->log_start, g->log_start);
	if (own->log_blocks != g->log_blocks)
		raise_u64(v, FOUND(SB_PRIMARY), "logblocks", own->log_blocks, g->log_blocks);
	if (own->incompat != g->incompat)
		raise_hex(v, FOUND(SB_PRIMARY), "features_incompat", own->incompat, g->incompat);
	if (own->ro_compat != g->ro_compat)
		raise_hex(v, FOUND(SB_PRIMARY), "features_ro_compat", own->ro_compat, g->ro_compat);
	if (memcmp(&own->meta_uuid, &g->meta_uuid, sizeof(own->meta_uuid)))
		raise_text(v, FOUND(SB_PRIMARY), "uuid", "another", "that of the blocks");
}

static void superblock_rules(struct verdict *v, const struct geometry *g, const void *block,
			     u32 len)
{
	const struct sb *sb = block;
	struct geometry own;

	/* mkfs clears this in the primary alone, as its last step. */
	if (sb->inprogress && !v->where.ag)
		raise_value(v, FOUND(SB_INPROGRESS), "inprogress", sb->inprogress);
	if (be32_get(sb->features_incompat) & SB_INCOMPAT_NEEDSREPAIR)
		raise_text(v, FOUND(SB_NEEDSREPAIR), "features_incompat", NULL, NULL);
	if (geometry_from_sb(&own, sb)) {
		raise_text(v, FOUND(SB_GEOMETRY), NULL, trail_text(), NULL);
		return;
	}
	if (!v->where.ag)
		check_believed(v, g, &own);
	check_versions(v, sb);
	check_logs(v, sb);
	check_stripe(v, sb);
	check_log(v, g, sb);
	check_realtime(v, g, sb);
	if (!v->where.ag) {
		check_inodes(v, g, sb);
		check_quota(v, g, sb);
	} else {
		check_copy_quota(v, sb);
	}
	check_tail(v, sb, block, len);
}

struct copy_exception {
	const char *field;
	enum super_copy_rule rule;
};

enum super_copy_rule super_copy_rule(const char *field)
{
	static const struct copy_exception exceptions[] = {
	    {"icount", COPY_FREE},
	    {"ifree", COPY_FREE},
	    {"fdblocks", COPY_FREE},
	    {"frextents", COPY_FREE},
	    {"crc", COPY_FREE},
	    {"lsn", COPY_FREE},
	    {"inprogress", COPY_FREE},
	    {"uquotino", COPY_EMPTY},
	    {"gquotino", COPY_EMPTY},
	    {"pquotino", COPY_EMPTY},
	    {"qflags", COPY_FREE},
	    {"features_log_incompat", COPY_FREE},
	    {"rootino", COPY_NULL},
	    {"rbmino", COPY_NULL},
	    {"rsumino", COPY_NULL},
	    {"unit", COPY_STALE},
	    {"width", COPY_STALE},
	    {"uuid", COPY_STALE},
	    {"fname", COPY_STALE},
	    {"features_incompat", COPY_STALE},
	    {"features_ro_compat", COPY_STALE},
	};

	for (u32 i = 0; i < ARRAY_COUNT(exceptions); i++)
		if (!strcmp(exceptions[i].field, field))
			return exceptions[i].rule;
	return COPY_SAME;
}

static bool field_same(const struct field *field, const void *copy, const void *primary)
{
	/* Bits that the kernel sets in the primary when the feature is first used. */
	u64 ignore = strcmp(field->name, "versionnum") ? 0 : SB_VERSION_ATTR | SB_VERSION_QUOTA;

	for (u32 i = 0; i < field->count; i++)
		if ((field_get(field, copy, i) ^ field_get(field, primary, i)) & ~ignore)
			return false;
	return true;
}

/* What a copy may hold whatever the primary does. */
bool super_copy_may_hold(enum super_copy_rule rule, u64 value)
{
	switch (rule) {
	case COPY_FREE:
		return true;
	case COPY_EMPTY:
		return value == NULL64 || !value;
	case COPY_NULL:
		return value == NULL64;
	default:
		return false;
	}
}

static void compare_field(struct verdict *v, const struct field *field, const void *copy,
			  const void *primary)
{
	enum super_copy_rule rule = super_copy_rule(field->name);
	char found[64], expected[64];

	if (super_copy_may_hold(rule, field_get(field, copy, 0)) ||
	    field_same(field, copy, primary))
		return;
	field_print(field, copy, found, sizeof(found));
	field_print(field, primary, expected, sizeof(expected));
	raise_text(v, rule == COPY_STALE ? FOUND(SB_COPY_STALE) : FOUND(SB_COPY_DIFFERS),
		   field->name, found, expected);
}

/* The superblock that is believed: the primary, or a copy where that is lost. */
static int compare_with_believed(struct sweep *sweep, const void *copy)
{
	struct buf *believed;
	int err = cache_get_raw(sweep->vol->cache, sweep->vol->super_at, sweep->g->sector_size,
				&believed);

	if (err)
		return err;
	for (u32 i = 0; i < sb_layout.field_count; i++)
		compare_field(sweep->verdict, &sb_layout.fields[i], copy, believed->data);
	cache_put(sweep->vol->cache, believed);
	return 0;
}

static void name_inode(struct sweep *sweep, u64 ino)
{
	const struct fact named = {{ino, dir_has_type(sweep->g) ? DIR_FT_FILE : 0, 0, 0}};

	if (ino && ino != NULL64)
		sweep_post(sweep, ACCOUNT_LINKS, SIDE_LEFT, &named, 1);
}

/* What is said once for the filesystem. */
static void post_primary(struct sweep *sweep, const struct sb *sb)
{
	const struct geometry *g = sweep->g;
	const struct fact root = {{g->root_ino, g->root_ino, 0, 0}};

	name_inode(sweep, g->rbm_ino);
	name_inode(sweep, g->rsum_ino);
	name_inode(sweep, g->uquota_ino);
	name_inode(sweep, g->gquota_ino);
	name_inode(sweep, g->pquota_ino);
	sweep_post(sweep, ACCOUNT_DOTDOT, SIDE_LEFT, &root, 1);
	if (!super_counts(sweep->vol))
		return;
	tree_count(sweep, COUNTER_ICOUNT, NO_AG, SIDE_RIGHT, (s64)be64_get(sb->icount));
	tree_count(sweep, COUNTER_IFREE, NO_AG, SIDE_RIGHT, (s64)be64_get(sb->ifree));
	tree_count(sweep, COUNTER_FDBLOCKS, NO_AG, SIDE_RIGHT, (s64)be64_get(sb->fdblocks));
	tree_count(sweep, COUNTER_FREXTENTS, NO_AG, SIDE_RIGHT, (s64)be64_get(sb->frextents));
}

static void check_label(struct sweep *sweep, const struct sb *sb)
{
	u32 length = (u32)strnlen((const char *)sb->fname, sizeof(sb->fname));
	char text[FINDING_TEXT];

	if (name_has_control(sb->fname, length))
		raise_text(sweep->verdict, FOUND(SB_LABEL_CONTROL), "fname",
			   name_shown(sb->fname, length, text, sizeof(text)), NULL);
}

static int superblock_post(struct sweep *sweep, const struct ref *ref, const void *block, u32 len)
{
	const struct geometry *g = sweep->g;
	const struct fact space = {{ref->where.ag, 0, 0, 0}};
	struct fsblock log = fsblock_of(g->log_start);
	u32 ag = ref->where.ag;

	(void)len;
	sweep_post_range(sweep, ACCOUNT_SPACE, SIDE_RIGHT, &space, 0, geometry_ag_blocks(g, ag), 1);
	sweep_own(sweep, ag, 0, geometry_ag_header_blocks(g), (u64)RMAP_OWN_FS, 0);
	if (g->log_internal && fsblock_ag(g, log) == ag)
		sweep_own(sweep, ag, fsblock_bno(g, log), g->log_blocks, (u64)RMAP_OWN_LOG, 0);
	if (!ag)
		post_primary(sweep, block);
	if (!ag && sweep->names)
		check_label(sweep, block);
	/* A primary that is not believed has its own findings. */
	return ag ? compare_with_believed(sweep, block) : 0;
}

/* Counters alone, of the primary: all else of it stays as it is. */
static int superblock_change(struct sweep *sweep, const struct txn_change *c)
{
	const struct sb *was = (const struct sb *)c->before, *is = (const struct sb *)c->after;

	if (!was || !is || c->where->ag)
		return 0;
	tree_change_count(sweep, COUNTER_ICOUNT, NO_AG, SIDE_RIGHT, be64_get(was->icount),
			  be64_get(is->icount));
	tree_change_count(sweep, COUNTER_IFREE, NO_AG, SIDE_RIGHT, be64_get(was->ifree),
			  be64_get(is->ifree));
	tree_change_count(sweep, COUNTER_FDBLOCKS, NO_AG, SIDE_RIGHT, be64_get(was->fdblocks),
			  be64_get(is->fdblocks));
	return 0;
}

const struct meta_type meta_superblock = {
    .id = META_SUPERBLOCK,
    .name = "superblock",
    .title = "superblock",
    .scope = SCOPE_AG,
    .class = CLASS_PRIMARY,
    .magic = SB_MAGIC,
    .magic_width = 4,
    .crc_offset = offsetof(struct sb, crc),
    .lsn_offset = offsetof(struct sb, lsn),
    .size = superblock_size,
    .place = superblock_place,
    .layout = &sb_layout,
    .rules = superblock_rules,
    .post = superblock_post,
    .rebuild = super_rebuild,
    .change = superblock_change,
    .items = SCRUB_BIT(SB),
    .rebuilt_from = "its copies, and the counters of the AG headers",
    .else_from = "AG headers, inodes, directory blocks and the start of the log that are whole",
    .kernel_scrub = "xchk_superblock",
};
