/*
 * Quota records: their rules, what they say is used, and what inodes are charged for.
 *
 * A record's place in the file is its id. All inodes are charged but the quota inodes themselves;
 * the inodes of the realtime section count as root's, as the kernel's quota check has it. Usage is
 * compared only for the types that are kept and have been counted. Limits above what there is, and
 * usage above a limit, are the administrator's choice and no finding.
 */
#include "format/quota.h"

#include "format/verify.h"
#include "fs/fork.h"
#include "ledger/guard.h"
#include "meta/findings.h"
#include "meta/forks.h"
#include "meta/internal.h"
#include "meta/rebuild.h"

#include <stdio.h>

/* One resource of a record. */
struct resource {
	const char *name;
	u64 hard, soft, count;
	u32 timer;
};

/* What findings call a record, or one of its resources; made when there is one, since each commit
 * looks at all records of a block. */
struct record_name {
	u32 index;
	char text[48];
};

static const char *name_of(struct record_name *n, const char *resource)
{
	snprintf(n->text, sizeof(n->text), "dquot[%u]%s%s", n->index, resource ? "." : "",
		 resource ? resource : "");
	return n->text;
}

static void check_resource(struct verdict *v, struct record_name *n, u32 id,
			   const struct resource *r)
{
	bool over = (r->soft && r->count > r->soft) || (r->hard && r->count > r->hard);

	if (r->hard && r->soft > r->hard)
		raise_u64(v, FOUND(DQUOT_SOFT), name_of(n, r->name), r->soft, r->hard);
	if (!id)
		return; /* its timers are the times of grace for all */
	if (over && !r->timer)
		raise_value(v, FOUND(DQUOT_TIMER_MISSING), name_of(n, r->name), r->count);
	if (!over && r->timer)
		raise_value(v, FOUND(DQUOT_TIMER), name_of(n, r->name), r->timer);
}

static void check_identity(struct verdict *v, const struct geometry *g, struct record_name *n,
			   const struct dquot *d)
{
	u32 type = d->type, expected = quota_type_of(g, v->where.owner);
	u32 crc = verify_crc(d, sizeof(*d), offsetof(struct dquot, crc));

	if (crc != le32_get(d->crc))
		raise_hex(v, verify_defs->crc, name_of(n, NULL), le32_get(d->crc), crc);
	if (memcmp(d->uuid, g->meta_uuid.b, sizeof(d->uuid)))
		raise_text(v, verify_defs->uuid, name_of(n, NULL), "another", "the filesystem's");
	if (d->version != DQUOT_VERSION)
		raise_u64(v, FOUND(DQUOT_VERSION_FIELD), name_of(n, NULL), d->version,
			  DQUOT_VERSION);
	if (!expected) /* the inode is not known: any one type will do */
		expected = type & DQUOT_TYPES;
	if (expected != DQUOT_USER && expected != DQUOT_GROUP && expected != DQUOT_PROJECT)
		expected = DQUOT_USER;
	if ((type & ~DQUOT_BIGTIME) != expected)
		raise_hex(v, FOUND(DQUOT_TYPE), name_of(n, NULL), type, expected);
	/* the record of id 0 holds no points in time */
	if ((type & DQUOT_BIGTIME) && (!geometry_has(g, FEATURE_BIGTIME) || !be32_get(d->id)))
		raise_hex(v, FOUND(DQUOT_TYPE), name_of(n, NULL), type, expected);
}

/* Nothing is used, nor limited: so are most records of a block, and all of them are looked at in
 * each commit that charges one. */
static bool unused(const struct dquot *d)
{
	enum {
		FROM = offsetof(struct dquot, blk_hardlimit),
		BYTES = offsetof(struct dquot, crc) - FROM
	};
	static const u8 zero[BYTES];

	return !memcmp((const u8 *)d + FROM, zero, BYTES);
}

struct resources {
	struct resource blocks, inodes, rt_blocks;
};

static struct resources resources_of(const struct dquot *d)
{
	return (struct resources){
	    {"blk", be64_get(d->blk_hardlimit), be64_get(d->blk_softlimit), be64_get(d->bcount),
	     be32_get(d->btimer)},
	    {"ino", be64_get(d->ino_hardlimit), be64_get(d->ino_softlimit), be64_get(d->icount),
	     be32_get(d->itimer)},
	    {"rtb", be64_get(d->rtb_hardlimit), be64_get(d->rtb_softlimit), be64_get(d->rtbcount),
	     be32_get(d->rtbtimer)},
	};
}

static void check_amounts(struct verdict *v, struct record_name *n, const struct dquot *d)
{
	static const u8 zero[sizeof(d->fill)];
	const struct resources r = resources_of(d);

	check_resource(v, n, be32_get(d->id), &r.blocks);
	check_resource(v, n, be32_get(d->id), &r.inodes);
	check_resource(v, n, be32_get(d->id), &r.rt_blocks);
	if (be32_get(d->pad0) || be16_get(d->pad) || memcmp(d->fill, zero, sizeof(zero)))
		raise_text(v, FOUND(DQUOT_PAD), name_of(n, NULL), NULL, NULL);
}

