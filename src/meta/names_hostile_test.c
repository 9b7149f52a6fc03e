/*
 * Readers of names, attributes and targets on images whose blocks were changed at random and given
 * good checksums: each call must come back, whatever it says. Run it with sanitizers, too.
 */
#include "meta/names_test.h"

#include "fs/attr.h"
#include "fs/symlink.h"

#define OBJECTS_MAX 512
#define ROUNDS 150
#define DEPTH_MAX 8

struct object {
	const struct meta_type *type;
	u64 at;
	u32 size;
};

struct hostile {
	struct test_image image;
	struct object object[OBJECTS_MAX];
	u32 count, inode_size;
	u64 seed;
	struct vol *vol;
	u32 calls, errors;
};

static u32 draw(struct hostile *h, u32 below)
{
	h->seed ^= h->seed << 13;
	h->seed ^= h->seed >> 7;
	h->seed ^= h->seed << 17;
	return (u32)(h->seed >> 20) % below;
}

static void collect(void *arg, const struct ref *ref)
{
	struct hostile *h = arg;
	enum meta_id id = ref->type->id;
	bool names = ref->type->scope == SCOPE_INODE && ref->type->crc_offset != CRC_NONE;

	if ((names || id == META_INODES) && h->count < OBJECTS_MAX)
		h->object[h->count++] = (struct object){ref->type, ref->at.v, ref->size};
}

static void collect_all(struct hostile *h)
{
	const struct sweep_options options = {.visited = collect, .visited_arg = h};
	struct vol *vol = test_image_open(&h->image);
	struct sweep_stats stats;

	h->inode_size = vol->geo.inode_size;
	assert_int_equal(sweep_run(vol, &options, &stats), 0);
	vol_close(vol);
	assert_true(h->count > 20);
}

/* Up to 4 bytes of one object, behind its checksum; inodes one of a piece. */
static void change(struct hostile *h, int fd, const struct object *o, u64 *at, u8 *before,
		   u32 *size)
{
	const struct meta_type *type = o->type;
	u8 bytes[65536];
	struct le32 crc;

	*size = o->size;
	*at = o->at;
	if (type->id == META_INODES) {
		type = meta_types.type[META_INODE];
		*size = h->inode_size;
		*at += (u64)draw(h, o->size / h->inode_size) * h->inode_size;
	}
	assert_int_equal(pread(fd, before, *size, (off_t)*at), *size);
	memcpy(bytes, before, *size);
	for (u32 n = 1 + draw(h, 4); n; n--)
		bytes[draw(h, *size)] ^= (u8)(1 << draw(h, 8));
	crc = le32_make(verify_crc(bytes, *size, type->crc_offset));
	memcpy(bytes + type->crc_offset, &crc, sizeof(crc));
	assert_int_equal(pwrite(fd, bytes, *size, (off_t)*at), *size);
}

static int see_attr(void *arg, const struct attr *attr)
{
	struct hostile *h = arg;

	h->calls += attr->name_length > 0;
	return 0;
}

struct visit {
	struct hostile *h;
	const struct inode *dir;
	u32 depth, names;
};

static void read_inode(struct hostile *h, u64 ino, u32 depth);

static int see_name(void *arg, const struct dir_entry *entry)
{
	struct visit *v = arg;
	struct inum ino;
	u8 type;

	v->h->errors += dir_lookup(v->h->vol, v->dir, entry->name, entry->length, &ino, &type) != 0;
	if (!dir_name_is_dots((const u8 *)entry->name, entry->length))
		read_inode(v->h, entry->ino.v, v->depth + 1);
	return ++v->names > 2000;
}

static void read_inode(struct hostile *h, u64 ino, u32 depth)
{
	char target[SYMLINK_MAX + 1];
	struct inode inode;
	u8 value[64];

	if (depth > DEPTH_MAX || inode_get(h->vol, inum_of(ino), &inode)) {
		h->errors++;
		return;
	}
	h->errors += attr_each(h->vol, &inode, see_attr, h) != 0;
	h->errors += attr_get(h->vol, &inode, ATTR_ROOT, "x193", 4, value, sizeof(value)) < 0;
	if (dir_type_of_mode(inode.mode) == DIR_FT_SYMLINK)
		h->errors += symlink_read(h->vol, &inode, target) < 0;
	if (dir_type_of_mode(inode.mode) == DIR_FT_DIR) {
		struct visit v = {h, &inode, depth, 0};

		h->errors += dir_each(h->vol, &inode, 0, see_name, &v) != 0;
	}
	inode_put(h->vol, &inode);
}

static void run(struct hostile *h)
{
	u8 before[65536];
	int fd = open(h->image.path, O_RDWR);

	assert_true(fd >= 0);
	h->seed = 88172645463325252ull;
	collect_all(h);
	for (u32 i = 0; i < ROUNDS; i++) {
		u64 at;
		u32 size;

		change(h, fd, &h->object[draw(h, h->count)], &at, before, &size);
		h->vol = test_image_open(&h->image);
		read_inode(h, h->vol->geo.root_ino, 0);
		vol_close(h->vol);
		assert_int_equal(pwrite(fd, before, size, (off_t)at), size);
	}
	close(fd);
	assert_true(h->errors);
	test_image_check(&h->image);
	assert_int_equal(h->image.total, 0);
	test_image_drop(&h->image);
}

static void attributes(void **state)
{
	static struct hostile h;

	(void)state;
	names_fixture(&h.image, "parent");
	run(&h);
}

static void directories(void **state)
{
	static struct hostile h;

	(void)state;
	names_image(&h.image);
	run(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(attributes),
	    cmocka_unit_test(directories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
