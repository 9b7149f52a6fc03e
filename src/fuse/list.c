/*
 * Directory listings, with and without attributes.
 *
 * A request first collects names, then fills the reply: so the inodes of a whole reply can be asked
 * for ahead of time, and no directory block is held while inodes are read.  The cookies are the
 * directory's own, so a listing continues where it was without a state of ours, and does not
 * have to count its way from the start.
 *
 * A damaged inode is still listed, by its name and the type that the directory knows; asking for
 * more gives the error.  A damaged directory block ends the listing with EUCLEAN, after the
 * entries before it.
 */
#include "fuse/request.h"

#include "base/trail.h"
#include "fs/dir.h"
#include "fuse/node.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#define REPLY_MAX (256u << 10)
#define NAME_MAX_BYTES 255
#define STOP 1

/* What has been collected: records of this head and the name with its NUL, one behind the other. */
struct listed {
	struct inum ino;
	u64 next;
	u16 length;
	u8 type;
	char name[];
};

struct listing {
	fuse_req_t req;
	u8 *bytes;
	size_t used;
	size_t reply, reply_max; /* what the reply would have, of what it may */
	bool plus;
};

static size_t listed_size(u32 length)
{
	return round_up_u64(offsetof(struct listed, name) + length + 1, _Alignof(struct listed));
}

/* What an entry takes in the reply. */
static size_t reply_size(const struct listing *list, const char *name)
{
	return list->plus ? fuse_add_direntry_plus(list->req, NULL, 0, name, NULL, 0)
			  : fuse_add_direntry(list->req, NULL, 0, name, NULL, 0);
}

static int collect(void *arg, const struct dir_entry *entry)
{
	struct listing *list = arg;
	struct listed *listed = (struct listed *)(list->bytes + list->used);
	u32 length = entry->length <= NAME_MAX_BYTES ? entry->length : NAME_MAX_BYTES;

	*listed = (struct listed){entry->ino, entry->next, (u16)length, entry->type};
	memcpy(listed->name, entry->name, length);
	listed->name[length] = 0;
	list->reply += reply_size(list, listed->name);
	if (list->reply > list->reply_max)
		return STOP;
	list->used += listed_size(length);
	return 0;
}

/* S_IF bits of the type that a directory entry has; 0: unknown. */
static mode_t mode_of_type(u8 type)
{
	static const mode_t mode[] = {0,       S_IFREG, S_IFDIR,  S_IFCHR,
				      S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK};

	return type < ARRAY_COUNT(mode) ? mode[type] : 0;
}

static bool is_dots(const struct listed *listed)
{
	return !strcmp(listed->name, ".") || !strcmp(listed->name, "..");
}

/* Attributes for the reply; e->ino 0 where the kernel shall ask when it needs them. */
static void entry_load(struct server *server, const struct listed *listed,
		       struct fuse_entry_param *e)
{
	struct inode inode;

	if (!is_dots(listed) && listed->ino.v != server->vol->geo.root_ino &&
	    !inode_get(server->vol, listed->ino, &inode)) {
		entry_fill(server, &inode, e);
		inode_put(server->vol, &inode);
		return;
	}
	*e = (struct fuse_entry_param){
	    .attr = {.st_ino = listed->ino.v, .st_mode = mode_of_type(listed->type)}};
}

/* Asks for the clusters of all inodes of the listing before the first is read. */
static void prefetch(struct server *server, const struct listing *list)
{
	const struct geometry *g = &server->vol->geo;
	u64 last = NULL64;

	for (size_t at = 0; at < list->used;) {
		const struct listed *listed = (const struct listed *)(list->bytes + at);

		at += listed_size(listed->length);
		if (!inum_valid(g, listed->ino))
			continue;
		u32 agino = inum_agino(g, listed->ino), bno = agino_bno(g, agino);
		struct daddr place =
		    agblock_daddr(g, inum_ag(g, listed->ino), bno - bno % g->cluster_blocks);

		if (place.v == last)
			continue;
		cache_will_need(server->vol->cache, place, (u64)g->cluster_blocks << g->block_log);
		last = place.v;
	}
}

static size_t reply_fill(struct server *server, const struct listing *list, char *reply)
{
	size_t filled = 0;

	for (size_t at = 0; at < list->used;) {
		const struct listed *listed = (const struct listed *)(list->bytes + at);
		struct fuse_entry_param e = {
		    .attr = {.st_ino = listed->ino.v, .st_mode = mode_of_type(listed->type)}};
		size_t room = list->reply_max - filled;

		at += listed_size(listed->length);
		if (list->plus) {
			entry_load(server, listed, &e);
			filled += fuse_add_direntry_plus(list->req, reply + filled, room,
							 listed->name, &e, (off_t)listed->next);
		} else {
			filled += fuse_add_direntry(list->req, reply + filled, room, listed->name,
						    &e.attr, (off_t)listed->next);
		}
	}
	return filled;
}

static int list_collect(struct server *server, fuse_ino_t node, u64 cookie, struct listing *list)
{
	const struct inode *dir;
	int err = node_get(server->nodes, node_inum(server, node), &dir);

	if (err)
		return err;
	if (!S_ISDIR(dir->mode))
		err = -ENOTDIR;
	else
		err = dir_each(server->vol, dir, cookie, collect, list);
	node_put(server->nodes, dir);
	if (err >= 0)
		return 0;
	/* What lies before the damage is still good; the next request meets it again. */
	return list->used ? 0 : err;
}

static void list_reply(fuse_req_t req, fuse_ino_t node, size_t size, off_t off, bool plus)
{
	struct server *server = server_of(req);
	size_t reply_max = min_u64(size, REPLY_MAX);
	/* Collected entries are no larger than those of the reply, but for the last, which is one
	 * too many. */
	size_t collected = reply_max + listed_size(NAME_MAX_BYTES);
	struct scratch *scratch = scratch_take(server, collected + reply_max);
	struct listing list = {.req = req, .reply_max = reply_max, .plus = plus};
	char *reply;
	int err;

	if (!scratch) {
		reply_failure(req, fail(-ENOMEM, "out of memory"), "readdir", node);
		return;
	}
	list.bytes = scratch->bytes;
	reply = (char *)scratch->bytes + collected;
	err = list_collect(server, node, (u64)off, &list);
	if (err) {
		reply_failure(req, err == -ENOENT ? -ESTALE : err, "readdir", node);
	} else {
		if (plus)
			prefetch(server, &list);
		fuse_reply_buf(req, reply, reply_fill(server, &list, reply));
	}
	scratch_drop(server, scratch);
}

void do_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)fi;
	list_reply(req, node, size, off, false);
}

void do_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	(void)fi;
	list_reply(req, node, size, off, true);
}
