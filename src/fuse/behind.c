/*
 * What changes behind the kernel's back; see behind.h.
 *
 * The lock is around the list, which the end of one repair takes away while the next may have
 * begun.
 */
#include "fuse/behind.h"

#include "base/order.h"
#include "base/trail.h"

#include <errno.h>

#define INODES_MAX (1u << 20) /* 8 MiB; of more, the others are remembered as they were */

struct behind {
	struct server *server;
	struct vol_repaired heard;
	struct env_lock *lock; /* of what follows */
	u64 *ino;
	u32 count, room;
};

static bool make_room(struct behind *b)
{
	u32 room = b->room ? b->room * 2 : 256;
	u64 *ino;

	/* rebuilds come to the same ones again */
	b->count = order_unique(b->ino, b->count);
	if (b->count < b->room / 2)
		return true;
	ino = room > INODES_MAX
		  ? NULL
		  : env_grow(b->server->vol->env, b->ino, b->count, room, sizeof(*ino));
	if (!ino)
		return b->count < b->room;
	b->ino = ino;
	b->room = room;
	return true;
}

static void on_inode(void *arg, u64 ino)
{
	struct behind *b = arg;
	struct env *env = b->server->vol->env;

	env->lock_take(b->lock);
	if ((!b->count || b->ino[b->count - 1] != ino) && (b->count < b->room || make_room(b)))
		b->ino[b->count++] = ino;
	env->lock_drop(b->lock);
}

static void on_done(void *arg)
{
	struct behind *b = arg;
	struct env *env = b->server->vol->env;
	u64 *ino;
	u32 count;

	env->lock_take(b->lock);
	ino = b->ino;
	count = b->count;
	b->ino = NULL;
	b->count = b->room = 0;
	env->lock_drop(b->lock);
	count = order_unique(ino, count);
	/* -ENOENT: the kernel does not know it */
	for (u32 i = 0; i < count && b->server->session; i++)
		fuse_lowlevel_notify_inval_inode(b->server->session,
						 inum_node(b->server, inum_of(ino[i])), -1, 0);
	env_free(env, ino);
}

int behind_open(struct server *server)
{
	struct behind *b = env_alloc(server->vol->env, sizeof(*b));

	if (!b)
		return fail(-ENOMEM, "out of memory");
	*b = (struct behind){.server = server,
			     .heard = {on_inode, on_done, b},
			     .lock = server->vol->env->lock_create(server->vol->env)};
	server->behind = b;
	if (!b->lock)
		return fail(-ENOMEM, "out of memory");
	server->vol->repaired = &b->heard;
	return 0;
}

void behind_close(struct server *server)
{
	struct behind *b = server->behind;

	if (!b)
		return;
	server->vol->repaired = NULL;
	if (b->lock)
		server->vol->env->lock_destroy(server->vol->env, b->lock);
	env_free(server->vol->env, b->ino);
	env_free(server->vol->env, b);
}
