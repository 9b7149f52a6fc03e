/*
 * The least log and the largest reservation are what xfs_db 6.13 (`logres`) and mkfs.xfs have for
 * them.
 */
#include "base/test.h"

#include "format/levels.h"
#include "format/log_reserve.h"
#include "format/super.h"

#define F(name) (1u << FEATURE_##name)

struct row {
	u32 block, sector, inode, dir, ag_blocks, log_unit;
	u64 rt_blocks;
	u32 rt_extent, features;
	u64 bytes;
	u32 count;
	u64 least; /* 0: not seen, since mkfs.xfs took more */
};

static const struct row rows[] = {
    {4096, 512, 512, 4096, 4096, 1, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64), 445824,
     8, 3075},
    {4096, 512, 512, 4096, 8192, 1, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64), 445824,
     8, 3075},
    {4096, 512, 512, 4096, 16384, 1, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64), 445824,
     8, 3075},
    {4096, 512, 512, 4096, 19200, 1, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64), 445824,
     8, 0},
    {4096, 512, 512, 4096, 65536, 1, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64), 479616,
     8, 0},
    {4096, 512, 512, 4096, 655360, 1, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64), 547200,
     8, 0},
    {1024, 512, 512, 4096, 16384, 1, 0, 4, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64), 153984,
     8, 5363},
    {2048, 512, 512, 4096, 8192, 1, 0, 2, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64), 232832,
     8, 3606},
    {1024, 512, 512, 4096, 262144, 1, 0, 4, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64), 181632,
     8, 0},
    {1024, 512, 512, 65536, 262144, 1, 0, 4, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64),
     1329368, 2, 0},
    {8192, 512, 512, 8192, 9600, 1, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64), 871808,
     8, 0},
    {16384, 512, 512, 16384, 4800, 1, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64),
     1723776, 8, 0},
    {32768, 512, 512, 32768, 4800, 1, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64),
     3427712, 8, 0},
    {65536, 512, 512, 65536, 8192, 1, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64),
     6835584, 8, 0},
    {65536, 512, 512, 65536, 8192, 1, 0, 1, F(FINOBT) | F(REFLINK) | F(NREXT64), 2370432, 8, 0},
    {65536, 512, 512, 65536, 8192, 1, 0, 1, F(FINOBT) | F(NREXT64), 4732376, 2, 0},
    {4096, 512, 512, 4096, 16384, 1, 0, 1, F(FINOBT) | F(REFLINK) | F(NREXT64), 1633528, 3, 4049},
    {4096, 512, 512, 4096, 16384, 1, 0, 1, F(FINOBT) | F(RMAPBT) | F(NREXT64), 1633528, 3, 4049},
    {4096, 512, 512, 4096, 16384, 1, 0, 1, F(FINOBT) | F(NREXT64), 1633528, 3, 4049},
    {4096, 512, 512, 4096, 16384, 1, 0, 1, F(NREXT64), 1633528, 3, 4049},
    {4096, 512, 512, 65536, 16384, 1, 0, 1, F(FINOBT) | F(NREXT64), 1314008, 2, 2353},
    {4096, 512, 512, 16384, 16384, 1, 0, 1, F(FINOBT) | F(NREXT64), 1633528, 3, 4049},
    {4096, 512, 512, 65536, 16384, 1, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64), 445824,
     8, 3075},
    {4096, 512, 2048, 16384, 16384, 1, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64),
     445824, 8, 3075},
    {4096, 512, 512, 4096, 16384, 1, 0, 1,
     F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64) | F(PARENT), 428160, 5, 2001},
    {4096, 512, 512, 65536, 16384, 1, 0, 1,
     F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64) | F(PARENT), 1315200, 5, 5310},
    {1024, 512, 512, 4096, 65536, 1, 0, 4,
     F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64) | F(PARENT), 217728, 5, 4862},
    {4096, 512, 512, 4096, 16384, 1, 0, 1, F(FINOBT) | F(REFLINK) | F(NREXT64) | F(PARENT), 428160,
     5, 2001},
    {4096, 512, 512, 4096, 16384, 1, 0, 1, F(FINOBT) | F(NREXT64) | F(PARENT), 428160, 5, 2001},
    {65536, 512, 512, 65536, 8192, 1, 0, 1,
     F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64) | F(PARENT), 4733568, 5, 0},
    {4096, 512, 512, 4096, 16384, 1, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK), 445824, 8, 3075},
    {4096, 4096, 512, 4096, 16384, 4096, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64),
     478080, 8, 2928},
    {4096, 4096, 512, 4096, 16384, 65536, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64),
     478080, 8, 3744},
    {4096, 512, 512, 4096, 8176, 65536, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64),
     445824, 8, 3552},
    {4096, 512, 512, 4096, 16384, 1, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(PARENT), 309888,
     5, 1568},
    {4096, 512, 512, 4096, 16384, 1, 0, 1, F(FINOBT), 308696, 2, 857},
    {1024, 512, 512, 4096, 1073741823, 1, 0, 4, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64),
     236928, 8, 0},
    {1024, 512, 512, 4096, 65536, 1, 0, 4, F(FINOBT) | F(NREXT64), 791288, 3, 8681},
    {1024, 512, 512, 4096, 65536, 1, 0, 4, 0, 168152, 2, 2577},
    {4096, 512, 512, 4096, 268435455, 1, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64),
     648576, 8, 0},
    {4096, 512, 512, 4096, 12800, 32768, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64),
     445824, 8, 3120},
    {4096, 512, 512, 4096, 12800, 262144, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64),
     445824, 8, 6144},
    {2048, 512, 1024, 32768, 25600, 1, 0, 2, F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64),
     285056, 8, 4266},
    {1024, 512, 512, 4096, 268435456, 1, 0, 4,
     F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64) | F(PARENT), 217728, 5, 0},
    {2048, 512, 512, 4096, 402653184, 1, 0, 2, F(FINOBT) | F(RMAPBT) | F(NREXT64), 1190904, 3, 0},
    {65536, 512, 512, 65536, 8388608, 1, 0, 1,
     F(FINOBT) | F(RMAPBT) | F(REFLINK) | F(NREXT64) | F(PARENT), 4733568, 5, 0},
    {4096, 512, 512, 4096, 32000, 1, 786432, 1, F(FINOBT) | F(NREXT64), 1633528, 3, 0},
    {4096, 512, 512, 4096, 32000, 1, 786432, 16, F(FINOBT) | F(NREXT64), 1633528, 3, 0},
    {1024, 512, 512, 4096, 128000, 1, 3145728, 4, F(FINOBT) | F(NREXT64), 791288, 3, 0},
    {1024, 512, 512, 4096, 128000, 1, 3145728, 4, F(FINOBT) | F(NREXT64) | F(PARENT), 217728, 5, 0},
};

