/*
 * Where the bytes of an object that a transaction changes differ; see txn.h.
 *
 * Pure functions.  Where the chunks that differ are known, only those are looked at.
 */
#include "log/txn.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Chunks are compared by the hundred in each commit: 32 bytes at once where that can be done. */
#if defined(__x86_64__)
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

void txn_map_differences(const u8 *before, const u8 *after, u32 from, u32 end, u32 *map)
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

/* Of a whole, what differs lies in its dirty parts. */
void txn_map_changes(struct txn_buf *b)
{
	const u8 *before = b->before->data;

	if (!b->of_parts)
		txn_map_differences(before, b->data, 0, b->size, b->map);
	for (const struct txn_buf *part = b->parts; part; part = part->older)
		if (part->dirty)
			txn_map_differences(before, b->data, (u32)(part->at.v - b->at.v),
					    (u32)(part->at.v - b->at.v) + part->size, b->map);
	b->mapped = true;
}

/* Of a word of the map, from a chunk on; up to one and with it. */
static u32 from_bit(u32 word, u32 chunk)
{
	return word & NULL32 << chunk % 32;
}

static u32 up_to_bit(u32 word, u32 chunk)
{
	return word & NULL32 >> (31 - chunk % 32);
}

/* The first place of [from, end) in a chunk that has changed, and the last; end and from if there
 * is none. */
static u32 skip_chunks(const struct txn_change *c, u32 from, u32 end)
{
	u32 chunk = (c->at + from) / VERSION_CHUNK, last = (c->at + end - 1) / VERSION_CHUNK;
	u32 i = chunk / 32, word = from_bit(c->map[i], chunk);

	while (!word && i < last / 32)
		word = c->map[++i];
	if (!word || i * 32 + (u32)__builtin_ctz(word) > last)
		return end;
	chunk = i * 32 + (u32)__builtin_ctz(word);
	return chunk * VERSION_CHUNK > c->at + from ? chunk * VERSION_CHUNK - c->at : from;
}

static u32 skip_chunks_back(const struct txn_change *c, u32 from, u32 end)
{
	u32 first = (c->at + from) / VERSION_CHUNK, chunk = (c->at + end - 1) / VERSION_CHUNK;
	u32 i = chunk / 32, word = up_to_bit(c->map[i], chunk);

	while (!word && i > first / 32)
		word = c->map[--i];
	if (!word || i * 32 + 31 - (u32)__builtin_clz(word) < first)
		return from;
	chunk = i * 32 + 32 - (u32)__builtin_clz(word);
	return chunk * VERSION_CHUNK < c->at + end ? chunk * VERSION_CHUNK - c->at : end;
}

static u64 difference(const struct txn_change *c, u32 at)
{
	u64 a, b;

	memcpy(&a, c->before + at, sizeof(a));
	memcpy(&b, c->after + at, sizeof(b));
	return a ^ b;
}

static u32 chunk_end(const struct txn_change *c, u32 from, u32 end)
{
	u32 stop = (c->at + from) / VERSION_CHUNK * VERSION_CHUNK + VERSION_CHUNK - c->at;

	return stop < end ? stop : end;
}

static u32 chunk_start(const struct txn_change *c, u32 from, u32 end)
{
	u32 start = (c->at + end - 1) / VERSION_CHUNK * VERSION_CHUNK;

	return start > c->at + from ? start - c->at : from;
}

u32 txn_first_difference(const struct txn_change *c, u32 from, u32 end)
{
	while (from < end) {
		u32 stop;
		u64 x = 0;

		if (c->map)
			from = skip_chunks(c, from, end);
		stop = from < end ? chunk_end(c, from, end) : end;
		while (stop - from >= sizeof(x) && !(x = difference(c, from)))
			from += sizeof(x);
		if (x)
			return from + (u32)__builtin_ctzll(x) / 8;
		while (from < stop && c->before[from] == c->after[from])
			from++;
		if (from < stop)
			break;
	}
	return from;
}

u32 txn_last_difference(const struct txn_change *c, u32 from, u32 end)
{
	while (end > from) {
		u32 stop;
		u64 x = 0;

		if (c->map)
			end = skip_chunks_back(c, from, end);
		stop = end > from ? chunk_start(c, from, end) : from;
		while (end - stop >= sizeof(x) && !(x = difference(c, end - sizeof(x))))
			end -= sizeof(x);
		if (x)
			return end - (u32)__builtin_clzll(x) / 8;
		while (end > stop && c->before[end - 1] == c->after[end - 1])
			end--;
		if (end > stop)
			break;
	}
	return end;
}
