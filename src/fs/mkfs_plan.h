/* What the files that choose a geometry share; private to src/fs/mkfs*.c. */
#ifndef MENDFS_FS_MKFS_PLAN_H
#define MENDFS_FS_MKFS_PLAN_H

#include "fs/mkfs.h"

/* Smaller ones are made by mkfs.xfs for tests alone. */
#define MKFS_SMALL_BYTES (300ull << 20)

struct plan {
	struct env *env;
	const struct mkfs_options *options;
	const struct mkfs_target *target;
	struct geometry *g;
	u32 ag_min, ag_max; /* blocks */
	bool reported;	    /* the stripe is what the device says */
};

/* Was this feature asked for, one way or the other? */
static inline bool plan_asked(const struct plan *p, enum feature feature)
{
	return (p->options->features_on | p->options->features_off) >> feature & 1;
}
static inline void plan_set(struct plan *p, enum feature feature, bool on)
{
	p->g->features = (p->g->features & ~(1u << feature)) | (u32)on << feature;
}
/* As many bytes in blocks. */
static inline u64 plan_blocks(const struct plan *p, u64 bytes)
{
	return bytes / p->g->block_size;
}
/* A warning: goes to the person as a note. */
void plan_warn(struct plan *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Fills in what follows from the sizes and features so far. */
int plan_derive(struct plan *p);

int plan_features(struct plan *p);
int plan_sizes(struct plan *p);
int plan_stripe(struct plan *p);
int plan_ags(struct plan *p);
int plan_log(struct plan *p);

#endif
