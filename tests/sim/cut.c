/* Power cuts; see cut.h. */
#include "cut.h"

#include "fs/mkfs.h"
#include "meta/types_table.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 4096u

struct pending {
	struct pending *next;
	u64 at;
	size_t size;
	u8 *bytes;
};
struct wreck_page {
	struct wreck_page *next;
	u64 at;
	u8 bytes[PAGE];
};

u32 sim_draw(u64 *seed, u32 below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (u32)((*seed >> 20) % below);
}

static int sim_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	struct sim *s = (struct sim *)dev;

	memcpy(to, s->durable + at.v, size);
	for (const struct pending *p = s->first; p; p = p->next) {
		u64 from = p->at > at.v ? p->at : at.v,
		    until = min_u64(p->at + p->size, at.v + size);

		if (from < until)
			memcpy((u8 *)to + (from - at.v), p->bytes + (from - p->at), until - from);
	}
	return 0;
}

static int sim_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	struct sim *s = (struct sim *)dev;
	struct pending *p = malloc(sizeof(*p));

	*p = (struct pending){.at = at.v, .size = size, .bytes = malloc(size)};
	memcpy(p->bytes, from, size);
	*s->end = p;
	s->end = &p->next;
	s->unflushed++;
	if (s->written)
		s->written(s->arg);
	return 0;
}

void sim_settle(struct sim *s)
{
	while (s->first) {
		struct pending *p = s->first;

		s->first = p->next;
		memcpy(s->durable + p->at, p->bytes, p->size);
		free(p->bytes);
		free(p);
	}
	s->end = &s->first;
	s->unflushed = 0;
}

static int sim_flush(struct device *dev)
{
	sim_settle((struct sim *)dev);
	return 0;
}

static void no_close(struct device *dev)
{
	(void)dev;
}

void sim_open(struct sim *s, u64 size)
{
	*s = (struct sim){.durable = calloc(1, size),
			  .dev = {.name = "sim",
				  .size = size,
				  .read = sim_read,
				  .write = sim_write,
				  .flush = sim_flush,
				  .close = no_close}};
	s->end = &s->first;
}

void sim_close(struct sim *s)
{
	sim_settle(s);
	free(s->durable);
}

int sim_mkfs(struct env *env, struct sim *sim, u32 block_size)
{
	struct mkfs_devices devices = {.data = &sim->dev};
	struct mkfs_target target = {.data_size = sim->dev.size};
	struct mkfs_options options;
	struct geometry g;
	int err;

	mkfs_options_init(&options);
	options.block_size = block_size;
	options.ag_count = 2;
	err = mkfs_plan(env, &options, &target, &g);
	if (!err)
		err = mkfs_build(env, &meta_types, &options, &g, &devices);
	sim_settle(sim);
	return err;
}

/* ---- what is left of it ---- */

/* Whether this sector of the n-th unflushed write is there. */
static bool kept(const struct wreck *r, u32 n, u64 sector, u32 unflushed)
{
	u64 seed = (r->seed + n * 0x9e3779b97f4a7c15ull) | 1;

	switch (r->mode) {
	case 0:
		return true;
	case 1:
		return false;
	case 2: /* the last one is torn */
		seed += sector * 0xbf58476d1ce4e5b9ull;
		return n + 1 < unflushed || sim_draw(&seed, 2);
	default: /* each is there, or not, or torn */
		switch (sim_draw(&seed, 3)) {
		case 0:
			return true;
		case 1:
			return false;
		}
		seed += sector * 0xbf58476d1ce4e5b9ull;
		return sim_draw(&seed, 2);
	}
}

static void read_left(struct wreck *r, u64 at, u8 *to, size_t size)
{
	u32 n = 0;

	memcpy(to, r->sim->durable + at, size);
	for (const struct pending *p = r->sim->first; p; p = p->next, n++) {
		u64 end = at + size > p->at ? min_u64(p->size, at + size - p->at) : 0;

		for (u64 i = at > p->at ? (at - p->at) / SIM_SECTOR * SIM_SECTOR : 0; i < end;
		     i += SIM_SECTOR) {
			u64 from = p->at + i > at ? p->at + i : at,
			    until = min_u64(p->at + min_u64(i + SIM_SECTOR, p->size), at + size);

			if (from < until && kept(r, n, i / SIM_SECTOR, r->sim->unflushed))
				memcpy(to + (from - at), p->bytes + (from - p->at), until - from);
		}
	}
}

static struct wreck_page *find_page(const struct wreck *r, u64 at)
{
	struct wreck_page *page = r->page;

	while (page && page->at != at)
		page = page->next;
	return page;
}

static int wreck_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	struct wreck *r = (struct wreck *)dev;

	read_left(r, at.v, to, size);
	for (const struct wreck_page *p = r->page; p; p = p->next) {
		u64 from = p->at > at.v ? p->at : at.v, until = min_u64(p->at + PAGE, at.v + size);

		if (from < until)
			memcpy((u8 *)to + (from - at.v), p->bytes + (from - p->at), until - from);
	}
	return 0;
}

static int wreck_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	struct wreck *r = (struct wreck *)dev;
	u64 end = at.v + size;

	for (u64 page_at = at.v - at.v % PAGE; page_at < end; page_at += PAGE) {
		struct wreck_page *page = find_page(r, page_at);
		u64 first = page_at > at.v ? page_at : at.v, until = min_u64(page_at + PAGE, end);

		if (!page) {
			page = malloc(sizeof(*page));
			page->next = r->page;
			page->at = page_at;
			read_left(r, page_at, page->bytes, PAGE);
			r->page = page;
		}
		memcpy(page->bytes + (first - page_at), (const u8 *)from + (first - at.v),
		       until - first);
	}
	return 0;
}

static int wreck_flush(struct device *dev)
{
	(void)dev;
	return 0;
}

void wreck_begin(struct wreck *r, struct sim *sim, u32 mode, u64 seed)
{
	*r = (struct wreck){.dev = {.name = "wreck",
				    .size = sim->dev.size,
				    .read = wreck_read,
				    .write = wreck_write,
				    .flush = wreck_flush,
				    .close = no_close},
			    .sim = sim,
			    .mode = mode,
			    .seed = seed};
}

void wreck_end(struct wreck *r)
{
	while (r->page) {
		struct wreck_page *page = r->page;

		r->page = page->next;
		free(page);
	}
}
