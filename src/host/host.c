/*
 * The real world behind struct env; see host.h.
 *
 * env_parallel() hands job numbers to `workers` threads from one counter; the first error wins and
 * its trail becomes the caller's.
 */
#include "host/host.h"

#include "base/trail.h"
#include "host/reuse.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

struct env_lock {
	pthread_mutex_t mutex;
	struct env *env;
};

struct env_shared {
	pthread_rwlock_t lock;
};

struct env_spill {
	int fd;
};

/* glibc's malloc() has small pieces at hand that its calloc() does not look at; large ones calloc()
 * need not zero when they come fresh from the kernel. */
#define SMALL 1024u

static void *host_alloc(struct env *env, size_t size)
{
	void *memory;

	(void)env;
	if (!size || size > SMALL)
		return reuse_calloc(size ? size : 1);
	memory = malloc(size);
	if (memory)
		explicit_bzero(memory, size); /* of memset() the compiler would make a calloc() */
	return memory;
}

static void *host_alloc_bytes(struct env *env, size_t size)
{
	(void)env;
	return reuse_malloc(size ? size : 1);
}

static void host_free(struct env *env, void *memory)
{
	(void)env;
	reuse_free(memory);
}

static u64 host_now(struct env *env)
{
	struct timespec t;

	(void)env;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

static u64 host_wall(struct env *env)
{
	(void)env;
	return (u64)time(NULL);
}

static int host_random(struct env *env, void *to, size_t size)
{
	(void)env;
	while (size) {
		ssize_t n = getrandom(to, size, 0);

		if (n < 0 && errno != EINTR)
			return fail(-errno, "getrandom: %s", strerror(errno));
		if (n > 0) {
			to = (u8 *)to + n;
			size -= (size_t)n;
		}
	}
	return 0;
}

struct team {
	int (*job)(void *arg, u32 index);
	void *arg;
	u32 jobs;
	atomic_uint next;
	pthread_mutex_t mutex;
	int err; /* of the first job that failed, under mutex */
	char trail[TRAIL_MAX];
};

static void *team_member(void *arg)
{
	struct team *team = arg;
	u32 index;

	while ((index = atomic_fetch_add(&team->next, 1)) < team->jobs) {
		int err = team->job(team->arg, index);

		if (!err)
			continue;
		pthread_mutex_lock(&team->mutex);
		if (!team->err) {
			team->err = err;
			snprintf(team->trail, sizeof(team->trail), "%s", trail_text());
		}
		pthread_mutex_unlock(&team->mutex);
	}
	return NULL;
}

#define WORKERS_MAX 64

static int host_parallel(struct env *env, u32 jobs, int (*job)(void *arg, u32 index), void *arg)
{
	struct team team = {.job = job, .arg = arg, .jobs = jobs};
	pthread_t thread[WORKERS_MAX];
	u32 threads = 0, wanted = env->workers < jobs ? env->workers : jobs;

	pthread_mutex_init(&team.mutex, NULL);
	while (threads + 1 < wanted && !pthread_create(&thread[threads], NULL, team_member, &team))
		threads++;
	team_member(&team);
	while (threads)
		pthread_join(thread[--threads], NULL);
	pthread_mutex_destroy(&team.mutex);
	return team.err ? fail(team.err, "%s", team.trail) : 0;
}

#define PAUSE_NS 20000

static void host_pause(struct env *env)
{
	const struct timespec t = {.tv_nsec = PAUSE_NS};

	(void)env;
	nanosleep(&t, NULL);
}

static struct env_lock *host_lock_create(struct env *env)
{
	struct env_lock *lock = env_alloc(env, sizeof(*lock));

	if (lock) {
		pthread_mutex_init(&lock->mutex, NULL);
		lock->env = env;
	}
	return lock;
}

static void host_lock_destroy(struct env *env, struct env_lock *lock)
{
	if (lock)
		pthread_mutex_destroy(&lock->mutex);
	env_free(env, lock);
}

static void host_lock_take(struct env_lock *lock)
{
	pthread_mutex_lock(&lock->mutex);
}

static void host_lock_drop(struct env_lock *lock)
{
	pthread_mutex_unlock(&lock->mutex);
}

static struct env_shared *host_shared_create(struct env *env)
{
	struct env_shared *lock = env_alloc(env, sizeof(*lock));
	pthread_rwlockattr_t attr;

	if (!lock)
		return NULL;
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&lock->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	return lock;
}

static void host_shared_destroy(struct env *env, struct env_shared *lock)
{
	if (lock)
		pthread_rwlock_destroy(&lock->lock);
	env_free(env, lock);
}

static void host_shared_take(struct env_shared *lock, bool alone)
{
	if (alone)
		pthread_rwlock_wrlock(&lock->lock);
	else
		pthread_rwlock_rdlock(&lock->lock);
}

static void host_shared_drop(struct env_shared *lock, bool alone)
{
	(void)alone;
	pthread_rwlock_unlock(&lock->lock);
}

static struct env_spill *host_spill_open(struct env *env)
{
	const char *dir = getenv("TMPDIR");
	struct env_spill *spill;
	int fd = open(dir && *dir ? dir : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0) {
		char path[256];

		snprintf(path, sizeof(path), "%s/mendfs-XXXXXX", dir && *dir ? dir : "/tmp");
		fd = mkostemp(path, O_CLOEXEC);
		if (fd < 0) {
			fail(-errno, "a scratch file in %s: %s", path, strerror(errno));
			return NULL;
		}
		unlink(path);
	}
	spill = env_alloc(env, sizeof(*spill));
	if (!spill) {
		close(fd);
		fail(-ENOMEM, "a scratch file: out of memory");
		return NULL;
	}
	spill->fd = fd;
	return spill;
}

static int host_spill_read(struct env_spill *spill, u64 offset, void *to, size_t size)
{
	u8 *next = to;

	while (size) {
		ssize_t n = pread(spill->fd, next, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(-EIO, "reading a scratch file: %s",
				    n ? strerror(errno) : "end of file");
		next += n;
		offset += (u64)n;
		size -= (size_t)n;
	}
	return 0;
}

static int host_spill_write(struct env_spill *spill, u64 offset, const void *from, size_t size)
{
	const u8 *next = from;

	while (size) {
		ssize_t n = pwrite(spill->fd, next, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(n && errno == ENOSPC ? -ENOSPC : -EIO,
				    "writing a scratch file: %s", strerror(errno));
		next += n;
		offset += (u64)n;
		size -= (size_t)n;
	}
	return 0;
}

static void host_spill_close(struct env_spill *spill)
{
	close(spill->fd);
	free(spill);
}

static void no_finding(struct env *env, const struct finding *finding)
{
	(void)env;
	(void)finding;
}

static void no_progress(struct env *env, const struct progress *progress)
{
	(void)env;
	(void)progress;
}

static void no_note(struct env *env, const char *line)
{
	(void)env;
	(void)line;
}

int host_thread_start(pthread_t *thread, void *(*fn)(void *arg), void *arg)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err ? fail(-err, "no thread to be had: %s", strerror(err)) : 0;
}

void host_env_init(struct env *env, u32 workers)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (!workers)
		workers = cpus > 0 ? (u32)cpus : 1;
	*env = (struct env){
	    .alloc = host_alloc,
	    .alloc_bytes = host_alloc_bytes,
	    .free = host_free,
	    .now = host_now,
	    .wall = host_wall,
	    .random = host_random,
	    .parallel = host_parallel,
	    .pause = host_pause,
	    .workers = workers < WORKERS_MAX ? workers : WORKERS_MAX,
	    .shared_create = host_shared_create,
	    .shared_destroy = host_shared_destroy,
	    .shared_take = host_shared_take,
	    .shared_drop = host_shared_drop,
	    .lock_create = host_lock_create,
	    .lock_destroy = host_lock_destroy,
	    .lock_take = host_lock_take,
	    .lock_drop = host_lock_drop,
	    .spill_open = host_spill_open,
	    .spill_read = host_spill_read,
	    .spill_write = host_spill_write,
	    .spill_close = host_spill_close,
	    .finding = no_finding,
	    .progress = no_progress,
	    .note = no_note,
	};
}
