/* What can be lost; see census.h. Memory grows with the image, which is small here. */
#include "census.h"

#include "base/hash.h"
#include "base/trail.h"
#include "format/verify.h"
#include "fs/attr.h"
#include "fs/dir.h"
#include "fs/file_data.h"
#include "fs/symlink.h"
#include "meta/types_table.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define CENSUS_CACHE (4u << 20)
#define CHUNK 4096u
#define PIECE (256 * CHUNK)
/* A file that damage has made enormous is no larger than this. */
#define FILE_MAX (256u << 20)

enum fact_kind { FACT_NAME, FACT_ATTRIBUTE, FACT_VALUE, FACT_TARGET, FACT_DATA };

struct taking {
	struct vol *vol;
	struct census *out;
	struct hash_key key;
	u64 *todo; /* inodes that names lead to; those before `done` have been visited */
	u64 done, count, room;
	u64 *seen; /* the same as a hash table of seen_room, a power of two; 0: free */
	u64 seen_room;
	u8 *piece;
};

static void *grown(void *old, u64 count, size_t size)
{
	void *memory = realloc(old, count * size);

	if (!memory)
		abort();
	return memory;
}

static u128 digest_bytes(const struct taking *t, const void *bytes, size_t size)
{
	const u8 *at = bytes;
	u128 sum = size;

	for (; size; at += 16, size -= size < 16 ? size : 16) {
		u64 word[4] = {(u64)sum, (u64)(sum >> 64), 0, 0};

		memcpy(&word[2], at, size < 16 ? size : 16);
		sum = hash_words(&t->key, word);
	}
	return sum;
}

static void add_fact(struct taking *t, enum fact_kind kind, u64 ino, u64 where, u128 what,
		     const u32 weight[2])
{
	const u64 word[4] = {ino << 3 | kind, where, (u64)what, (u64)(what >> 64)};
	u128 sum = hash_words(&t->key, word);
	struct census *c = t->out;

	if (c->count == c->room) {
		c->room = c->room ? c->room * 2 : 1024;
		c->fact = grown(c->fact, c->room, sizeof(*c->fact));
	}
	c->fact[c->count++] =
	    (struct census_fact){{(u64)sum, (u64)(sum >> 64)}, weight[0], weight[1]};
	c->names += weight[0];
	c->bytes += weight[1];
}

/* False when it was there already. */
static bool see(struct taking *t, u64 ino)
{
	u64 at = ino * 0x9e3779b97f4a7c15u & (t->seen_room - 1);

	for (; t->seen[at]; at = (at + 1) & (t->seen_room - 1))
		if (t->seen[at] == ino)
			return false;
	t->seen[at] = ino;
	return true;
}

static void grow_seen(struct taking *t)
{
	t->seen_room = t->seen_room ? t->seen_room * 2 : 4096;
	free(t->seen);
	t->seen = calloc(t->seen_room, sizeof(*t->seen));
	if (!t->seen)
		abort();
	for (u64 i = 0; i < t->count; i++)
		see(t, t->todo[i]);
}

static void visit_later(struct taking *t, u64 ino)
{
	if (t->count * 2 >= t->seen_room)
		grow_seen(t);
	if (!ino || !see(t, ino))
		return;
	if (t->count == t->room) {
		t->room = t->room ? t->room * 2 : 1024;
		t->todo = grown(t->todo, t->room, sizeof(*t->todo));
	}
	t->todo[t->count++] = ino;
}

struct taking_one {
	struct taking *t;
	u64 ino;
};

static int take_entry(void *arg, const struct dir_entry *e)
{
	struct taking_one *one = arg;

	if ((e->length == 1 && e->name[0] == '.') || (e->length == 2 && !memcmp(e->name, "..", 2)))
		return 0;
	add_fact(one->t, FACT_NAME, one->ino, e->ino.v, digest_bytes(one->t, e->name, e->length),
		 (const u32[2]){1, 0});
	visit_later(one->t, e->ino.v);
	return 0;
}

static int take_attribute(void *arg, const struct attr *a)
{
	static u8 value[ATTR_VALUE_MAX];
	struct taking_one *one = arg;
	struct taking *t = one->t;
	u128 name = digest_bytes(t, a->name, a->name_length);
	struct inode inode;
	s64 got;

	if ((a->flags & ATTR_NAMESPACES) == ATTR_PARENT)
		return 0; /* counted as names */
	add_fact(t, FACT_ATTRIBUTE, one->ino, a->flags, name, (const u32[2]){1, 0});
	if (inode_get(t->vol, inum_of(one->ino), &inode))
		return 0;
	got = attr_get(t->vol, &inode, a->flags & ATTR_NAMESPACES, a->name, a->name_length, value,
		       sizeof(value));
	inode_put(t->vol, &inode);
	if (got > 0)
		add_fact(t, FACT_VALUE, one->ino, (u64)name, digest_bytes(t, value, (size_t)got),
			 (const u32[2]){0, (u32)got});
	return 0;
}

