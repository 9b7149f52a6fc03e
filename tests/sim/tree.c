/* A tree as one number; see tree.h. */
#include "tree.h"

#include "base/test.h"
#include "base/trail.h"

#include "format/dir.h"
#include "fs/dir.h"
#include "fs/file_data.h"
#include "fs/inode.h"

#include <stdio.h>

#define MODE_FORMAT 0170000u
#define MODE_REGULAR 0100000u
#define CONTENT_MAX (1u << 20) /* of a file */

struct look {
	struct vol *vol;
	u64 sum, path;
	u32 depth;
};

static u64 mix(u64 a, u64 b)
{
	a = (a ^ b) * 0xbf58476d1ce4e5b9ull;
	return a ^ a >> 29;
}

/* What is in the file. */
static int look_through(struct look *l, const struct inode *inode, u64 path)
{
	u8 bytes[4096];
	int err = 0;

	l->sum += mix(path, inode->size);
	for (u64 at = 0; at < inode->size && at < CONTENT_MAX && !err; at += sizeof(bytes)) {
		u64 size = min_u64(sizeof(bytes), inode->size - at);

		err = file_read(l->vol, inode, at, size, bytes);
		for (u64 i = 0; i < size && !err; i++)
			path = mix(path, bytes[i]);
		l->sum += path;
	}
	return err;
}

static int look_in(struct look *l, struct inum ino);

static int look_at(void *arg, const struct dir_entry *entry)
{
	struct look *l = arg;
	u64 path = l->path, sum;
	struct inode inode;
	int err;

	if (dir_name_is_dots((const u8 *)entry->name, entry->length))
		return 0;
	sum = mix(path, entry->length);
	for (u32 i = 0; i < entry->length; i++)
		sum = mix(sum, (u8)entry->name[i]);
	err = inode_get(l->vol, entry->ino, &inode);
	if (err)
		return err;
	l->sum += mix(mix(sum, inode.mode), inode.nlink);
	err = (inode.mode & MODE_FORMAT) == MODE_REGULAR ? look_through(l, &inode, sum) : 0;
	inode_put(l->vol, &inode);
	if (err)
		return err;
	if (entry->type != DIR_FT_DIR || l->depth > 8)
		return 0;
	l->path = sum;
	err = look_in(l, entry->ino);
	l->path = path;
	return err;
}

static int look_in(struct look *l, struct inum ino)
{
	struct inode inode;
	int err = inode_get(l->vol, ino, &inode);

	if (err)
		return err;
	l->depth++;
	err = dir_each(l->vol, &inode, 0, look_at, l);
	l->depth--;
	inode_put(l->vol, &inode);
	return err;
}

u64 sim_tree(struct vol *vol)
{
	struct look l = {.vol = vol};
	int err = look_in(&l, inum_of(vol->geo.root_ino));

	if (err)
		printf("%s\n", trail_text());
	assert_int_equal(err, 0);
	return l.sum;
}
