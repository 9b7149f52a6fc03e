/* What a check has to say; see report.h. */
#include "cli/report.h"

#include "base/trail.h"
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE 2048

int report_open(struct env *env, struct report *report)
{
	*report = (struct report){.env = env, .lock = env->lock_create(env)};
	return report->lock ? 0 : fail(-ENOMEM, "out of memory");
}

void report_close(struct report *report)
{
	for (u32 i = 0; i < REPORT_CHUNKS; i++)
		env_free(report->env, report->chunk[i]);
	env_free(report->env, report->sorted);
	paths_free(report->paths);
	report->env->lock_destroy(report->env, report->lock);
}

static void print_finding(FILE *to, const struct finding *finding)
{
	char line[LINE];

	finding_print(finding, line, sizeof(line));
	fprintf(to, "%s: %s\n", severity_name(finding->def->severity), line);
}

static void add_locked(struct report *report, const struct finding *finding)
{
	struct finding **chunk = &report->chunk[report->kept / REPORT_CHUNK % REPORT_CHUNKS];

	report->total++;
	report->count[finding->def->severity]++;
	if (report->kept == REPORT_MAX)
		return;
	if (!*chunk)
		*chunk = env_array(report->env, REPORT_CHUNK, sizeof(**chunk));
	if (!*chunk)
		return; /* counted all the same */
	(*chunk)[report->kept++ % REPORT_CHUNK] = *finding;
	if (report->live)
		print_finding(report->live, finding);
}

void report_add(struct report *report, const struct finding *finding)
{
	report->env->lock_take(report->lock);
	add_locked(report, finding);
	report->env->lock_drop(report->lock);
}

static int compare_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int compare_u64(u64 a, u64 b)
{
	return a < b ? -1 : a > b;
}

/* In the order of places: AG, inode, address; then by name and content. */
static int compare(const void *a, const void *b)
{
	const struct finding *x = *(const struct finding *const *)a,
			     *y = *(const struct finding *const *)b;
	int d = compare_u64(x->where.ag, y->where.ag);

	if (!d)
		d = compare_u64(x->where.ino, y->where.ino);
	if (!d)
		d = compare_u64(x->where.daddr, y->where.daddr);
	if (!d)
		d = compare_text(x->def->id, y->def->id);
	if (!d)
		d = compare_text(x->field, y->field);
	if (!d)
		d = compare_text(x->found, y->found);
	return d ? d : compare_text(x->expected, y->expected);
}

static int find_paths(struct report *report, struct vol *vol)
{
	u64 *inos = env_array(report->env, report->kept, sizeof(*inos));
	u32 count = 0;
	int err;

	if (!inos)
		return fail(-ENOMEM, "out of memory");
	for (u32 i = 0; i < report->kept; i++)
		if (report->sorted[i]->where.ino != NO_INO)
			inos[count++] = report->sorted[i]->where.ino;
	err = count ? paths_find(vol, inos, count, PATHS_MEMORY, &report->paths) : 0;
	env_free(report->env, inos);
	for (u32 i = 0; !err && i < report->kept; i++) {
		struct finding *f = &report->chunk[i / REPORT_CHUNK][i % REPORT_CHUNK];

		if (f->where.ino != NO_INO)
			f->where.path = paths_get(report->paths, f->where.ino);
	}
	return err;
}

int report_finish(struct report *report, struct vol *vol)
{
	if (!report->kept)
		return 0;
	report->sorted = env_array(report->env, report->kept, sizeof(*report->sorted));
	if (!report->sorted)
		return fail(-ENOMEM, "out of memory");
	for (u32 i = 0; i < report->kept; i++)
		report->sorted[i] = &report->chunk[i / REPORT_CHUNK][i % REPORT_CHUNK];
	qsort(report->sorted, report->kept, sizeof(*report->sorted), compare);
	return vol ? find_paths(report, vol) : 0;
}

