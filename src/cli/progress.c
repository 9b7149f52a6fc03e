/*
 * The line of progress; see progress.h.
 *
 * env->progress comes from any thread: whoever finds the line busy leaves it to the other.
 */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define NS_BETWEEN 200000000u
#define NS_IN_SECOND 1000000000u
#define ETA_AFTER 2 /* seconds; before that a guess would jump */

static atomic_flag busy = ATOMIC_FLAG_INIT;
static u64 started, last;
static const char *task;
static bool shown;

static void show(const struct progress *p, u64 now)
{
	u64 seconds = (now - started) / NS_IN_SECOND;

	fprintf(stderr, "\r\033[K%s: ", p->task);
	if (p->total) {
		u64 done = p->done < p->total ? p->done : p->total;

		fprintf(stderr, "%d%% of %" PRIu64 " %s",
			(int)((double)done / (double)p->total * 100), p->total, p->unit);
		if (seconds >= ETA_AFTER && done) {
			double left = (double)(now - started) / NS_IN_SECOND *
				      ((double)p->total / (double)done - 1);

			fprintf(stderr, ", about %.0f s left", left);
		}
	} else {
		fprintf(stderr, "%" PRIu64 " %s", p->done, p->unit);
	}
	fflush(stderr);
	shown = true;
}

static void on_progress(struct env *env, const struct progress *p)
{
	u64 now;

	if (atomic_flag_test_and_set(&busy))
		return;
	now = env->now(env);
	if (p->task != task) {
		task = p->task;
		started = now;
	}
	if (now - last >= NS_BETWEEN) {
		last = now;
		show(p, now);
	}
	atomic_flag_clear(&busy);
}

void progress_begin(struct env *env)
{
	if (isatty(STDERR_FILENO))
		env->progress = on_progress;
}

void progress_end(void)
{
	if (shown)
		fprintf(stderr, "\r\033[K");
	shown = false;
}
