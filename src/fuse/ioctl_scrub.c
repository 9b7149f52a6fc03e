/*
 * XFS_IOC_SCRUB_METADATA: drivers of the kernel's scrub check and rebuild items here
 * (scrub/item.h).
 *
 * For the superuser and for who has mounted it.  What goes in comes out with its flags, but when
 * the call fails.
 */
#include "fuse/ioctl.h"

#include "base/trail.h"
#include "fuse/node.h"
#include "scrub/item.h"

#include <errno.h>
#include <stdio.h>

struct scrub_request {
	u32 type, flags;
	u64 ino;
	u32 gen, ag;
	u64 reserved[5];
};
_Static_assert(sizeof(struct scrub_request) == 64, "XFS_IOC_SCRUB_METADATA");
_Static_assert(IOC_SCRUB == _IOWR('X', 60, struct scrub_request), "XFS_IOC_SCRUB_METADATA");

#define SCRUB_MEMORY (8u << 20)

static void say(void *arg, const char *line)
{
	struct env *env = ((struct server *)arg)->vol->env;
	char text[TRAIL_MAX + 16];

	snprintf(text, sizeof(text), "scrub: %s", line);
	env->note(env, text);
}

int ioctl_scrub_open(struct server *server)
{
	const struct scrub_options options = {.memory = SCRUB_MEMORY, .say = say, .arg = server};

	return scrub_open(server->vol, &options, &server->scrub);
}

/* The file that the request came by, where no inode is named. */
static int name_inode(struct server *server, fuse_ino_t node, struct scrub_request *r)
{
	const struct inode *inode;
	int err;

	if (r->ino || r->gen)
		return 0;
	r->ino = node_inum(server, node).v;
	vol_read_begin(server->vol);
	err = node_get(server->nodes, inum_of(r->ino), &inode);
	if (!err) {
		r->gen = inode->gen;
		node_put(server->nodes, inode);
	}
	vol_read_end(server->vol);
	/* what is damaged need not say which generation it is */
	return err_is_damage(err) ? 0 : err;
}

static int scrub_one(struct server *server, fuse_ino_t node, struct scrub_request *r)
{
	struct scrub_item item;
	struct scrub_request named = *r;
	int err = 0;

	for (u32 i = 0; i < ARRAY_COUNT(r->reserved); i++)
		if (r->reserved[i])
			return fail(-EINVAL, "scrub: reserved words are not zero");
	r->flags &= ~SCRUB_FLAGS_OUT; /* of an answer that comes in again */
	if (r->type >= SCRUB_COUNT)
		return fail(-ENOENT, "scrub: type %u is not known", r->type);
	if (scrub_defs[r->type].scope == SCOPE_INODE)
		err = name_inode(server, node, &named);
	if (err)
		return err;
	item = (struct scrub_item){
	    .type = r->type, .flags = r->flags, .ino = named.ino, .gen = named.gen, .ag = named.ag};
	err = scrub_item(server->scrub, &item);
	r->flags = item.flags;
	return err;
}

void scrub_ioctl(fuse_req_t req, fuse_ino_t node, const void *in, size_t in_size, size_t out_size)
{
	struct server *server = server_of(req);
	struct scrub_request r;
	int err;

	if (!request_is_admin(req)) {
		fuse_reply_err(req, EPERM);
		return;
	}
	if (in_size < sizeof(r) || out_size < sizeof(r)) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	memcpy(&r, in, sizeof(r));
	err = scrub_one(server, node, &r);
	if (err)
		reply_failure(req, err, "scrub", node);
	else
		fuse_reply_ioctl(req, 0, &r, sizeof(r));
}
