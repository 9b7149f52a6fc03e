/*
 * The rules of one inode: a sound inode of each type raises nothing, and each field that is wrong
 * raises what it should. Parts: every byte that means something is reached.
 */
#include "meta/type_test.h"

#include "meta/inode.h"

#include <sys/stat.h>

#define INODE_SIZE 512
#define ROOM (INODE_SIZE - 176) /* for both forks */
#define INO 133

static struct geometry geo = {.block_size = 4096,
			      .block_log = 12,
			      .sector_size = 512,
			      .ag_count = 4,
			      .ag_blocks = 20480,
			      .ag_block_log = 15,
			      .data_blocks = 81920,
			      .inode_size = INODE_SIZE,
			      .inode_log = 9,
			      .inodes_per_block = 8,
			      .inopb_log = 3,
			      .agino_log = 18,
			      .root_ino = 128,
			      .rbm_ino = 129,
			      .rsum_ino = 130,
			      .features = 1u << FEATURE_REFLINK | 1u << FEATURE_BIGTIME |
					  1u << FEATURE_NREXT64 | 1u << FEATURE_PROJID32};

enum base {
	BASE_FILE,
	BASE_DIR,
	BASE_LINK,
	BASE_DEV,
	BASE_FREE,
	BASE_BTREE,
	BASE_ATTR,
	BASE_COUNT
};

struct object {
	struct dinode d;
	u8 room[ROOM];
};
_Static_assert(sizeof(struct object) == INODE_SIZE, "object size");

static void put_extent(u8 *at, u64 off, u64 start, u64 count)
{
	struct be64 high = be64_make(off << 9 | start >> 43), low = be64_make(start << 21 | count);

	memcpy(at, &high, 8);
	memcpy(at + 8, &low, 8);
}

static void put_root(struct object *o)
{
	const struct be16 header[2] = {be16_make(1), be16_make(2)};
	const struct be64 keys[2] = {be64_make(0), be64_make(100)};
	const struct be64 ptrs[2] = {be64_make(70), be64_make(71)};

	memcpy(o->room, header, sizeof(header));
	memcpy(o->room + 4, keys, sizeof(keys));
	memcpy(o->room + 4 + (size_t)(ROOM - 4) / 16 * 8, ptrs, sizeof(ptrs));
	o->d.format = FORMAT_BTREE;
	o->d.nextents = be32_make(100);
	o->d.nblocks = be64_make(102);
}

static struct object make(enum base base)
{
	static const u16 mode[BASE_COUNT] = {
	    S_IFREG | 0644, S_IFDIR | 0755, S_IFLNK | 0777, S_IFCHR | 0600, 0,
	    S_IFREG | 0644, S_IFREG | 0644};
	struct object o = {0};

	o.d.magic = be16_make(INODE_MAGIC);
	o.d.mode = be16_make(mode[base]);
	o.d.version = 3;
	o.d.format = FORMAT_EXTENTS;
	o.d.aformat = FORMAT_EXTENTS;
	o.d.nlink = be32_make(base != BASE_FREE);
	o.d.next_unlinked = be32_make(NULL32);
	o.d.ino = be64_make(INO);
	o.d.flags2 = be64_make(INODE_FLAG2_BIGTIME);
	if (base == BASE_FILE || base == BASE_ATTR) {
		o.d.nextents = be32_make(1);
		o.d.nblocks = be64_make(5);
		o.d.size = be64_make(20000);
		put_extent(o.room, 0, 60, 5);
	}
	if (base == BASE_ATTR) {
		o.d.forkoff = 20;
		o.d.aformat = FORMAT_EXTENTS;
		o.d.anextents = be16_make(1);
		o.d.nblocks = be64_make(6);
		put_extent(o.room + 160, 0, 70, 1);
	}
	if (base == BASE_DIR || base == BASE_LINK) {
		o.d.format = FORMAT_LOCAL;
		o.d.size = be64_make(6);
	}
	if (base == BASE_DEV)
		o.d.format = FORMAT_DEV;
	if (base == BASE_BTREE)
		put_root(&o);
	return o;
}

