/*
 * The geometry of new filesystems is that of mkfs.xfs 6.13, over sizes and options drawn at random;
 * and what makes no filesystem is refused.
 */
#include "base/test.h"
#include <errno.h>

#include "format/super.h"
#include "fs/mkfs.h"

#define F(name) (1u << FEATURE_##name)

struct in {
	u64 size;
	u32 block, sector, inode, dir, percent, ags, writers, log_writers, log_ag, on, off;
	u64 ag_size, unit, width, log_size, log_unit;
};
/* log_start 0: not known. */
struct out {
	u32 ags, ag_blocks;
	u64 blocks;
	u32 percent, log_blocks;
	u64 log_start;
};
struct row {
	struct in in;
	struct out out;
};

/* Members that are 0 were not given; none was given as 0 when these were made. */
static const struct row rows[] = {
    /* a last AG of 55 blocks is dropped */
    {{.size = 55ull << 40}, {55, 268435455, 14763950025ull, 1, 521728, 0}},
    {{.size = 45ull << 40}, {45, 268435455, 12079595475ull, 5, 521728, 0}},
    {{.size = 139460608, .off = F(REFLINK), .unit = 1048576, .width = 5242880},
     {7, 4352, 30464ull, 25, 3864, 0ull}},
    {{.size = 91655258446411ull,
      .sector = 1024,
      .off = F(FINOBT) | F(SPARSE) | F(REFLINK),
      .on = F(PARENT),
      .unit = 262144,
      .width = 1048576},
     {84, 268435392, 22376772081ull, 1, 521728, 0ull}},
    {{.size = 81187045376ull, .sector = 4096, .inode = 1024, .off = F(NREXT64), .on = F(EXCHANGE)},
     {4, 4955264, 19821056ull, 25, 16384, 0ull}},
    {{.block = 16384,
      .size = 130703003477ull,
      .off = F(SPARSE) | F(REFLINK) | F(BIGTIME),
      .ag_size = 94297079808ull},
     {2, 5755437, 7977478ull, 25, 4096, 0ull}},
    {{.size = 13415860928512ull, .inode = 2048}, {13, 268435455, 3275356672ull, 5, 521728, 0ull}},
    {{.block = 4096,
      .size = 173915876229ull,
      .dir = 4096,
      .off = F(REFLINK),
      .on = F(PARENT),
      .unit = 4096,
      .width = 32768,
      .log_unit = 131072},
     {16, 2653746, 42459930ull, 25, 20736, 0ull}},
    {{.size = 173035212, .off = F(NREXT64)}, {4, 10561, 42244ull, 25, 3075, 0ull}},
    {{.block = 8192,
      .size = 988807168,
      .sector = 4096,
      .percent = 42,
      .off = F(RMAPBT),
      .on = F(EXCHANGE),
      .unit = 8192,
      .width = 57344,
      .log_unit = 131072},
     {8, 15088, 120704ull, 42, 8192, 0ull}},
    {{.size = 1250403684, .inode = 2048, .off = F(REFLINK)},
     {4, 76319, 305274ull, 25, 16384, 0ull}},
    {{.size = 980434839867ull, .inode = 1024, .off = F(RMAPBT), .ags = 1},
     {1, 239363974, 239363974ull, 25, 116876, 0ull}},
    {{.size = 79742685273662ull,
      .inode = 1024,
      .off = F(RMAPBT) | F(REFLINK),
      .writers = 3,
      .unit = 524288,
      .width = 2097152,
      .log_writers = 16},
     {73, 268435328, 19468429021ull, 1, 521728, 0ull}},
    {{.size = 176289143433ull,
      .sector = 2048,
      .off = F(INOBTCOUNT),
      .on = F(PARENT),
      .ag_size = 162687918080ull},
     {2, 39718730, 43039341ull, 25, 21015, 0ull}},
    {{.block = 4096, .size = 164863921, .inode = 1024}, {4, 10063, 40249ull, 25, 3075, 0ull}},
    {{.block = 8192, .size = 125948657664ull, .log_unit = 65536},
     {4, 3843648, 15374592ull, 25, 8192, 0ull}},
    {{.size = 223666980782080ull, .off = F(SPARSE), .log_unit = 4096},
     {204, 268435455, 54606196480ull, 1, 521728, 0ull}},
    {{.block = 1024, .size = 181403648, .off = F(SPARSE), .ags = 1, .log_size = 55797760},
     {1, 177152, 177152ull, 25, 54490, 0ull}},
    {{.block = 8192,
      .size = 547163734016ull,
      .off = F(FINOBT),
      .unit = 32768,
      .width = 98304,
      .log_size = 2035245056,
      .log_unit = 8192},
     {16, 4174528, 66792448ull, 25, 248443, 0ull}},
    {{.size = 38723977, .percent = 72, .off = F(INOBTCOUNT), .on = F(EXCHANGE)},
     {2, 4727, 9454ull, 72, 3075, 0ull}},
    {{.block = 8192,
      .size = 162771501056ull,
      .inode = 1024,
      .off = F(REFLINK),
      .ags = 7,
      .log_size = 47996928},
     {7, 2838510, 19869568ull, 25, 5859, 0ull}},
    {{.size = 23658168844288ull,
      .percent = 62,
      .off = F(SPARSE) | F(REFLINK),
      .on = F(PARENT),
      .unit = 16384,
      .width = 32768},
     {32, 180497500, 5775920000ull, 62, 521728, 0ull}},
    {{.block = 1024,
      .size = 215522230,
      .sector = 1024,
      .off = F(SPARSE),
      .log_ag = 1,
      .log_writers = 4},
     {4, 52618, 210470ull, 25, 3966, 0ull}},
    {{.size = 33877393408ull,
      .sector = 2048,
      .off = F(SPARSE),
      .unit = 65536,
      .width = 458752,
      .log_writers = 16},
     {16, 516928, 8270848ull, 25, 26298, 0ull}},
    {{.size = 1631674357127ull, .inode = 1024, .off = F(FINOBT), .log_size = 1437392896},
     {4, 99589500, 398357997ull, 5, 350926, 0ull}},
    {{.block = 1024, .size = 8759803904ull, .inode = 512, .off = F(REFLINK) | F(NREXT64)},
     {4, 2138624, 8554496ull, 25, 65536, 0ull}},
    {{.block = 1024, .size = 503316480, .off = F(RMAPBT), .log_unit = 16384, .log_writers = 4},
     {4, 122880, 491520ull, 25, 65536, 0ull}},
    {{.size = 506462208, .inode = 512}, {4, 30912, 123648ull, 25, 16384, 0ull}},
    {{.block = 4096, .size = 187832601, .percent = 12}, {4, 11465, 45857ull, 12, 3075, 0ull}},
    {{.block = 1024,
      .size = 13151266728515ull,
      .inode = 512,
      .off = F(REFLINK),
      .on = F(EXCHANGE),
      .ag_size = 220352317440ull,
      .unit = 262144,
      .width = 4194304},
     {60, 215187968, 12843033914ull, 5, 1048576, 0ull}},
    {{.block = 8192, .size = 130583250833227ull, .on = F(PARENT), .ag_size = 400588046336ull},
     {326, 48899908, 15940338236ull, 1, 260864, 0ull}},
    {{.size = 67094997,
      .sector = 1024,
      .percent = 90,
      .off = F(INOBTCOUNT),
      .on = F(PARENT),
      .writers = 8,
      .log_ag = 0},
     {2, 8190, 16380ull, 90, 1650, 0ull}},
    {{.size = 48049955, .dir = 65536, .log_unit = 131072}, {2, 5865, 11730ull, 25, 4416, 0ull}},
    {{.size = 21325153304576ull, .inode = 512, .ag_size = 1000648216576ull, .log_unit = 16384},
     {22, 244298881, 5206336256ull, 5, 521728, 0ull}},
    {{.block = 8192,
      .size = 31651161702400ull,
      .sector = 2048,
      .off = F(RMAPBT),
      .ag_size = 1073658642432ull,
      .log_unit = 32768,
      .log_ag = 0},
     {30, 131061846, 3863667200ull, 5, 260864, 0ull}},
    {{.size = 6690774535ull, .off = F(REFLINK) | F(NREXT64), .log_unit = 8192},
     {4, 408373, 1633489ull, 25, 16384, 0ull}},
    {{.block = 1024,
      .size = 309387897,
      .off = F(SPARSE) | F(BIGTIME),
      .unit = 65536,
      .width = 524288,
      .log_unit = 8192,
      .log_ag = 1},
     {8, 37824, 302136ull, 25, 4248, 0ull}},
    {{.block = 16384, .size = 102371276339642ull, .off = F(FINOBT) | F(NREXT64)},
     {94, 67108863, 6248246846ull, 1, 130432, 0ull}},
    {{.block = 2048, .size = 373092171352ull, .sector = 1024, .off = F(RMAPBT), .ags = 7},
     {7, 26024845, 182173911ull, 25, 88952, 0ull}},
    {{.size = 271937755, .dir = 32768}, {4, 16598, 66391ull, 25, 3075, 0ull}},
    {{.block = 8192,
      .size = 7419922168ull,
      .off = F(NREXT64),
      .on = F(EXCHANGE),
      .ag_size = 5501272064ull},
     {2, 671542, 905752ull, 25, 8192, 0ull}},
    {{.size = 1521959470, .inode = 512, .dir = 65536, .writers = 48},
     {4, 92893, 371572ull, 25, 16384, 0ull}},
    {{.block = 4096, .size = 1122044178, .off = F(SPARSE)},
     {4, 68484, 273936ull, 25, 16384, 262151ull}},
    {{.size = 635437056, .sector = 2048, .ag_size = 108974080},
     {6, 26605, 155136ull, 25, 16384, 98312ull}},
    {{.block = 4096, .size = 1357905920, .off = F(NREXT64)},
     {4, 82880, 331520ull, 25, 16384, 262151ull}},
    {{.size = 2084936087,
      .off = F(BIGTIME) | F(NREXT64),
      .unit = 16384,
      .width = 49152,
      .log_unit = 4096},
     {8, 63628, 509017ull, 25, 16384, 262151ull}},
    {{.block = 1024, .size = 2732886626ull, .off = F(NREXT64), .unit = 16384, .width = 114688},
     {8, 333616, 2668834ull, 25, 65536, 2097168ull}},
    {{.block = 2048,
      .size = 2814199726ull,
      .dir = 4096,
      .off = F(SPARSE),
      .unit = 1048576,
      .width = 1048576},
     {8, 172032, 1374120ull, 25, 32768, 1048592ull}},
    {{.block = 65536, .size = 1983905792, .inode = 2048, .off = F(REFLINK), .log_ag = 3},
     {4, 7568, 30272ull, 25, 1024, 24582ull}},
    {{.size = 266108348, .unit = 16384, .width = 32768, .log_ag = 1},
     {8, 8124, 64967ull, 25, 2904, 8200ull}},
    {{.block = 65536, .size = 1764753408, .on = F(PARENT)},
     {4, 6732, 26928ull, 25, 1127, 16391ull}},
    {{.size = 566231040, .sector = 512, .on = F(PARENT)},
     {4, 34560, 138240ull, 25, 16384, 131079ull}},
    {{.size = 763436503, .sector = 2048}, {4, 46597, 186385ull, 25, 16384, 131080ull}},
    {{.block = 8192,
      .size = 1365245952,
      .sector = 1024,
      .inode = 1024,
      .dir = 65536,
      .off = F(SPARSE),
      .on = F(PARENT)},
     {4, 41664, 166656ull, 25, 8192, 131079ull}},
    {{.block = 65536, .size = 1547698176, .dir = 65536, .log_writers = 16},
     {4, 5904, 23616ull, 25, 5892, 16391ull}},
    {{.block = 4096, .size = 99614720, .sector = 2048, .off = F(NREXT64)},
     {4, 6080, 24320ull, 25, 2820, 16392ull}},
    {{.size = 1276365127, .sector = 4096, .off = F(RMAPBT), .on = F(PARENT), .log_size = 10563584},
     {4, 77903, 311612ull, 25, 2579, 262153ull}},
    {{.block = 2048,
      .size = 2382364672ull,
      .sector = 2048,
      .off = F(FINOBT) | F(BIGTIME),
      .unit = 16384,
      .width = 114688},
     {8, 145408, 1163264ull, 25, 32768, 1048585ull}},
    {{.size = 3129999360ull,
      .sector = 512,
      .off = F(SPARSE) | F(NREXT64),
      .ags = 5,
      .unit = 1048576,
      .width = 2097152},
     {5, 152832, 764160ull, 25, 16384, 524296ull}},
    {{.block = 2048, .size = 1544789053, .inode = 512},
     {4, 188573, 754291ull, 25, 32768, 524295ull}},
    {{.block = 16384, .size = 1332740096, .off = F(SPARSE) | F(NREXT64), .log_unit = 262144},
     {4, 20336, 81344ull, 25, 4096, 65552ull}},
    {{.size = 815792128,
      .dir = 16384,
      .off = F(INOBTCOUNT) | F(REFLINK),
      .unit = 16384,
      .width = 32768},
     {8, 24892, 199136ull, 25, 16384, 131080ull}},
    {{.size = 2421161984ull, .percent = 84}, {4, 147776, 591104ull, 84, 16384, 524295ull}},
    {{.size = 1382023168, .off = F(RMAPBT), .ags = 4, .log_ag = 3},
     {4, 84352, 337408ull, 25, 16384, 393222ull}},
    {{.block = 2048,
      .size = 2175795200ull,
      .inode = 1024,
      .dir = 65536,
      .off = F(SPARSE) | F(NREXT64),
      .unit = 1048576,
      .width = 4194304},
     {8, 132608, 1060864ull, 25, 32768, 1048592ull}},
    {{.size = 1997537280, .off = F(FINOBT), .unit = 524288, .width = 4194304, .log_unit = 16384},
     {8, 61056, 487680ull, 25, 16384, 262152ull}},
    {{.size = 734003200, .off = F(INOBTCOUNT) | F(NREXT64), .log_writers = 1},
     {4, 44800, 179200ull, 25, 16384, 131079ull}},
    {{.size = 1947932842, .off = F(REFLINK) | F(BIGTIME)},
     {4, 118893, 475569ull, 25, 16384, 262150ull}},
    {{.size = 779091968,
      .dir = 4096,
      .off = F(REFLINK),
      .unit = 262144,
      .width = 1048576,
      .log_unit = 16384},
     {8, 23744, 189952ull, 25, 16384, 131080ull}},
    {{.block = 1024, .size = 1494582263, .off = F(RMAPBT) | F(REFLINK) | F(NREXT64)},
     {4, 364888, 1459552ull, 25, 65536, 1048582ull}},
    {{.block = 4096, .size = 1484783616, .off = F(BIGTIME)},
     {4, 90624, 362496ull, 25, 16384, 262151ull}},
    {{.block = 4096,
      .size = 1460666368,
      .sector = 512,
      .inode = 2048,
      .off = F(RMAPBT) | F(NREXT64),
      .unit = 262144,
      .width = 4194304},
     {8, 44608, 356608ull, 25, 16384, 262208ull}},
};