int report_status(const struct report *report)
{
	const u64 *count = report->count;
	int status = report->error ? STATUS_FAILED : 0;

	if (count[SEVERITY_CORRUPT] || count[SEVERITY_DISAGREES])
		status |= STATUS_CORRUPT;
	if (count[SEVERITY_WARNING] || count[SEVERITY_PREEN])
		status |= STATUS_WARNING;
	if (count[SEVERITY_INCOMPLETE])
		status |= STATUS_FAILED;
	return status;
}

static void print_replay(FILE *out, const struct log_status *log)
{
	char loss[CLI_LOSS_TEXT];

	fprintf(out,
		"replayed in memory: %" PRIu64 " records, %" PRIu64 " transactions, %" PRIu64
		" items, %" PRIu64 " unfinished operations",
		log->records, log->transactions, log->items, log->finished + log->intents);
	if (log->intents)
		fprintf(out, ", of which %" PRIu64 " could not be finished", log->intents);
	cli_loss_text(&log->loss, loss);
	fprintf(out, "%s%s\n", *loss ? "; " : "", loss);
}

static void print_log(FILE *out, const struct report *report)
{
	const struct log_status *log = &report->log;

	if (report->mounted) {
		fprintf(out, "log: in use; what follows is one moment of the mounted filesystem\n");
		return;
	}
	switch (log->state) {
	case LOG_UNSEEN:
		fprintf(out, "log: not at hand; ");
		break;
	case LOG_CLEAN:
		fprintf(out, "log: clean\n");
		return;
	case LOG_DIRTY:
		fprintf(out, "log: dirty; ");
		break;
	case LOG_DAMAGED:
		fprintf(out, "log: damaged; ");
		break;
	}
	if (report->replayed)
		print_replay(out, log);
	else if (log->loss.all)
		fprintf(out, "none of it could be replayed: what follows is the disk as it is\n");
	else
		fprintf(out, "not replayed: what follows is the disk as it is\n");
}

static void print_amount(FILE *out, u64 bytes)
{
	static const char unit[] = "KMGT";
	double amount = (double)bytes / 1024;
	u32 i = 0;

	while (amount >= 1024 && i + 2 < sizeof(unit)) {
		amount /= 1024;
		i++;
	}
	fprintf(out, "%.1f %ciB", amount, unit[i]);
}

static void print_totals(FILE *out, const struct report *report)
{
	const char *comma = "";

	if (!report->total) {
		fprintf(out, report->error ? "not finished" : "clean");
		return;
	}
	fprintf(out, "%" PRIu64 " finding%s: ", report->total, report->total == 1 ? "" : "s");
	for (int s = SEVERITIES - 1; s > SEVERITY_NONE; s--) {
		if (!report->count[s])
			continue;
		fprintf(out, "%s%" PRIu64 " %s", comma, report->count[s],
			severity_name((enum severity)s));
		comma = ", ";
	}
}

void report_print(FILE *out, const struct report *report)
{
	const struct sweep_stats *stats = &report->stats;
	double seconds = (double)report->ns / 1e9;

	for (u32 i = 0; i < report->kept; i++)
		print_finding(out, report->sorted[i]);
	if (report->total > report->kept)
		fprintf(out, "and %" PRIu64 " findings more\n", report->total - report->kept);
	if (paths_left(report->paths))
		fprintf(out, "and %u inodes named by number alone: too many paths\n",
			paths_left(report->paths));
	if (report->opened) {
		print_log(out, report);
		fprintf(out, "read: %" PRIu64 " blocks, ", stats->blocks);
		print_amount(out, stats->bytes);
		fprintf(out,
			" of metadata; %" PRIu64 " inodes, %" PRIu64 " directories, %" PRIu64
			" names; %.2f s",
			stats->inodes, stats->directories, stats->names, seconds);
		if (report->ns) {
			fprintf(out, ", ");
			print_amount(out, (u64)((double)stats->bytes / seconds));
			fprintf(out, "/s");
		}
		fprintf(out, "\n");
	}
	fprintf(out, "%s: ", report->image);
	print_totals(out, report);
	if (report->only)
		fprintf(out, "; only what concerns %s was asked for", report->only);
	fprintf(out, "\n");
}