/* Through a superblock, so that the geometry is whole. */
static void make_geometry(const struct row *r, struct geometry *g)
{
	struct sb sb;

	*g = (struct geometry){
	    .block_size = r->block,
	    .sector_size = r->sector,
	    .inode_size = r->inode,
	    .dir_block_size = r->dir,
	    .ag_blocks = r->ag_blocks,
	    .ag_count = 1,
	    .data_blocks = r->ag_blocks,
	    .log_stripe_unit = r->log_unit,
	    .rt_blocks = r->rt_blocks,
	    .rt_extents = r->rt_blocks / r->rt_extent,
	    .rt_extent_size = r->rt_extent,
	    .features = r->features,
	};
	geometry_to_sb(g, &sb);
	assert_int_equal(geometry_from_sb(g, &sb), 0);
}

static void least_log(void **state)
{
	u32 wrong = 0;

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(rows); i++) {
		struct log_reservation max;
		struct geometry g;
		u64 least;

		make_geometry(&rows[i], &g);
		max = log_reservation_max(&g);
		least = log_least_blocks(&g);
		if (max.bytes == rows[i].bytes && max.count == rows[i].count &&
		    (!rows[i].least || rows[i].least == least))
			continue;
		print_error("row %u: %llu bytes %u times, at least %llu blocks\n", i,
			    (unsigned long long)max.bytes, max.count, (unsigned long long)least);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

/* Of 64 KiB blocks and small AGs, one leaf has all the records that there can be. */
static void free_list(void **state)
{
	struct row r = {4096, 512, 512, 4096, 65536, 1, 0, 1, F(FINOBT) | F(RMAPBT) | F(REFLINK),
			0,    0,   0};
	struct geometry g;

	(void)state;
	make_geometry(&r, &g);
	assert_int_equal(free_list_least(&g), 6);
	g.features &= ~F(RMAPBT);
	assert_int_equal(free_list_least(&g), 4);
	r.block = r.dir = 65536;
	r.ag_blocks = 2500;
	make_geometry(&r, &g);
	assert_int_equal(free_list_least(&g), 2);
	g.features &= ~F(RMAPBT);
	assert_int_equal(free_list_least(&g), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(least_log),
					   cmocka_unit_test(free_list)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
