/*
 * libmendfs: reading files. Stateless: every call starts at the inode, which the cache holds.
 */
#include "mendfs.h"

#include "base/trail.h"
#include "format/attr.h"
#include "format/dir.h"
#include "fs/attr.h"
#include "fs/dir.h"
#include "fs/file_data.h"
#include "fs/inode.h"
#include "fs/symlink.h"
#include "host/api.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#define SECTOR 512
#define PUBLIC_MINOR_BITS 20

int mendfs_stat(struct mendfs *fs, uint64_t ino, struct mendfs_stat *out)
{
	struct inode i;
	int err = inode_get(fs->vol, inum_of(ino), &i);

	if (err)
		return err;
	*out = (struct mendfs_stat){
	    .ino = ino,
	    .size = i.size,
	    .blocks = i.nblocks * (fs->vol->geo.block_size / SECTOR),
	    .mode = i.mode,
	    .uid = i.uid,
	    .gid = i.gid,
	    .project = i.projid,
	    .nlink = i.nlink,
	    .generation = i.gen,
	    .atime = i.atime,
	    .mtime = i.mtime,
	    .ctime = i.ctime,
	    .crtime = i.crtime,
	    .atime_ns = i.atime_ns,
	    .mtime_ns = i.mtime_ns,
	    .ctime_ns = i.ctime_ns,
	    .crtime_ns = i.crtime_ns,
	};
	if (S_ISCHR(i.mode) || S_ISBLK(i.mode))
		out->rdev = i.rdev >> DEV_MINOR_BITS << PUBLIC_MINOR_BITS |
			    (i.rdev & ((1u << DEV_MINOR_BITS) - 1));
	inode_put(fs->vol, &i);
	return 0;
}

static int get_directory(struct mendfs *fs, uint64_t ino, struct inode *dir)
{
	int err = inode_get(fs->vol, inum_of(ino), dir);

	if (!err && !S_ISDIR(dir->mode)) {
		inode_put(fs->vol, dir);
		err = fail(-ENOTDIR, "inode %llu is no directory", (unsigned long long)ino);
	}
	return err;
}

int mendfs_lookup(struct mendfs *fs, uint64_t dir, const char *name, size_t length, uint64_t *ino)
{
	struct inode inode;
	struct inum found;
	u8 type;
	int err;

	if (!length || length > DIR_NAME_MAX)
		return fail(length ? -ENAMETOOLONG : -ENOENT, "a name of %zu bytes", length);
	err = get_directory(fs, dir, &inode);
	if (err)
		return err;
	err = dir_lookup(fs->vol, &inode, name, (u32)length, &found, &type);
	inode_put(fs->vol, &inode);
	if (!err)
		*ino = found.v;
	return err;
}

int mendfs_resolve(struct mendfs *fs, const char *path, uint64_t *ino)
{
	uint64_t at = fs->vol->geo.root_ino;
	const char *next = path;

	for (;;) {
		size_t length;
		int err;

		next += strspn(next, "/");
		length = strcspn(next, "/");
		if (!length)
			break;
		err = mendfs_lookup(fs, at, next, length, &at);
		if (err)
			return fail_in(err, "%.*s", (int)(next - path + (int)length), path);
		next += length;
	}
	*ino = at;
	return 0;
}

struct listing {
	int (*fn)(void *arg, const struct mendfs_entry *entry);
	void *arg;
};

static int give_entry(void *arg, const struct dir_entry *entry)
{
	static const u8 type[DIR_FT_COUNT] = {
	    [DIR_FT_UNKNOWN] = DT_UNKNOWN, [DIR_FT_FILE] = DT_REG,    [DIR_FT_DIR] = DT_DIR,
	    [DIR_FT_CHAR] = DT_CHR,	   [DIR_FT_BLOCK] = DT_BLK,   [DIR_FT_FIFO] = DT_FIFO,
	    [DIR_FT_SOCKET] = DT_SOCK,	   [DIR_FT_SYMLINK] = DT_LNK, [DIR_FT_WHITEOUT] = DT_WHT,
	};
	struct listing *listing = arg;
	const struct mendfs_entry public = {
	    .name = entry->name,
	    .length = entry->length,
	    .ino = entry->ino.v,
	    .next = entry->next,
	    .type = entry->type < DIR_FT_COUNT ? type[entry->type] : DT_UNKNOWN,
	};

	return listing->fn(listing->arg, &public);
}

