/* Repairing an image in place; see mend.h. */
#include "mend.h"

#include "base/trail.h"
#include "format/verify.h"
#include "meta/types_table.h"
#include "scrub/repair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MEND_CACHE (4u << 20)

struct kept {
	struct kept *older;
	u64 at;
	size_t size;
	u8 bytes[];
};

static int mend_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	struct mend *m = (struct mend *)dev;

	return device_read(&m->image->dev, at, to, size);
}

static int mend_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	struct mend *m = (struct mend *)dev;
	struct kept *kept;

	m->writes++;
	if (m->power && m->writes > m->power)
		return fail(-EIO, "the power is off");
	if (at.v > dev->size || size > dev->size - at.v)
		return fail(-ENXIO, "write beyond the end");
	kept = malloc(sizeof(*kept) + size);
	if (!kept)
		abort();
	*kept = (struct kept){m->kept, at.v, size};
	memcpy(kept->bytes, m->image->bytes + at.v, size);
	m->kept = kept;
	memcpy(m->image->bytes + at.v, from, size);
	return 0;
}

static int mend_flush(struct device *dev)
{
	(void)dev;
	return 0;
}

static void mend_close(struct device *dev)
{
	(void)dev;
}

static void say(void *arg, const char *line)
{
	const struct world *world = arg;

	if (world->print)
		printf("%s\n", line);
}

int mend_image(struct world *world, struct mend *m, struct image *image, struct image *rt,
	       u64 *left)
{
	struct verdict v = {.raise = raise_nothing};
	const struct vol_options options = {.data = &m->dev,
					    .rt = rt ? &rt->dev : NULL,
					    .memory = MEND_CACHE,
					    .write = true,
					    .repair = true,
					    .verdict = &v};
	const struct repair_options repair = {.say = say, .arg = world, .memory = MEND_CACHE};
	struct repair_result result = {0};
	struct vol *vol;
	int err, closed;

	*m = (struct mend){.power = m->power,
			   .dev = {.name = "image",
				   .size = image->dev.size,
				   .read = mend_read,
				   .write = mend_write,
				   .flush = mend_flush,
				   .close = mend_close},
			   .image = image};
	*left = 0;
	err = vol_open(&world->env, &meta_types, &options, &vol);
	if (err)
		return err;
	err = repair_run(vol, &repair, &result);
	*left = result.left;
	closed = vol_close(vol);
	return err ? err : closed;
}

void mend_undo(struct mend *m)
{
	while (m->kept) {
		struct kept *kept = m->kept;

		memcpy(m->image->bytes + kept->at, kept->bytes, kept->size);
		m->kept = kept->older;
		free(kept);
	}
}
