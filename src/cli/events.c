/*
 * mendfs events: what becomes of the health of a mounted filesystem, a line each.
 *
 * The server keeps the last EVENTS_KEPT; a reader is told how many it has missed.  Who follows
 * takes a session for as long as it likes, so FOLLOWERS_MAX may, and the others are left for
 * commands.
 */
#include "base/trail.h"
#include "cli/cli.h"
#include "cli/control.h"
#include "format/scrub.h"
#include "fs/health.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define FOLLOWERS_MAX (CONTROL_SESSIONS_MAX / 2)
#define LOOK_NS 50000000 /* how often a follower looks */
#define AT_A_TIME 64
#define NS 1000000000

struct events_command {
	struct cli_image image; /* first */
	bool json, follow;
};

static atomic_uint followers;

static const char *const kind_names[EVENT_KINDS] = {
    [EVENT_SICK] = "sick",	   [EVENT_HEALTHY] = "healthy",
    [EVENT_REPAIRED] = "repaired", [EVENT_QUARANTINED] = "quarantined",
    [EVENT_RELEASED] = "released", [EVENT_HEALED] = "healed",
    [EVENT_UNHEALED] = "unhealed",
};

/* The server's clock is monotonic, and people have another. */
static void time_of(struct env *env, u64 then, char text[64])
{
	u64 ago = env->now(env) - then;
	struct timespec t;
	struct tm tm;
	char seconds[32];

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec -= (time_t)(ago / NS);
	t.tv_nsec -= (long)(ago % NS);
	if (t.tv_nsec < 0) {
		t.tv_nsec += NS;
		t.tv_sec--;
	}
	gmtime_r(&t.tv_sec, &tm);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, 64, "%s.%03ldZ", seconds, t.tv_nsec / 1000000);
}

/* ---- a line of text ---- */

static void print_text(struct cli_run *run, const struct event *e)
{
	char time[64];

	time_of(&run->env, e->time, time);
	fprintf(run->out, "%s %s", time, kind_names[e->kind]);
	if (e->ino != NO_INO)
		fprintf(run->out, " inode %" PRIu64, e->ino);
	else if (e->ag != NO_AG)
		fprintf(run->out, " AG %u", e->ag);
	else
		fprintf(run->out, " filesystem");
	for (u32 i = 0; i < SCRUB_COUNT; i++)
		if (e->items >> i & 1)
			fprintf(run->out, " %s", scrub_defs[i].name);
	if (e->items & HEALTH_INODES_SICK)
		fprintf(run->out, " inodes");
	if (e->waited)
		fprintf(run->out, " waited %" PRIu64 ".%03" PRIu64 " ms", e->waited / 1000000,
			e->waited / 1000 % 1000);
	fputc('\n', run->out);
}

/* ---- or of JSON ---- */

static json_t *items_of(const struct event *e)
{
	json_t *items = json_array();

	for (u32 i = 0; i < SCRUB_COUNT; i++)
		if (e->items >> i & 1)
			json_array_append_new(items, json_string(scrub_defs[i].name));
	if (e->items & HEALTH_INODES_SICK)
		json_array_append_new(items, json_string("inodes"));
	return items;
}

static void dump(struct cli_run *run, json_t *o)
{
	json_dumpf(o, run->out, JSON_COMPACT);
	fputc('\n', run->out);
	json_decref(o);
}

static void print_json(struct cli_run *run, const struct event *e)
{
	char time[64];
	json_t *o;

	time_of(&run->env, e->time, time);
	o = json_pack("{s:s, s:I, s:s, s:o}", "event", kind_names[e->kind], "number",
		      (json_int_t)e->number, "time", time, "items", items_of(e));
	if (e->ag != NO_AG)
		json_object_set_new(o, "ag", json_integer(e->ag));
	if (e->ino != NO_INO)
		json_object_set_new(o, "ino", json_integer((json_int_t)e->ino));
	if (e->waited)
		json_object_set_new(o, "waited_ms", json_real((double)e->waited / 1e6));
	dump(run, o);
}

/* ---- all of them ---- */

static void print_lost(struct cli_run *run, bool json, u64 lost)
{
	if (json)
		dump(run, json_pack("{s:s, s:I}", "event", "lost", "count", (json_int_t)lost));
	else
		fprintf(run->out, "lost %" PRIu64 " events\n", lost);
}

/* What there is by now; false: nobody reads it any more. */
static bool print_new(struct cli_run *run, const struct events_command *c, u64 *next)
{
	struct events *events = health_events(run->mounted->health);
	struct event some[AT_A_TIME];
	u32 count;
	u64 lost;

	do {
		count = events_read(events, next, some, AT_A_TIME, &lost);
		if (lost)
			print_lost(run, c->json, lost);
		for (u32 i = 0; i < count; i++) {
			if (c->json)
				print_json(run, &some[i]);
			else
				print_text(run, &some[i]);
		}
		if (fflush(run->out) || env_stopped(&run->env))
			return false;
	} while (count);
	return true;
}

static int follow(struct cli_run *run, const struct events_command *c, u64 *next)
{
	const struct timespec pause = {.tv_nsec = LOOK_NS};

	bool may = atomic_fetch_add(&followers, 1) < FOLLOWERS_MAX;

	while (may && print_new(run, c, next))
		nanosleep(&pause, NULL);
	atomic_fetch_sub(&followers, 1);
	if (may)
		return 0;
	fail(-EBUSY, "%s: %u follow its events already", c->image.data, FOLLOWERS_MAX);
	return cli_failed_in(run);
}

static int work(struct cli_run *run, void *options)
{
	const struct events_command *c = options;
	u64 next = 0;

	if (!run->mounted) {
		fail(-EINVAL, "%s: what is not mounted has no events", c->image.data);
		return cli_failed_in(run);
	}
	if (c->follow)
		return follow(run, c, &next);
	print_new(run, c, &next);
	return 0;
}

static int parse(const struct command *self, void *to, int argc, char **argv)
{
	static const struct option options[] = {
	    {"json", no_argument, NULL, 'j'}, {"follow", no_argument, NULL, 'f'}, {0}};
	struct events_command *c = to;
	int o;

	while ((o = getopt_long(argc, argv, "f", options, NULL)) != -1) {
		if (o == 'j')
			c->json = true;
		else if (o == 'f')
			c->follow = true;
		else
			return cli_usage(self);
	}
	if (optind + 1 != argc)
		return cli_misuse(self, "expected the directory of a mount");
	c->image.data = argv[optind];
	return 0;
}

const struct command command_events = {
    .name = "events",
    .arguments = "[--json] [--follow] DIRECTORY",
    .summary = "tell what has become of the health of a mounted filesystem",
    .help = "One line an event, the oldest first: sick, healthy, repaired, quarantined, released,\n"
	    "healed, unhealed; and lost, with how many there were that are not kept any more.\n"
	    "\n"
	    "  --json       one JSON object a line\n"
	    "  -f, --follow go on with those that come, until it is unmounted\n",
    .options_size = sizeof(struct events_command),
    .parse = parse,
    .work = work,
};
