/*
 * The realtime summary: how many free runs of each size begin in each block of the bitmap. All of
 * it follows from the bitmap; it posts its counts as the other side.
 */
#include "format/realtime.h"
#include "ledger/sweep.h"
#include "meta/findings.h"
#include "meta/internal.h"
#include "meta/rebuild.h"

static int take_block(struct internal_file *file, struct verdict *v, u64 off, const u8 *block,
		      enum severity worst)
{
	const struct geometry *g = file->sweep->g;
	const struct rtsummary_word *words = (const struct rtsummary_word *)block;
	u32 per_block = g->block_size / (u32)sizeof(*words);

	(void)worst;
	for (u32 i = 0; i < per_block; i++) {
		u64 index = off * per_block + i;
		u32 count = le32_get(words[i].count);
		struct fact fact;

		if (!count)
			continue;
		if (index >= rt_summary_words(g)) {
			raise_value(v, FOUND(RTSUMMARY_TAIL), NULL, i);
			return 0;
		}
		fact =
		    (struct fact){{index / g->rt_bitmap_blocks, index % g->rt_bitmap_blocks, 0, 0}};
		sweep_post(file->sweep, ACCOUNT_RT_SUMMARY, SIDE_RIGHT, &fact, count);
	}
	return 0;
}

static int check_summary(struct sweep *sweep, const struct inode *inode)
{
	const struct geometry *g = sweep->g;
	struct internal_file file = {.sweep = sweep,
				     .inode = inode,
				     .type = vol_type(sweep->vol, META_RTSUMMARY),
				     .blocks = g->rt_summary_size >> g->block_log,
				     .block = take_block};
	bool whole;

	if (inode->size < g->rt_summary_size)
		raise_u64(sweep->verdict, FOUND(RTSUMMARY_SIZE), NULL, inode->size,
			  g->rt_summary_size);
	else if (inode->size > g->rt_summary_size)
		raise_u64(sweep->verdict, FOUND(RTSUMMARY_SIZE_LARGE), NULL, inode->size,
			  g->rt_summary_size);
	if (!g->rt_extents)
		return 0;
	return internal_each(&file, &whole);
}

static int rtsummary_post_inode(struct sweep *sweep, const struct inode *inode)
{
	return inode->ino.v == sweep->g->rsum_ino ? check_summary(sweep, inode) : 0;
}

static void rtsummary_parts(const struct geometry *g, const void *block, u32 len,
			    struct part_sink *sink)
{
	(void)g;
	(void)block;
	for (u32 i = 0; i < len / sizeof(struct rtsummary_word); i++) {
		const struct part part = {"words", i, true, i * (u32)sizeof(struct rtsummary_word),
					  &rtsummary_word_layout};

		sink->part(sink, &part);
	}
}

static const struct part_kind kinds[] = {{"words", &rtsummary_word_layout}, {NULL, NULL}};

static bool rtsummary_present(const struct geometry *g)
{
	return g->rsum_ino && g->rsum_ino != NULL64;
}

static u32 rtsummary_size(const struct geometry *g)
{
	return g->block_size;
}

const struct meta_type meta_rtsummary = {
    .id = META_RTSUMMARY,
    .name = "rtsummary",
    .title = "realtime summary block",
    .scope = SCOPE_INODE,
    .class = CLASS_SUMMARY,
    .crc_offset = CRC_NONE,
    .present = rtsummary_present,
    .size = rtsummary_size,
    .layout = &rtsummary_word_layout,
    .parts = rtsummary_parts,
    .kinds = kinds,
    .post_inode = rtsummary_post_inode,
    .rebuild = rt_rebuild,
    .needs_check = 1ull << META_INODE | 1ull << META_BMBT,
    .needs_rebuild = 1ull << META_INODE | 1ull << META_BMBT,
    .items = SCRUB_BIT(RTSUM),
    .rebuilt_from = "the realtime bitmap",
    .kernel_scrub = "xchk_rtsummary",
};