struct seen {
	u32 count[FINDING_COUNT], total;
	char first[400];
};

static void note(struct verdict *v, const struct finding *f)
{
	struct seen *seen = v->sink;

	if (!seen->total++)
		finding_print(f, seen->first, sizeof(seen->first));
	seen->count[f->def - finding_defs]++;
}

static void check(struct object *o, u64 ino, struct seen *seen)
{
	struct verdict v = {
	    .raise = note,
	    .where = {.type = "inode", .ag = 0, .ino = ino, .daddr = 4096, .owner = ino},
	    .sink = seen};

	memset(seen, 0, sizeof(*seen));
	o->d.crc = le32_make(verify_crc(o, sizeof(*o), offsetof(struct dinode, crc)));
	verify(&v, meta_types.type[META_INODE], &geo, o, sizeof(*o));
}

static void sound(void **state)
{
	struct seen seen;

	(void)state;
	for (enum base base = 0; base < BASE_COUNT; base++) {
		struct object o = make(base);

		check(&o, INO, &seen);
		if (seen.total)
			print_error("base %d: %s\n", base, seen.first);
		assert_int_equal(seen.total, 0);
	}
}

struct wrong {
	enum base base;
	const char *field;
	u64 value;
	enum finding_id expected;
};

static const struct wrong wrongs[] = {
    {BASE_FILE, "magic", 0x4944, FINDING_ID_BLOCK_MAGIC},
    {BASE_FILE, "version", 2, FINDING_ID_INODE_VERSION},
    {BASE_FILE, "mode", 0644, FINDING_ID_INODE_MODE},
    {BASE_FILE, "mode", 0170644, FINDING_ID_INODE_MODE},
    {BASE_FILE, "mode", S_IFIFO, FINDING_ID_INODE_FORMAT},
    {BASE_FILE, "format", FORMAT_LOCAL, FINDING_ID_INODE_FORMAT},
    {BASE_FILE, "format", FORMAT_DEV, FINDING_ID_INODE_FORMAT},
    {BASE_FILE, "format", 4, FINDING_ID_INODE_FORMAT},
    {BASE_FILE, "format", FORMAT_BTREE, FINDING_ID_INODE_NEXTENTS},
    {BASE_LINK, "format", FORMAT_BTREE, FINDING_ID_INODE_FORMAT},
    {BASE_DEV, "format", FORMAT_EXTENTS, FINDING_ID_INODE_FORMAT},
    {BASE_FILE, "aformat", FORMAT_LOCAL, FINDING_ID_INODE_AFORMAT},
    {BASE_ATTR, "aformat", FORMAT_DEV, FINDING_ID_INODE_AFORMAT},
    {BASE_ATTR, "aformat", FORMAT_LOCAL, FINDING_ID_INODE_ANEXTENTS},
    {BASE_ATTR, "forkoff", ROOM / 8, FINDING_ID_INODE_FORKOFF},
    {BASE_ATTR, "forkoff", 255, FINDING_ID_INODE_FORKOFF},
    {BASE_ATTR, "forkoff", 0, FINDING_ID_INODE_ANEXTENTS},
    {BASE_DEV, "forkoff", 2, FINDING_ID_INODE_FORKOFF},
    {BASE_FILE, "nextents", ROOM / 16 + 1, FINDING_ID_INODE_NEXTENTS},
    {BASE_DIR, "nextents", 1, FINDING_ID_INODE_NEXTENTS},
    {BASE_BTREE, "nextents", ROOM / 16, FINDING_ID_INODE_NEXTENTS},
    {BASE_BTREE, "nextents", 0x80000000, FINDING_ID_INODE_NEXTENTS},
    {BASE_ATTR, "anextents", 12, FINDING_ID_INODE_ANEXTENTS},
    {BASE_FILE, "anextents", 1, FINDING_ID_INODE_ANEXTENTS},
    {BASE_FILE, "nblocks", 0, FINDING_ID_INODE_NBLOCKS_FEW},
    {BASE_FILE, "nblocks", 81920, FINDING_ID_INODE_NBLOCKS_MANY},
    {BASE_DIR, "size", ROOM + 1, FINDING_ID_INODE_LOCAL_SIZE},
    {BASE_DIR, "size", 0, FINDING_ID_INODE_SIZE_ZERO},
    {BASE_DIR, "size", 1ull << 35, FINDING_ID_INODE_SIZE},
    {BASE_LINK, "size", 0, FINDING_ID_INODE_SIZE_ZERO},
    {BASE_LINK, "size", 1025, FINDING_ID_INODE_SIZE},
    {BASE_DEV, "size", 1, FINDING_ID_INODE_SIZE},
    {BASE_FILE, "size", 1ull << 63, FINDING_ID_INODE_SIZE},
    {BASE_FREE, "size", 1ull << 63, FINDING_ID_INODE_SIZE},
    {BASE_FILE, "flags", 0x8000, FINDING_ID_INODE_FLAGS},
    {BASE_FILE, "flags", INODE_FLAG_REALTIME, FINDING_ID_INODE_FLAGS_RT},
    {BASE_FILE, "flags", INODE_FLAG_NEWRTBM, FINDING_ID_INODE_FLAGS_TYPE},
    {BASE_FREE, "flags", INODE_FLAG_NEWRTBM, FINDING_ID_INODE_FLAGS_TYPE},
    {BASE_FILE, "flags", INODE_FLAG_RTINHERIT, FINDING_ID_INODE_FLAGS_TYPE},
    {BASE_FILE, "flags", INODE_FLAG_PROJINHERIT, FINDING_ID_INODE_FLAGS_TYPE},
    {BASE_FILE, "flags", INODE_FLAG_NOSYMLINKS, FINDING_ID_INODE_FLAGS_TYPE},
    {BASE_FILE, "flags", INODE_FLAG_EXTSZINHERIT, FINDING_ID_INODE_FLAGS_TYPE},
    {BASE_DIR, "flags", INODE_FLAG_REALTIME, FINDING_ID_INODE_FLAGS_TYPE},
    {BASE_DIR, "flags", INODE_FLAG_EXTSIZE, FINDING_ID_INODE_FLAGS_TYPE},
    {BASE_FILE, "flags", INODE_FLAG_EXTSIZE, FINDING_ID_INODE_EXTSIZE},
    {BASE_FILE, "extsize", 16, FINDING_ID_INODE_EXTSIZE},
    {BASE_FREE, "extsize", 20000, FINDING_ID_INODE_EXTSIZE},
    {BASE_FILE, "cowextsize", 16, FINDING_ID_INODE_COWEXTSIZE},
    {BASE_FILE, "flags2", 0x108, FINDING_ID_INODE_FLAGS2},
    {BASE_FILE, "flags2", INODE_FLAG2_COWEXTSIZE, FINDING_ID_INODE_COWEXTSIZE},
    {BASE_DIR, "flags2", INODE_FLAG2_REFLINK, FINDING_ID_INODE_FLAGS2_TYPE},
    {BASE_LINK, "flags2", INODE_FLAG2_DAX, FINDING_ID_INODE_FLAGS2_TYPE},
    {BASE_FILE, "nlink", 0x80000000, FINDING_ID_INODE_NLINK},
    {BASE_FILE, "onlink", 1, FINDING_ID_INODE_ONLINK},
    {BASE_FILE, "next_unlinked", 200, FINDING_ID_INODE_NEXT_UNLINKED_LINKED},
    {BASE_FREE, "next_unlinked", 200, FINDING_ID_INODE_NEXT_UNLINKED_LINKED},
    {BASE_FILE, "next_unlinked", 0, FINDING_ID_INODE_NEXT_UNLINKED},
    {BASE_FILE, "next_unlinked", 20480 * 8, FINDING_ID_INODE_NEXT_UNLINKED},
    {BASE_FILE, "uid", NULL32, FINDING_ID_INODE_UID},
    {BASE_FILE, "gid", NULL32, FINDING_ID_INODE_GID},
    {BASE_FILE, "v3_pad", 1, FINDING_ID_INODE_COUNTER_PAD},
    {BASE_FILE, "pad2", 1, FINDING_ID_INODE_PAD},
    {BASE_FREE, "nblocks", 1, FINDING_ID_INODE_FREE_BLOCKS},
    {BASE_FREE, "nextents", 1, FINDING_ID_INODE_FREE_BLOCKS},
    {BASE_FREE, "nlink", 1, FINDING_ID_INODE_FREE_NLINK},
    {BASE_FREE, "forkoff", 1, FINDING_ID_INODE_FREE_FORKOFF},
    {BASE_FILE, "ino", INO + 1, FINDING_ID_BLOCK_OWNER},
    {BASE_FILE, "uuid", 1, FINDING_ID_BLOCK_UUID},
};

