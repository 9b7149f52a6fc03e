/*
 * Buffers that are freed in the log; see replay.h.
 *
 * An open hash table of (address, length) with how often each is cancelled.  An entry whose count
 * has gone to zero keeps its slot.  Entries are bounded by ENTRIES_MAX: more than any log can hold
 * that a kernel would write, and -EUCLEAN beyond.
 */
#include "base/trail.h"
#include "log/replay.h"

#include <errno.h>

#define SLOTS_FIRST 256
#define ENTRIES_MAX (8u << 20)

struct cancel {
	u64 blkno;
	u32 count; /* blocks; 0: an empty slot */
	u32 times;
};

struct log_cancels {
	struct env *env;
	struct cancel *table;
	u32 slots, used;
};

static struct cancel *find(struct cancel *table, u32 slots, u64 blkno, u32 count)
{
	u32 at = (u32)((blkno * 0x9e3779b97f4a7c15ull) >> 32) & (slots - 1);

	while (table[at].count && (table[at].blkno != blkno || table[at].count != count))
		at = (at + 1) & (slots - 1);
	return &table[at];
}

static int grow(struct log_cancels *c)
{
	u32 slots = c->slots * 2;
	struct cancel *table;

	if (c->used * 2 < c->slots)
		return 0;
	if (c->used >= ENTRIES_MAX)
		return fail(-EUCLEAN, "the log cancels more than %u buffers", ENTRIES_MAX);
	table = env_array(c->env, slots, sizeof(*table));
	if (!table)
		return fail(-ENOMEM, "cancelled buffers: out of memory");
	for (u32 i = 0; i < c->slots; i++)
		if (c->table[i].count)
			*find(table, slots, c->table[i].blkno, c->table[i].count) = c->table[i];
	env_free(c->env, c->table);
	c->table = table;
	c->slots = slots;
	return 0;
}

int log_cancels_open(struct env *env, struct log_cancels **out)
{
	struct log_cancels *c = env_alloc(env, sizeof(*c));

	*out = c;
	if (!c)
		return fail(-ENOMEM, "cancelled buffers: out of memory");
	c->env = env;
	c->slots = SLOTS_FIRST;
	c->table = env_array(env, c->slots, sizeof(*c->table));
	if (c->table)
		return 0;
	env_free(env, c);
	*out = NULL;
	return fail(-ENOMEM, "cancelled buffers: out of memory");
}

void log_cancels_close(struct log_cancels *c)
{
	if (!c)
		return;
	env_free(c->env, c->table);
	env_free(c->env, c);
}

int log_cancel_add(struct log_cancels *c, u64 blkno, u32 count)
{
	int err = grow(c);
	struct cancel *entry;

	if (err)
		return err;
	entry = find(c->table, c->slots, blkno, count);
	if (!entry->count)
		c->used++;
	entry->blkno = blkno;
	entry->count = count;
	entry->times++;
	return 0;
}

bool log_cancelled(const struct log_cancels *c, u64 blkno, u32 count)
{
	return find(c->table, c->slots, blkno, count)->times;
}

void log_cancel_drop(struct log_cancels *c, u64 blkno, u32 count)
{
	struct cancel *entry = find(c->table, c->slots, blkno, count);

	if (entry->times)
		entry->times--;
}
