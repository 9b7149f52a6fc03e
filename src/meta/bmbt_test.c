/*
 * Block maps: a file of a real image gets a btree of our making (one root over four leaves, or a
 * node between), which must read as the extents it is made of; then each field is damaged.
 */
#include "meta/type_test.h"

#include "format/inode.h"
#include "fs/fork.h"

#include <errno.h>
#include <sys/stat.h>

#define BLOCK 1024
#define LEAVES 4
#define LEAF_RECORDS 49
#define BLOCKS (LEAVES * LEAF_RECORDS) /* of the file, each an extent of its own */
#define TREE_AG 3		       /* where the blocks of the tree are put: free space */
#define TREE_BNO 2000

struct map_image {
	u32 fresh; /* findings of the image as made: the blocks that it takes are not accounted */
	struct test_image t;
	struct geometry g;
	u64 ino, ino_at; /* the file */
	u64 first;	 /* its first block */
	bool deep;	 /* a node between root and leaves */
};

static u64 tree_block(const struct map_image *m, u32 index)
{
	return fsblock_make(&m->g, TREE_AG, TREE_BNO + index).v;
}

static u64 tree_at(const struct map_image *m, u32 index)
{
	return fsblock_daddr(&m->g, fsblock_of(tree_block(m, index))).v;
}

static void write_at(const struct map_image *m, u64 at, const void *bytes, size_t size)
{
	int fd = open(m->t.path, O_RDWR);

	assert_int_equal(pwrite(fd, bytes, size, (off_t)at), (s64)size);
	close(fd);
}

static void read_at(const struct map_image *m, u64 at, void *bytes, size_t size)
{
	int fd = open(m->t.path, O_RDONLY);

	assert_int_equal(pread(fd, bytes, size, (off_t)at), (s64)size);
	close(fd);
}

static void seal(void *block, u32 size, u32 crc_offset)
{
	struct le32 crc = le32_make(verify_crc(block, size, crc_offset));

	memcpy((u8 *)block + crc_offset, &crc, sizeof(crc));
}

/* Block `index` of the tree: leaves 0 to 3, and the node 4. */
static void write_block(const struct map_image *m, u32 index)
{
	u8 block[BLOCK] = {0};
	struct btree_long *h = (struct btree_long *)block;
	bool leaf = index < LEAVES;
	struct be64 *words = (struct be64 *)(h + 1);
	u32 room = (BLOCK - (u32)sizeof(*h)) / 16;

	h->magic = be32_make(BMBT_MAGIC);
	h->level = be16_make(!leaf);
	h->numrecs = be16_make(leaf ? LEAF_RECORDS : LEAVES);
	h->leftsib = be64_make(leaf && index ? tree_block(m, index - 1) : NULL64);
	h->rightsib = be64_make(leaf && index + 1 < LEAVES ? tree_block(m, index + 1) : NULL64);
	h->blkno = be64_make(tree_at(m, index) / 512);
	h->owner = be64_make(m->ino);
	memcpy(h->uuid, m->g.meta_uuid.b, 16);
	for (u32 i = 0; leaf && i < LEAF_RECORDS; i++) {
		u64 off = index * LEAF_RECORDS + i, start = m->first + off;

		words[2 * i] = be64_make(off << 9 | start >> 43);
		words[2 * i + 1] = be64_make(start << 21 | 1);
	}
	for (u32 i = 0; !leaf && i < LEAVES; i++) {
		words[i] = be64_make(i * LEAF_RECORDS);
		words[room + i] = be64_make(tree_block(m, i));
	}
	seal(block, BLOCK, offsetof(struct btree_long, crc));
	write_at(m, tree_at(m, index), block, BLOCK);
}

