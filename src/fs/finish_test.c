/*
 * Finishing intents that no kernel would log, on filesystems with damaged trees whose checksums are
 * right: everything is refused or done, nothing is read or written out of bounds, and what is
 * refused stays on the list.
 */
#include "base/test.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "format/ag.h"
#include "format/log.h"
#include "format/verify.h"
#include "fs/finish.h"
#include "fs/inode.h"
#include "fs/mkfs_test.h"
#include "host/host.h"
#include "meta/types_table.h"

#define IMAGE_SIZE (320u << 20)
#define OVERLAY_MEMORY (64u << 20)
#define ROUNDS 400

struct world {
	struct env env;
	char path[40];
	struct vol *vol;
	u64 seed;
	u32 intents;
};

static u32 draw(struct world *w, u32 below)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return (u32)((w->seed >> 20) % below);
}

static void make_image(struct world *w)
{
	struct mkfs_options options;

	memset(w, 0, sizeof(*w));
	w->seed = 0x2545f4914f6cdd1dull;
	strcpy(w->path, "/tmp/mendfs-finish-XXXXXX");
	close(mkstemp(w->path));
	assert_int_equal(truncate(w->path, IMAGE_SIZE), 0);
	host_env_init(&w->env, 1);
	mkfs_options_init(&options);
	options.ag_count = 2;
	options.block_size = 1024;
	test_mkfs(&w->env, w->path, NULL, &options);
}

static void open_vol(struct world *w)
{
	struct vol_options options = {.memory = 0};
	struct device *lower;

	assert_int_equal(device_open_file(&w->env, w->path, true, &lower), 0);
	assert_int_equal(device_open_overlay(&w->env, lower, OVERLAY_MEMORY, &options.data), 0);
	assert_int_equal(vol_open(&w->env, &meta_types, &options, &w->vol), 0);
}

/* Something that may be right, is often at an edge, and sometimes anything. */
static u64 number(struct world *w)
{
	static const u64 edge[] = {0,	       1,	   2,	       128,   1ull << 20,
				   1ull << 31, 1ull << 54, 1ull << 63, NULL64};

	switch (draw(w, 4)) {
	case 0:
		return edge[draw(w, ARRAY_COUNT(edge))];
	case 1:
		return draw(w, 200);
	default:
		return draw(w, 2) ? draw(w, 70000) : (u64)draw(w, 2) << 18 | draw(w, 170000);
	}
}

static struct log_pending *make_pending(struct world *w)
{
	static const u16 type[] = {LOG_EFI, LOG_RUI, LOG_CUI, LOG_BUI, LOG_ATTRI, LOG_XMI};
	struct log_pending *p = env_alloc(&w->env, sizeof(*p));

	p->type = type[draw(w, ARRAY_COUNT(type))];
	p->name = "test";
	p->change_count = 1 + draw(w, 3);
	p->change = env_array(&w->env, p->change_count, sizeof(*p->change));
	for (u32 i = 0; i < p->change_count; i++)
		p->change[i] = (struct log_change){
		    .ino = draw(w, 2) ? w->vol->geo.root_ino + draw(w, 3) : number(w) - draw(w, 10),
		    .start = number(w),
		    .count = draw(w, 3) ? 1 + draw(w, 40) : number(w),
		    .offset = number(w),
		    .flags = draw(w, 10) | (draw(w, 4) ? 0 : draw(w, 8) << 29)};
	p->regions = 1 + draw(w, 4);
	p->region_end = env_array(&w->env, p->regions, sizeof(u32));
	p->bytes = env_alloc(&w->env, 600);
	for (u32 i = 0; i < p->regions; i++)
		p->region_end[i] = i ? p->region_end[i - 1] + draw(w, 100) : 40 + draw(w, 2) * 56;
	for (u32 i = 0; i < 600; i++)
		p->bytes[i] = draw(w, 3) ? 0 : (u8)draw(w, 256);
	if (p->type == LOG_ATTRI && p->region_end[0] >= sizeof(struct log_attri)) {
		struct log_attri *l = (struct log_attri *)p->bytes;

		l->ino = le64_make(w->vol->geo.root_ino + draw(w, 2));
		l->op_flags = le32_make(1 + draw(w, 7));
		l->name_len = le32_make(1 + draw(w, 60));
		l->value_len = le32_make(draw(w, 60));
	}
	if (p->type == LOG_XMI && p->region_end[0] >= sizeof(struct log_xmi)) {
		struct log_xmi *l = (struct log_xmi *)p->bytes;

		l->inode1 = le64_make(w->vol->geo.root_ino + 1);
		l->inode2 = le64_make(w->vol->geo.root_ino + 2);
		l->igen1 = l->igen2 = le32_make(0);
		l->flags = le64_make(draw(w, 32));
		l->blockcount = le64_make(number(w));
	}
	return p;
}

/* Some bytes of a header or of a tree block, with the checksum put right. */
static void damage(struct world *w)
{
	static const enum meta_id id[] = {META_AGF,   META_AGFL,   META_BNOBT,
					  META_CNTBT, META_RMAPBT, META_REFCOUNTBT};
	struct vol *vol = w->vol;
	u32 which = draw(w, ARRAY_COUNT(id)), ag = draw(w, 2), size, bytes = 1 + draw(w, 4);
	const struct meta_type *type = vol_type(vol, id[which]);
	struct cache_range range;
	struct agf agf;
	struct le32 crc;
	u8 block[1024];

	size = type->size(&vol->geo);
	assert_int_equal(device_read(vol->data, meta_types.type[META_AGF]->place(&vol->geo, ag),
				     &agf, sizeof(agf)),
			 0);
	range.size = size;
	if (type->place)
		range.at = type->place(&vol->geo, ag);
	else
		range.at = agblock_daddr(&vol->geo, ag,
					 which == 5 ? be32_get(agf.refcount_root)
						    : be32_get(agf.roots[which - 2]));
	if (range.at.v + size > vol->data->size)
		return;
	assert_int_equal(device_read(vol->data, range.at, block, size), 0);
	while (bytes--)
		block[4 + draw(w, draw(w, 2) ? 100 : size - 4)] = (u8)draw(w, draw(w, 2) ? 256 : 3);
	crc = le32_make(verify_crc(block, size, type->crc_offset));
	memcpy(block + type->crc_offset, &crc, sizeof(crc));
	assert_int_equal(device_write(vol->data, range.at, block, size), 0);
	cache_forget(vol->cache, &range, 1);
}

static void hostile(void **state)
{
	u32 left = 0, finished = 0;
	struct world w;

	(void)state;
	make_image(&w);
	for (u32 round = 0; round < ROUNDS; round++) {
		struct log_status status = {0};
		struct log_pending **link = &status.pending;

		open_vol(&w);
		for (u32 i = 0; i < 30; i++) {
			*link = make_pending(&w);
			link = &(*link)->next;
			status.intents++;
		}
		if (draw(&w, 2))
			damage(&w);
		assert_int_equal(finish_pending(w.vol, &status), 0);
		finished += 30 - (u32)min_u64(30, status.intents);
		for (const struct log_pending *p = status.pending; p; p = p->next)
			left++;
		log_status_free(&w.env, &status);
		vol_close(w.vol);
	}
	assert_true(left > 100 && finished > 100);
	unlink(w.path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
