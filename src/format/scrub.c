/* The table of scrub items; see scrub.h. */
#include "format/scrub.h"

#include "format/btree.h"
#include "format/quota.h"

const struct scrub_def scrub_defs[SCRUB_COUNT] = {
#define SCRUB_ROW(id, name_, scope_, what_) [SCRUB_##id] = {name_, SCOPE_##scope_, what_},
    SCRUB_TYPES(SCRUB_ROW)
#undef SCRUB_ROW
};

u64 scrub_of_scope(enum meta_scope scope)
{
	u64 bits = 0;

	for (u32 i = 0; i < SCRUB_COUNT; i++)
		if (scrub_defs[i].scope == scope)
			bits |= 1ull << i;
	return bits;
}

/* Which of the two maps: a block says so by its offset, the others by the name of the field. */
static u64 which_map(const struct finding *f)
{
	if (f->where.offset & RMAP_OFFSET_BMBT)
		return f->where.offset & RMAP_OFFSET_ATTR ? SCRUB_BIT(BMBTA) : SCRUB_BIT(BMBTD);
	if (!strncmp(f->field, "attr", 4))
		return SCRUB_BIT(BMBTA);
	if (!strncmp(f->field, "data", 4))
		return SCRUB_BIT(BMBTD);
	return SCRUB_BIT(BMBTA) | SCRUB_BIT(BMBTD);
}

static u64 which_quota(const struct geometry *g, u64 ino)
{
	switch (quota_type_of(g, ino)) {
	case DQUOT_USER:
		return SCRUB_BIT(UQUOTA);
	case DQUOT_GROUP:
		return SCRUB_BIT(GQUOTA);
	case DQUOT_PROJECT:
		return SCRUB_BIT(PQUOTA);
	default:
		return SCRUB_BIT(UQUOTA) | SCRUB_BIT(GQUOTA) | SCRUB_BIT(PQUOTA);
	}
}

u64 scrub_narrow(const struct geometry *g, const struct finding *f, u64 items)
{
	const u64 maps = SCRUB_BIT(BMBTD) | SCRUB_BIT(BMBTA);
	const u64 quotas = SCRUB_BIT(UQUOTA) | SCRUB_BIT(GQUOTA) | SCRUB_BIT(PQUOTA);

	if (items & maps)
		items &= ~maps | which_map(f);
	if (items & quotas)
		items &= ~quotas | which_quota(g, f->where.ino);
	if (f->where.ino != NO_INO && items & scrub_of_scope(SCOPE_INODE))
		items &= scrub_of_scope(SCOPE_INODE);
	return items;
}

u32 finding_ag(const struct geometry *g, const struct finding *f)
{
	bool inode = f->where.ino != NO_INO && inum_valid(g, inum_of(f->where.ino));

	return inode ? inum_ag(g, inum_of(f->where.ino)) : f->where.ag;
}
