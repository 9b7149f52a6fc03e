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

u32 quota_types_counted(const struct geometry *g)
{
	static const struct {
		u32 type, flags;
	} kept[] = {
	    {DQUOT_USER, SB_QFLAG_UQUOTA_ACCT | SB_QFLAG_UQUOTA_CHKD},
	    {DQUOT_GROUP, SB_QFLAG_GQUOTA_ACCT | SB_QFLAG_GQUOTA_CHKD},
	    {DQUOT_PROJECT, SB_QFLAG_PQUOTA_ACCT | SB_QFLAG_PQUOTA_CHKD},
	};
	u32 types = 0;

	if (!geometry_has(g, FEATURE_QUOTA))
		return 0;
	for (u32 i = 0; i < ARRAY_COUNT(kept); i++)
		if ((g->quota_flags & kept[i].flags) == kept[i].flags)
			types |= kept[i].type;
	return types;
}
