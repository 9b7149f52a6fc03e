/* The lines that describe a filesystem; see geometry.h. */
#include "cli/geometry.h"

#include <inttypes.h>
#include <stdio.h>

static int has(const struct geometry *g, enum feature feature)
{
	return geometry_has(g, feature) ? 1 : 0;
}

static void print_data(FILE *out, const struct geometry *g, const char *name)
{
	fprintf(out, "meta-data=%-22s isize=%-6u agcount=%u, agsize=%u blks\n", name, g->inode_size,
		g->ag_count, g->ag_blocks);
	fprintf(out, "         =%-22s sectsz=%-5u attr=%d, projid32bit=%d\n", "", g->sector_size,
		has(g, FEATURE_ATTR2) ? 2 : has(g, FEATURE_ATTR), has(g, FEATURE_PROJID32));
	fprintf(out, "         =%-22s crc=%-8d finobt=%d, sparse=%d, rmapbt=%d\n", "", 1,
		has(g, FEATURE_FINOBT), has(g, FEATURE_SPARSE), has(g, FEATURE_RMAPBT));
	fprintf(out, "         =%-22s reflink=%-4d bigtime=%d inobtcount=%d nrext64=%d\n", "",
		has(g, FEATURE_REFLINK), has(g, FEATURE_BIGTIME), has(g, FEATURE_INOBTCOUNT),
		has(g, FEATURE_NREXT64));
	/* Not known to the xfs_info that this follows, so only where they are in use. */
	if (has(g, FEATURE_EXCHANGE) || has(g, FEATURE_PARENT))
		fprintf(out, "         =%-22s exchange=%-3d parent=%d\n", "",
			has(g, FEATURE_EXCHANGE), has(g, FEATURE_PARENT));
	fprintf(out, "data     =%-22s bsize=%-6u blocks=%" PRIu64 ", imaxpct=%u\n", "",
		g->block_size, g->data_blocks, g->max_inode_percent);
	fprintf(out, "         =%-22s sunit=%-6u swidth=%u blks\n", "", g->stripe_unit,
		g->stripe_width);
}

static void print_rest(FILE *out, const struct geometry *g, const char *log, const char *rt)
{
	fprintf(out, "naming   =version %-14d bsize=%-6u ascii-ci=%d, ftype=%d\n", 2,
		g->dir_block_size, 0, has(g, FEATURE_FTYPE));
	fprintf(out, "log      =%-22s bsize=%-6u blocks=%u, version=%d\n",
		g->log_internal ? "internal log"
		: log		? log
				: "external",
		g->block_size, g->log_blocks, has(g, FEATURE_LOGV2) ? 2 : 1);
	fprintf(out, "         =%-22s sectsz=%-5u sunit=%u blks, lazy-count=%d\n", "",
		g->log_sector_size, g->log_stripe_unit >> g->block_log,
		has(g, FEATURE_LAZYSBCOUNT));
	fprintf(out, "realtime =%-22s extsz=%-6u blocks=%" PRIu64 ", rtextents=%" PRIu64 "\n",
		!g->rt_blocks ? "none"
		: rt	      ? rt
			      : "external",
		g->rt_extent_size << g->block_log, g->rt_blocks, g->rt_extents);
}

void geometry_print(FILE *out, const struct geometry *g, const char *name, const char *log,
		    const char *rt)
{
	print_data(out, g, name);
	print_rest(out, g, log, rt);
}
