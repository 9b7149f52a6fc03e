/*
 * The line of progress; see progress.h.
 *
 * env->progress comes from any thread: whoever finds the line busy leaves it to the other.
 */
#include "cli/progress.h"

#include <inttypes.h>

#define NS_BETWEEN 200000000u
#define NS_IN_SECOND 1000000000u
#define ETA_AFTER 2 /* seconds; before that a guess would jump */

static void show(struct progress_line *line, const struct progress *p, u64 now)
{
	u64 seconds = (now - line->started) / NS_IN_SECOND;

	fprintf(line->to, "\r\033[K%s: ", p->task);
	if (p->total) {
		u64 done = p->done < p->total ? p->done : p->total;

		fprintf(line->to, "%d%% of %" PRIu64 " %s",
			(int)((double)done / (double)p->total * 100), p->total, p->unit);
		if (seconds >= ETA_AFTER && done) {
			double left = (double)(now - line->started) / NS_IN_SECOND *
				      ((double)p->total / (double)done - 1);

			fprintf(line->to, ", about %.0f s left", left);
		}
	} else {
		fprintf(line->to, "%" PRIu64 " %s", p->done, p->unit);
	}
	fflush(line->to);
	line->shown = true;
}

static void on_progress(struct env *env, const struct progress *p)
{
	struct progress_line *line = env->progress_line;
	u64 now;

	if (atomic_flag_test_and_set(&line->busy))
		return;
	now = env->now(env);
	if (p->task != line->task) {
		line->task = p->task;
		line->started = now;
	}
	if (now - line->last >= NS_BETWEEN) {
		line->last = now;
		show(line, p, now);
	}
	atomic_flag_clear(&line->busy);
}

void progress_begin(struct env *env, struct progress_line *line, FILE *to, bool terminal)
{
	*line = (struct progress_line){.to = to, .busy = ATOMIC_FLAG_INIT};
	env->progress_line = line;
	if (terminal)
		env->progress = on_progress;
}

void progress_end(struct progress_line *line)
{
	if (line->shown)
		fprintf(line->to, "\r\033[K");
	line->shown = false;
}