static void each_field(void **state)
{
	struct seen seen;

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(wrongs); i++) {
		const struct wrong *w = &wrongs[i];
		struct object o = make(w->base);
		const struct field *field = layout_field(&dinode_layout, w->field);

		assert_non_null(field);
		field_set(field, &o, 0, w->value);
		check(&o, INO, &seen);
		if (!seen.count[w->expected])
			print_error("%s = 0x%llx: %s\n", w->field, (unsigned long long)w->value,
				    seen.first);
		assert_true(seen.count[w->expected]);
	}
}

/* What depends on features, and on which inode it is. */
static void circumstances(void **state)
{
	struct geometry saved = geo;
	struct object o = make(BASE_FILE);
	struct seen seen;

	(void)state;
	o.d.flags2 = be64_make(0);
	o.d.atime = be64_make(1000000000);
	check(&o, INO, &seen);
	assert_true(seen.count[FINDING_ID_INODE_TIME]);
	o.d.atime = be64_make(999999999);
	check(&o, INO, &seen);
	assert_int_equal(seen.total, 0);
	for (u64 bit = INODE_FLAG2_REFLINK; bit <= INODE_FLAG2_NREXT64; bit *= 2) {
		o = make(BASE_FILE);
		geo.features = 0;
		o.d.flags2 = be64_make(bit);
		check(&o, INO, &seen);
		assert_true(seen.count[FINDING_ID_INODE_FLAGS2_FEATURE]);
	}
	o = make(BASE_FILE);
	o.d.projid_hi = be16_make(1);
	check(&o, INO, &seen);
	assert_true(seen.count[FINDING_ID_INODE_PROJID]);
	o.d.projid_hi = o.d.projid_lo = be16_make(0xffff);
	geo.features = saved.features;
	check(&o, INO, &seen);
	assert_int_equal(seen.count[FINDING_ID_INODE_PROJID_NONE], 1);
	assert_int_equal(seen.total, 1);
	geo = saved;
	o = make(BASE_FILE);
	o.d.ino = be64_make(geo.root_ino);
	check(&o, geo.root_ino, &seen);
	assert_true(seen.count[FINDING_ID_INODE_ROOT_TYPE]);
	o = make(BASE_DIR);
	o.d.ino = be64_make(geo.rsum_ino);
	check(&o, geo.rsum_ino, &seen);
	assert_true(seen.count[FINDING_ID_INODE_INTERNAL_TYPE]);
	o = make(BASE_ATTR);
	o.d.ino = be64_make(geo.rsum_ino);
	o.d.flags2 = be64_make(INODE_FLAG2_REFLINK);
	check(&o, geo.rsum_ino, &seen);
	assert_true(seen.count[FINDING_ID_INODE_INTERNAL_ATTR]);
	assert_true(seen.count[FINDING_ID_INODE_INTERNAL_FLAGS]);
	o = make(BASE_DIR);
	o.d.format = FORMAT_EXTENTS;
	check(&o, INO, &seen);
	assert_true(seen.count[FINDING_ID_INODE_DIR_NOT_LOCAL]);
	geo.rt_blocks = 1000;
	geo.rt_extent_size = 4;
	o = make(BASE_FILE);
	o.d.flags = be16_make(INODE_FLAG_REALTIME | INODE_FLAG_EXTSIZE);
	o.d.extsize = be32_make(6);
	check(&o, INO, &seen);
	assert_true(seen.count[FINDING_ID_INODE_EXTSIZE]);
	o = make(BASE_DIR);
	o.d.flags = be16_make(INODE_FLAG_RTINHERIT | INODE_FLAG_EXTSZINHERIT);
	o.d.extsize = be32_make(6);
	check(&o, INO, &seen);
	assert_true(seen.count[FINDING_ID_INODE_EXTSIZE_RT]);
	geo = saved;
}

