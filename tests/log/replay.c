/*
 * Replays the log of an image and says what happened; for tests/log_replay.sh.
 *
 *	replay [-a] [-l LOGDEV] IMAGE [COPY]
 *
 * IMAGE is opened read-only.  COPY, a copy of IMAGE that the caller has made, gets what the overlay
 * has: chunk by chunk, where the two differ.  -a accepts the loss that a damaged log means.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/trail.h"
#include "fs/vol.h"
#include "host/host.h"
#include "meta/types_table.h"

#define STEP (1u << 20)

static void print_finding(struct verdict *v, const struct finding *finding)
{
	char text[512];

	(void)v;
	finding_print(finding, text, sizeof(text));
	printf("%s\n", text);
}

static void print_note(struct env *env, const char *line)
{
	(void)env;
	printf("note %s\n", line);
}

static int copy_changes(struct vol *vol, const char *copy)
{
	static u8 ours[STEP], theirs[STEP];
	struct device *out;
	int err = device_open_file(vol->env, copy, false, &out);

	for (u64 at = 0; !err && at < vol->data->size; at += STEP) {
		size_t size = (size_t)min_u64(STEP, vol->data->size - at);

		err = device_read(vol->data, daddr_of(at), ours, size);
		if (!err)
			err = device_read(out, daddr_of(at), theirs, size);
		if (!err && memcmp(ours, theirs, size))
			err = device_write(out, daddr_of(at), ours, size);
	}
	if (!err)
		device_close(out);
	return err;
}

static void print_status(const struct vol *vol)
{
	static const char *const state[] = {"", "clean", "dirty", "damaged"};
	const struct log_status *s = &vol->log_status;

	printf("state %s tail %" PRIu64 " head %" PRIu64 " torn %" PRIu64 " records %" PRIu64
	       " transactions %" PRIu64 " items %" PRIu64 " skipped %" PRIu64 " intents %" PRIu64
	       " unlinked %" PRIu64 "\n",
	       state[s->state], s->tail_block, s->head_block, s->torn_blocks, s->records,
	       s->transactions, s->items, s->skipped, s->intents, s->unlinked);
}

int main(int argc, char **argv)
{
	struct verdict verdict = {.raise = print_finding};
	struct vol_options options = {.verdict = &verdict};
	const char *log = NULL;
	struct env env;
	struct vol *vol;
	int c, err;

	while ((c = getopt(argc, argv, "al:")) != -1)
		if (c == 'a')
			options.accept_loss = true;
		else if (c == 'l')
			log = optarg;
		else
			return 8;
	if (optind >= argc)
		return 8;
	host_env_init(&env, 1);
	env.note = print_note;
	err = device_open_file(&env, argv[optind], true, &options.data);
	if (!err && log)
		err = device_open_file(&env, log, true, &options.log);
	if (!err)
		err = vol_open(&env, &meta_types, &options, &vol);
	if (!err && optind + 1 < argc)
		err = copy_changes(vol, argv[optind + 1]);
	if (err) {
		printf("error %d: %s\n", err, trail_text());
		return 1;
	}
	print_status(vol);
	vol_close(vol);
	return 0;
}
