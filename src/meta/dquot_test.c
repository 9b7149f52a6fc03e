/*
 * Quota records: the rules of a block; and a quota inode of our making in an image of mkfs.xfs,
 * whose usage must be what the inodes add up to.
 */
#include "meta/type_test.h"

#include "fs/inode.h"
#include "format/quota.h"

#include <sys/stat.h>

#define BLOCK 4096
#define COUNT (BLOCK / 136)
#define QUOTA_INO 133

static const u8 own_uuid[16] = {0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x43, 0x33,
				0x84, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55};
#define OWN_UUID "11111111-2222-4333-8444-555555555555"

static void seal(struct dquot *d)
{
	d->crc = le32_make(verify_crc(d, sizeof(*d), offsetof(struct dquot, crc)));
}

static void make_block(u8 block[BLOCK], u32 first)
{
	memset(block, 0, BLOCK);
	for (u32 i = 0; i < COUNT; i++) {
		struct dquot *d = (struct dquot *)block + i;

		d->magic = be16_make(DQUOT_MAGIC);
		d->version = 1;
		d->type = DQUOT_USER;
		d->id = be32_make(first + i);
		memcpy(d->uuid, own_uuid, 16);
		seal(d);
	}
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

static void check(const u8 *block, struct seen *seen)
{
	struct geometry g = {.block_size = BLOCK,
			     .block_log = 12,
			     .uquota_ino = QUOTA_INO,
			     .features = 1u << FEATURE_QUOTA};
	struct verdict v = {
	    .raise = note,
	    .where = {.type = "dquot", .ino = QUOTA_INO, .daddr = 8192, .owner = QUOTA_INO},
	    .sink = seen};

	memcpy(g.meta_uuid.b, own_uuid, 16);
	memset(seen, 0, sizeof(*seen));
	verify(&v, meta_types.type[META_DQUOT], &g, block, BLOCK);
}

/* Sets fields of record 3 of the block that starts with id 60. */
static void rules(void **state)
{
	static const struct {
		const char *field[2];
		u64 value[2];
		enum finding_id expected;
	} wrong[] = {
	    {{"magic"}, {0x4441}, FINDING_ID_BLOCK_MAGIC},
	    {{"version"}, {2}, FINDING_ID_DQUOT_VERSION_FIELD},
	    {{"type"}, {DQUOT_GROUP}, FINDING_ID_DQUOT_TYPE},
	    {{"type"}, {0}, FINDING_ID_DQUOT_TYPE},
	    {{"type"}, {DQUOT_USER | 0x40}, FINDING_ID_DQUOT_TYPE},
	    {{"type"}, {DQUOT_USER | DQUOT_BIGTIME}, FINDING_ID_DQUOT_TYPE}, /* no such feature */
	    {{"id"}, {64}, FINDING_ID_DQUOT_ID},
	    {{"uuid"}, {1}, FINDING_ID_BLOCK_UUID},
	    {{"fill"}, {1}, FINDING_ID_DQUOT_PAD},
	    {{"pad0"}, {1}, FINDING_ID_DQUOT_PAD},
	    {{"pad"}, {1}, FINDING_ID_DQUOT_PAD},
	    {{"blk_hardlimit", "blk_softlimit"}, {5, 6}, FINDING_ID_DQUOT_SOFT},
	    {{"ino_hardlimit", "ino_softlimit"}, {5, 6}, FINDING_ID_DQUOT_SOFT},
	    {{"rtb_hardlimit", "rtb_softlimit"}, {5, 6}, FINDING_ID_DQUOT_SOFT},
	    {{"blk_softlimit", "bcount"}, {5, 6}, FINDING_ID_DQUOT_TIMER_MISSING},
	    {{"ino_hardlimit", "icount"}, {5, 6}, FINDING_ID_DQUOT_TIMER_MISSING},
	    {{"rtb_softlimit", "rtbcount"}, {5, 6}, FINDING_ID_DQUOT_TIMER_MISSING},
	    {{"btimer"}, {9}, FINDING_ID_DQUOT_TIMER},
	    {{"itimer"}, {9}, FINDING_ID_DQUOT_TIMER},
	    {{"rtbtimer"}, {9}, FINDING_ID_DQUOT_TIMER},
	};
	u8 block[BLOCK];
	struct dquot *d = (struct dquot *)block + 3;
	struct seen seen;

	(void)state;
	make_block(block, 60);
	check(block, &seen);
	assert_int_equal(seen.total, 0);
	for (u32 i = 0; i < ARRAY_COUNT(wrong); i++) {
		make_block(block, 60);
		for (u32 f = 0; f < 2 && wrong[i].field[f]; f++)
			field_set(layout_field(&dquot_layout, wrong[i].field[f]), d, 0,
				  wrong[i].value[f]);
		seal(d);
		check(block, &seen);
		if (!seen.count[wrong[i].expected])
			print_error("%s: %s\n", wrong[i].field[0], seen.first);
		assert_true(seen.count[wrong[i].expected]);
		assert_int_equal(seen.total, 1);
	}
	make_block(block, 60);
	d->iwarns = be16_make(1);
	check(block, &seen);
	assert_int_equal(seen.count[FINDING_ID_BLOCK_CRC], 1);
	/* a soft limit without a hard one, and usage within: fine */
	d->iwarns = be16_make(0);
	d->blk_softlimit = be64_make(10);
	d->bcount = be64_make(10);
	seal(d);
	check(block, &seen);
	assert_int_equal(seen.total, 0);
}

static void parts(void **state)
{
	(void)state;
	assert_true(layout_tiles(&dquot_layout));
	test_noise(META_DQUOT, 200);
}

/* --- a quota inode --- */

static void write_file(const char *path, const void *bytes, size_t size)
{
	FILE *f = fopen(path, "w");

	assert_int_equal(fwrite(bytes, 1, size, f), size);
	fclose(f);
}

static void change_super(struct test_image *t, const struct geometry *g, u64 ino)
{
	int fd = open(t->path, O_RDWR);

	for (u32 ag = 0; ag < g->ag_count; ag++) {
		u8 sector[512] = {0};
		struct sb *sb = (struct sb *)sector;
		off_t at = (off_t)agblock_daddr(g, ag, 0).v;

		assert_int_equal(pread(fd, sector, sizeof(sector), at), sizeof(sector));
		sb->versionnum = be16_make(be16_get(sb->versionnum) | SB_VERSION_QUOTA);
		sb->uquotino = be64_make(ino);
		sb->qflags = be16_make(SB_QFLAG_UQUOTA_ACCT | SB_QFLAG_UQUOTA_CHKD);
		sb->crc = le32_make(verify_crc(sector, 512, offsetof(struct sb, crc)));
		assert_int_equal(pwrite(fd, sector, sizeof(sector), at), sizeof(sector));
	}
	close(fd);
}

/* The file of one block is the quota file; returns where its block is. */
static u64 make_quota_image(struct test_image *t, const u8 *block)
{
	char dir[] = "/tmp/mendfs-quota-XXXXXX", proto[64], quota[64], data[64], options[200],
	     text[400];
	struct vol *vol;
	u64 at = 0, ino = 0;

	assert_non_null(mkdtemp(dir));
	snprintf(proto, sizeof(proto), "%s/proto", dir);
	snprintf(quota, sizeof(quota), "%s/quota", dir);
	snprintf(data, sizeof(data), "%s/data", dir);
	write_file(quota, block, BLOCK);
	write_file(data, "x", 1);
	assert_int_equal(truncate(data, 5000), 0);
	snprintf(
	    text, sizeof(text),
	    "/dev/null\n0 0\nd--755 0 0\nq ---600 0 0 %s\na ---644 7 0 %s\nd d--755 7 0\n$\n$\n",
	    quota, data);
	write_file(proto, text, strlen(text));
	snprintf(options, sizeof(options), "-m uuid=%s -p %s", OWN_UUID, proto);
	test_image_make(t, options);
	unlink(proto);
	unlink(quota);
	unlink(data);
	rmdir(dir);
	vol = test_image_open(t);
	for (u64 n = vol->geo.root_ino; !at; n++) {
		struct inode inode;
		struct extent e;

		assert_int_equal(inode_get(vol, inum_of(n), &inode), 0);
		if (S_ISREG(inode.mode) && inode.size == BLOCK) {
			extent_load(inode.fork[FORK_DATA].data, &e);
			at = fsblock_daddr(&vol->geo, fsblock_of(e.start)).v;
			ino = n;
		}
		inode_put(vol, &inode);
	}
	change_super(t, &vol->geo, ino);
	vol_close(vol);
	return at;
}

static void expect(struct test_image *t, u64 at, const u8 *block, enum finding_id id, u32 count)
{
	int fd = open(t->path, O_RDWR);

	assert_int_equal(pwrite(fd, block, BLOCK, (off_t)at), BLOCK);
	close(fd);
	test_image_check(t);
	if (t->seen[id] != count)
		print_error("%s: %u times, expected %u\n", finding_defs[id].id, t->seen[id], count);
	assert_int_equal(t->seen[id], count);
}

static void usage(void **state)
{
	u8 block[BLOCK];
	struct dquot *d = (struct dquot *)block;
	struct test_image t;
	u64 at;

	(void)state;
	make_block(block, 0);
	/* root, and the two inodes of the realtime section; the quota file itself is not charged */
	d[0].icount = be64_make(3);
	seal(&d[0]);
	/* a file of 5000 bytes and a directory within its inode */
	d[7].icount = be64_make(2);
	d[7].bcount = be64_make(2);
	seal(&d[7]);
	at = make_quota_image(&t, block);
	expect(&t, at, block, FINDING_ID_QUOTA_TOO_LOW, 0);
	expect(&t, at, block, FINDING_ID_QUOTA_TOO_HIGH, 0);
	/* it was an ordinary file, and still has the size of one */
	expect(&t, at, block, FINDING_ID_DQUOT_FILE_SIZE, 1);
	expect(&t, at, block, FINDING_ID_DQUOT_ID, 0);
	d[7].bcount = be64_make(3);
	seal(&d[7]);
	expect(&t, at, block, FINDING_ID_QUOTA_TOO_HIGH, 1);
	d[7].bcount = be64_make(0);
	seal(&d[7]);
	expect(&t, at, block, FINDING_ID_QUOTA_TOO_LOW, 1);
	d[9].rtbcount = be64_make(1);
	d[7].bcount = be64_make(2);
	seal(&d[7]);
	seal(&d[9]);
	expect(&t, at, block, FINDING_ID_QUOTA_TOO_HIGH, 1);
	/* limits are the administrator's, and said to who asks */
	d[9].rtbcount = be64_make(0);
	d[7].blk_hardlimit = be64_make(1);
	d[7].btimer = be32_make(1);
	d[8].ino_hardlimit = be64_make(1ull << 40);
	for (u32 i = 7; i < 10; i++)
		seal(&d[i]);
	expect(&t, at, block, FINDING_ID_DQUOT_OVER_LIMIT, 0);
	expect(&t, at, block, FINDING_ID_DQUOT_LIMIT_LARGE, 0);
	t.preen = true;
	expect(&t, at, block, FINDING_ID_DQUOT_OVER_LIMIT, 1);
	expect(&t, at, block, FINDING_ID_DQUOT_LIMIT_LARGE, 1);
	t.preen = false;
	/* the records of other ids: nothing but their place is wrong */
	make_block(block, COUNT);
	expect(&t, at, block, FINDING_ID_DQUOT_ID, 1);
	expect(&t, at, block, FINDING_ID_QUOTA_TOO_LOW, 3);
	test_image_drop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rules),
	    cmocka_unit_test(parts),
	    cmocka_unit_test(usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
