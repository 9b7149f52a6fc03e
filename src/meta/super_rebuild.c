/*
 * Rebuilding the superblock and its copies; see rebuild.h.
 *
 * The primary is made anew field by field.  Where it is what the geometry in use comes from, a
 * field of it stays unless the copies' value breaks fewer rules, two copies or more say something
 * else of what never changes, or the checksum says that something is wrong.  Where a copy is
 * believed instead, the primary is asked for what copies do not know.  What all have wrong and
 * follows from other fields is computed.  A copy is the primary's content.
 *
 * Counters come from the AG headers, in a transaction of their own: those may be waiting for their
 * own repair.
 */
#include "base/trail.h"
#include "format/ag.h"
#include "format/quota.h"
#include "format/super.h"
#include "format/verify.h"
#include "fs/ag.h"
#include "fs/inode.h"
#include "meta/rebuild.h"
#include "meta/super_inodes.h"
#include "meta/superblock.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define COPIES_MAX 16
/* Bits that a mount sets in the primary alone. */
#define OWN_VERSION (SB_VERSION_ATTR | SB_VERSION_QUOTA)

struct making {
	struct repair *r;
	const struct geometry *g;
	const struct meta_type *type;
	u8 *now;	   /* the sector that is made */
	struct sb primary; /* as it was */
	bool whole;	   /* its checksum is right */
	bool ours;	   /* it is of this filesystem, whatever else is wrong */
	bool believed;	   /* the geometry in use is its own */
	struct sb copy[COPIES_MAX];
	u32 copies;
	char changed[256]; /* names of fields */
};

/* ---- counters ---- */

struct sums {
	u64 icount, ifree, fdblocks, frextents;
};

static int add_ag(struct vol *view, struct txn *txn, u32 number, struct sums *sums)
{
	struct ag ag;
	int err = ag_open(view, txn, number, &ag);

	if (!err)
		err = ag_open_inodes(&ag);
	if (err)
		return err;
	sums->icount += be32_get(ag_agi(&ag)->count);
	sums->ifree += be32_get(ag_agi(&ag)->freecount);
	sums->fdblocks += (u64)be32_get(ag_agf(&ag)->freeblks) + be32_get(ag_agf(&ag)->flcount) +
			  be32_get(ag_agf(&ag)->btreeblks);
	return 0;
}

static int recount_in(struct vol *view, struct txn *txn, bool *changed)
{
	struct sums sums = {0};
	struct txn_buf *buf;
	struct sb *sb;
	int err = ag_super(view, txn, &buf);

	for (u32 i = 0; i < view->geo.ag_count && !err; i++)
		err = add_ag(view, txn, i, &sums);
	if (!err && view->geo.rt_extents)
		err = super_count_rt(view, &sums.frextents);
	if (err)
		return err;
	sb = (struct sb *)buf->data;
	*changed = be64_get(sb->icount) != sums.icount || be64_get(sb->ifree) != sums.ifree ||
		   be64_get(sb->fdblocks) != sums.fdblocks ||
		   be64_get(sb->frextents) != sums.frextents;
	if (!*changed)
		return 0;
	txn_dirty(txn, buf);
	sb->icount = be64_make(sums.icount);
	sb->ifree = be64_make(sums.ifree);
	sb->fdblocks = be64_make(sums.fdblocks);
	sb->frextents = be64_make(sums.frextents);
	return 0;
}

static int recount(struct repair *r, bool *changed)
{
	struct vol view;
	struct txn *txn;
	int err = vol_begin(r->vol, &view, &txn);

	*changed = false;
	if (!err)
		err = vol_end(r->vol, txn, recount_in(&view, txn, changed));
	if (!err && *changed)
		repair_say(r, "superblock: counters added up anew");
	return err;
}

/* ---- reading ---- */

static int read_sector(const struct making *m, u32 ag, u8 *to)
{
	return device_read(m->r->vol->data, agblock_daddr(m->g, ag, 0), to, m->g->sector_size);
}

static bool checksum_right(const struct making *m, const u8 *sector)
{
	return verify_crc(sector, m->g->sector_size, offsetof(struct sb, crc)) ==
	       le32_get(((const struct sb *)sector)->crc);
}

/* Of this filesystem, and whole. */
static bool is_copy(const struct making *m, const u8 *sector)
{
	struct geometry g;
	bool good = be32_get(((const struct sb *)sector)->magicnum) == SB_MAGIC &&
		    checksum_right(m, sector) && !geometry_from_sb(&g, (const struct sb *)sector) &&
		    g.ag_blocks == m->g->ag_blocks && g.block_log == m->g->block_log &&
		    !memcmp(g.meta_uuid.b, m->g->meta_uuid.b, sizeof(g.meta_uuid.b));

	trail_clear();
	return good;
}

