/*
 * Side files; see side.h.
 *
 * 1. read <= published <= total; records [first, total) are in the array, those before `first` that
 *    have not been read are in the scratch file.
 * 2. When all is read and nothing waits to be published, all four are 0.
 */
#include "base/side.h"

#include "base/trail.h"

#include <errno.h>

struct side_file {
	struct env *env;
	struct env_lock *lock;
	struct env_spill *spill; /* NULL: nothing has been written out yet */
	u8 *array;
	u32 record_size;
	u64 room;
	u64 read, published, first, total;
	int err;
};

int side_open(struct env *env, u32 record_size, size_t memory, struct side_file **out)
{
	struct side_file *s = env_alloc(env, sizeof(*s));

	*out = NULL;
	if (!s)
		return fail(-ENOMEM, "a side file: out of memory");
	s->env = env;
	s->record_size = record_size;
	s->room = max_u64(memory / record_size, 1);
	s->array = env_array(env, s->room, record_size);
	s->lock = env->lock_create(env);
	if (!s->array || !s->lock) {
		side_close(s);
		return fail(-ENOMEM, "a side file: out of memory");
	}
	*out = s;
	return 0;
}

void side_close(struct side_file *s)
{
	if (!s)
		return;
	if (s->spill)
		s->env->spill_close(s->spill);
	if (s->lock)
		s->env->lock_destroy(s->env, s->lock);
	env_free(s->env, s->array);
	env_free(s->env, s);
}

/* Makes room in the array. */
static int spill(struct side_file *s)
{
	int err;

	if (!s->spill) {
		s->spill = s->env->spill_open(s->env);
		if (!s->spill)
			return -EIO;
	}
	err = s->env->spill_write(s->spill, s->first * s->record_size, s->array,
				  (s->total - s->first) * s->record_size);
	if (!err)
		s->first = s->total;
	return err;
}

void side_add(struct side_file *s, const void *record)
{
	s->env->lock_take(s->lock);
	if (!s->err && s->total - s->first == s->room) {
		s->err = spill(s);
		trail_clear(); /* it is the reader's */
	}
	if (!s->err) {
		memcpy(s->array + (s->total - s->first) * s->record_size, record, s->record_size);
		s->total++;
	}
	s->env->lock_drop(s->lock);
}

static void start_anew(struct side_file *s)
{
	if (s->read == s->total)
		s->read = s->published = s->first = s->total = 0;
}

void side_publish(struct side_file *s)
{
	s->env->lock_take(s->lock);
	s->published = s->total;
	s->env->lock_drop(s->lock);
}

void side_drop(struct side_file *s)
{
	s->env->lock_take(s->lock);
	s->total = s->published;
	s->first = min_u64(s->first, s->total);
	start_anew(s);
	s->env->lock_drop(s->lock);
}

u64 side_waiting(struct side_file *s)
{
	u64 waiting;

	s->env->lock_take(s->lock);
	waiting = s->published - s->read;
	s->env->lock_drop(s->lock);
	return waiting;
}

/* Those of the scratch file, then those of the array. */
static int read_some(struct side_file *s, u8 *to, u64 count)
{
	u64 old = s->read < s->first ? min_u64(count, s->first - s->read) : 0;
	int err =
	    old ? s->env->spill_read(s->spill, s->read * s->record_size, to, old * s->record_size)
		: 0;

	if (err)
		return err;
	if (count > old)
		memcpy(to + old * s->record_size,
		       s->array + (s->read + old - s->first) * s->record_size,
		       (count - old) * s->record_size);
	s->read += count;
	start_anew(s);
	return 0;
}

int side_read(struct side_file *s, void *records, u64 most, u64 *count)
{
	int err;

	s->env->lock_take(s->lock);
	*count = min_u64(most, s->published - s->read);
	err = s->err ? fail(s->err, "a side file: nothing more could be written to it")
		     : read_some(s, records, *count);
	s->env->lock_drop(s->lock);
	return err;
}
