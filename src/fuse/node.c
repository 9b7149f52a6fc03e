/*
 * The inode cache; see node.h.
 *
 * Locking: one lock a set group guards `users`, `stamp` and `inode.ino` of its slots.  A slot's
 * inode and bytes are written only while users is 0 and the lock is held, and read only by those
 * that are counted in users.
 * Fails as inode_get() does, and with -ENOMEM; keeps no failed inode.
 */
#include "fuse/node.h"

#include "base/trail.h"

#include <errno.h>

#define NODE_SETS 512 /* a power of two */
#define NODE_WAYS 8
#define NODE_LOCKS 32

struct node {
	struct inode inode; /* first: node_put() goes back from it */
	u32 users;
	u32 stamp;  /* of the last use */
	s32 set;    /* -1: memory of its own */
	u8 bytes[]; /* the inode as on the disk */
};

struct node_cache {
	struct vol *vol;
	size_t node_size;
	u8 *nodes;
	struct env_lock *lock[NODE_LOCKS];
	u32 clock[NODE_LOCKS]; /* under the lock of the same index */
};

static u32 set_of(struct inum ino)
{
	/* Fibonacci hashing: inode numbers come in runs of 64. */
	return (u32)((ino.v * 0x9e3779b97f4a7c15ull) >> 32) % NODE_SETS;
}

static struct node *node_at(const struct node_cache *cache, u32 set, u32 way)
{
	size_t index = (size_t)set * NODE_WAYS + way;

	return (struct node *)(cache->nodes + index * cache->node_size);
}

static struct env_lock *lock_of(const struct node_cache *cache, u32 set)
{
	return cache->lock[set % NODE_LOCKS];
}

int node_cache_open(struct vol *vol, struct node_cache **out)
{
	struct env *env = vol->env;
	struct node_cache *cache = env_alloc(env, sizeof(*cache));
	u32 i;

	if (!cache)
		return fail(-ENOMEM, "the inode cache: out of memory");
	cache->vol = vol;
	cache->node_size =
	    round_up_u64(sizeof(struct node) + vol->geo.inode_size, _Alignof(struct node));
	cache->nodes = env_array(env, (size_t)NODE_SETS * NODE_WAYS, cache->node_size);
	for (i = 0; i < NODE_LOCKS; i++)
		cache->lock[i] = env->lock_create(env);
	for (i = 0; i < NODE_LOCKS && cache->lock[i]; i++)
		;
	if (!cache->nodes || i < NODE_LOCKS) {
		node_cache_close(cache);
		return fail(-ENOMEM, "the inode cache: out of memory");
	}
	*out = cache;
	return 0;
}

void node_cache_close(struct node_cache *cache)
{
	if (!cache)
		return;
	for (u32 i = 0; i < NODE_LOCKS; i++)
		if (cache->lock[i])
			cache->vol->env->lock_destroy(cache->vol->env, cache->lock[i]);
	env_free(cache->vol->env, cache->nodes);
	env_free(cache->vol->env, cache);
}

static const u8 *moved(const u8 *pointer, const u8 *from, const u8 *to)
{
	return pointer ? to + (pointer - from) : NULL;
}

/* A copy that looks into its own bytes. */
static void node_fill(const struct node_cache *cache, struct node *node, const struct inode *inode)
{
	const u8 *raw = inode->raw;

	node->inode = *inode;
	memcpy(node->bytes, raw, cache->vol->geo.inode_size);
	node->inode.raw = node->bytes;
	node->inode.buf = NULL;
	for (u32 i = 0; i < ARRAY_COUNT(inode->fork); i++)
		node->inode.fork[i].data = moved(inode->fork[i].data, raw, node->bytes);
}

/* Under the set's lock. The slot that holds the inode, or NULL; *oldest is one to replace. */
static struct node *set_find(const struct node_cache *cache, u32 set, struct inum ino,
			     struct node **oldest)
{
	*oldest = NULL;
	for (u32 way = 0; way < NODE_WAYS; way++) {
		struct node *node = node_at(cache, set, way);

		if (node->inode.raw && node->inode.ino.v == ino.v)
			return node;
		if (!node->users && (!*oldest || (s32)(node->stamp - (*oldest)->stamp) < 0))
			*oldest = node;
	}
	return NULL;
}

static struct node *node_hit(struct node_cache *cache, u32 set, struct node *node)
{
	node->users++;
	node->stamp = ++cache->clock[set % NODE_LOCKS];
	return node;
}

/* Makes a slot, or memory of its own, of an inode that has been read. */
static struct node *node_insert(struct node_cache *cache, u32 set, const struct inode *inode)
{
	struct env *env = cache->vol->env;
	struct node *node, *oldest;

	env->lock_take(lock_of(cache, set));
	node = set_find(cache, set, inode->ino, &oldest);
	if (!node && oldest) {
		node = oldest;
		node_fill(cache, node, inode);
		node->set = (s32)set;
	}
	if (node)
		node_hit(cache, set, node);
	env->lock_drop(lock_of(cache, set));
	if (node)
		return node;
	node = env_alloc(env, cache->node_size);
	if (!node)
		return NULL;
	node_fill(cache, node, inode);
	node->set = -1;
	return node;
}

/* Of a volume that changes nothing is kept. */
static int node_own(struct node_cache *cache, struct inum ino, const struct inode **out)
{
	struct inode inode;
	struct node *node;
	int err = inode_get(cache->vol, ino, &inode);

	if (err)
		return err;
	node = env_alloc(cache->vol->env, cache->node_size);
	if (node) {
		node_fill(cache, node, &inode);
		node->set = -1;
		*out = &node->inode;
	}
	inode_put(cache->vol, &inode);
	return node ? 0 : fail(-ENOMEM, "inode %llu: out of memory", (unsigned long long)ino.v);
}

int node_get(struct node_cache *cache, struct inum ino, const struct inode **out)
{
	struct env *env = cache->vol->env;
	struct node *node, *oldest;
	u32 set = set_of(ino);
	struct inode inode;
	int err;

	if (cache->vol->journal)
		return node_own(cache, ino, out);
	env->lock_take(lock_of(cache, set));
	node = set_find(cache, set, ino, &oldest);
	if (node)
		node_hit(cache, set, node);
	env->lock_drop(lock_of(cache, set));
	if (!node) {
		err = inode_get(cache->vol, ino, &inode);
		if (err)
			return err;
		node = node_insert(cache, set, &inode);
		inode_put(cache->vol, &inode);
		if (!node)
			return fail(-ENOMEM, "inode %llu: out of memory",
				    (unsigned long long)ino.v);
	}
	*out = &node->inode;
	return 0;
}

void node_put(struct node_cache *cache, const struct inode *inode)
{
	struct env *env = cache->vol->env;
	struct node *node = (struct node *)(uintptr_t)inode;

	if (node->set < 0) {
		env_free(env, node);
		return;
	}
	env->lock_take(lock_of(cache, (u32)node->set));
	node->users--;
	env->lock_drop(lock_of(cache, (u32)node->set));
}