/* What is not zero of a piece, chunk by chunk, so that a hole is nothing. */
static void take_piece(struct taking *t, u64 ino, u64 at, u64 size)
{
	for (u64 done = 0; done < size; done += CHUNK) {
		u64 part = min_u64(CHUNK, size - done);
		u32 weight = 0;

		for (u64 i = 0; i < part; i++)
			weight += t->piece[done + i] != 0;
		/* the length of the last chunk is the file's; zeroes behind it are not content */
		while (part && !t->piece[done + part - 1])
			part--;
		if (weight)
			add_fact(t, FACT_DATA, ino, at + done,
				 digest_bytes(t, t->piece + done, part), (const u32[2]){0, weight});
	}
}

static void take_data(struct taking *t, const struct inode *inode)
{
	u64 size = min_u64(inode->size, FILE_MAX), at = 0;

	while (at < size) {
		s64 data = file_seek(t->vol, inode, at, true);
		u64 part;

		if (data < 0)
			break;
		at = (u64)data / CHUNK * CHUNK;
		if (at >= size)
			break;
		part = min_u64(PIECE, size - at);
		for (u64 i = 0; i < part; i += CHUNK) {
			u64 some = min_u64(CHUNK, part - i);

			/* what cannot be read is not there, whatever is beside it */
			if (file_read(t->vol, inode, at + i, some, t->piece + i))
				memset(t->piece + i, 0, some);
		}
		take_piece(t, inode->ino.v, at, part);
		at += part;
	}
	trail_clear();
}

static void take_inode(struct taking *t, u64 ino)
{
	struct taking_one one = {t, ino};
	char target[SYMLINK_MAX + 1];
	struct inode inode;

	if (inode_get(t->vol, inum_of(ino), &inode))
		return;
	if (S_ISDIR(inode.mode)) {
		dir_each(t->vol, &inode, 0, take_entry, &one);
	} else if (S_ISREG(inode.mode)) {
		take_data(t, &inode);
	} else if (S_ISLNK(inode.mode)) {
		int length = symlink_read(t->vol, &inode, target);

		if (length > 0)
			add_fact(t, FACT_TARGET, ino, 0, digest_bytes(t, target, (size_t)length),
				 (const u32[2]){0, (u32)length});
	}
	attr_each(t->vol, &inode, take_attribute, &one);
	inode_put(t->vol, &inode);
	trail_clear();
}

static int compare_fact(const void *a, const void *b)
{
	const struct census_fact *x = a, *y = b;

	for (int i = 0; i < 2; i++)
		if (x->digest[i] != y->digest[i])
			return x->digest[i] < y->digest[i] ? -1 : 1;
	return 0;
}

int census_take(struct world *world, const struct world_images *images, struct census *out)
{
	struct verdict quiet = {.raise = raise_nothing};
	const struct vol_options options = {.data = &images->data->dev,
					    .rt = images->rt ? &images->rt->dev : NULL,
					    .memory = CENSUS_CACHE,
					    .verdict = &quiet};
	struct taking t = {.out = out};
	int err;

	*out = (struct census){0};
	hash_key_init(&t.key, (const u8[32]){1}, hash_has_aes());
	err = vol_open(&world->env, &meta_types, &options, &t.vol);
	if (err)
		return err;
	t.piece = grown(NULL, PIECE, 1);
	visit_later(&t, t.vol->geo.root_ino);
	while (t.done < t.count)
		take_inode(&t, t.todo[t.done++]);
	vol_close(t.vol);
	free(t.piece);
	free(t.todo);
	free(t.seen);
	if (out->count)
		qsort(out->fact, out->count, sizeof(*out->fact), compare_fact);
	return 0;
}

void census_lost(const struct census *before, const struct census *after, u64 *names, u64 *bytes)
{
	u64 j = 0;

	*names = *bytes = 0;
	for (u64 i = 0; i < before->count; i++) {
		const struct census_fact *fact = &before->fact[i];

		while (j < after->count && compare_fact(&after->fact[j], fact) < 0)
			j++;
		if (j < after->count && !compare_fact(&after->fact[j], fact)) {
			j++;
			continue;
		}
		*names += fact->names;
		*bytes += fact->bytes;
	}
}

void census_free(struct census *census)
{
	free(census->fact);
	*census = (struct census){0};
}
