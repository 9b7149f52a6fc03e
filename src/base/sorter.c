/*
 * External merge sort; see sorter.h.
 *
 * Adding fills one array; a full array is sorted and appended to the scratch file as a run. Reading
 * merges the runs through one window a run, cut from the same array, by a binary heap of run
 * numbers.
 *
 * 1. run i lies at [start, start + count) records of the scratch file.
 * 2. While merging, window i holds records [next, next + held) of run i; the heap orders runs by
 * their first.
 * 3. The array has room for few records until more come, then for all that memory allows; only a
 * whole one is written to the scratch file.
 */
#include "base/sorter.h"

#include "base/trail.h"

#include <errno.h>
#include <stdlib.h>

#define FEW 256

struct run {
	u64 start, count; /* records */
	u64 taken;	  /* of count, loaded into the window */
	u32 held, at;	  /* window: records, and the next one */
};

struct sorter {
	struct env *env;
	u32 record_size, key_size;
	u8 *array;
	u64 capacity, room, used, total, at;
	struct env_spill *spill;
	struct run *run;
	u32 runs, run_capacity;
	u32 window; /* records a run */
	u32 *heap, heap_size;
};

int sorter_open(struct env *env, u32 record_size, u32 key_size, size_t memory, struct sorter **out)
{
	struct sorter *s = env_alloc(env, sizeof(*s));

	if (!s)
		return fail(-ENOMEM, "a sorter: out of memory");
	s->env = env;
	s->record_size = record_size;
	s->key_size = key_size;
	s->capacity = memory / record_size;
	if (s->capacity < 4)
		s->capacity = 4;
	s->room = min_u64(s->capacity, FEW);
	s->array = env_array(env, s->room, record_size);
	if (!s->array) {
		sorter_close(s);
		return fail(-ENOMEM, "a sorter: out of memory");
	}
	*out = s;
	return 0;
}

void sorter_close(struct sorter *s)
{
	if (!s)
		return;
	if (s->spill)
		s->env->spill_close(s->spill);
	env_free(s->env, s->run);
	env_free(s->env, s->heap);
	env_free(s->env, s->array);
	env_free(s->env, s);
}

u64 sorter_count(const struct sorter *s)
{
	return s->total;
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct sorter *s = arg;

	return memcmp(a, b, s->key_size);
}

static int add_run(struct sorter *s)
{
	u32 capacity = s->run_capacity ? s->run_capacity * 2 : 16;
	struct run *run = s->run;

	if (s->runs == s->run_capacity) {
		run = env_grow(s->env, run, s->runs, capacity, sizeof(*run));
		if (!run)
			return fail(-ENOMEM, "a sorter: out of memory");
		s->run = run;
		s->run_capacity = capacity;
	}
	run[s->runs++] = (struct run){.start = s->total - s->used, .count = s->used};
	return 0;
}

/* Sorts what is in the array and appends it to the scratch file. */
static int flush_run(struct sorter *s)
{
	int err;

	if (!s->spill) {
		s->spill = s->env->spill_open(s->env);
		if (!s->spill)
			return -EIO;
	}
	qsort_r(s->array, s->used, s->record_size, compare, s);
	err = s->env->spill_write(s->spill, (s->total - s->used) * s->record_size, s->array,
				  s->used * s->record_size);
	if (!err)
		err = add_run(s);
	if (!err)
		s->used = 0;
	return err;
}

static int grow(struct sorter *s)
{
	u8 *array = env_grow(s->env, s->array, s->used, s->capacity, s->record_size);

	if (!array)
		return fail(-ENOMEM, "a sorter: out of memory");
	s->array = array;
	s->room = s->capacity;
	return 0;
}

int sorter_add(struct sorter *s, const void *record)
{
	if (s->used == s->room) {
		int err = s->room < s->capacity ? grow(s) : flush_run(s);

		if (err)
			return err;
	}
	memcpy(s->array + s->used * s->record_size, record, s->record_size);
	s->used++;
	s->total++;
	return 0;
}

static const u8 *first_of(const struct sorter *s, u32 run)
{
	return s->array + ((u64)run * s->window + s->run[run].at) * s->record_size;
}

static bool before(const struct sorter *s, u32 a, u32 b)
{
	return memcmp(first_of(s, s->heap[a]), first_of(s, s->heap[b]), s->key_size) < 0;
}

static void sift_down(struct sorter *s, u32 at)
{
	for (;;) {
		u32 least = at, left = 2 * at + 1, right = left + 1, t;

		if (left < s->heap_size && before(s, left, least))
			least = left;
		if (right < s->heap_size && before(s, right, least))
			least = right;
		if (least == at)
			return;
		t = s->heap[at];
		s->heap[at] = s->heap[least];
		s->heap[least] = t;
		at = least;
	}
}

/* Refills the window of a run; false when the run is used up. */
static int refill(struct sorter *s, u32 index, bool *more)
{
	struct run *run = &s->run[index];
	u64 want = min_u64(s->window, run->count - run->taken);

	*more = want != 0;
	if (!want)
		return 0;
	run->at = 0;
	run->held = (u32)want;
	run->taken += want;
	return s->env->spill_read(s->spill, (run->start + run->taken - want) * s->record_size,
				  s->array + (u64)index * s->window * s->record_size,
				  want * s->record_size);
}

int sorter_sort(struct sorter *s)
{
	int err;

	s->at = 0;
	if (!s->runs) {
		qsort_r(s->array, s->used, s->record_size, compare, s);
		return 0;
	}
	err = s->used ? flush_run(s) : 0;
	if (err)
		return err;
	if (s->runs > s->capacity)
		return fail(-ENOMEM, "a sorter: %u runs do not fit into its memory", s->runs);
	s->window = (u32)min_u64(s->capacity / s->runs, NULL32 >> 1);
	s->heap = env_array(s->env, s->runs, sizeof(*s->heap));
	if (!s->heap)
		return fail(-ENOMEM, "a sorter: out of memory");
	for (u32 i = 0; i < s->runs; i++) {
		bool more;

		err = refill(s, i, &more);
		if (err)
			return err;
		if (more)
			s->heap[s->heap_size++] = i;
	}
	for (u32 i = s->heap_size; i--;)
		sift_down(s, i);
	return 0;
}

int sorter_next(struct sorter *s, void *record)
{
	struct run *run;
	u32 index;

	if (!s->runs) {
		if (s->at == s->used)
			return 0;
		memcpy(record, s->array + s->at++ * s->record_size, s->record_size);
		return 1;
	}
	if (!s->heap_size)
		return 0;
	index = s->heap[0];
	run = &s->run[index];
	memcpy(record, first_of(s, index), s->record_size);
	if (++run->at == run->held) {
		bool more;
		int err = refill(s, index, &more);

		if (err)
			return err;
		if (!more)
			s->heap[0] = s->heap[--s->heap_size];
	}
	sift_down(s, 0);
	return 1;
}

int sorter_take(struct sorter *s, void *record, bool *has)
{
	int more = sorter_next(s, record);

	*has = more > 0;
	return more < 0 ? more : 0;
}
