/*
 * Images that someone made to hurt: each must end in an error or a finding, in bounded time and
 * memory, whatever else it says.
 */
#include "base/test.h"

#include "fuzz_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SECONDS_MAX 60	   /* with the sanitizers, on a busy machine */
#define READS_MAX 2000000u /* more than any walk of the base needs, by far */
#define SUPER_FIELD(name) "superblock.hdr." name

struct hostile {
	struct world world;
	struct image image;
	struct world_images images;
	struct objects objects;
	char path[64];
	u8 *pristine;
};

static int setup(void **state)
{
	struct hostile *h = calloc(1, sizeof(*h));
	char command[600];
	int fd;

	world_init(&h->world);
	h->world.limit = FUZZ_MEMORY;
	strcpy(h->path, "/tmp/mendfs-hostile-XXXXXX");
	fd = mkstemp(h->path);
	close(fd);
	snprintf(command, sizeof(command), "xz -dc '%s/aged-1k.img.xz' >%s", FIXTURES, h->path);
	if (fd < 0 || system(command) || image_map(&h->world, h->path, false, &h->image))
		return -1;
	h->images.data = &h->image;
	h->world.read_limit = READS_MAX;
	if (objects_collect(&h->world, &h->images, 64, 1, &h->objects) || h->world.findings)
		return -1;
	h->pristine = malloc(h->image.mapped);
	memcpy(h->pristine, h->image.bytes, h->image.mapped);
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	struct hostile *h = *state;

	objects_free(&h->objects);
	image_unmap(&h->image);
	unlink(h->path);
	free(h->pristine);
	free(h);
	return 0;
}

/* The nth place of a field; the names are the campaign's. */
static const struct spot *spot(const struct hostile *h, const char *key, u32 nth)
{
	for (u32 i = 0; i < h->objects.groups; i++)
		if (!strcmp(h->objects.group[i].key, key))
			return &h->objects.group[i].spot[nth % h->objects.group[i].spots];
	print_error("the base has no %s\n", key);
	assert_true(false);
	return NULL;
}

static const struct object *object_of(const struct hostile *h, const struct spot *s)
{
	return &h->objects.object[s->object];
}

static void set(struct hostile *h, const struct spot *s, u64 value)
{
	const struct object *o = object_of(h, s);
	u8 *bytes = h->image.bytes + o->at;

	field_set(s->field, bytes + s->offset, s->element, value);
	damage_fix_crc(&h->objects.geo, o->type, h->pristine + o->at, bytes, o->size,
		       s->offset + s->field->bit / 8);
}

static u64 own_agblock(const struct hostile *h, const struct spot *s)
{
	const struct geometry *g = &h->objects.geo;

	return (object_of(h, s)->at >> g->block_log) % g->ag_blocks;
}

static u64 own_fsblock(const struct hostile *h, const struct spot *s)
{
	const struct geometry *g = &h->objects.geo;
	u64 block = object_of(h, s)->at >> g->block_log;

	return fsblock_make(g, (u32)(block / g->ag_blocks), (u32)(block % g->ag_blocks)).v;
}

/* Checks and reads; there must be something to complain about, and an end. */
static void must_complain(struct hostile *h, const char *what)
{
	static const struct touched none;
	int err;

	world_reset(&h->world);
	alarm(SECONDS_MAX);
	err = world_check(&h->world, &h->images, NULL, NULL);
	if (!err && !h->world.findings)
		print_error("%s: nothing was found\n", what);
	assert_true(err || h->world.findings);
	if (err)
		assert_true(strlen(trail_text()) > 0);
	fuzz_exercise(&h->world, &h->images, &h->objects, &none);
	alarm(0);
	assert_false(h->world.exhausted);
	memcpy(h->image.bytes, h->pristine, h->image.mapped);
}

static void set_and_check(struct hostile *h, const char *key, u64 value)
{
	const struct spot *s = spot(h, key, 0);

	for (u32 i = 1; i < 64; i++) {
		const u8 *at = h->image.bytes + object_of(h, s)->at + s->offset;

		if (field_get(s->field, at, s->element) != value)
			break;
		s = spot(h, key, i);
	}
	set(h, s, value);
	must_complain(h, key);
}

/* --- the tests --- */

static void cut_short(void **state)
{
	struct hostile *h = *state;
	const u64 sizes[] = {
	    0, 1, 511, 512, 4096, 1 << 20, h->image.mapped / 2, h->image.mapped - 1};

	for (u32 i = 0; i < ARRAY_COUNT(sizes); i++) {
		struct image cut;
		const struct world_images images = {.data = &cut};

		image_over(&h->world, h->image.bytes, sizes[i], &cut);
		world_reset(&h->world);
		assert_int_not_equal(world_check(&h->world, &images, NULL, NULL), 0);
		assert_true(strlen(trail_text()) > 0);
		assert_int_equal(h->world.live, 0);
	}
}

