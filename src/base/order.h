/* Sorted lists of numbers: the order for qsort() and bsearch(), each once, and whether one is in
 * the list. */
#ifndef MENDFS_BASE_ORDER_H
#define MENDFS_BASE_ORDER_H

#include "base/types.h"

#include <stdlib.h>

static inline int order_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* Sorts them, and keeps each once: how many are left. number may be NULL when count is 0. */
static inline u32 order_unique(u64 *number, u32 count)
{
	u32 kept = 0;

	if (count)
		qsort(number, count, sizeof(*number), order_u64);
	for (u32 i = 0; i < count; i++)
		if (!kept || number[kept - 1] != number[i])
			number[kept++] = number[i];
	return kept;
}

/* sorted may be NULL when count is 0. */
static inline bool order_has(const u64 *sorted, u32 count, u64 value)
{
	return count && bsearch(&value, sorted, count, sizeof(value), order_u64);
}

#endif
