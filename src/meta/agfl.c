/*
 * The AG free list: rules, and the blocks that it keeps for the btrees.
 * Which slots are in use is said by the AGF.
 */
#include "format/ag.h"
#include "format/verify.h"
#include "meta/agfl.h"
#include "meta/findings.h"
#include "meta/rebuild.h"
#include "meta/tree.h"

#include <stdio.h>

static u32 agfl_size(const struct geometry *g)
{
	return g->sector_size;
}

static struct daddr agfl_place(const struct geometry *g, u32 ag)
{
	return ag_header_daddr(g, ag, 3);
}

static u32 slot_get(const void *block, u32 index)
{
	const struct agfl_slot *slot =
	    (const void *)((const u8 *)block + sizeof(struct agfl) + index * sizeof(*slot));

	return be32_get(slot->bno);
}

static void agfl_parts(const struct geometry *g, const void *block, u32 len, struct part_sink *sink)
{
	const struct part header = {"hdr", 0, false, 0, &agfl_layout};

	(void)block;
	(void)len;
	sink->part(sink, &header);
	for (u32 i = 0; i < agfl_slots(g); i++) {
		const struct part slot = {"slots", i, true,
					  (u32)(sizeof(struct agfl) + i * sizeof(struct agfl_slot)),
					  &agfl_slot_layout};

		sink->part(sink, &slot);
	}
}

static const struct part_kind kinds[] = {
    {"hdr", &agfl_layout}, {"slots", &agfl_slot_layout}, {NULL, NULL}};

static void agfl_rules(struct verdict *v, const struct geometry *g, const void *block, u32 len)
{
	const struct agfl *agfl = block;

	(void)len;
	if (be32_get(agfl->seqno) != v->where.ag)
		raise_u64(v, FOUND(AGFL_SEQNO), "seqno", be32_get(agfl->seqno), v->where.ag);
	/* Slots that are not in use hold null or whatever they held last, but always a block of the
	 * AG. */
	for (u32 i = 0; i < agfl_slots(g); i++) {
		u32 bno = slot_get(block, i);
		char field[24];

		if (bno == NULL32 || (bno >= geometry_ag_header_blocks(g) &&
				      bno < geometry_ag_blocks(g, v->where.ag)))
			continue;
		snprintf(field, sizeof(field), "slots[%u]", i);
		raise_value(v, FOUND(AGFL_BLOCK), field, bno);
	}
}

/* True when the AGF says, with a good checksum, which slots are in use. */
static bool active_slots(struct sweep *sweep, u32 ag, u32 *first, u32 *count)
{
	const struct meta_type *type = vol_type(sweep->vol, META_AGF);
	struct daddr at = type->place(sweep->g, ag);
	struct verdict quiet = {
	    .where = {
		.type = type->name, .ag = ag, .ino = NO_INO, .daddr = at.v, .owner = NO_OWNER}};
	const struct agf *agf;
	struct buf *buf;
	bool good;

	if (cache_get_raw(sweep->vol->cache, at, sweep->g->sector_size, &buf))
		return false;
	agf = (const struct agf *)buf->data;
	good = verify(&quiet, type, sweep->g, buf->data, buf->size) < SEVERITY_CORRUPT;
	*first = be32_get(agf->flfirst);
	*count = be32_get(agf->flcount);
	cache_put(sweep->vol->cache, buf);
	return good || (*first < agfl_slots(sweep->g) && *count <= agfl_slots(sweep->g));
}

static int agfl_post(struct sweep *sweep, const struct ref *ref, const void *block, u32 len)
{
	u32 first, count, slots = agfl_slots(sweep->g), ag = ref->where.ag;

	(void)len;
	if (!active_slots(sweep, ag, &first, &count))
		return 0;
	for (u32 i = 0; i < count; i++) {
		u32 index = (first + i) % slots, bno = slot_get(block, index);
		char field[24];

		if (bno < geometry_ag_blocks(sweep->g, ag)) {
			sweep_own(sweep, ag, bno, 1, (u64)RMAP_OWN_AG, 0);
			continue;
		}
		snprintf(field, sizeof(field), "slots[%u]", index);
		raise_value(sweep->verdict, FOUND(AGFL_ACTIVE), field, bno);
	}
	return 0;
}

