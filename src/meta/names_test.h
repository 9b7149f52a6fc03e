/*
 * What the tests of directories, attributes and symlinks share: images with every form of them, and
 * tables of damage: a field of a part set to a value, and the finding that check must raise.
 */
#ifndef MENDFS_META_NAMES_TEST_H
#define MENDFS_META_NAMES_TEST_H

#include "meta/type_test.h"

#include "fs/dir.h"

#include <libgen.h>

/* One field of one part. `element` of an array; the value is put there, or, where `flip` is set,
 * exclusive-ored. */
struct names_set {
	const char *part;
	u32 index;
	const char *field;
	u32 element;
	u64 value;
	bool flip;
};
struct names_damage {
	enum meta_id id;
	struct names_set set[6]; /* all but the first may be empty */
	enum finding_id expected;
};

/* Directories of every form, in 4 KiB directory blocks of four blocks each. In each but the first
 * two names have one hash: `A and a\301, which differ in two bits. */
static inline void names_image(struct test_image *t)
{
	static const struct {
		const char *name;
		u32 names, length;
	} form[] = {{"short", 6, 12}, {"block", 12, 20}, {"leaf", 200, 40}, {"node", 900, 60}};
	char proto[] = "/tmp/mendfs-proto-XXXXXX", options[64], name[80];
	int fd = mkstemp(proto);
	FILE *f = fdopen(fd, "w");

	fprintf(f, "/dev/null\n0 0\nd--755 0 0\n");
	for (u32 i = 0; i < ARRAY_COUNT(form); i++) {
		fprintf(f, "%s d--755 0 0\n", form[i].name);
		if (i)
			fprintf(f, "`Ahash p--644 0 0\na\301hash p--644 0 0\n");
		for (u32 j = 0; j < form[i].names; j++) {
			memset(name, 'x', sizeof(name));
			name[snprintf(name, sizeof(name), "n%05u", j)] = 'x';
			name[form[i].length] = 0;
			fprintf(f, "%s p--644 0 0\n", name);
		}
		fprintf(f, "$\n");
	}
	fprintf(f, "$\n");
	fclose(f);
	snprintf(options, sizeof(options), "-b size=1024 -p %s", proto);
	test_image_make(t, options);
	unlink(proto);
}

/* The folder of the fixtures, from the build folder (where __FILE__ begins) or from the source. */
static inline const char *names_fixtures(void)
{
	static char folder[256];
	char here[] = __FILE__;

	snprintf(folder, sizeof(folder), "%s/../../tests/fixtures", dirname(here));
	return access(folder, R_OK) ? "tests/fixtures" : folder;
}

/* tests/fixtures/NAME.img, unpacked. */
static inline void names_fixture(struct test_image *t, const char *name)
{
	char command[512];
	int fd;

	memset(t, 0, sizeof(*t));
	strcpy(t->path, "/tmp/mendfs-type-XXXXXX");
	fd = mkstemp(t->path);
	assert_true(fd >= 0);
	close(fd);
	snprintf(command, sizeof(command), "xz -dc %s/%s.img.xz > %s", names_fixtures(), name,
		 t->path);
	if (system(command)) {
		printf("skipped: no fixture or no xz\n");
		unlink(t->path);
		skip();
	}
	host_env_init(&t->env, 1);
	t->env.finding = test_finding;
	t->env.front = t;
}

/* An object of the image, and one part of it. */
struct names_object {
	const struct meta_type *type;
	struct geometry g;
	u64 at;
	u32 size;
	u8 *bytes;
};

struct names_search {
	struct part_sink sink;
	const struct names_set *set;
	struct part found;
};

static inline void names_part(struct part_sink *sink, const struct part *part)
{
	struct names_search *s = (struct names_search *)sink;

	if (!strcmp(part->name, s->set->part) && part->index == s->set->index)
		s->found = *part;
}

static inline bool names_find_part(const struct names_object *o, const struct names_set *set,
				   struct part *part)
{
	struct names_search s = {{names_part}, set, {0}};

	o->type->parts(&o->g, o->bytes, o->size, &s.sink);
	*part = s.found;
	return s.found.layout;
}

struct names_visit {
	struct test_image *t;
	const struct names_damage *damage;
	struct names_object object;
	int fd;
	bool found;
};

/* The first object of the type that has the part. Inodes come in pieces. */
static inline void names_visited(void *arg, const struct ref *ref)
{
	struct names_visit *v = arg;
	struct names_object *o = &v->object;
	enum meta_id container = v->damage->id == META_INODE ? META_INODES : v->damage->id;
	struct part part;

	if (ref->type->id != container)
		return;
	for (u32 at = 0; !v->found && at < ref->size; at += o->size) {
		o->size = v->damage->id == META_INODE ? o->g.inode_size : ref->size;
		o->at = ref->at.v + at;
		o->bytes = realloc(o->bytes, o->size);
		assert_int_equal(pread(v->fd, o->bytes, o->size, (off_t)o->at), o->size);
		v->found = names_find_part(o, &v->damage->set[0], &part);
	}
}

static inline void names_set_field(struct names_object *o, const struct names_set *set)
{
	const struct field *field;
	struct part part;
	u64 value = set->value;

	if (!set->part)
		return;
	assert_true(names_find_part(o, set, &part));
	field = layout_field(part.layout, set->field);
	assert_non_null(field);
	if (set->flip)
		value ^= field_get(field, o->bytes + part.offset, set->element);
	field_set(field, o->bytes + part.offset, set->element, value);
}

