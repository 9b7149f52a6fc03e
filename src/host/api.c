/*
 * libmendfs: the public functions, thin over the library.
 *
 * struct mendfs owns its env and volume.  All state is in the volume, which is safe for threads; a
 * check swaps env.finding, so checks of one struct mendfs take turns.
 */
#include "mendfs.h"

#include "base/trail.h"
#include "fs/vol.h"
#include "host/host.h"
#include "ledger/sweep.h"
#include "meta/types_table.h"
#include "scrub/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/api.h"

int mendfs_open(const char *image, const struct mendfs_options *options, struct mendfs **out)
{
	static const struct mendfs_options defaults;
	struct mendfs *fs = calloc(1, sizeof(*fs));
	struct vol_options vol = {0};
	int err;

	*out = NULL;
	if (!fs)
		return fail(-ENOMEM, "%s: out of memory", image);
	if (!options)
		options = &defaults;
	host_env_init(&fs->env, 0);
	vol.memory = options->memory;
	fs->no_recovery = options->flags & MENDFS_OPEN_NO_RECOVERY;
	vol.no_recovery = vol.tell_log = fs->no_recovery;
	vol.accept_loss = options->flags & MENDFS_OPEN_ACCEPT_LOSS;
	err = device_open_file(&fs->env, image, true, &vol.data);
	if (!err && options->log_device)
		err = device_open_file(&fs->env, options->log_device, true, &vol.log);
	if (!err && options->rt_device)
		err = device_open_file(&fs->env, options->rt_device, true, &vol.rt);
	if (err) {
		device_close(vol.data);
		device_close(vol.log);
		free(fs);
		return err;
	}
	err = vol_open(&fs->env, &meta_types, &vol, &fs->vol);
	fs->checking = err ? NULL : fs->env.lock_create(&fs->env);
	fs->calling = err ? NULL : fs->env.lock_create(&fs->env);
	if (!err && (!fs->checking || !fs->calling))
		err = fail(-ENOMEM, "%s: out of memory", image);
	if (err) {
		mendfs_close(fs);
		return err;
	}
	*out = fs;
	return 0;
}

void mendfs_close(struct mendfs *fs)
{
	if (!fs)
		return;
	vol_close(fs->vol);
	fs->env.lock_destroy(&fs->env, fs->checking);
	fs->env.lock_destroy(&fs->env, fs->calling);
	free(fs);
}

const char *mendfs_error(void)
{
	return trail_text();
}

const char *mendfs_version(void)
{
	return MENDFS_VERSION;
}

_Static_assert((int)MENDFS_LOG_UNKNOWN == (int)LOG_UNSEEN &&
		   (int)MENDFS_LOG_CLEAN == (int)LOG_CLEAN &&
		   (int)MENDFS_LOG_DIRTY == (int)LOG_DIRTY &&
		   (int)MENDFS_LOG_DAMAGED == (int)LOG_DAMAGED,
	       "the public states of the log are ours");

int mendfs_info(struct mendfs *fs, struct mendfs_info *info)
{
	const struct geometry *g = &fs->vol->geo;

	*info = (struct mendfs_info){
	    .block_size = g->block_size,
	    .sector_size = g->sector_size,
	    .inode_size = g->inode_size,
	    .dir_block_size = g->dir_block_size,
	    .ag_count = g->ag_count,
	    .ag_blocks = g->ag_blocks,
	    .blocks = g->data_blocks,
	    .free_blocks = g->fdblocks,
	    .inodes = g->icount,
	    .free_inodes = g->ifree,
	    .rt_extents = g->rt_extents,
	    .free_rt_extents = g->frextents,
	    .root_ino = g->root_ino,
	    .replayed = fs->vol->replayed,
	    .log = (enum mendfs_log)fs->vol->log_status.state,
	};
	memcpy(info->uuid, g->uuid.b, sizeof(info->uuid));
	memcpy(info->label, g->label, sizeof(info->label));
	return 0;
}

_Static_assert((int)MENDFS_CORRUPT == (int)SEVERITY_CORRUPT &&
		   (int)MENDFS_INCOMPLETE == (int)SEVERITY_INCOMPLETE &&
		   (int)MENDFS_PREEN == (int)SEVERITY_PREEN,
	       "the public severities are ours");

struct api_check {
	struct mendfs *fs;
	void (*finding)(void *arg, const struct mendfs_finding *finding);
	void *arg;
	enum severity worst;
};

static void on_finding(struct env *env, const struct finding *f)
{
	struct api_check *check = env->front;
	char text[2048];
	const struct mendfs_finding public = {
	    .id = f->def->id,
	    .type = f->where.type ? f->where.type : f->def->type,
	    .severity = (enum mendfs_severity)f->def->severity,
	    .ag = f->where.ag,
	    .ino = f->where.ino,
	    .offset = f->where.daddr,
	    .field = f->field,
	    .found = f->found,
	    .expected = f->expected,
	    .text = text,
	};

	finding_print(f, text, sizeof(text));
	env->lock_take(check->fs->calling);
	if (f->def->severity > check->worst)
		check->worst = f->def->severity;
	if (check->finding)
		check->finding(check->arg, &public);
	env->lock_drop(check->fs->calling);
}

static void on_log_finding(struct verdict *v, const struct finding *f)
{
	on_finding(v->sink, f);
}

/* What is said of a log that was left out when the image was opened, where nobody listened. */
static int check_log(struct mendfs *fs)
{
	struct verdict v = {.raise = on_log_finding, .sink = &fs->env};
	const struct log_options options = {.types = &meta_types, .verdict = &v};
	struct vol *vol = fs->vol;
	struct log_status status;
	int err = log_look(&fs->env, &vol->geo, vol->data, vol->log, &options, &status);

	log_status_free(&fs->env, &status);
	return err;
}

int mendfs_check(struct mendfs *fs,
		 void (*finding)(void *arg, const struct mendfs_finding *finding), void *arg)
{
	struct api_check check = {fs, finding, arg, SEVERITY_NONE};
	struct sweep_options options = {0};
	struct sweep_stats stats;
	int err;

	fs->env.lock_take(fs->checking);
	fs->env.front = &check;
	fs->env.finding = on_finding;
	err = fs->no_recovery ? check_log(fs) : 0;
	if (!err)
		err = sweep_run(fs->vol, &options, &stats);
	fs->env.front = NULL;
	fs->env.lock_drop(fs->checking);
	return err ? err : (int)check.worst;
}

int mendfs_path(struct mendfs *fs, uint64_t ino, char *text, size_t size)
{
	struct paths *paths;
	const char *path;
	int err = paths_find(fs->vol, &ino, 1, PATHS_MEMORY, &paths);

	if (err)
		return err;
	path = paths_get(paths, ino);
	if (!path)
		err = fail(-ENOENT, "inode %llu: no way leads there", (unsigned long long)ino);
	else if (strlen(path) >= size)
		err = fail(-ERANGE, "inode %llu: its path has %zu bytes", (unsigned long long)ino,
			   strlen(path));
	else
		memcpy(text, path, strlen(path) + 1);
	paths_free(paths);
	return err;
}