static void write_inode(const struct map_image *m)
{
	u8 raw[512];
	struct dinode *d = (struct dinode *)raw;
	u32 room = (512 - 176 - 4) / 16, count = m->deep ? 1 : LEAVES;
	u8 *fork = raw + 176;
	struct be16 header[2] = {be16_make(m->deep ? 2 : 1), be16_make((u16)count)};

	read_at(m, m->ino_at, raw, sizeof(raw));
	d->format = FORMAT_BTREE;
	d->nextents = be32_make(BLOCKS);
	d->nblocks = be64_make(BLOCKS + LEAVES + m->deep);
	memset(fork, 0, 512 - 176);
	memcpy(fork, header, sizeof(header));
	for (u32 i = 0; i < count; i++) {
		struct be64 key = be64_make(i * LEAF_RECORDS),
			    ptr = be64_make(tree_block(m, m->deep ? LEAVES : i));

		memcpy(fork + 4 + i * 8, &key, 8);
		memcpy(fork + 4 + room * 8 + i * 8, &ptr, 8);
	}
	seal(raw, sizeof(raw), offsetof(struct dinode, crc));
	write_at(m, m->ino_at, raw, sizeof(raw));
}

static void find_file(struct map_image *m)
{
	struct vol *vol = test_image_open(&m->t);
	struct inode inode;
	struct extent e;

	m->g = vol->geo;
	for (m->ino = m->g.root_ino;; m->ino++) {
		assert_int_equal(inode_get(vol, inum_of(m->ino), &inode), 0);
		if (S_ISREG(inode.mode) && inode.size == BLOCKS * BLOCK)
			break;
		inode_put(vol, &inode);
	}
	assert_int_equal(fork_lookup(vol, &inode, FORK_DATA, fileoff_of(0), &e), 0);
	assert_int_equal(e.count, BLOCKS);
	m->first = e.start;
	m->ino_at = agblock_daddr(&m->g, 0, agino_bno(&m->g, (u32)m->ino)).v +
		    (m->ino % m->g.inodes_per_block) * 512;
	inode_put(vol, &inode);
	vol_close(vol);
}

static void make_map(struct map_image *m, bool deep)
{
	char proto[] = "/tmp/mendfs-proto-XXXXXX", content[] = "/tmp/mendfs-content-XXXXXX",
	     options[160], line[160];
	int fd = mkstemp(content);

	assert_int_equal(ftruncate(fd, BLOCKS * BLOCK), 0);
	close(fd);
	fd = mkstemp(proto);
	snprintf(line, sizeof(line), "/dev/null\n0 0\nd--755 0 0\nfile ---644 0 0 %s\n$\n",
		 content);
	assert_int_equal(write(fd, line, strlen(line)), (s64)strlen(line));
	close(fd);
	snprintf(options, sizeof(options), "-b size=1024 -m reflink=0 -p %s", proto);
	test_image_make(&m->t, options);
	unlink(proto);
	unlink(content);
	m->deep = deep;
	find_file(m);
	for (u32 i = 0; i < LEAVES + (u32)deep; i++)
		write_block(m, i);
	write_inode(m);
	test_image_check(&m->t);
	m->fresh = m->t.total;
}

static u32 next_off;

static int in_order(void *arg, const struct extent *e)
{
	const struct map_image *m = arg;

	assert_int_equal(e->off, next_off);
	assert_int_equal(e->start, m->first + next_off);
	assert_int_equal(e->count, 1);
	next_off++;
	return 0;
}