static inline void names_write(const struct names_visit *v, const u8 *bytes)
{
	assert_int_equal(pwrite(v->fd, bytes, v->object.size, (off_t)v->object.at), v->object.size);
}

static inline void names_damage_one(struct test_image *t, const struct names_damage *d)
{
	struct names_visit v = {.t = t, .damage = d, .object = {.type = meta_types.type[d->id]}};
	const struct sweep_options options = {.visited = names_visited, .visited_arg = &v};
	u32 crc_offset = v.object.type->crc_offset;
	struct vol *vol = test_image_open(t);
	struct sweep_stats stats;
	struct le32 crc;
	u8 *before;

	v.object.g = vol->geo;
	v.fd = open(t->path, O_RDWR);
	assert_int_equal(sweep_run(vol, &options, &stats), 0);
	vol_close(vol);
	if (!v.found)
		print_error("%s: no %s[%u]\n", v.object.type->name, d->set[0].part,
			    d->set[0].index);
	assert_true(v.found);
	before = malloc(v.object.size);
	memcpy(before, v.object.bytes, v.object.size);
	for (u32 i = 0; i < ARRAY_COUNT(d->set); i++)
		names_set_field(&v.object, &d->set[i]);
	crc = le32_make(verify_crc(v.object.bytes, v.object.size, crc_offset));
	memcpy(v.object.bytes + crc_offset, &crc, sizeof(crc));
	names_write(&v, v.object.bytes);
	test_image_check(t);
	names_write(&v, before);
	if (!t->seen[d->expected])
		print_error("%s %s[%u].%s: %s not found, but: %s\n", v.object.type->name,
			    d->set[0].part, d->set[0].index, d->set[0].field,
			    finding_defs[d->expected].id, t->first);
	assert_true(t->seen[d->expected]);
	free(before);
	free(v.object.bytes);
	close(v.fd);
}

/* Each damage is found, and a check is silent before the first and after the last. */
static inline void names_damage_all(struct test_image *t, const struct names_damage *rows,
				    u32 count)
{
	test_image_check(t);
	if (t->total)
		print_error("undamaged: %s\n", t->first);
	assert_int_equal(t->total, 0);
	for (u32 i = 0; i < count; i++)
		names_damage_one(t, &rows[i]);
	test_image_check(t);
	assert_int_equal(t->total, 0);
	test_image_drop(t);
}

/* --- a circle of directories: names, links and `..` agree --- */

struct names_inumber {
	const char *part;
	u64 value;
};

static inline void names_set_inumber(void *block, u64 arg)
{
	const struct names_inumber *n = (const struct names_inumber *)(uintptr_t)arg;
	const struct names_set set = {n->part, 0, "i4", 0, n->value, false};
	struct names_object o = {.type = meta_types.type[META_INODE], .bytes = block};

	o.g.features = 1u << FEATURE_FTYPE;
	o.g.inode_size = o.size = 512;
	names_set_field(&o, &set);
}

static inline void names_set_ino(struct test_image *t, const struct geometry *g, u64 dir,
				 const char *part, u64 ino)
{
	const struct names_inumber n = {part, ino};
	u32 agino = inum_agino(g, inum_of(dir));
	u64 at = agblock_daddr(g, inum_ag(g, inum_of(dir)), agino_bno(g, agino)).v +
		 ((u64)(agino & (g->inodes_per_block - 1)) << g->inode_log);

	test_image_change(t, meta_types.type[META_INODE], at, g->inode_size, names_set_inumber,
			  (u64)(uintptr_t)&n);
}

/* dir: the root, a, b and c. a has b, and b has a; c is in the root. */
static inline void names_circle(struct test_image *t, u64 dir[4])
{
	char proto[] = "/tmp/mendfs-proto-XXXXXX", options[64];
	FILE *f = fdopen(mkstemp(proto), "w");
	struct geometry g;
	struct vol *vol;

	fprintf(f, "/dev/null\n0 0\nd--755 0 0\n");
	fprintf(f, "a d--755 0 0\nb d--755 0 0\nc d--755 0 0\n$\n$\n$\n$\n");
	fclose(f);
	snprintf(options, sizeof(options), "-p %s", proto);
	test_image_make(t, options);
	unlink(proto);
	vol = test_image_open(t);
	g = vol->geo;
	dir[0] = g.root_ino;
	for (u32 i = 0; i < 3; i++) {
		struct inode inode;
		struct inum ino;
		u8 type;

		assert_int_equal(inode_get(vol, inum_of(dir[i]), &inode), 0);
		assert_int_equal(dir_lookup(vol, &inode, &"abc"[i], 1, &ino, &type), 0);
		inode_put(vol, &inode);
		dir[i + 1] = ino.v;
	}
	vol_close(vol);
	test_image_check(t);
	assert_int_equal(t->total, 0);
	/* The root has c; a has b, and b has a. */
	names_set_ino(t, &g, dir[0], "inumber", dir[3]);
	names_set_ino(t, &g, dir[3], "parent", dir[0]);
	names_set_ino(t, &g, dir[2], "inumber", dir[1]);
	names_set_ino(t, &g, dir[1], "parent", dir[2]);
}

#endif
