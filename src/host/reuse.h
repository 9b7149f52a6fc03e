/*
 * Large blocks of memory used again.
 *
 * AddressSanitizer maps each block above some 128 KiB anew and gives it and its shadow back to the
 * kernel afterwards, which was two thirds of what tests took that open a filesystem often. With it,
 * such a block that is freed is kept, poisoned, for the next of just its size, the oldest first.
 * Without it nothing is kept.
 */
#ifndef MENDFS_HOST_REUSE_H
#define MENDFS_HOST_REUSE_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/sanitized.h"

#define REUSE_LEAST ((size_t)1 << 16)
#define REUSE_BYTES ((size_t)16 << 20) /* are kept in all, at most */

#if SANITIZED_ADDRESS
/* With any content; NULL: none is kept. */
void *reuse_take(size_t size);
/* False when it is not to be kept: the caller frees it. */
bool reuse_keep(void *memory);
#else
static inline void *reuse_take(size_t size)
{
	(void)size;
	return NULL;
}
static inline bool reuse_keep(void *memory)
{
	(void)memory;
	return false;
}
#endif

static inline void *reuse_calloc(size_t size)
{
	void *memory = reuse_take(size);

	return memory ? memset(memory, 0, size) : calloc(1, size);
}

static inline void *reuse_malloc(size_t size)
{
	void *memory = reuse_take(size);

	return memory ? memory : malloc(size);
}

static inline void reuse_free(void *memory)
{
	if (!reuse_keep(memory))
		free(memory);
}

#endif
