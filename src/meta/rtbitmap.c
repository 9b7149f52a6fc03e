/*
 * The realtime bitmap: which extents of the realtime section are free.
 *
 * Posts the free runs, in blocks, beside what files claim; their number by size and place, beside
 * the summary; their sum, beside the superblock. Runs go on over the blocks of the bitmap.
 */
#include "format/realtime.h"
#include "ledger/sweep.h"
#include "meta/findings.h"
#include "meta/internal.h"
#include "meta/rebuild.h"
#include "meta/tree.h"

struct bitmap_walk {
	struct internal_file file; /* first: the callback gets this */
	u64 start, length;	   /* of the free run at hand, in extents */
	u64 free;
};

static void end_run(struct bitmap_walk *w)
{
	const struct geometry *g = w->file.sweep->g;
	const struct fact space = {{0, 0, 0, 0}};
	struct fact summary = {{0, w->start / rt_bits_per_block(g), 0, 0}};

	if (!w->length)
		return;
	summary.w[0] = 63u - (u32)__builtin_clzll(w->length);
	sweep_post(w->file.sweep, ACCOUNT_RT_SUMMARY, SIDE_LEFT, &summary, 1);
	sweep_post_range(w->file.sweep, ACCOUNT_RT_SPACE, SIDE_LEFT, &space,
			 w->start * g->rt_extent_size, w->length * g->rt_extent_size, 1);
	w->free += w->length;
	w->length = 0;
}

/* One word: `bits` of it belong to the section. */
static void take_word(struct bitmap_walk *w, u64 first, u32 word, u32 bits)
{
	if (word == NULL32 && bits == RT_WORD_BITS && w->length) {
		w->length += RT_WORD_BITS;
		return;
	}
	for (u32 i = 0; i < bits; i++) {
		if (!(word >> i & 1)) {
			end_run(w);
			if (!(word >> i))
				return;
		} else if (!w->length++) {
			w->start = first + i;
		}
	}
}

static int take_block(struct internal_file *file, struct verdict *v, u64 off, const u8 *block,
		      enum severity worst)
{
	struct bitmap_walk *w = (struct bitmap_walk *)file;
	const struct geometry *g = file->sweep->g;
	const struct rtbitmap_word *words = (const struct rtbitmap_word *)block;
	u64 first = off * rt_bits_per_block(g);

	(void)worst;
	for (u32 i = 0; i < g->block_size / sizeof(*words); i++, first += RT_WORD_BITS) {
		u32 word = le32_get(words[i].free);
		u64 left = g->rt_extents > first ? g->rt_extents - first : 0;
		u32 bits = (u32)min_u64(left, RT_WORD_BITS);

		if (bits < RT_WORD_BITS && word >> bits)
			raise_value(v, FOUND(RTBITMAP_TAIL), NULL, i);
		if (bits)
			take_word(w, first, word, bits);
	}
	return 0;
}

static int check_bitmap(struct sweep *sweep, const struct inode *inode)
{
	const struct geometry *g = sweep->g;
	u64 size = (u64)g->rt_bitmap_blocks << g->block_log;
	const struct fact section = {{0, 0, 0, 0}};
	struct bitmap_walk w = {.file = {.sweep = sweep,
					 .inode = inode,
					 .type = vol_type(sweep->vol, META_RTBITMAP),
					 .blocks = g->rt_bitmap_blocks,
					 .block = take_block}};
	bool whole;
	int err;

	if (inode->size < size)
		raise_u64(sweep->verdict, FOUND(RTBITMAP_SIZE), NULL, inode->size, size);
	else if (inode->size > size)
		raise_u64(sweep->verdict, FOUND(RTBITMAP_SIZE_LARGE), NULL, inode->size, size);
	if (!g->rt_extents)
		return 0;
	sweep_post_range(sweep, ACCOUNT_RT_SPACE, SIDE_RIGHT, &section, 0,
			 g->rt_extents * g->rt_extent_size, 1);
	err = internal_each(&w.file, &whole);
	end_run(&w);
	if (super_counts(sweep->vol))
		tree_count(sweep, COUNTER_FREXTENTS, NO_AG, SIDE_LEFT, (s64)w.free);
	return err;
}

static int rtbitmap_post_inode(struct sweep *sweep, const struct inode *inode)
{
	return inode->ino.v == sweep->g->rbm_ino ? check_bitmap(sweep, inode) : 0;
}

static void rtbitmap_parts(const struct geometry *g, const void *block, u32 len,
			   struct part_sink *sink)
{
	(void)g;
	(void)block;
	for (u32 i = 0; i < len / sizeof(struct rtbitmap_word); i++) {
		const struct part part = {"words", i, true, i * (u32)sizeof(struct rtbitmap_word),
					  &rtbitmap_word_layout};

		sink->part(sink, &part);
	}
}

static const struct part_kind kinds[] = {{"words", &rtbitmap_word_layout}, {NULL, NULL}};

static bool rtbitmap_present(const struct geometry *g)
{
	return g->rbm_ino && g->rbm_ino != NULL64;
}

static u32 rtbitmap_size(const struct geometry *g)
{
	return g->block_size;
}

const struct meta_type meta_rtbitmap = {
    .id = META_RTBITMAP,
    .name = "rtbitmap",
    .title = "realtime bitmap block",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .crc_offset = CRC_NONE,
    .present = rtbitmap_present,
    .size = rtbitmap_size,
    .layout = &rtbitmap_word_layout,
    .parts = rtbitmap_parts,
    .kinds = kinds,
    .post_inode = rtbitmap_post_inode,
    .rebuild = rt_rebuild,
    .needs_check = 1ull << META_INODE | 1ull << META_BMBT,
    .needs_rebuild = 1ull << META_INODE | 1ull << META_BMBT,
    .items = SCRUB_BIT(RTBITMAP),
    .rebuilt_from = "the maps of realtime files",
    .kernel_scrub = "xchk_rtbitmap",
};