int mendfs_readdir(struct mendfs *fs, uint64_t dir, uint64_t cookie,
		   int (*fn)(void *arg, const struct mendfs_entry *entry), void *arg)
{
	struct listing listing = {fn, arg};
	struct inode inode;
	int err = get_directory(fs, dir, &inode);

	if (err)
		return err;
	err = dir_each(fs->vol, &inode, cookie, give_entry, &listing);
	inode_put(fs->vol, &inode);
	return err;
}

int64_t mendfs_read(struct mendfs *fs, uint64_t ino, uint64_t offset, void *to, size_t size)
{
	struct inode inode;
	int err = inode_get(fs->vol, inum_of(ino), &inode);

	if (err)
		return err;
	if (!S_ISREG(inode.mode))
		err = fail(S_ISDIR(inode.mode) ? -EISDIR : -EINVAL, "inode %llu is no regular file",
			   (unsigned long long)ino);
	else if (offset >= inode.size)
		size = 0;
	else
		size = (size_t)min_u64(size, min_u64(inode.size - offset, INT64_MAX));
	if (!err && size)
		err = file_read(fs->vol, &inode, offset, size, to);
	inode_put(fs->vol, &inode);
	return err ? err : (int64_t)size;
}

int mendfs_readlink(struct mendfs *fs, uint64_t ino, char *target, size_t size)
{
	char text[SYMLINK_MAX + 1];
	struct inode inode;
	int length = inode_get(fs->vol, inum_of(ino), &inode);

	if (length)
		return length;
	length = S_ISLNK(inode.mode)
		     ? symlink_read(fs->vol, &inode, text)
		     : fail(-EINVAL, "inode %llu is no symbolic link", (unsigned long long)ino);
	inode_put(fs->vol, &inode);
	if (length < 0)
		return length;
	if ((size_t)length >= size)
		return fail(-ERANGE, "a target of %d bytes", length);
	memcpy(target, text, (size_t)length + 1);
	return length;
}

struct space {
	const char *prefix;
	u8 flags;
};
static const struct space spaces[] = {
    {"user.", 0}, {"trusted.", ATTR_ROOT}, {"security.", ATTR_SECURE}};

int64_t mendfs_getxattr(struct mendfs *fs, uint64_t ino, const char *name, void *value, size_t size)
{
	for (size_t i = 0; i < ARRAY_COUNT(spaces); i++) {
		size_t prefix = strlen(spaces[i].prefix), length = strlen(name);
		struct inode inode;
		s64 got;

		if (strncmp(name, spaces[i].prefix, prefix) != 0 || length == prefix ||
		    length - prefix > ATTR_NAME_MAX)
			continue;
		got = inode_get(fs->vol, inum_of(ino), &inode);
		if (got)
			return got;
		got = attr_get(fs->vol, &inode, spaces[i].flags, name + prefix,
			       (u32)(length - prefix), value, size);
		inode_put(fs->vol, &inode);
		return got;
	}
	return fail(-EOPNOTSUPP, "there is no attribute namespace for \"%s\"", name);
}

struct names {
	int (*fn)(void *arg, const char *name);
	void *arg;
};

static int give_name(void *arg, const struct attr *attr)
{
	struct names *names = arg;
	char name[16 + ATTR_NAME_MAX];

	for (size_t i = 0; i < ARRAY_COUNT(spaces); i++) {
		size_t prefix = strlen(spaces[i].prefix);

		if ((attr->flags & ATTR_NAMESPACES) != spaces[i].flags ||
		    attr->name_length > ATTR_NAME_MAX)
			continue;
		memcpy(name, spaces[i].prefix, prefix);
		memcpy(name + prefix, attr->name, attr->name_length);
		name[prefix + attr->name_length] = 0;
		return names->fn(names->arg, name);
	}
	return 0;
}

int mendfs_listxattr(struct mendfs *fs, uint64_t ino, int (*fn)(void *arg, const char *name),
		     void *arg)
{
	struct names names = {fn, arg};
	struct inode inode;
	int err = inode_get(fs->vol, inum_of(ino), &inode);

	if (err)
		return err;
	err = attr_each(fs->vol, &inode, give_name, &names);
	inode_put(fs->vol, &inode);
	return err;
}