static void roots(void **state)
{
	const u32 ptrs = 4 + (ROOM - 4) / 16 * 8;
	const struct {
		u32 at;
		u8 value;
		enum finding_id expected;
	} bytes[] = {
	    {1, 0, FINDING_ID_INODE_ROOT_LEVEL},  {0, 1, FINDING_ID_INODE_ROOT_LEVEL},
	    {3, 0, FINDING_ID_INODE_ROOT_COUNT},  {3, 21, FINDING_ID_INODE_ROOT_COUNT},
	    {19, 0, FINDING_ID_INODE_ROOT_KEY},	  {12, 1, FINDING_ID_INODE_ROOT_KEY},
	    {ptrs, 1, FINDING_ID_INODE_ROOT_PTR}, {ptrs + 14, 0x60, FINDING_ID_INODE_ROOT_PTR},
	};
	struct seen seen;

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(bytes); i++) {
		struct object o = make(BASE_BTREE);

		o.room[bytes[i].at] = bytes[i].value;
		check(&o, INO, &seen);
		if (!seen.count[bytes[i].expected])
			print_error("byte %u: %s\n", bytes[i].at, seen.first);
		assert_true(seen.count[bytes[i].expected]);
	}
	/* an attribute fork so small that no root fits */
	struct object o = make(BASE_ATTR);
	o.d.forkoff = ROOM / 8 - 1;
	o.d.aformat = FORMAT_BTREE;
	o.d.anextents = be16_make(5);
	o.d.nblocks = be64_make(10);
	check(&o, INO, &seen);
	assert_true(seen.count[FINDING_ID_INODE_ROOT_ROOM]);
}

