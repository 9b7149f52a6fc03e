/*
 * Directories of every form, as mkfs.xfs makes them from a protofile: each name is found by look-up
 * and by listing, with the inode that xfs_db says, for several block and directory block sizes.
 */
#include "base/test.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs/dir.h"
#include "fs/symlink.h"
#include "host/host.h"
#include "meta/types_table.h"

#define IMAGE_SIZE (320u << 20)

static char folder[] = "/tmp/mendfs-dir-XXXXXX";
static char image[64], proto[64], said[64];

struct form {
	const char *name;
	u32 names;
	u32 length; /* of the longest */
};

/* Names of all lengths; every 16th has a brother with the same hash. */
static u32 make_name(const struct form *form, u32 i, char *name)
{
	u32 length = (u32)snprintf(name, 16, "%05u", i / 2 * 2);
	u32 want = 8 + i / 2 * 37 % (form->length - 7);

	/* x << 7 ^ y is the same for (x, y) and (x ^ 1, y ^ 0x80) */
	if (i % 16 < 2) {
		name[length++] = i % 2 ? 'a' : '`';
		name[length++] = (char)(i % 2 ? 'A' ^ 0x80 : 'A');
	} else {
		name[length++] = i % 2 ? 'y' : 'x';
	}
	while (length < want)
		name[length++] = 'p';
	name[length] = 0;
	return length;
}

static void write_proto(const struct form *forms, u32 count)
{
	FILE *f = fopen(proto, "w");
	char name[300];

	fprintf(f, "/dev/null\n0 0\nd--755 0 0\n");
	for (u32 i = 0; i < count; i++) {
		fprintf(f, "%s d--755 0 0\n", forms[i].name);
		for (u32 j = 0; j < forms[i].names; j++) {
			make_name(&forms[i], j, name);
			fprintf(f, "%s p--644 0 0\n", name);
		}
		fprintf(f, "$\n");
	}
	/* A long target is not made this way: mkfs.xfs 6.1 forgets its header. */
	fprintf(f, "link l--777 0 0 a/target\n$\n");
	fclose(f);
}

static void make_image(const char *options)
{
	char command[512];
	FILE *f = fopen(image, "w");

	assert_non_null(f);
	assert_int_equal(ftruncate(fileno(f), IMAGE_SIZE), 0);
	fclose(f);
	if (system("PATH=$PATH:/sbin:/usr/sbin; command -v mkfs.xfs xfs_db >/dev/null")) {
		printf("skipped: xfsprogs is not installed\n");
		skip();
	}
	snprintf(command, sizeof(command),
		 "PATH=$PATH:/sbin:/usr/sbin; mkfs.xfs -q -f %s -p %s %s >/dev/null", options,
		 proto, image);
	assert_int_equal(system(command), 0);
}

struct seen {
	const struct form *form;
	u64 *ino; /* of each name */
	u32 found, dots;
	u64 next;
	u32 stop; /* after so many; 0: never */
};

static int see(void *arg, const struct dir_entry *entry)
{
	struct seen *s = arg;
	char name[300];

	assert_true(entry->next > s->next);
	s->next = entry->next;
	if (entry->name[0] == '.') {
		assert_int_equal(entry->type, DIR_FT_DIR);
		s->dots++;
	} else {
		u32 i = (u32)strtoul(entry->name, NULL, 10);

		i += entry->name[5] == 'y' || entry->name[5] == 'a';
		assert_true(i < s->form->names);
		assert_int_equal(make_name(s->form, i, name), entry->length);
		assert_memory_equal(name, entry->name, entry->length);
		assert_int_equal(entry->type, DIR_FT_FIFO);
		assert_int_equal(s->ino[i], 0);
		s->ino[i] = entry->ino.v;
		s->found++;
	}
	return s->stop && !--s->stop;
}

/* xfs_db's `ls`: cookie, inode, type, hash, length, name. */
static void judge(const struct form *form, const u64 *ino)
{
	char command[256], line[600], name[300];
	u32 lines = 0;
	FILE *f;

	snprintf(command, sizeof(command),
		 "PATH=$PATH:/sbin:/usr/sbin; xfs_db -r -c 'ls /%s' %s > %s", form->name, image,
		 said);
	assert_int_equal(system(command), 0);
	f = fopen(said, "r");
	while (fgets(line, sizeof(line), f)) {
		unsigned long long number;
		unsigned hash, length;
		int at;
		u32 i;

		if (sscanf(line, "%*s %llu %*s %x %u %n", &number, &hash, &length, &at) != 3 ||
		    line[at] == '.')
			continue;
		i = (u32)strtoul(line + at, NULL, 10);
		i += line[at + 5] == 'y' || line[at + 5] == 'a';
		assert_int_equal(make_name(form, i, name), length);
		assert_int_equal(da_hash(name, length), hash);
		assert_int_equal(ino[i], number);
		lines++;
	}
	fclose(f);
	assert_int_equal(lines, form->names);
}

