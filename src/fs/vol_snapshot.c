/*
 * What an opened volume is at one moment, as a volume of its own; see vol.h.
 *
 * Of one that is written to, the journal gives a device that stays as it is now. One that is only
 * read stays as it is anyhow: its devices are lent, and closing the loan closes nothing. A copy
 * that can be written to is the same below overlays.
 */
#include "base/trail.h"
#include "fs/vol.h"

#include <errno.h>

struct loan {
	struct device dev;
	struct device *of;
	struct env *env;
};

static struct loan *loan_of(struct device *dev)
{
	return (struct loan *)dev;
}

static int loan_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	return device_read(loan_of(dev)->of, at, to, size);
}

static int loan_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	(void)at;
	(void)from;
	(void)size;
	return fail(-EROFS, "%s: a snapshot is not written to", dev->name);
}

static int loan_flush(struct device *dev)
{
	(void)dev;
	return 0;
}

static void loan_will_read(struct device *dev, struct daddr at, u64 size)
{
	struct device *of = loan_of(dev)->of;

	if (of->will_read)
		of->will_read(of, at, size);
}

static void loan_close(struct device *dev)
{
	env_free(loan_of(dev)->env, dev);
}

/* No device is lent as none. */
static int lend(struct env *env, struct device *of, struct device **out)
{
	struct loan *loan;

	*out = NULL;
	if (!of)
		return 0;
	loan = env_alloc(env, sizeof(*loan));
	if (!loan)
		return fail(-ENOMEM, "%s: out of memory", of->name);
	*loan = (struct loan){.dev = {.name = of->name,
				      .size = of->size,
				      .read_only = true,
				      .read = loan_read,
				      .write = loan_write,
				      .flush = loan_flush,
				      .will_read = loan_will_read,
				      .close = loan_close},
			      .of = of,
			      .env = env};
	*out = &loan->dev;
	return 0;
}

/* What the replay has found is still true of what it has made. */
static void copy_log_status(const struct vol *from, struct vol *to)
{
	to->replayed = from->replayed;
	to->log_status = from->log_status;
	to->log_status.pending = NULL; /* the other's */
}

static int borrow(struct vol *vol, struct env *env, struct vol_options *options)
{
	int err = vol->journal ? journal_snapshot(vol->journal, &options->data)
			       : lend(env, vol->data, &options->data);

	if (!err)
		err = lend(env, vol->log, &options->log);
	if (!err)
		err = lend(env, vol->rt, &options->rt);
	if (!err && options->write)
		err = device_cover(env, VOL_COPY_MEMORY, &options->data);
	if (!err && options->write)
		err = device_cover(env, VOL_COPY_MEMORY, &options->log);
	if (!err)
		return 0;
	device_close(options->data);
	device_close(options->log);
	device_close(options->rt);
	return err;
}

int vol_snapshot(struct vol *vol, struct env *env, const struct vol_options *how, struct vol **out)
{
	/* All that the log has is in the snapshot, and more is written to it while it is read. */
	const bool copy = how->write;
	struct vol_options options = {.no_recovery = !copy,
				      .write = copy,
				      .repair = copy,
				      .doubtful_super = copy,
				      .discard_log = copy,
				      .memory = how->memory,
				      .verdict = how->verdict};
	int err;

	*out = NULL;
	err = borrow(vol, env, &options);
	if (!err)
		err = vol_open(env, vol->types, &options, out);
	if (err || copy)
		return err;
	if (!vol->journal) {
		copy_log_status(vol, *out);
	} else {
		/* what the log has reached, which no block may be ahead of */
		(*out)->log_status.head_cycle = vol->log_status.head_cycle;
		(*out)->log_status.head_block = vol->log_status.head_block;
	}
	return 0;
}