static u32 notes;

static void on_note(struct env *env, const char *line)
{
	(void)env;
	(void)line;
	notes++;
}

static struct env quiet = {.note = on_note};

static int plan(const struct in *in, struct mkfs_options *o, struct geometry *g)
{
	struct mkfs_target target = {.data_size = in->size};

	o->block_size = in->block;
	o->sector_size = in->sector;
	o->inode_size = in->inode;
	o->dir_block_size = in->dir;
	o->ag_count = in->ags;
	o->ag_size = in->ag_size;
	o->stripe_unit = in->unit;
	o->stripe_width = in->width;
	o->log_size = in->log_size;
	o->log_stripe_unit = in->log_unit;
	o->features_on = in->on;
	o->features_off = in->off;
	if (in->percent)
		o->max_inode_percent = in->percent;
	if (in->log_ag)
		o->log_ag = in->log_ag;
	if (in->writers)
		o->data_concurrency = in->writers;
	if (in->log_writers)
		o->log_concurrency = in->log_writers;
	return mkfs_plan(&quiet, o, &target, g);
}

static void same_as_mkfs_xfs(void **state)
{
	u32 right = 0;

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(rows); i++) {
		const struct out *out = &rows[i].out;
		struct mkfs_options o;
		struct geometry g;

		mkfs_options_init(&o);
		if (plan(&rows[i].in, &o, &g))
			print_error("row %u: %s\n", i, trail_text());
		else if (g.ag_count != out->ags || g.ag_blocks != out->ag_blocks ||
			 g.data_blocks != out->blocks || g.max_inode_percent != out->percent ||
			 g.log_blocks != out->log_blocks ||
			 (out->log_start && g.log_start != out->log_start))
			print_error(
			    "row %u: %u AGs of %u, %llu blocks, maxpct %u, log of %u at %llu\n", i,
			    g.ag_count, g.ag_blocks, (unsigned long long)g.data_blocks,
			    g.max_inode_percent, g.log_blocks, (unsigned long long)g.log_start);
		else
			right++;
	}
	assert_int_equal(right, ARRAY_COUNT(rows));
}