static void superblocks(void **state)
{
	struct hostile *h = *state;
	const struct {
		const char *key;
		u64 value;
	} cases[] = {
	    {SUPER_FIELD("magicnum"), 0},	   {SUPER_FIELD("blocksize"), 0x80000000},
	    {SUPER_FIELD("blocklog"), 63},	   {SUPER_FIELD("dblocks"), 1ull << 62},
	    {SUPER_FIELD("agblocks"), 0xffffffff}, {SUPER_FIELD("agblocks"), 1},
	    {SUPER_FIELD("agcount"), 0xffffffff},  {SUPER_FIELD("agcount"), 0},
	    {SUPER_FIELD("agblklog"), 255},	   {SUPER_FIELD("inodesize"), 1},
	    {SUPER_FIELD("inodelog"), 31},	   {SUPER_FIELD("inopblock"), 0},
	    {SUPER_FIELD("sectsize"), 3},	   {SUPER_FIELD("sectlog"), 200},
	    {SUPER_FIELD("dirblklog"), 255},	   {SUPER_FIELD("logblocks"), 0xffffffff},
	    {SUPER_FIELD("logstart"), ~0ull},	   {SUPER_FIELD("logsunit"), 0x7fffffff},
	    {SUPER_FIELD("rootino"), ~0ull},	   {SUPER_FIELD("inoalignmt"), 0xffffffff},
	    {SUPER_FIELD("rextsize"), 0},	   {SUPER_FIELD("rblocks"), ~0ull},
	    {SUPER_FIELD("versionnum"), 0},	   {SUPER_FIELD("features_incompat"), 0xffffffff},
	};

	for (u32 i = 0; i < ARRAY_COUNT(cases); i++)
		set_and_check(h, cases[i].key, cases[i].value);
	memset(h->image.bytes, 0, 65536);
	must_complain(h, "zeroed head");
	memset(h->image.bytes, 0xff, 65536);
	must_complain(h, "head of ones");
}

/* Nodes whose children are themselves, all the same, or their parent. */
static void trees(void **state)
{
	struct hostile *h = *state;
	static const char *const ptrs[] = {"rmapbt.ptrs.ptr", "bnobt.ptrs.ptr", "cntbt.ptrs.ptr",
					   "refcountbt.ptrs.ptr"};
	static const char *const roots[] = {"agf.hdr.levels", "agi.hdr.level",
					    "agf.hdr.refcount_level"};

	for (u32 t = 0; t < ARRAY_COUNT(ptrs); t++) {
		const struct spot *s = spot(h, ptrs[t], 0), *first = s;

		set(h, s, own_agblock(h, s));
		must_complain(h, ptrs[t]);
		for (u32 i = 0; i < 64; i++) {
			s = spot(h, ptrs[t], i);
			if (object_of(h, s) == object_of(h, first))
				set(h, s, own_agblock(h, first));
		}
		must_complain(h, "all children are the node");
		for (u32 i = 1; i < 64; i++) {
			s = spot(h, ptrs[t], i);
			set(h, s,
			    field_get(first->field,
				      h->image.bytes + object_of(h, first)->at + first->offset, 0));
		}
		must_complain(h, "children shared");
	}
	for (u32 i = 0; i < ARRAY_COUNT(roots); i++) {
		set_and_check(h, roots[i], 0xffff);
		set_and_check(h, roots[i], 9);
	}
}

/* Nodes of directories and attributes: the same, in blocks of the file. */
static void da_nodes(void **state)
{
	struct hostile *h = *state;
	static const char *const before[] = {"dirnode.btree.before", "attrnode.btree.before"};

	for (u32 t = 0; t < ARRAY_COUNT(before); t++) {
		const struct spot *s = spot(h, before[t], 0), *first = s;
		const u64 own = object_of(h, s)->where.offset;

		set(h, s, own);
		must_complain(h, before[t]);
		for (u32 i = 0; i < 64; i++) {
			s = spot(h, before[t], i);
			if (object_of(h, s) == object_of(h, first))
				set(h, s, own);
		}
		must_complain(h, "all children are the node");
		for (u32 i = 1; i < 64; i++) {
			s = spot(h, before[t], i);
			set(h, s,
			    field_get(first->field,
				      h->image.bytes + object_of(h, first)->at + first->offset, 0));
		}
		must_complain(h, "children shared");
	}
}

/* The root at the header or inode that `leaf` hangs on. */
static const struct spot *root_of(const struct hostile *h, const struct object *leaf,
				  const char *key)
{
	for (u32 i = 0; i < 64; i++) {
		const struct spot *s = spot(h, key, i);
		const struct where *where = &object_of(h, s)->where;

		if (leaf->where.ino == NO_INO ? where->ag == leaf->where.ag
					      : where->ino == leaf->where.ino)
			return s;
	}
	print_error("no %s leads to it\n", key);
	assert_true(false);
	return NULL;
}