static void check_lookups(struct vol *vol, const struct inode *dir, const struct form *form,
			  const u64 *listed)
{
	struct inum ino;
	char name[300];
	u8 type;

	for (u32 i = 0; i < form->names; i++) {
		u32 length = make_name(form, i, name);

		assert_int_equal(dir_lookup(vol, dir, name, length, &ino, &type), 0);
		assert_int_equal(ino.v, listed[i]);
		assert_int_equal(type, DIR_FT_FIFO);
		name[length - 1] ^= 1;
		assert_int_equal(dir_lookup(vol, dir, name, length, &ino, &type), -ENOENT);
	}
	assert_int_equal(dir_lookup(vol, dir, ".", 1, &ino, &type), 0);
	assert_int_equal(ino.v, dir->ino.v);
	assert_int_equal(dir_lookup(vol, dir, "..", 2, &ino, &type), 0);
	assert_int_equal(ino.v, vol->geo.root_ino);
	assert_int_equal(dir_lookup(vol, dir, "", 0, &ino, &type), -ENOENT);
	memset(name, 'n', 256);
	assert_int_equal(dir_lookup(vol, dir, name, 256, &ino, &type), -ENAMETOOLONG);
}

static void check_form(struct vol *vol, const struct inode *root, const struct form *form)
{
	struct seen whole = {.form = form, .ino = calloc(form->names, sizeof(u64))};
	struct seen parts = {.form = form, .ino = calloc(form->names, sizeof(u64))};
	struct inum ino;
	struct inode dir;
	u8 type;

	assert_int_equal(dir_lookup(vol, root, form->name, (u32)strlen(form->name), &ino, &type),
			 0);
	assert_int_equal(type, DIR_FT_DIR);
	assert_int_equal(inode_get(vol, ino, &dir), 0);
	assert_int_equal(dir_each(vol, &dir, 0, see, &whole), 0);
	assert_int_equal(whole.found, form->names);
	assert_int_equal(whole.dots, 2);
	do {
		parts.stop = 5;
	} while (dir_each(vol, &dir, parts.next, see, &parts) == 1);
	assert_int_equal(parts.found, form->names);
	assert_memory_equal(parts.ino, whole.ino, form->names * sizeof(u64));
	check_lookups(vol, &dir, form, whole.ino);
	judge(form, whole.ino);
	inode_put(vol, &dir);
	free(whole.ino);
	free(parts.ino);
}

static void check_links(struct vol *vol, const struct inode *root)
{
	char target[SYMLINK_MAX + 1];
	struct inum ino;
	struct inode link;
	u8 type;

	assert_int_equal(dir_lookup(vol, root, "link", 4, &ino, &type), 0);
	assert_int_equal(type, DIR_FT_SYMLINK);
	assert_int_equal(inode_get(vol, ino, &link), 0);
	assert_int_equal(symlink_read(vol, &link, target), 8);
	assert_string_equal(target, "a/target");
	inode_put(vol, &link);
}

static void check_image(const char *options, const struct form *forms, u32 count)
{
	struct vol_options open = {0};
	struct inode root;
	struct vol *vol;
	struct env env;

	write_proto(forms, count);
	make_image(options);
	host_env_init(&env, 1);
	assert_int_equal(device_open_file(&env, image, true, &open.data), 0);
	assert_int_equal(vol_open(&env, &meta_types, &open, &vol), 0);
	assert_int_equal(inode_get(vol, inum_of(vol->geo.root_ino), &root), 0);
	for (u32 i = 0; i < count; i++)
		check_form(vol, &root, &forms[i]);
	check_links(vol, &root);
	inode_put(vol, &root);
	vol_close(vol);
}

static void plain(void **state)
{
	const struct form forms[] = {
	    {"short", 6, 20}, {"block", 40, 60}, {"leaf", 300, 100}, {"node", 4000, 255}};

	(void)state;
	check_image("", forms, ARRAY_COUNT(forms));
	check_image("-i size=2048 -m crc=1", forms, ARRAY_COUNT(forms));
}

static void small_blocks(void **state)
{
	const struct form forms[] = {
	    {"short", 6, 20}, {"block", 16, 20}, {"leaf", 60, 40}, {"node", 6000, 255}};

	(void)state;
	check_image("-b size=1024", forms, ARRAY_COUNT(forms));
}

/* A directory block of many blocks. */
static void large_directory_blocks(void **state)
{
	const struct form forms[] = {
	    {"short", 6, 20}, {"block", 400, 100}, {"leaf", 3000, 200}, {"node", 9000, 100}};

	(void)state;
	check_image("-b size=1024 -n size=65536", forms, ARRAY_COUNT(forms));
	check_image("-n size=65536", forms, ARRAY_COUNT(forms));
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(image, sizeof(image), "%s/image", folder);
	snprintf(proto, sizeof(proto), "%s/proto", folder);
	snprintf(said, sizeof(said), "%s/said", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(image);
	unlink(proto);
	unlink(said);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain),
	    cmocka_unit_test(small_blocks),
	    cmocka_unit_test(large_directory_blocks),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
