/* Large blocks of memory used again; see reuse.h. */
#include "host/reuse.h"

#if SANITIZED_ADDRESS
#include "base/types.h"

#include <assert.h>
#include <malloc.h>
#include <pthread.h>
#include <sanitizer/asan_interface.h>

#define KEPT 128

struct kept {
	void *memory;
	size_t size;
};

/* In the order in which they came. */
static struct kept kept[KEPT];
static u32 count;
static size_t bytes;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *remove_at(u32 i)
{
	struct kept k = kept[i];

	count--;
	bytes -= k.size;
	memmove(&kept[i], &kept[i + 1], (count - i) * sizeof(*kept));
	__asan_unpoison_memory_region(k.memory, k.size);
	return k.memory;
}

void *reuse_take(size_t size)
{
	void *memory = NULL;

	if (size < REUSE_LEAST)
		return NULL;
	pthread_mutex_lock(&lock);
	for (u32 i = 0; i < count && !memory; i++)
		if (kept[i].size == size)
			memory = remove_at(i);
	pthread_mutex_unlock(&lock);
	return memory;
}

bool reuse_keep(void *memory)
{
	size_t size = malloc_usable_size(memory);

	if (size < REUSE_LEAST || size > REUSE_BYTES)
		return false;
	pthread_mutex_lock(&lock);
	for (u32 i = 0; i < count; i++)
		assert(kept[i].memory != memory); /* freed twice */
	while (count == KEPT || bytes + size > REUSE_BYTES)
		free(remove_at(0));
	__asan_poison_memory_region(memory, size);
	kept[count++] = (struct kept){memory, size};
	bytes += size;
	pthread_mutex_unlock(&lock);
	return true;
}
#else
/* No file without a declaration. */
typedef int reuse_nothing;
#endif
