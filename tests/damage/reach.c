/*
 * Makes base images for the damage campaign that have what others lack, through the library.
 *
 *	reach trees IMAGE	inode trees of two levels, a directory with two blocks of free
 *index, the attributes of two files in btree form reach far IMAGE		directories in the
 *inode, with numbers of eight bytes
 *
 * IMAGE has been made with blocks of 1 KiB for the first, and of more than 2^32 inode numbers for
 * the second.
 */
#include "base/trail.h"
#include "fs/attr_modify.h"
#include "fs/names.h"
#include "host/host.h"
#include "meta/types_table.h"

#include <stdio.h>
#include <sys/stat.h>

#define CHUNKS 64  /* a leaf of 1 KiB has room for 60 */
#define LINKS 1600 /* of a block of 1 KiB three fit, and a block of the free index knows 480 */
#define LINK_LENGTH 250
#define VALUES 24 /* in as many extents of a fork */

struct reach {
	struct env env;
	struct vol *vol;
	struct names_time now;
};

static int make(struct reach *r, struct inum dir, const char *name, u16 mode, struct inum *ino)
{
	const struct names_entry at = {dir, name, (u32)strlen(name)};
	const struct names_new new = {.mode = mode, .now = r->now};
	struct txn *txn;
	int err = vol_begin(r->vol, NULL, &txn);

	return err ? err : vol_end(r->vol, txn, names_create(r->vol, txn, &at, &new, ino));
}

static int take_apart(struct reach *r, struct inum ino)
{
	bool more = ino.v != 0;
	int err = 0;

	while (more && !err) {
		struct txn *txn;

		err = vol_begin(r->vol, NULL, &txn);
		if (!err)
			err = vol_end(r->vol, txn, names_inactive_step(r->vol, txn, ino, &more));
	}
	return err;
}

static int drop(struct reach *r, struct inum dir, const char *name)
{
	const struct names_entry at = {dir, name, (u32)strlen(name)};
	struct inum gone = inum_of(0);
	struct txn *txn;
	int err = vol_begin(r->vol, NULL, &txn);

	if (!err)
		err = vol_end(r->vol, txn, names_unlink(r->vol, txn, &at, &r->now, &gone));
	return err ? err : take_apart(r, gone);
}

/* One inode of each chunk stays. */
static int make_chunks(struct reach *r, struct inum root)
{
	struct inum dir, ino[CHUNKS * 64];
	char name[16];
	int err = make(r, root, "chunks", S_IFDIR | 0755, &dir);

	for (u32 i = 0; i < ARRAY_COUNT(ino) && !err; i++) {
		snprintf(name, sizeof(name), "%u", i);
		err = make(r, dir, name, S_IFREG | 0644, &ino[i]);
	}
	for (u32 i = 0; i < ARRAY_COUNT(ino) && !err; i++) {
		snprintf(name, sizeof(name), "%u", i);
		if (ino[i].v % 64 != 7)
			err = drop(r, dir, name);
	}
	return err;
}

static int make_links(struct reach *r, struct inum root)
{
	struct names_entry at = {.length = LINK_LENGTH};
	char name[LINK_LENGTH + 1];
	struct inum ino;
	struct txn *txn;
	int err = make(r, root, "links", S_IFDIR | 0755, &at.dir);

	if (!err)
		err = make(r, root, "linked", S_IFREG | 0644, &ino);
	at.name = name;
	for (u32 i = 0; i < LINKS && !err; i++) {
		snprintf(name, sizeof(name), "%0*u", LINK_LENGTH, i);
		err = vol_begin(r->vol, NULL, &txn);
		if (!err)
			err = vol_end(r->vol, txn, names_link(r->vol, txn, &at, ino, &r->now));
	}
	return err;
}

static int set_value(struct reach *r, struct inum ino, u32 number)
{
	static const u8 value[2500];
	char name[16];
	struct attr attr = {.name = name, .value = value, .value_length = sizeof(value)};
	struct txn *txn;
	int err = vol_begin(r->vol, NULL, &txn);

	attr.name_length = (u32)snprintf(name, sizeof(name), "value-%u", number);
	return err ? err : vol_end(r->vol, txn, attr_set(r->vol, txn, ino, &attr, ATTR_HOW_ANY));
}

/* In turns, so that neither has two extents that are neighbours. */
static int make_values(struct reach *r, struct inum root)
{
	struct inum ino[2];
	int err = make(r, root, "attributes", S_IFREG | 0644, &ino[0]);

	if (!err)
		err = make(r, root, "attributes-too", S_IFDIR | 0755, &ino[1]);
	for (u32 i = 0; i < 2 * VALUES && !err; i++)
		err = set_value(r, ino[i % 2], i / 2);
	return err;
}

static int make_trees(struct reach *r, struct inum root)
{
	int err = make_chunks(r, root);

	if (!err)
		err = make_links(r, root);
	return err ? err : make_values(r, root);
}

/* Directories go to one AG after the other. */
static int make_far(struct reach *r, struct inum root)
{
	struct inum dir, ino;
	char name[16];
	int err = 0;

	for (u32 i = 0; i < r->vol->geo.ag_count && !err; i++) {
		snprintf(name, sizeof(name), "dir-%u", i);
		err = make(r, root, name, S_IFDIR | 0755, &dir);
		if (!err)
			err = make(r, dir, "file", S_IFREG | 0644, &ino);
		if (!err)
			err = make(r, dir, "another", S_IFREG | 0600, &ino);
	}
	return err;
}

int main(int argc, char **argv)
{
	struct reach r = {.now = {1600000000, 0}};
	struct vol_options options = {.write = true};
	struct inum root;
	int err;

	if (argc != 3)
		return 2;
	host_env_init(&r.env, 1);
	err = device_open_file(&r.env, argv[2], false, &options.data);
	if (!err)
		err = vol_open(&r.env, &meta_types, &options, &r.vol);
	if (!err) {
		root = inum_of(r.vol->geo.root_ino);
		err = !strcmp(argv[1], "far") ? make_far(&r, root) : make_trees(&r, root);
	}
	if (!err)
		err = vol_close(r.vol);
	if (err)
		fprintf(stderr, "%s\n", trail_text());
	return err ? 1 : 0;
}
