/*
 * Where the bytes of an object that a transaction changes differ; see txn.h.
 *
 * Pure functions.  Where the chunks that differ are known, only those are looked at.
 */
#include "log/txn.h"

/* Of a whole, what differs lies in its dirty parts. */
void txn_map_changes(struct txn_buf *b)
{
	const u8 *before = b->before->data;

	if (!b->of_parts)
		version_map_differences(before, b->data, 0, b->size, b->map);
	for (const struct txn_buf *part = b->parts; part; part = part->older)
		if (part->dirty)
			version_map_differences(before, b->data, (u32)(part->at.v - b->at.v),
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