/* Unreadable ones are damaged ones. */
static void read_all(struct making *m)
{
	const struct sb *sb = (const struct sb *)m->now;
	struct geometry own;

	for (u32 ag = 1; ag < m->g->ag_count && m->copies < COPIES_MAX; ag++)
		if (!read_sector(m, ag, m->now) && is_copy(m, m->now))
			memcpy(&m->copy[m->copies++], m->now, sizeof(struct sb));
	if (read_sector(m, 0, m->now))
		memset(m->now, 0, m->g->sector_size);
	memcpy(&m->primary, sb, sizeof(m->primary));
	m->whole = checksum_right(m, m->now);
	m->ours =
	    be32_get(sb->magicnum) == SB_MAGIC || !memcmp(sb->uuid, m->g->uuid.b, sizeof(sb->uuid));
	m->believed = !m->r->vol->super_at.v && !geometry_from_sb(&own, sb);
	memset(m->now + sizeof(struct sb), 0, m->g->sector_size - sizeof(struct sb));
	trail_clear();
}

/* ---- choosing ---- */

static u32 broken_rules(const struct making *m)
{
	struct verdict quiet = {
	    .where = {
		.type = m->type->name, .ag = 0, .ino = NO_INO, .daddr = 0, .owner = NO_OWNER}};

	m->type->rules(&quiet, m->g, m->now, m->g->sector_size);
	trail_clear();
	return quiet.count;
}

static size_t field_bytes(const struct field *f)
{
	return (size_t)f->width / 8 * f->count;
}

static bool same(const struct field *f, const void *a, const void *b)
{
	return !memcmp((const u8 *)a + f->bit / 8, (const u8 *)b + f->bit / 8, field_bytes(f));
}

static void put(struct making *m, const struct field *f, const void *from)
{
	memcpy(m->now + f->bit / 8, (const u8 *)from + f->bit / 8, field_bytes(f));
}

static void note(struct making *m, const char *name)
{
	size_t used = strlen(m->changed);

	snprintf(m->changed + used, sizeof(m->changed) - used, "%s%s", used ? ", " : "", name);
}

/* The copy whose value most of them have; NULL without copies. */
static const struct sb *most(const struct making *m, const struct field *f, u32 *votes)
{
	const struct sb *best = NULL;

	*votes = 0;
	for (u32 i = 0; i < m->copies; i++) {
		u32 count = 0;

		for (u32 j = 0; j < m->copies; j++)
			count += same(f, &m->copy[i], &m->copy[j]);
		if (count > *votes) {
			*votes = count;
			best = &m->copy[i];
		}
	}
	return best;
}

/* True when the other value breaks fewer rules; then it stays. */
static bool better(struct making *m, const struct field *f, const void *other, u32 allowed)
{
	u32 before = broken_rules(m);
	struct sb old;

	memcpy(&old, m->now, sizeof(old));
	put(m, f, other);
	if (broken_rules(m) < before + allowed)
		return true;
	put(m, f, &old);
	return false;
}

/* A field of a primary that is believed, against the copies. */
static void weigh(struct making *m, const struct field *f)
{
	enum super_copy_rule rule = super_copy_rule(f->name);
	const struct sb *copy;
	struct sb other;
	u32 votes;

	copy = most(m, f, &votes);
	if (!copy || rule == COPY_FREE)
		return;
	if (!strcmp(f->name, "versionnum")) {
		other = *copy;
		other.versionnum = be16_make(
		    (u16)((be16_get(copy->versionnum) & ~OWN_VERSION) |
			  (be16_get(((const struct sb *)m->now)->versionnum) & OWN_VERSION)));
		copy = &other;
	}
	if (same(f, copy, m->now))
		return;
	if (better(m, f, copy, 0)) {
		note(m, f->name);
		return;
	}
	if (super_copy_may_hold(rule, field_get(f, copy, 0)) ||
	    (rule != COPY_SAME && rule != COPY_STALE))
		return;
	if ((!m->whole || (rule == COPY_SAME && votes > 1)) && better(m, f, copy, 1))
		note(m, f->name);
}

/* What copies do not know, of a primary that is not believed. */
static void ask_primary(struct making *m, const struct field *f)
{
	enum super_copy_rule rule = super_copy_rule(f->name);
	bool named = !strcmp(f->name, "fname") || !strcmp(f->name, "versionnum");

	if (rule == COPY_SAME || rule == COPY_STALE)
		if (!named || !m->whole)
			return;
	if (m->ours)
		better(m, f, &m->primary, 1);
}