struct cover {
	struct part_sink sink;
	u8 hit[INODE_SIZE];
	u32 parts;
};

static void cover_part(struct part_sink *sink, const struct part *part)
{
	struct cover *c = (struct cover *)sink;

	assert_true(part->offset + part->layout->size <= INODE_SIZE);
	assert_true(layout_tiles(part->layout));
	for (u32 i = 0; i < part->layout->size; i++)
		c->hit[part->offset + i]++;
	c->parts++;
}

static void parts(void **state)
{
	struct cover c = {{cover_part}, {0}, 0};
	struct object o = make(BASE_ATTR);

	(void)state;
	meta_types.type[META_INODE]->parts(&geo, &o, sizeof(o), &c.sink);
	assert_int_equal(c.parts, 3);
	for (u32 i = 0; i < 176 + 16; i++)
		assert_int_equal(c.hit[i], 1);
	for (u32 i = 0; i < 16; i++)
		assert_int_equal(c.hit[176 + 160 + i], 1);
	c = (struct cover){{cover_part}, {0}, 0};
	o = make(BASE_BTREE);
	meta_types.type[META_INODE]->parts(&geo, &o, sizeof(o), &c.sink);
	assert_int_equal(c.parts, 6); /* core, root, two keys, two pointers */
	c = (struct cover){{cover_part}, {0}, 0};
	o = make(BASE_LINK);
	o.d.size = be64_make(40);
	meta_types.type[META_INODE]->parts(&geo, &o, sizeof(o), &c.sink);
	assert_int_equal(c.parts, 4);
	for (u32 i = 176; i < INODE_SIZE; i++)
		assert_int_equal(c.hit[i], i < 176 + 40);
	c = (struct cover){{cover_part}, {0}, 0};
	o = make(BASE_DEV);
	meta_types.type[META_INODE]->parts(&geo, &o, sizeof(o), &c.sink);
	assert_int_equal(c.parts, 2);
	assert_int_equal(c.hit[179], 1);
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_INODE, 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sound), cmocka_unit_test(each_field), cmocka_unit_test(circumstances),
	    cmocka_unit_test(roots), cmocka_unit_test(parts),	   cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
