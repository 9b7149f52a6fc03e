/*
 * libmendfs: making filesystems; thin over host/mkfs.h.  Nothing is shared between calls.
 */
#include "mendfs.h"

#include "base/trail.h"
#include "format/geometry.h"
#include "host/host.h"
#include "host/mkfs.h"

#include <errno.h>

static void on_note(struct env *env, const char *line)
{
	const struct mendfs_mkfs_options *options = env->front;

	if (options->warning)
		options->warning(options->arg, line);
}

static u32 features_of(unsigned bits)
{
	static const struct {
		unsigned bit;
		enum feature feature;
	} map[] = {
	    {MENDFS_FEATURE_FINOBT, FEATURE_FINOBT},
	    {MENDFS_FEATURE_SPARSE, FEATURE_SPARSE},
	    {MENDFS_FEATURE_INOBTCOUNT, FEATURE_INOBTCOUNT},
	    {MENDFS_FEATURE_RMAPBT, FEATURE_RMAPBT},
	    {MENDFS_FEATURE_REFLINK, FEATURE_REFLINK},
	    {MENDFS_FEATURE_BIGTIME, FEATURE_BIGTIME},
	    {MENDFS_FEATURE_NREXT64, FEATURE_NREXT64},
	    {MENDFS_FEATURE_PARENT, FEATURE_PARENT},
	    {MENDFS_FEATURE_EXCHANGE, FEATURE_EXCHANGE},
	};
	u32 features = 0;

	for (u32 i = 0; i < ARRAY_COUNT(map); i++)
		if (bits & map[i].bit)
			features |= 1u << map[i].feature;
	return features;
}

static int take_options(const struct mendfs_mkfs_options *options, struct mkfs_options *o)
{
	mkfs_options_init(o);
	o->data_size = options->size;
	o->block_size = options->block_size;
	o->sector_size = options->sector_size;
	o->inode_size = options->inode_size;
	o->dir_block_size = options->dir_block_size;
	o->ag_count = options->ag_count;
	o->log_size = options->log_size;
	o->stripe_unit = options->stripe_unit;
	o->stripe_width = options->stripe_width;
	o->features_on = features_of(options->features_on);
	o->features_off = features_of(options->features_off);
	o->keep = options->flags & MENDFS_MKFS_NO_DISCARD;
	o->has_uuid = options->uuid;
	if (options->uuid)
		memcpy(o->uuid.b, options->uuid, sizeof(o->uuid.b));
	if (!options->label)
		return 0;
	if (strlen(options->label) >= sizeof(o->label))
		return fail(-EINVAL, "label: more than %zu bytes", sizeof(o->label) - 1);
	memcpy(o->label, options->label, strlen(options->label));
	return 0;
}

int mendfs_mkfs(const char *image, const struct mendfs_mkfs_options *options)
{
	static const struct mendfs_mkfs_options defaults;
	struct host_mkfs what = {.data = image};
	struct env env;
	int err;

	if (!options)
		options = &defaults;
	what.log = options->log_device;
	what.rt = options->rt_device;
	what.create = options->size;
	what.force = options->flags & MENDFS_MKFS_FORCE;
	err = take_options(options, &what.options);
	if (err)
		return err;
	host_env_init(&env, 1);
	env.front = (void *)(uintptr_t)options;
	env.note = on_note;
	return host_mkfs(&env, &what);
}
