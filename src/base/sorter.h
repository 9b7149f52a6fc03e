/*
 * Sorting more records than memory holds.
 *
 * Records have one size and are ordered by memcmp of their first key_size bytes (so numbers are
 * stored big-endian in keys). What does not fit is sorted in runs in a scratch file and merged
 * while reading.  Not thread-safe.
 */
#ifndef MENDFS_BASE_SORTER_H
#define MENDFS_BASE_SORTER_H

#include "base/env.h"

struct sorter;

/* memory: bytes for the records held at a time; at least a few records. */
int sorter_open(struct env *env, u32 record_size, u32 key_size, size_t memory, struct sorter **out);
void sorter_close(struct sorter *sorter);
int sorter_add(struct sorter *sorter, const void *record);
u64 sorter_count(const struct sorter *sorter);
/* Ends adding. Then sorter_next() gives the records in order: 1 and a record, 0 at the end, or a
 * negative errno. */
int sorter_sort(struct sorter *sorter);
int sorter_next(struct sorter *sorter, void *record);
/* The same for who looks one record ahead: whether there was one goes to *has. 0, or a negative
 * errno. */
int sorter_take(struct sorter *sorter, void *record, bool *has);

#endif
