/*
 * Damaging one field, as a bad disk or a bug would: the verbs, and putting the checksum right
 * afterwards, so that the damage gets past it.
 *
 * Pure functions on bytes: `mendfs damage` and the tests of detection share them.
 */
#ifndef MENDFS_FORMAT_DAMAGE_H
#define MENDFS_FORMAT_DAMAGE_H

#include "format/type.h"

enum damage_verb {
	DAMAGE_ZEROES,
	DAMAGE_ONES,
	DAMAGE_FIRSTBIT,
	DAMAGE_MIDDLEBIT,
	DAMAGE_LASTBIT,
	DAMAGE_ADD,
	DAMAGE_SUB,
	DAMAGE_RANDOM,
	DAMAGE_VERBS
};

const char *damage_verb_name(enum damage_verb verb);
/* DAMAGE_VERBS: there is none of that name. */
enum damage_verb damage_verb_find(const char *name);

/* A small generator (splitmix64): the same seed makes the same damage everywhere. */
u64 damage_random(u64 *state);
/* Uuids, strings and bytes are one value: the element of such a field is ignored. */
bool damage_field_whole(const struct field *field);
/* Changes an element of the field of the structure at `base`. */
void damage_field(enum damage_verb verb, const struct field *field, u32 element, u8 *base,
		  u64 *seed);
/* Recomputes the checksum that covers the byte at `offset` of an object. Its structure is taken
 * from `before`, the sound bytes; `now` is changed. Does nothing where no checksum is. */
void damage_fix_crc(const struct geometry *g, const struct meta_type *type, const u8 *before,
		    u8 *now, u32 len, u32 offset);

#endif