/* Each of these alone spoils a filesystem of 1 GiB; the text must say which. */
static void refuses(void **state)
{
	static const struct {
		struct in in;
		int err;
		const char *text;
	} cases[] = {
	    {{.block = 512}, -EINVAL, "block size 512"},
	    {{.block = 131072}, -EINVAL, "block size"},
	    {{.block = 3000}, -EINVAL, "block size 3000"},
	    {{.sector = 8192}, -EINVAL, "sector size"},
	    {{.sector = 256}, -EINVAL, "sector size"},
	    {{.inode = 256}, -EINVAL, "inode size"},
	    {{.inode = 4096}, -EINVAL, "inode size"},
	    {{.block = 1024, .inode = 1024}, -EINVAL, "inode size"},
	    {{.dir = 2048}, -EINVAL, "directory block size"},
	    {{.dir = 131072}, -EINVAL, "directory block size"},
	    {{.percent = 101}, -EINVAL, "maxpct"},
	    {{.ags = 1000}, -EINVAL, "AGs of"},
	    {{.ags = 4, .ag_size = 256 << 20}, -EINVAL, "agcount"},
	    {{.ag_size = 8 << 20}, -EINVAL, "AGs of"},
	    {{.ag_size = 100000000}, -EINVAL, "agsize"},
	    {{.ag_size = 3ull << 30}, -EINVAL, "larger"},
	    {{.unit = 65536}, -EINVAL, "together"},
	    {{.unit = 65536, .width = 100000}, -EINVAL, "stripe width"},
	    {{.unit = 6000, .width = 12000}, -EINVAL, "stripe unit"},
	    {{.log_size = 1 << 20}, -EINVAL, "too small"},
	    {{.log_size = 600 << 20}, -EINVAL, "too large"},
	    {{.log_unit = 6144}, -EINVAL, "log stripe unit"},
	    {{.log_unit = 512 << 10}, -EINVAL, "log stripe unit"},
	    {{.log_unit = 65536, .log_size = 4097 * 4096}, -EINVAL, "log stripe unit"},
	    {{.log_ag = 4}, -EINVAL, "log ag number 4"},
	    {{.log_size = 64 << 20, .log_writers = 4}, -EINVAL, "concurrency"},
	    {{.on = F(INOBTCOUNT), .off = F(FINOBT)}, -EINVAL, "inobtcount"},
	    {{.on = F(RMAPBT), .off = F(RMAPBT)}, -EINVAL, "both ways"},
	    {{.off = F(FTYPE)}, -EINVAL, "every V5"},
	    {{.on = F(QUOTA)}, -EINVAL, "cannot be chosen"},
	    {{.size = 15 << 20}, -ENOSPC, "too small"},
	    {{.size = 32 << 20, .block = 65536}, -ENOSPC, "too small"},
	};
	u32 right = 0;

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(cases); i++) {
		struct in in = cases[i].in;
		struct mkfs_options o;
		struct geometry g;
		int err;

		if (!in.size)
			in.size = 1 << 30;
		mkfs_options_init(&o);
		err = plan(&in, &o, &g);
		if (err == cases[i].err && strstr(trail_text(), cases[i].text))
			right++;
		else
			print_error("case %u: %d %s, expected %d %s\n", i, err,
				    err ? trail_text() : "", cases[i].err, cases[i].text);
	}
	assert_int_equal(right, ARRAY_COUNT(cases));
}

