/*
 * Names that a directory has twice.
 *
 * Equal names have equal hashes, so they are neighbours in the hash index. But in a large directory
 * many neighbours have one hash without being equal, and to read all their names again costs more
 * than the rest of the check. So while the names are walked, a filter tells which of them may have
 * been there before: a few bits for each name in one line of memory, all set already. It errs to
 * that side alone, and seldom; where it errs often (a directory too large for it, names chosen to
 * collide) more names are read again, and nothing else changes. So its hash need not be keyed.
 *
 * 1. Of two equal names, the address of the later one is in flagged[], or `all` is set.
 * 2. flagged[] ascends strictly.
 * 3. What is flagged is known by address. So it stands for what the index says only where the sums
 *    of names and index agree. Where they do not, dir_twice_again() and a second walk of the index
 *    compare what the first has passed over.
 */
#include "base/trail.h"
#include "meta/dir_rules.h"
#include "meta/dir_walk.h"
#include "meta/findings.h"

#include <errno.h>

#define LINE 64			      /* bytes of the filter that one name touches */
#define LINES_MAX ((8u << 20) / LINE) /* all of it: 8 MiB */
#define DATA_PER_LINE (LINE * 8)      /* one bit for a byte of the data, so 24 or more for a name */
#define NAME_BITS 4
#define FLAGGED_LEAST 64
#define FLAGGED_MAX 16384
#define DATA_PER_FLAGGED 1024
#define RUN_LEAST 64

/* Entries whose names must differ. */
struct run_entry {
	u32 address;
	u64 digest;
};

/* A name that is entered into the filter when its line has come from memory; address 0: none. */
#define LATE 16
struct late_name {
	u64 hash;
	u32 address;
};

struct dir_twice {
	bool all, again;
	/* The run of entries with one hash at hand. */
	u32 last_hash, last_address; /* of the index; address 0: none yet */
	bool run_flagged;
	u32 run_count, run_capacity;
	struct run_entry *run; /* NULL until two neighbours have one hash */
	/* The filter, and what it has found. */
	u32 lines, next;
	struct late_name late[LATE];
	u64 (*line)[LINE / 8];
	u32 flagged_count, flagged_max;
	u32 flagged[];
};

int dir_twice_open(struct dir_walk *w)
{
	u64 lines = min_u64(w->dir->size / DATA_PER_LINE + 1, LINES_MAX);
	u64 flagged = min_u64(w->dir->size / DATA_PER_FLAGGED + FLAGGED_LEAST, FLAGGED_MAX);
	size_t head = sizeof(*w->twice) + flagged * sizeof(w->twice->flagged[0]);
	struct dir_twice *t = env_alloc(w->sweep->vol->env, head + LINE - 1 + lines * LINE);
	u8 *behind;

	if (!t)
		return fail(-ENOMEM, "a directory's names: out of memory");
	behind = (u8 *)t + head;
	t->flagged_max = (u32)flagged;
	t->lines = (u32)lines;
	t->line = (void *)(behind + (-(uintptr_t)behind & (LINE - 1)));
	w->twice = t;
	return 0;
}

void dir_twice_close(struct dir_walk *w)
{
	struct env *env = w->sweep->vol->env;

	if (w->twice)
		env_free(env, w->twice->run);
	env_free(env, w->twice);
	w->twice = NULL;
}

static u64 mix(u64 h, u64 v)
{
	u128 product = (u128)(h ^ v) * 0x9e3779b97f4a7c15ull;

	return (u64)product ^ (u64)(product >> 64);
}

static u64 mix_name(const u8 *name, u32 length)
{
	u64 h = mix(length, 0xc2b2ae3d27d4eb4full), v = 0;

	if (length < sizeof(v)) {
		for (u32 i = 0; i < length; i++)
			v = v << 8 | name[i];
		return mix(h, v);
	}
	for (u32 at = 0; at + sizeof(v) < length; at += sizeof(v)) {
		memcpy(&v, name + at, sizeof(v));
		h = mix(h, v);
	}
	memcpy(&v, name + length - sizeof(v), sizeof(v));
	return mix(h, v);
}

static u64 *line_of(struct dir_twice *t, u64 hash)
{
	return t->line[(hash >> 32) * t->lines >> 32];
}