/* ---- in a commit ---- */

/* A header that the transaction has, before and after; or as it is, when it does not have it. */
struct header {
	const u8 *bytes[2];
	struct buf *buf; /* to be put */
};

static int open_header(struct sweep *sweep, enum meta_id id, u32 ag, struct header *out)
{
	struct daddr at = vol_type(sweep->vol, id)->place(sweep->g, ag);
	const struct txn_buf *known = guard_known(sweep, at);
	int err;

	*out = (struct header){.buf = NULL};
	if (known) {
		out->bytes[0] = txn_before(known);
		out->bytes[1] = known->data;
		return 0;
	}
	err = cache_get_raw(sweep->vol->cache, at, sweep->g->sector_size, &out->buf);
	if (!err)
		out->bytes[0] = out->bytes[1] = out->buf->data;
	return err;
}

static bool slot_active(const struct agf *agf, u32 slots, u32 index)
{
	return (index + slots - be32_get(agf->flfirst)) % slots < be32_get(agf->flcount);
}

/* A slot that says the same in both is left out. */
static void change_slots(struct sweep *sweep, u32 ag, const struct header *agf,
			 const struct header *list)
{
	u32 slots = agfl_slots(sweep->g);

	for (u32 i = 0; i < slots; i++) {
		u32 bno[2] = {NULL32, NULL32};

		for (u32 k = 0; k < 2; k++)
			if (slot_active((const struct agf *)agf->bytes[k], slots, i))
				bno[k] = slot_get(list->bytes[k], i);
		for (u32 k = 0; k < 2 && bno[0] != bno[1]; k++) {
			sweep->times = k ? 1 : -1;
			if (bno[k] != NULL32)
				sweep_own(sweep, ag, bno[k], 1, (u64)RMAP_OWN_AG, 0);
		}
	}
	sweep->times = 1;
}

int agfl_change_list(struct sweep *sweep, u32 ag)
{
	struct header agf, list = {.buf = NULL};
	int err = open_header(sweep, META_AGF, ag, &agf);

	if (!err)
		err = open_header(sweep, META_AGFL, ag, &list);
	if (!err)
		change_slots(sweep, ag, &agf, &list);
	cache_put(sweep->vol->cache, agf.buf);
	cache_put(sweep->vol->cache, list.buf);
	return err;
}

/* As a rule the AGF has changed, too, and has posted the list. */
static int agfl_change(struct sweep *sweep, const struct txn_change *c)
{
	u32 ag = c->where->ag;
	const struct txn_buf *agf =
	    guard_known(sweep, vol_type(sweep->vol, META_AGF)->place(sweep->g, ag));

	return agf && agf->dirty ? 0 : agfl_change_list(sweep, ag);
}

const struct meta_type meta_agfl = {
    .id = META_AGFL,
    .name = "agfl",
    .title = "AG free list",
    .scope = SCOPE_AG,
    .class = CLASS_SECONDARY,
    .magic = AGFL_MAGIC,
    .magic_width = 4,
    .crc_offset = offsetof(struct agfl, crc),
    .uuid_offset = offsetof(struct agfl, uuid),
    .lsn_offset = offsetof(struct agfl, lsn),
    .size = agfl_size,
    .place = agfl_place,
    .layout = &agfl_layout,
    .parts = agfl_parts,
    .kinds = kinds,
    .rules = agfl_rules,
    .post = agfl_post,
    .change = agfl_change,
    .needs_check = 1ull << META_AGF,
    .rebuild = ag_rebuild,
    .needs_rebuild = AG_REBUILD_NEEDS,
    .items = SCRUB_BIT(AGFL),
    .rebuilt_from = "the blocks that the new trees leave over",
    .kernel_scrub = "xchk_agfl",
};