static void check_record(struct verdict *v, const struct geometry *g, u32 index, u32 first,
			 const struct dquot *d)
{
	struct record_name n;

	n.index = index; /* the text is made when it is needed */
	if (be16_get(d->magic) != DQUOT_MAGIC) {
		raise_hex(v, verify_defs->magic, name_of(&n, NULL), be16_get(d->magic),
			  DQUOT_MAGIC);
		return;
	}
	check_identity(v, g, &n, d);
	if (be32_get(d->id) != first + index)
		raise_u64(v, FOUND(DQUOT_ID), name_of(&n, NULL), be32_get(d->id),
			  (u64)first + index);
	if (!unused(d))
		check_amounts(v, &n, d);
}

static void dquot_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	const struct dquot *d = block;
	u32 count = len / (u32)sizeof(*d), middle = count / 2, first, other;

	if (count < 3)
		return;
	/* The id of the first record by the vote of three. The place in the file says it too, but
	 * only post_inode knows that. */
	first = be32_get(d[0].id);
	other = be32_get(d[count - 1].id) - (count - 1);
	if (first != other && first != be32_get(d[middle].id) - middle)
		first = other;
	for (u32 i = 0; i < count; i++)
		check_record(v, g, i, first, &d[i]);
}

static void dquot_parts(const struct geometry *g, const void *block, u32 len,
			struct part_sink *sink)
{
	(void)g;
	(void)block;
	for (u32 i = 0; i < len / sizeof(struct dquot); i++) {
		const struct part part = {"dquot", i, true, i * (u32)sizeof(struct dquot),
					  &dquot_layout};

		sink->part(sink, &part);
	}
}

static const struct part_kind kinds[] = {{"dquot", &dquot_layout}, {NULL, NULL}};

/* --- usage --- */

static void post_usage(struct sweep *sweep, enum side side, u32 type, u64 id,
		       enum quota_resource resource, u64 amount)
{
	const struct fact fact = {{type, id, resource, 0}};

	if (amount)
		sweep_post(sweep, ACCOUNT_QUOTA, side, &fact, (s64)amount);
}

void quota_charge(struct sweep *sweep, const struct inode *inode, u64 rt_blocks)
{
	u32 counted = quota_types_counted(sweep->g);
	const struct {
		u32 type, id;
	} owner[] = {
	    {DQUOT_USER, inode->uid}, {DQUOT_GROUP, inode->gid}, {DQUOT_PROJECT, inode->projid}};

	if (!counted || quota_type_of(sweep->g, inode->ino.v))
		return;
	for (u32 i = 0; i < ARRAY_COUNT(owner); i++) {
		u32 type = owner[i].type, id = owner[i].id;

		if (!(counted & type))
			continue;
		post_usage(sweep, SIDE_LEFT, type, id, QUOTA_BLOCKS, inode->nblocks - rt_blocks);
		post_usage(sweep, SIDE_LEFT, type, id, QUOTA_INODES, 1);
		post_usage(sweep, SIDE_LEFT, type, id, QUOTA_RT_BLOCKS, rt_blocks);
	}
}

/* What the administrator has chosen, or root has used: odd, but only for who asks. */
static void check_limit(struct verdict *v, struct record_name *n, u64 id, const struct resource *r,
			u64 most)
{
	if (r->hard > most)
		raise_u64(v, FOUND(DQUOT_LIMIT_LARGE), name_of(n, r->name), r->hard, most);
	if (id && r->hard && r->count > r->hard)
		raise_u64(v, FOUND(DQUOT_OVER_LIMIT), name_of(n, r->name), r->count, r->hard);
}

static void check_limits(struct verdict *v, const struct geometry *g, u32 index, u64 id,
			 const struct dquot *d)
{
	const struct resources r = resources_of(d);
	struct record_name n;

	n.index = index;
	check_limit(v, &n, id, &r.blocks, g->data_blocks);
	check_limit(v, &n, id, &r.inodes, g->data_blocks << g->inopb_log);
	check_limit(v, &n, id, &r.rt_blocks, g->rt_blocks);
}

static int post_block(struct internal_file *file, struct verdict *v, u64 off, const u8 *block,
		      enum severity worst)
{
	const struct geometry *g = file->sweep->g;
	const struct dquot *d = (const struct dquot *)block;
	u32 per_block = dquots_per_block(g), type = quota_type_of(g, file->inode->ino.v);