/* Nine bits of the hash for each bit in the line, and the upper half for the line. */
static void enter_name(struct dir_twice *t, struct late_name name)
{
	u64 *line = line_of(t, name.hash), all = 1;

	for (u32 i = 0; i < NAME_BITS; i++, name.hash >>= 9) {
		u64 *word = &line[(name.hash >> 6) % (LINE / 8)];

		all &= *word >> name.hash % 64;
		*word |= 1ull << name.hash % 64;
	}
	if (!all)
		return;
	if (t->flagged_count == t->flagged_max ||
	    (t->flagged_count && name.address <= t->flagged[t->flagged_count - 1]))
		t->all = true;
	else
		t->flagged[t->flagged_count++] = name.address;
}

/* Puts a name at the end of the queue, and enters the one at its head. */
static void queue_name(struct dir_twice *t, struct late_name name)
{
	struct late_name *slot = &t->late[t->next++ % LATE];

	if (slot->address)
		enter_name(t, *slot);
	*slot = name;
}

void dir_twice_name(struct dir_walk *w, const struct dir_slot *slot, u32 address)
{
	const struct late_name name = {mix_name(slot->name, slot->length), address};

	__builtin_prefetch(line_of(w->twice, name.hash), 1);
	queue_name(w->twice, name);
}

/* A block that could not be read as a whole may have entries that the filter has not seen. */
void dir_twice_begin(struct dir_walk *w)
{
	for (u32 i = 0; i < LATE; i++)
		queue_name(w->twice, (struct late_name){0, 0});
	w->twice->all |= w->map_bad || w->bad_count;
}

static bool is_flagged(const struct dir_twice *t, u32 address)
{
	u32 low = 0, high = t->flagged_count;

	while (low < high) {
		u32 middle = (low + high) / 2;

		if (t->flagged[middle] < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < t->flagged_count && t->flagged[low] == address;
}

/* Reads the names of a run again and compares them. */
static void compare_run(struct dir_walk *w)
{
	struct run_entry *run = w->twice->run;
	struct dir_slot slot;
	struct buf *buf;
	u32 known = 0;

	for (u32 i = 0; i < w->twice->run_count; i++) {
		u64 digest;
		u32 same = 0;

		if (!dir_peek_entry(w, run[i].address, &slot, &buf))
			continue;
		digest = book_digest(w->sweep->book, slot.name, slot.length);
		while (same < known && run[same].digest != digest)
			same++;
		if (same < known)
			dir_name_twice(&w->verdict, slot.name, slot.length);
		else
			run[known++].digest = digest;
		cache_put(w->sweep->vol->cache, buf);
	}
}

static void end_run(struct dir_walk *w)
{
	struct dir_twice *t = w->twice;

	if (t->run_count && (t->all || t->run_flagged != t->again))
		compare_run(w);
	t->run_count = 0;
	t->run_flagged = false;
}

static int grow_run(struct dir_walk *w)
{
	struct dir_twice *t = w->twice;
	u32 capacity = t->run_capacity ? t->run_capacity * 2 : RUN_LEAST;
	struct run_entry *run =
	    env_grow(w->sweep->vol->env, t->run, t->run_count, capacity, sizeof(*run));

	if (!run)
		return fail(-ENOMEM, "a directory's hash index: out of memory");
	t->run = run;
	t->run_capacity = capacity;
	return 0;
}

static int add_to_run(struct dir_walk *w, u32 address)
{
	struct dir_twice *t = w->twice;
	int err = t->run_count == t->run_capacity ? grow_run(w) : 0;

	if (err)
		return err;
	t->run[t->run_count++].address = address;
	t->run_flagged |= is_flagged(t, address);
	return 0;
}

int dir_twice_index(struct dir_walk *w, u32 hash, u32 address)
{
	struct dir_twice *t = w->twice;
	int err = 0;

	if (!t->last_address || hash != t->last_hash) {
		if (t->run_count)
			end_run(w);
	} else {
		if (!t->run_count)
			err = add_to_run(w, t->last_address);
		if (t->run_count == DIR_RUN_MAX) {
			if (!t->again)
				raise_value(&w->verdict, FOUND(DIR_RUN_LONG), NULL, DIR_RUN_MAX);
			end_run(w);
		}
		if (!err)
			err = add_to_run(w, address);
	}
	t->last_hash = hash;
	t->last_address = address;
	return err;
}

void dir_twice_end(struct dir_walk *w)
{
	end_run(w);
	w->twice->last_address = 0;
}

bool dir_twice_again(struct dir_walk *w)
{
	w->twice->again = !w->twice->all;
	return w->twice->again;
}