/* Leaves that are made nodes whose only child is themselves, below a root that allows it. */
static void leaves(void **state)
{
	struct hostile *h = *state;
	static const struct {
		const char *level, *root;
		u32 header, key, ptr;
	} trees[] = {
	    {"inobt.hdr.level", "agi.hdr.level", 56, 4, 4},
	    {"finobt.hdr.level", "agi.hdr.free_level", 56, 4, 4},
	    {"bmbt.hdr.level", "inode:file.root.level", 72, 8, 8},
	};

	for (u32 t = 0; t < ARRAY_COUNT(trees); t++) {
		const struct spot *s = spot(h, trees[t].level, 0);
		const struct object *leaf = object_of(h, s);
		u8 *bytes = h->image.bytes + leaf->at;
		u8 *ptr = bytes + trees[t].header;

		ptr +=
		    (leaf->size - trees[t].header) / (trees[t].key + trees[t].ptr) * trees[t].key;
		if (trees[t].ptr == 8)
			*(struct be64 *)ptr = be64_make(own_fsblock(h, s));
		else
			*(struct be32 *)ptr = be32_make((u32)own_agblock(h, s));
		*(struct be16 *)(bytes + 6) = be16_make(1); /* numrecs */
		set(h, root_of(h, leaf, trees[t].root), 2);
		set(h, s, 1);
		must_complain(h, trees[t].level);
	}
}

static void siblings(void **state)
{
	struct hostile *h = *state;
	static const char *const fields[] = {"bnobt.hdr.rightsib", "bnobt.hdr.leftsib",
					     "rmapbt.hdr.rightsib", "inobt.hdr.leftsib"};
	const struct spot *s;

	for (u32 i = 0; i < ARRAY_COUNT(fields); i++) {
		s = spot(h, fields[i], 1);
		set(h, s, own_agblock(h, s));
		must_complain(h, fields[i]);
	}
	s = spot(h, "bmbt.hdr.rightsib", 0);
	set(h, s, own_fsblock(h, s));
	must_complain(h, "bmbt.hdr.rightsib");
	set_and_check(h, "dirleafn.hdr.forw", 8388608);
	set_and_check(h, "attrleaf.hdr.forw", 0xffff);
}

static void inodes(void **state)
{
	struct hostile *h = *state;
	const struct geometry *g = &h->objects.geo;
	const struct spot *s;
	u32 agino;

	set_and_check(h, "inode:file.core.nextents", 0xffffffff);
	set_and_check(h, "inode:file.core.anextents", 0xffff);
	set_and_check(h, "inode:file.core.format", 3);
	set_and_check(h, "inode:file.root.level", 0xffff);
	set_and_check(h, "inode:file.root.numrecs", 0xffff);
	set_and_check(h, "inode:file.core.forkoff", 255);
	set_and_check(h, "inode:symlink.core.size", 1ull << 62);
	set_and_check(h, "inode:symlink.core.size", ~0ull);
	set_and_check(h, "inode:dir.core.size", 1ull << 62);
	set_and_check(h, "attrleaf.remote.valuelen", 0xffffffff);
	set_and_check(h, "attrleaf.remote.valueblk", 0xffffffff);
	/* a list of unlinked inodes that goes round */
	s = spot(h, "inode:file.core.next_unlinked", 0);
	agino = inum_agino(g, inum_of(be64_get(*(const struct be64 *)(h->image.bytes +
								      object_of(h, s)->at + 152))));
	set(h, s, agino);
	for (u32 i = 0; i < 64; i++) {
		const struct spot *bucket = spot(h, "agi.hdr.unlinked", i);

		if (object_of(h, bucket)->where.ag == object_of(h, s)->where.ag)
			set(h, bucket, agino);
	}
	must_complain(h, "a ring of unlinked inodes");
}

/* Directories that contain themselves, or the root. */
static void directories(void **state)
{
	struct hostile *h = *state;

	for (u32 i = 0; i < 16; i++) {
		const struct spot *s = spot(h, "dirblock.entry.inumber", i);
		const u8 *entry = h->image.bytes + object_of(h, s)->at + s->offset;

		/* its . is what it should be */
		if (field_get(s->field, entry, 0) == object_of(h, s)->where.ino)
			continue;
		set(h, s, object_of(h, s)->where.ino);
		must_complain(h, "a directory in itself");
		set(h, s, h->objects.geo.root_ino + 1);
		must_complain(h, "an internal inode in a directory");
	}
	set_and_check(h, "inode:dir.parent.i4", 0xffffffff);
}

int main(void)
{
	const struct CMUnitTest all[] = {
	    cmocka_unit_test(cut_short), cmocka_unit_test(superblocks), cmocka_unit_test(trees),
	    cmocka_unit_test(siblings),	 cmocka_unit_test(da_nodes),	cmocka_unit_test(leaves),
	    cmocka_unit_test(inodes),	 cmocka_unit_test(directories),
	};

	return cmocka_run_group_tests_name("hostile", all, setup, teardown);
}