/* What the device says is used where it fits and left alone where it does not; what was asked for
 * goes first. */
static void reported_stripe(void **state)
{
	struct mkfs_target target = {.data_size = 4ull << 30,
				     .physical_sector_size = 4096,
				     .stripe_unit = 65536,
				     .stripe_width = 262144};
	struct mkfs_options o;
	struct geometry g;

	(void)state;
	mkfs_options_init(&o);
	assert_int_equal(mkfs_plan(&quiet, &o, &target, &g), 0);
	assert_int_equal(g.stripe_unit, 16);
	assert_int_equal(g.sector_size, 4096);
	assert_true(geometry_has(&g, FEATURE_DALIGN));
	assert_int_equal(g.ag_blocks % g.stripe_unit, 0);
	assert_int_not_equal(g.ag_blocks % g.stripe_width, 0);
	o.no_stripe = true;
	assert_int_equal(mkfs_plan(&quiet, &o, &target, &g), 0);
	assert_int_equal(g.stripe_unit, 0);
	o.no_stripe = false;
	target.stripe_width = 100000;
	notes = 0;
	assert_int_equal(mkfs_plan(&quiet, &o, &target, &g), 0);
	assert_int_equal(g.stripe_unit, 0);
	assert_int_equal(notes, 1);
	o.block_size = 2048;
	assert_int_equal(mkfs_plan(&quiet, &o, &target, &g), 0);
	assert_int_equal(g.sector_size, 512);
	target.sector_size = 4096;
	assert_int_equal(mkfs_plan(&quiet, &o, &target, &g), -EINVAL);
}

