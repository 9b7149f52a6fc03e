/* Quota records: field table, asserts, and which inode holds which. */
#include "format/quota.h"

#include "format/super.h"

LAYOUT_TABLE(dquot, DQUOT_FIELDS);

_Static_assert(sizeof(struct dquot) == 136, "dquot size");
_Static_assert(offsetof(struct dquot, bcount) == 40, "dquot.bcount");
_Static_assert(offsetof(struct dquot, rtb_hardlimit) == 72, "dquot.rtb_hardlimit");
_Static_assert(offsetof(struct dquot, crc) == 108, "dquot.crc");
_Static_assert(offsetof(struct dquot, uuid) == 120, "dquot.uuid");

u32 quota_type_of(const struct geometry *g, u64 ino)
{
	if (!geometry_has(g, FEATURE_QUOTA) || !ino || ino == NULL64)
		return 0;
	if (ino == g->uquota_ino)
		return DQUOT_USER;
	if (ino == g->gquota_ino)
		return DQUOT_GROUP;
	return ino == g->pquota_ino ? DQUOT_PROJECT : 0;
}

u32 quota_types_there(const struct geometry *g)
{
	return quota_type_of(g, g->uquota_ino) | quota_type_of(g, g->gquota_ino) |
	       quota_type_of(g, g->pquota_ino);
}

/* The flags of sb_qflags for each type. */
static const struct {
	u32 type, kept, enforced, checked;
} flags_of[] = {
    {DQUOT_USER, SB_QFLAG_UQUOTA_ACCT, SB_QFLAG_UQUOTA_ENFD, SB_QFLAG_UQUOTA_CHKD},
    {DQUOT_GROUP, SB_QFLAG_GQUOTA_ACCT, SB_QFLAG_GQUOTA_ENFD, SB_QFLAG_GQUOTA_CHKD},
    {DQUOT_PROJECT, SB_QFLAG_PQUOTA_ACCT, SB_QFLAG_PQUOTA_ENFD, SB_QFLAG_PQUOTA_CHKD},
};

u32 quota_types_counted(const struct geometry *g)
{
	u32 types = 0;

	if (!geometry_has(g, FEATURE_QUOTA))
		return 0;
	for (u32 i = 0; i < ARRAY_COUNT(flags_of); i++) {
		u32 needed = flags_of[i].kept | flags_of[i].checked;

		if ((g->quota_flags & needed) == needed)
			types |= flags_of[i].type;
	}
	return types;
}

u32 quota_types_enforced(const struct geometry *g)
{
	u32 types = quota_types_counted(g);

	for (u32 i = 0; i < ARRAY_COUNT(flags_of); i++)
		if (!(g->quota_flags & flags_of[i].enforced))
			types &= ~flags_of[i].type;
	return types;
}

u32 quota_flags_of(u32 types, bool enforced)
{
	u32 flags = 0;

	for (u32 i = 0; i < ARRAY_COUNT(flags_of); i++)
		if (types & flags_of[i].type)
			flags |= flags_of[i].kept | flags_of[i].checked |
				 (enforced ? flags_of[i].enforced : 0);
	return flags;
}