static void choose(struct making *m)
{
	const struct layout *layout = m->type->layout;
	u32 votes;

	if (!m->believed)
		for (u32 i = 0; i < layout->field_count && m->copies; i++)
			put(m, &layout->fields[i], most(m, &layout->fields[i], &votes));
	for (u32 i = 0; i < layout->field_count; i++) {
		if (m->believed)
			weigh(m, &layout->fields[i]);
		else
			ask_primary(m, &layout->fields[i]);
	}
}

/* ---- what follows from the rest ---- */

static void set(struct making *m, const char *name, u64 value)
{
	const struct field *f = layout_field(m->type->layout, name);
	struct sb other;

	memcpy(&other, m->now, sizeof(other));
	field_set(f, &other, 0, value);
	if (!same(f, &other, m->now) && better(m, f, &other, 0))
		note(m, name);
}

/* An empty file that no directory names. */
static bool may_be_quota(const struct making *m, u64 ino)
{
	struct vol *vol = m->r->vol;
	struct inode inode;
	bool may;

	if (!inum_valid(m->g, inum_of(ino)) || inode_get(vol, inum_of(ino), &inode)) {
		trail_clear();
		return false;
	}
	may = S_ISREG(inode.mode) && !inode.nblocks && inode.nlink == 1;
	inode_put(vol, &inode);
	return may;
}

/* What the copies do not know, and no rule can tell. */
static void find_quota(struct making *m)
{
	const struct sb *sb = (const struct sb *)m->now;
	const struct {
		const char *name;
		u32 type;
		u64 said;
	} inode[] = {{"uquotino", DQUOT_USER, be64_get(sb->uquotino)},
		     {"gquotino", DQUOT_GROUP, be64_get(sb->gquotino)},
		     {"pquotino", DQUOT_PROJECT, be64_get(sb->pquotino)}};

	if (!be16_get(sb->qflags) && !(be16_get(sb->versionnum) & SB_VERSION_QUOTA))
		return;
	for (u32 i = 0; i < ARRAY_COUNT(inode); i++) {
		u64 found = super_quota_inode(m->r->vol, inode[i].type, inode[i].said);

		/* null is 0, too; and what has no record yet may be one all the same */
		if (found == inode[i].said || (found == NULL64 && !inode[i].said) ||
		    (found == NULL64 && may_be_quota(m, inode[i].said)))
			continue;
		field_set(layout_field(m->type->layout, inode[i].name), m->now, 0, found);
		note(m, inode[i].name);
	}
}

static void settle_quota(struct making *m)
{
	const struct sb *sb = (const struct sb *)m->now;
	const u32 known = SB_QFLAG_ACCOUNTING | SB_QFLAG_UQUOTA_ENFD | SB_QFLAG_UQUOTA_CHKD |
			  SB_QFLAG_GQUOTA_ENFD | SB_QFLAG_GQUOTA_CHKD | SB_QFLAG_PQUOTA_ENFD |
			  SB_QFLAG_PQUOTA_CHKD;
	const char *const name[] = {"uquotino", "gquotino", "pquotino"};

	find_quota(m);
	set(m, "qflags", be16_get(sb->qflags) & known);
	set(m, "qflags", 0);
	for (u32 i = 0; i < ARRAY_COUNT(name); i++)
		set(m, name[i], NULL64);
}

static void settle_sizes(struct making *m)
{
	const struct sb *sb = (const struct sb *)m->now;
	u64 rblocks = be64_get(sb->rblocks), rextents = be64_get(sb->rextents);
	u32 rextsize = be32_get(sb->rextsize);

	set(m, "inopblock", 1u << (sb->inopblog & 15));
	set(m, "rextents", rextsize ? rblocks / rextsize : 0);
	set(m, "rbmblocks", div_up_u64(rextents, 8ull << m->g->block_log));
	set(m, "rextslog", rextents ? 63 - (u32)__builtin_clzll(rextents) : 0);
	set(m, "frextents", rextents);
	set(m, "ifree", 0);
	set(m, "fdblocks", 0);
	set(m, "imax_pct", 25);
}

/* Of the geometry in use: else the primary would have to have them, too. */
static void forget_bits(struct making *m, u32 ro_compat, u32 incompat)
{
	struct vol *vol = m->r->vol;

	for (; vol; vol = vol->alone ? vol->origin : NULL) {
		vol->geo.ro_compat &= ro_compat;
		vol->geo.incompat &= incompat;
	}
}

