/*
 * The realtime bitmap and its summary: arrays of 32-bit words without any header, in the byte order
 * of the machine that made them; mendfs reads those of little-endian machines.
 *
 * A set bit is a free realtime extent, the least significant bit of a word first. The summary
 * counts the free runs of 2^level to 2^(level+1)-1 extents that begin in each block of the bitmap.
 * Source: XFS_Filesystem_Structure, "Real-time Inodes".
 */
#ifndef MENDFS_FORMAT_REALTIME_H
#define MENDFS_FORMAT_REALTIME_H

#include "format/geometry.h"
#include "format/layout.h"

#define RT_WORD_BITS 32

#define RTBITMAP_WORD_FIELDS(F, A, S) F(S, le32, free, FIELD_HEX)
LAYOUT_STRUCT(rtbitmap_word, RTBITMAP_WORD_FIELDS);
#define RTSUMMARY_WORD_FIELDS(F, A, S) F(S, le32, count, FIELD_UINT)
LAYOUT_STRUCT(rtsummary_word, RTSUMMARY_WORD_FIELDS);

static inline u32 rt_bits_per_block(const struct geometry *g)
{
	return g->block_size * 8;
}
/* Words of the summary in use. */
static inline u64 rt_summary_words(const struct geometry *g)
{
	return (u64)g->rt_summary_levels * g->rt_bitmap_blocks;
}

#endif
