/* The device below an AG that is built aside; see aside.h. */
#include "meta/aside.h"

#include "base/trail.h"

#include <errno.h>

#define HEADERS 4
#define HEADER_MAX 4096

struct aside {
	struct device dev;
	struct device *home;
	struct env *env;
	struct aside_place place;
	u64 base; /* of the AG */
	u32 size; /* of a header */
	struct daddr at[HEADERS];
	u8 bytes[HEADERS][HEADER_MAX];
};

static struct aside *aside_of(struct device *dev)
{
	return (struct aside *)dev;
}

u8 *aside_header(struct device *dev, struct daddr at)
{
	struct aside *a = aside_of(dev);

	for (u32 i = 0; i < HEADERS; i++)
		if (a->at[i].v == at.v)
			return a->bytes[i];
	return NULL;
}

/* *out NULL: it is none. */
static int find_header(struct aside *a, struct daddr at, size_t size, u8 **out)
{
	*out = aside_header(&a->dev, at);
	for (u32 i = 0; i < HEADERS; i++)
		if (at.v < a->at[i].v + a->size && a->at[i].v < at.v + size &&
		    (!*out || size != a->size))
			return fail(-EUCLEAN, "an AG aside: byte %llu, %zu bytes, are no header",
				    (unsigned long long)at.v, size);
	return 0;
}

static bool is_its_own(const struct aside *a, struct daddr at, size_t size)
{
	const struct geometry *g = a->place.g;

	for (u32 i = 0; i < a->place.runs; i++) {
		u64 from = a->base + ((u64)a->place.run[i].start << g->block_log);

		if (at.v >= from &&
		    at.v + size <= from + ((u64)a->place.run[i].blocks << g->block_log))
			return true;
	}
	return false;
}

static int aside_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	struct aside *a = aside_of(dev);
	u8 *header;
	int err = find_header(a, at, size, &header);

	if (err)
		return err;
	if (!header)
		return device_read(a->home, at, to, size);
	memcpy(to, header, size);
	return 0;
}

static int aside_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	struct aside *a = aside_of(dev);
	u8 *header;
	int err = find_header(a, at, size, &header);

	if (err)
		return err;
	if (header) {
		memcpy(header, from, size);
		return 0;
	}
	if (!is_its_own(a, at, size))
		return fail(-EUCLEAN, "an AG aside: byte %llu is not its own to write to",
			    (unsigned long long)at.v);
	return device_write(a->home, at, from, size);
}

static int aside_flush(struct device *dev)
{
	return device_flush(aside_of(dev)->home);
}

static void aside_close(struct device *dev)
{
	env_free(aside_of(dev)->env, dev);
}

int aside_open(struct env *env, struct device *home, const struct meta_types *types,
	       const struct aside_place *place, struct device **out)
{
	static const enum meta_id header[HEADERS] = {META_SUPERBLOCK, META_AGF, META_AGFL,
						     META_AGI};
	struct aside *a = env_alloc(env, sizeof(*a));

	*out = NULL;
	if (!a)
		return fail(-ENOMEM, "an AG aside: out of memory");
	*a = (struct aside){.dev = {.name = home->name,
				    .size = home->size,
				    .read = aside_read,
				    .write = aside_write,
				    .flush = aside_flush,
				    .close = aside_close},
			    .home = home,
			    .env = env,
			    .place = *place,
			    .base = agblock_daddr(place->g, place->ag, 0).v,
			    .size = place->g->sector_size};
	if (a->size > HEADER_MAX) {
		env_free(env, a);
		return fail(-EOPNOTSUPP, "sectors of %u bytes", place->g->sector_size);
	}
	/* the superblock that is changed is the first, whatever the AG */
	for (u32 i = 0; i < HEADERS; i++)
		a->at[i] = types->type[header[i]]->place(place->g, i ? place->ag : 0);
	*out = &a->dev;
	return 0;
}