/* The log's device may have larger sectors than the data's. */
static void log_sectors(void **state)
{
	struct mkfs_target target = {
	    .data_size = 1 << 30, .log_size = 64 << 20, .log_sector_size = 4096};
	struct mkfs_options o;
	struct geometry g;

	(void)state;
	mkfs_options_init(&o);
	assert_int_equal(mkfs_plan(&quiet, &o, &target, &g), 0);
	assert_int_equal(g.sector_size, 512);
	assert_int_equal(g.log_sector_size, 4096);
	assert_int_equal(g.log_stripe_unit, 4096);
	assert_int_equal(g.log_start, 0);
	assert_int_equal(g.log_blocks, 16384);
	o.log_sector_size = 512;
	assert_int_equal(mkfs_plan(&quiet, &o, &target, &g), -EINVAL);
	o.log_sector_size = 0;
	o.log_size = 65 << 20;
	assert_int_equal(mkfs_plan(&quiet, &o, &target, &g), -EINVAL);
}

/* A log in AG 0 must end before the root directory, whose place xfs_repair computes. */
static void log_before_root(void **state)
{
	struct mkfs_target target = {.data_size = 30 << 20};
	struct mkfs_options o;
	struct geometry g;

	(void)state;
	mkfs_options_init(&o);
	o.block_size = 1024;
	o.log_stripe_unit = 131072;
	o.features_off = F(REFLINK) | F(SPARSE);
	assert_int_equal(mkfs_plan(&quiet, &o, &target, &g), 0);
	assert_int_equal(fsblock_ag(&g, fsblock_of(g.log_start)), 0);
	assert_true(fsblock_bno(&g, fsblock_of(g.log_start)) + g.log_blocks <=
		    mkfs_root_block(&g, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(same_as_mkfs_xfs), cmocka_unit_test(refuses),
	    cmocka_unit_test(reported_stripe),	cmocka_unit_test(log_sectors),
	    cmocka_unit_test(log_before_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
