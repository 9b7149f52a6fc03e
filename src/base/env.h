/*
 * The seam to the world.
 *
 * Nothing below src/host, src/fuse and src/cli allocates, starts a thread, reads a clock, draws a
 * random number or touches a file but through a struct env.  Real front ends bring threads and
 * files (src/host); tests and the simulator bring seeded, deterministic and failing ones.  A lint
 * test looks for direct calls.
 *
 * All functions may be called from any job of env_parallel(); an env makes its own members safe.
 */
#ifndef MENDFS_BASE_ENV_H
#define MENDFS_BASE_ENV_H

#include "base/types.h"

struct finding;
struct env_lock;
struct env_shared;
struct env_spill;

/* How far a long task is.  total 0: not known. */
struct progress {
	const char *task; /* "replaying the log", "reading metadata" */
	u64 done, total;
	const char *unit; /* "MiB", "inodes" */
};

struct env {
	/* Zeroed memory, or NULL.  Sizes come from bounded arithmetic, never straight from disk
	 * bytes. */
	void *(*alloc)(struct env *env, size_t size);
	/* As alloc, with any content: for what is written over at once. NULL: alloc does it. */
	void *(*alloc_bytes)(struct env *env, size_t size);
	void (*free)(struct env *env, void *memory);
	u64 (*now)(struct env *env); /* ns of a monotonic clock */
	/* The time of day, seconds since 1970. NULL: it stands still. */
	u64 (*wall)(struct env *env);
	int (*random)(struct env *env, void *to, size_t size);
	/* Run job(arg, 0..jobs-1), some at a time, in any order; returns when all ended, with the
	 * first error.  The trail of that error is the caller's trail afterwards. */
	int (*parallel)(struct env *env, u32 jobs, int (*job)(void *arg, u32 index), void *arg);
	/* Let other jobs go on for a moment, where jobs run side by side. */
	void (*pause)(struct env *env);
	u32 workers;					  /* how many jobs run at a time at most */
	struct env_lock *(*lock_create)(struct env *env); /* NULL: out of memory */
	void (*lock_destroy)(struct env *env, struct env_lock *lock);
	void (*lock_take)(struct env_lock *lock);
	void (*lock_drop)(struct env_lock *lock);
	/* A lock that many hold to read, or one alone. Who waits to hold it alone goes before new
	 * readers. */
	struct env_shared *(*shared_create)(struct env *env); /* NULL: out of memory */
	void (*shared_destroy)(struct env *env, struct env_shared *lock);
	void (*shared_take)(struct env_shared *lock, bool alone);
	void (*shared_drop)(struct env_shared *lock, bool alone);
	/* A scratch file nobody else sees, gone when closed. */
	struct env_spill *(*spill_open)(struct env *env); /* NULL, with a trail */
	int (*spill_read)(struct env_spill *spill, u64 offset, void *to, size_t size);
	int (*spill_write)(struct env_spill *spill, u64 offset, const void *from, size_t size);
	void (*spill_close)(struct env_spill *spill);
	/* A finding for the person who asked; called in no set order. */
	void (*finding)(struct env *env, const struct finding *finding);
	void (*progress)(struct env *env, const struct progress *progress);
	/* True when nobody wants the result of a long task any more: it ends with -ECANCELED. NULL:
	 * never. */
	bool (*stopped)(struct env *env);
	/* Something worth a log line that is no finding. */
	void (*note)(struct env *env, const char *line);
	void *front;	     /* belongs to the front end */
	void *progress_line; /* so does this */
};

static inline void *env_alloc(struct env *env, size_t size)
{
	return env->alloc(env, size);
}
static inline void *env_alloc_bytes(struct env *env, size_t size)
{
	return env->alloc_bytes ? env->alloc_bytes(env, size) : env->alloc(env, size);
}
/* NULL when count * size overflows, too. */
static inline void *env_array(struct env *env, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	return env->alloc(env, bytes);
}
/* What `old` has, `count` elements, in a larger array, instead of it; the rest is zero. NULL: there
 * is none to be had, and `old` stays. */
static inline void *env_grow(struct env *env, void *old, size_t count, size_t room, size_t size)
{
	void *more = env_array(env, room, size);

	if (!more || !old)
		return more;
	memcpy(more, old, count * size);
	env->free(env, old);
	return more;
}
static inline u64 env_wall(struct env *env)
{
	return env->wall ? env->wall(env) : 1;
}
static inline bool env_stopped(struct env *env)
{
	return env->stopped && env->stopped(env);
}
static inline void env_free(struct env *env, void *memory)
{
	if (memory)
		env->free(env, memory);
}

#endif