	(void)worst;
	/* in order, but elsewhere; what is out of order the rules have said */
	if (be32_get(d[0].id) != off * per_block && be32_get(d[1].id) == (u64)be32_get(d[0].id) + 1)
		raise_u64(v, FOUND(DQUOT_ID), "dquot[0]", be32_get(d[0].id), off * per_block);
	for (u32 i = 0; i < per_block; i++)
		sweep_check_lsn(file->sweep, v, be64_get(d[i].lsn));
	for (u32 i = 0; file->sweep->preen && i < per_block; i++)
		if (be16_get(d[i].magic) == DQUOT_MAGIC)
			check_limits(v, g, i, off * per_block + i, &d[i]);
	if (!(quota_types_counted(g) & type))
		return 0;
	for (u32 i = 0; i < per_block; i++) {
		u64 id = off * per_block + i;

		if (be16_get(d[i].magic) != DQUOT_MAGIC)
			continue;
		post_usage(file->sweep, SIDE_RIGHT, type, id, QUOTA_BLOCKS, be64_get(d[i].bcount));
		post_usage(file->sweep, SIDE_RIGHT, type, id, QUOTA_INODES, be64_get(d[i].icount));
		post_usage(file->sweep, SIDE_RIGHT, type, id, QUOTA_RT_BLOCKS,
			   be64_get(d[i].rtbcount));
	}
	return 0;
}

static int check_file(struct sweep *sweep, const struct inode *inode)
{
	const struct geometry *g = sweep->g;
	struct internal_file file = {.sweep = sweep,
				     .inode = inode,
				     .type = vol_type(sweep->vol, META_DQUOT),
				     .sparse = true,
				     .blocks = (u64)NULL32 / dquots_per_block(g) + 1,
				     .block = post_block};
	struct extent behind;
	bool whole;

	if (inode->size)
		raise_u64(sweep->verdict, FOUND(DQUOT_FILE_SIZE), "size", inode->size, 0);
	if (!fork_lookup(sweep->vol, inode, FORK_DATA, fileoff_of(file.blocks), &behind) &&
	    (behind.start != NULL64 || behind.off + behind.count != FILEOFF_END))
		raise_u64(sweep->verdict, FOUND(DQUOT_BEYOND), NULL,
			  behind.start != NULL64 ? behind.off : behind.off + behind.count,
			  file.blocks);
	return internal_each(&file, &whole);
}

static int dquot_post_inode(struct sweep *sweep, const struct inode *inode)
{
	return quota_type_of(sweep->g, inode->ino.v) ? check_file(sweep, inode) : 0;
}

/* ---- in a commit ---- */

static void changed_record(struct sweep *sweep, const struct txn_change *c, const void *before,
			   const void *after)
{
	static const struct dquot none;
	const struct dquot *was = before ? before : &none, *is = after ? after : &none;
	u32 id = be32_get((after ? is : was)->id);
	const struct {
		enum quota_resource resource;
		struct be64 was, is;
	} count[] = {{QUOTA_BLOCKS, was->bcount, is->bcount},
		     {QUOTA_INODES, was->icount, is->icount},
		     {QUOTA_RT_BLOCKS, was->rtbcount, is->rtbcount}};

	for (u32 i = 0; i < ARRAY_COUNT(count); i++) {
		const struct fact fact = {
		    {quota_type_of(sweep->g, c->where->owner), id, count[i].resource, 0}};

		guard_amount(sweep, ACCOUNT_QUOTA, SIDE_RIGHT, &fact, be64_get(count[i].was),
			     be64_get(count[i].is));
	}
}

static int dquot_change(struct sweep *sweep, const struct txn_change *c)
{
	const u32 all = c->size / (u32)sizeof(struct dquot);
	const struct guard_array before = {c->before, c->before ? all : 0};
	const struct guard_array after = {c->after, c->after ? all : 0};

	if (quota_types_counted(sweep->g) & quota_type_of(sweep->g, c->where->owner))
		guard_entries(sweep, c, before, after, sizeof(struct dquot), changed_record);
	return 0;
}

static bool dquot_present(const struct geometry *g)
{
	return geometry_has(g, FEATURE_QUOTA);
}

static u32 dquot_size(const struct geometry *g)
{
	return g->block_size;
}

const struct meta_type meta_dquot = {
    .id = META_DQUOT,
    .name = "dquot",
    .title = "block of quota records",
    .scope = SCOPE_INODE,
    .class = CLASS_SECONDARY,
    .crc_offset = CRC_NONE,
    .present = dquot_present,
    .size = dquot_size,
    .layout = &dquot_layout,
    .parts = dquot_parts,
    .kinds = kinds,
    .rules = dquot_rules,
    .post_inode = dquot_post_inode,
    .change = dquot_change,
    .rebuild = dquot_rebuild,
    .gathers = true,
    .needs_check = 1ull << META_INODE | 1ull << META_BMBT,
    .needs_rebuild = 1ull << META_INODE | 1ull << META_BMBT,
    .items = SCRUB_BIT(UQUOTA) | SCRUB_BIT(GQUOTA) | SCRUB_BIT(PQUOTA),
    .rebuilt_from = "what inodes are charged; limits stay",
    .kernel_scrub = "xchk_quota, xchk_quotacheck",
};