static void reads(void **state)
{
	(void)state;
	for (u32 deep = 0; deep < 2; deep++) {
		struct map_image m;
		struct inode inode;
		struct extent e;
		struct vol *vol;

		make_map(&m, deep);
		/* the blocks of the tree are free as well: that is all that is wrong */
		assert_int_equal(m.t.total, m.t.seen[FINDING_ID_SPACE_CLAIMED_TWICE]);
		/* one extent would do, which is said once, and to who asks */
		m.t.preen = true;
		test_image_check(&m.t);
		assert_int_equal(m.t.seen[FINDING_ID_FORK_MERGE], 1);
		assert_int_equal(m.t.total, m.fresh + 1);
		vol = test_image_open(&m.t);
		assert_int_equal(inode_get(vol, inum_of(m.ino), &inode), 0);
		for (next_off = 0; next_off < BLOCKS;) {
			u32 from = next_off;

			assert_int_equal(fork_lookup(vol, &inode, FORK_DATA, fileoff_of(from), &e),
					 0);
			assert_int_equal(e.off, from);
			assert_int_equal(e.start, m.first + from);
			assert_int_equal(
			    fork_each(vol, &inode, FORK_DATA, fileoff_of(from), in_order, &m), 0);
			assert_int_equal(next_off, BLOCKS);
			next_off = from + 1;
		}
		assert_int_equal(fork_lookup(vol, &inode, FORK_DATA, fileoff_of(BLOCKS), &e), 0);
		assert_int_equal(e.start, NULL64);
		assert_int_equal(e.off + e.count, FILEOFF_END);
		inode_put(vol, &inode);
		vol_close(vol);
		test_image_drop(&m.t);
	}
}

struct damage {
	u32 block;  /* of the tree; INODE_ITSELF */
	u32 offset; /* of a be64 */
	u64 value;
	enum finding_id expected;
};
#define INODE_ITSELF 99
#define HEAD ((u32)sizeof(struct btree_long))

static void damage_one(struct map_image *m, const struct damage *d)
{
	bool inode = d->block == INODE_ITSELF;
	u64 at = inode ? m->ino_at : tree_at(m, d->block);
	u32 size = inode ? 512 : BLOCK;
	struct be64 value = be64_make(d->value);
	u8 saved[BLOCK], block[BLOCK];

	read_at(m, at, saved, size);
	memcpy(block, saved, size);
	memcpy(block + d->offset, &value, sizeof(value));
	seal(block, size,
	     inode ? (u32)offsetof(struct dinode, crc) : (u32)offsetof(struct btree_long, crc));
	write_at(m, at, block, size);
	test_image_check(&m->t);
	if (!m->t.seen[d->expected])
		print_error("block %u, offset %u = %llu: %s not found, but %s\n", d->block,
			    d->offset, (unsigned long long)d->value, finding_defs[d->expected].id,
			    m->t.first);
	assert_true(m->t.seen[d->expected]);
	write_at(m, at, saved, size);
}

static u64 record_high(u64 off)
{
	return off << 9;
}

