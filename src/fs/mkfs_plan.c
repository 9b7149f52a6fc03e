/*
 * From wishes to a geometry; see mkfs.h.
 *
 * The choices follow mkfs.xfs 6.13, found out by asking it (`mkfs.xfs -N`) over thousands of sizes
 * and options: who knows one knows the other, and xfs_repair guesses lost geometry by the same
 * rules.  Features here, sizes in mkfs_geometry.c, the log in mkfs_log.c.
 */
#include "base/trail.h"
#include "format/super.h"
#include "fs/mkfs_plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define FEATURE_BIT(name) (1u << FEATURE_##name)
#define ALWAYS                                                                                     \
	(FEATURE_BIT(FTYPE) | FEATURE_BIT(ATTR2) | FEATURE_BIT(ALIGN) | FEATURE_BIT(LAZYSBCOUNT) | \
	 FEATURE_BIT(PROJID32) | FEATURE_BIT(MOREBITS) | FEATURE_BIT(LOGV2))
#define DEFAULT                                                                \
	(FEATURE_BIT(FINOBT) | FEATURE_BIT(SPARSE) | FEATURE_BIT(INOBTCOUNT) | \
	 FEATURE_BIT(RMAPBT) | FEATURE_BIT(REFLINK) | FEATURE_BIT(BIGTIME) | FEATURE_BIT(NREXT64))
#define MAY_BE_ASKED (DEFAULT | FEATURE_BIT(PARENT) | FEATURE_BIT(EXCHANGE) | ALWAYS)

#define RT_EXTENT_MIN 4096u
#define RT_EXTENT_MAX (1u << 30)

void mkfs_options_init(struct mkfs_options *options)
{
	*options = (struct mkfs_options){.max_inode_percent = NULL32,
					 .log_ag = NULL32,
					 .data_concurrency = NULL32,
					 .log_concurrency = NULL32};
}

void plan_warn(struct plan *p, const char *format, ...)
{
	char line[256];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	p->env->note(p->env, line);
}

int plan_derive(struct plan *p)
{
	struct geometry *g = p->g;
	bool log_internal = g->log_internal; /* whose place may not be known yet */
	struct sb sb;

	geometry_to_sb(g, &sb);
	if (geometry_from_sb(g, &sb))
		return fail_in(-EINVAL, "no filesystem can be like this");
	g->log_internal = log_internal;
	return 0;
}

/* The one needs the other: an error when it was asked for, else it is left out. */
static int needs(struct plan *p, enum feature feature, const char *name, bool met, const char *what)
{
	if (met || !geometry_has(p->g, feature))
		return 0;
	if (plan_asked(p, feature))
		return fail(-EINVAL, "%s is not supported %s", name, what);
	plan_set(p, feature, false);
	return 0;
}

int plan_features(struct plan *p)
{
	const struct mkfs_options *o = p->options;
	bool realtime = p->target->rt_size;
	int err;

	if (o->features_on & o->features_off)
		return fail(-EINVAL, "a feature is asked for both ways");
	if ((o->features_on | o->features_off) & ~MAY_BE_ASKED)
		return fail(-EINVAL, "a feature is asked for that cannot be chosen");
	if (o->features_off & ALWAYS)
		return fail(-EINVAL, "a feature that every V5 filesystem has cannot be left out");
	p->g->features = ((ALWAYS | DEFAULT) & ~o->features_off) | o->features_on;
	/* Parent pointers are attributes; and the repair of a directory exchanges the old one for
	 * the new. */
	if (geometry_has(p->g, FEATURE_PARENT))
		p->g->features |= FEATURE_BIT(ATTR) | (FEATURE_BIT(EXCHANGE) & ~o->features_off);
	err = needs(p, FEATURE_INOBTCOUNT, "inobtcount", geometry_has(p->g, FEATURE_FINOBT),
		    "without finobt");
	if (!err)
		err = needs(p, FEATURE_REFLINK, "reflink", !realtime, "with a realtime section");
	if (!err)
		err = needs(p, FEATURE_RMAPBT, "rmapbt", !realtime, "with a realtime section");
	if (!err && o->cow_extent_size && !geometry_has(p->g, FEATURE_REFLINK))
		return fail(-EINVAL, "cowextsize is not supported without reflink");
	return err;
}

static int plan_realtime(struct plan *p)
{
	const struct mkfs_options *o = p->options;
	struct geometry *g = p->g;
	u64 size = p->target->rt_size, extent = o->rt_extent_size;

	if (o->rt_size && !size)
		return fail(-EINVAL,
			    "a size of the realtime section is given, but no device for it");
	if (o->rt_size > size)
		return fail(-EINVAL,
			    "size of the realtime section is too large, its device has %llu bytes",
			    (unsigned long long)size);
	if (o->rt_size)
		size = o->rt_size;
	if (!extent)
		extent = max_u64(g->block_size, RT_EXTENT_MIN);
	if (extent % g->block_size || extent < RT_EXTENT_MIN || extent > RT_EXTENT_MAX)
		return fail(-EINVAL,
			    "realtime extent size %llu is no multiple of the block size %u from 4 "
			    "KiB to 1 GiB",
			    (unsigned long long)extent, g->block_size);
	g->rt_extent_size = (u32)plan_blocks(p, extent);
	g->rt_blocks = plan_blocks(p, size);
	g->rt_extents = g->rt_blocks / g->rt_extent_size;
	if (size && !g->rt_extents)
		return fail(-ENOSPC, "the realtime section is smaller than one extent");
	g->rt_blocks = g->rt_extents * g->rt_extent_size;
	g->frextents = g->rt_extents;
	return 0;
}

static int plan_small(struct plan *p)
{
	u64 bytes = p->g->data_blocks * p->g->block_size;

	if (bytes < MKFS_SMALL_BYTES)
		plan_warn(p,
			  "%llu MiB are few for XFS; below 300 MiB it is for tests, and slow and "
			  "full of overhead",
			  (unsigned long long)bytes >> 20);
	return 0;
}

int mkfs_plan(struct env *env, const struct mkfs_options *options, const struct mkfs_target *target,
	      struct geometry *g)
{
	static int (*const steps[])(struct plan *) = {
	    plan_features, plan_sizes, plan_stripe, plan_ags, plan_realtime, plan_log, plan_small};
	struct plan p = {.env = env, .options = options, .target = target, .g = g};
	int err = 0;

	memset(g, 0, sizeof(*g));
	g->rbm_ino = g->rsum_ino = g->root_ino = NULL64;
	memcpy(g->label, options->label, sizeof(g->label));
	if (options->has_uuid)
		g->uuid = options->uuid;
	for (u32 i = 0; !err && i < ARRAY_COUNT(steps); i++)
		err = steps[i](&p);
	return err ? err : plan_derive(&p);
}