static void settle(struct making *m)
{
	struct sb *sb = (struct sb *)m->now;
	const struct field *meta_uuid = layout_field(m->type->layout, "meta_uuid");
	const struct sb zero = {0};

	sb->magicnum = be32_make(SB_MAGIC);
	if (!m->believed || vol_lsn_ahead(m->r->vol, be64_get(sb->lsn)))
		sb->lsn = be64_make(0);
	/* bits that mean nothing to the geometry in use */
	forget_bits(m, SB_RO_KNOWN, ~0u);
	set(m, "inprogress", 0);
	set(m, "shared_vn", 0);
	set(m, "flags", 0);
	set(m, "features_compat", 0);
	set(m, "features_ro_compat", be32_get(sb->features_ro_compat) & SB_RO_KNOWN);
	set(m, "features_log_incompat",
	    be32_get(sb->features_log_incompat) & SB_LOG_INCOMPAT_KNOWN);
	set(m, "bad_features2", be32_get(sb->features2));
	if (better(m, meta_uuid, &zero, 0))
		note(m, "meta_uuid");
	/* mkfs leaves these to the primary alone */
	set(m, "rootino", m->g->root_ino);
	set(m, "rootino", be64_get(sb->rbmino) - 1);
	set(m, "rbmino", be64_get(sb->rootino) + 1);
	set(m, "rsumino", be64_get(sb->rootino) + 2);
	settle_sizes(m);
	settle_quota(m);
	if (m->r->others)
		return;
	forget_bits(m, SB_RO_KNOWN, ~SB_INCOMPAT_NEEDSREPAIR);
	set(m, "features_incompat", be32_get(sb->features_incompat) & ~SB_INCOMPAT_NEEDSREPAIR);
}

/* ---- writing ---- */

static int write_in(const struct making *m, struct txn *txn, u32 ag)
{
	struct daddr at = agblock_daddr(m->g, ag, 0);
	const struct where where = {
	    .type = m->type->name, .ag = ag, .ino = NO_INO, .daddr = at.v, .owner = NO_OWNER};
	struct txn_buf *buf;
	int err = txn_new(txn, m->type, &where, at, m->g->sector_size, &buf);

	if (!err)
		memcpy(buf->data, m->now, m->g->sector_size);
	return err;
}

static int write_sector(const struct making *m, u32 ag)
{
	struct vol view;
	struct txn *txn;
	int err = vol_begin(m->r->vol, &view, &txn);

	return err ? err : vol_end(m->r->vol, txn, write_in(m, txn, ag));
}

/* From now on the geometry is the primary's. */
static int take_over(const struct making *m)
{
	struct geometry g;
	int err = geometry_from_sb(&g, (const struct sb *)m->now);

	m->r->moved = true;
	if (!err)
		vol_geometry_set(m->r->vol, &g);
	return err;
}

static int rebuild_primary(struct making *m, bool *done)
{
	int err;

	read_all(m);
	if (!m->believed && !m->copies)
		return fail(-EUCLEAN, "superblock: no copy of it is whole");
	choose(m);
	settle(m);
	*done = !m->believed || !m->whole || *m->changed ||
		be64_get(m->primary.lsn) != be64_get(((const struct sb *)m->now)->lsn);
	if (!*done)
		return 0;
	err = write_sector(m, 0);
	if (!err)
		err = take_over(m);
	if (err)
		return err;
	if (!m->believed)
		repair_say(m->r, "superblock: made anew from its copies");
	else
		repair_say(m->r, "superblock: %s", *m->changed ? m->changed : "checksum");
	return 0;
}

static int rebuild_copy(struct making *m, u32 ag)
{
	int err;

	if (m->r->vol->super_at.v)
		return fail(-EUCLEAN, "superblock of AG %u: the primary has to be mended first",
			    ag);
	err = read_sector(m, 0, m->now);
	if (!err)
		err = write_sector(m, ag);
	if (!err)
		repair_say(m->r, "superblock of AG %u: a copy of the primary", ag);
	return err;
}

int super_rebuild(struct repair *r, u32 ag, u64 ino)
{
	const struct geometry *g = &r->vol->geo;
	struct env *env = r->vol->env;
	struct making *m = env_alloc(env, sizeof(*m));
	bool done = false, counted = false;
	int err = m ? 0 : fail(-ENOMEM, "the superblock: out of memory");

	(void)ino;
	if (!err) {
		*m = (struct making){.r = r, .g = g, .type = vol_type(r->vol, META_SUPERBLOCK)};
		m->now = env_alloc(env, g->sector_size);
		err = m->now ? 0 : fail(-ENOMEM, "the superblock: out of memory");
	}
	if (!err)
		err = ag && ag != NO_AG ? rebuild_copy(m, ag) : rebuild_primary(m, &done);
	if (m)
		env_free(env, m->now);
	env_free(env, m);
	if (err || (ag && ag != NO_AG))
		return err;
	err = recount(r, &counted);
	/* headers that are damaged are for another to mend, and the counters then come again */
	if (err && err != -EIO && (done || r->others)) {
		trail_clear();
		return 0;
	}
	return err;
}