static void is_found(void **state)
{
	struct map_image m;
	u32 room = (BLOCK - HEAD) / 16;

	(void)state;
	make_map(&m, true);
	const u64 magic = (u64)BMBT_MAGIC << 32, low = m.first << 21;
	const struct damage damages[] = {
	    {0, 0, magic + 0x10000 + LEAF_RECORDS, FINDING_ID_TREE_PTR},
	    {INODE_ITSELF, 176, 1ull << 48 | 1ull << 32, FINDING_ID_FORK_LEVEL},
	    {0, 0, magic + (20u << 16) + LEAF_RECORDS, FINDING_ID_TREE_LEVEL},
	    {0, 0, magic, FINDING_ID_TREE_EMPTY},
	    {0, 0, magic + 60, FINDING_ID_TREE_NUMRECS},
	    {0, 0, magic + 28, FINDING_ID_FORK_UNDERFULL},
	    {0, 0, magic + 48, FINDING_ID_FORK_NEXTENTS},
	    {0, 0, 0, FINDING_ID_BLOCK_MAGIC},
	    {1, 8, NULL64, FINDING_ID_FORK_SIBLING},
	    {1, 16, NULL64, FINDING_ID_FORK_SIBLING},
	    {3, 16, tree_block(&m, 0), FINDING_ID_FORK_SIBLING},
	    {1, 8, 1ull << 60, FINDING_ID_TREE_SIBLING},
	    {1, 24, 1, FINDING_ID_BLOCK_BLKNO},
	    {1, 56, m.ino + 1, FINDING_ID_BLOCK_OWNER},
	    {1, 64, 1, FINDING_ID_TREE_PAD},
	    {1, HEAD, record_high(LEAF_RECORDS + 1), FINDING_ID_BMBT_EXTENT_ORDER},
	    {1, HEAD, record_high(LEAF_RECORDS - 1), FINDING_ID_FORK_KEY},
	    {1, HEAD + 8, low, FINDING_ID_BMBT_EXTENT_EMPTY},
	    {1, HEAD + 8, low + 2, FINDING_ID_BMBT_EXTENT_ORDER},
	    {0, HEAD + 48 * 16 + 8, low + 2, FINDING_ID_FORK_EXTENT_ORDER},
	    {0, HEAD + 48 * 16, record_high(60), FINDING_ID_FORK_NEXT_KEY},
	    {3, HEAD + 48 * 16, record_high(FILEOFF_END - 1) | 0x100, FINDING_ID_FORK_OUTSIDE},
	    {3, HEAD + 48 * 16 + 8, low + 0x1fffff, FINDING_ID_FORK_OUTSIDE},
	    {0, HEAD + 8, 1 << 21 | 1, FINDING_ID_FORK_IN_HEADERS},
	    {LEAVES, HEAD, 1, FINDING_ID_FORK_KEY},
	    {LEAVES, HEAD + 8, 0, FINDING_ID_TREE_ORDER},
	    {LEAVES, HEAD + 8, 300, FINDING_ID_TREE_ORDER},
	    {LEAVES, HEAD + room * 8 + 8, tree_block(&m, 0), FINDING_ID_FORK_KEY},
	    {LEAVES, HEAD + room * 8 + 8, tree_block(&m, LEAVES), FINDING_ID_FORK_LEVEL},
	    {LEAVES, HEAD + room * 8 + 8, 1ull << 40, FINDING_ID_TREE_PTR},
	    {INODE_ITSELF, 64, BLOCKS + LEAVES, FINDING_ID_FORK_NBLOCKS},
	};

	for (u32 i = 0; i < ARRAY_COUNT(damages); i++)
		damage_one(&m, &damages[i]);
	test_image_check(&m.t);
	assert_int_equal(m.t.total, m.fresh);
	test_image_drop(&m.t);
}

static int nothing(void *arg, const struct extent *e)
{
	(void)arg;
	(void)e;
	return 0;
}

/* Random bytes anywhere in the tree, checksums made good: check and fork_each() end, and stay
 * inside their blocks (which the address sanitizer sees). */
static void hostile(void **state)
{
	struct map_image m;
	u64 seed = 7;
	u8 saved[BLOCK], block[BLOCK];

	(void)state;
	make_map(&m, true);
	for (u32 round = 0; round < 300; round++) {
		u32 index = round % (LEAVES + 2);
		bool ino = index > LEAVES;
		u32 size = ino ? 512 : BLOCK, crc = ino ? 100 : 64;
		u64 at = ino ? m.ino_at : tree_at(&m, index);
		struct inode inode;
		struct vol *vol;

		read_at(&m, at, saved, size);
		memcpy(block, saved, size);
		for (u32 i = 0; i < 1 + round % 3; i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			/* headers more often than the rest */
			block[(seed >> 33) % (round % 2 ? size : 90)] = (u8)(seed >> 50);
		}
		seal(block, size, crc);
		write_at(&m, at, block, size);
		test_image_check(&m.t);
		vol = test_image_open(&m.t);
		if (!inode_get(vol, inum_of(m.ino), &inode)) {
			int err = fork_each(vol, &inode, FORK_DATA, fileoff_of(0), nothing, NULL);

			assert_true(!err || err == -EUCLEAN);
			inode_put(vol, &inode);
		}
		vol_close(vol);
		write_at(&m, at, saved, size);
	}
	test_image_drop(&m.t);
}

static void noise(void **state)
{
	(void)state;
	test_noise(META_BMBT, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads),
	    cmocka_unit_test(is_found),
	    cmocka_unit_test(hostile),
	    cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
