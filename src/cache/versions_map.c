/*
 * Which chunks of two contents differ; see versions.h.
 *
 * Chunks are compared by the hundred in each commit: 32 bytes at once where that can be done.
 */
#include "cache/versions.h"

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2"))) static __m256i load(const u8 *at)
{
	return _mm256_loadu_si256((const __m256i *)at);
}

__attribute__((target("avx2"))) static void map_fast(const u8 *a, const u8 *b, u32 chunk, u32 end,
						     u32 *map)
{
	for (; chunk < end; chunk++) {
		const u8 *p = a + chunk * VERSION_CHUNK, *q = b + chunk * VERSION_CHUNK;
		__m256i x = _mm256_xor_si256(load(p), load(q));
		__m256i y = _mm256_xor_si256(load(p + 32), load(q + 32));
		__m256i z = _mm256_xor_si256(load(p + 64), load(q + 64));
		__m256i w = _mm256_xor_si256(load(p + 96), load(q + 96));

		x = _mm256_or_si256(_mm256_or_si256(x, y), _mm256_or_si256(z, w));
		if (!_mm256_testz_si256(x, x))
			map[chunk / 32] |= 1u << chunk % 32;
	}
}
_Static_assert(VERSION_CHUNK == 4 * 32, "map_fast compares as much");

static bool can_map_fast(void)
{
	return __builtin_cpu_supports("avx2");
}
#else
static void map_fast(const u8 *a, const u8 *b, u32 chunk, u32 end, u32 *map)
{
	(void)a, (void)b, (void)chunk, (void)end, (void)map; /* never called */
}

static bool can_map_fast(void)
{
	return false;
}
#endif

void version_map_differences(const u8 *before, const u8 *after, u32 from, u32 end, u32 *map)
{
	u32 chunk = from / VERSION_CHUNK, last = (u32)div_up_u64(end, VERSION_CHUNK);

	if (can_map_fast()) {
		map_fast(before, after, chunk, last, map);
		return;
	}
	for (; chunk < last; chunk++)
		if (memcmp(before + chunk * VERSION_CHUNK, after + chunk * VERSION_CHUNK,
			   VERSION_CHUNK) != 0)
			map[chunk / 32] |= 1u << chunk % 32;
}
