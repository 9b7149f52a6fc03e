/* mendfs inspect IMAGE log: the state of the log, its records, and the items in them. */
#include "cli/inspect.h"

#include "base/trail.h"
#include "cli/print.h"
#include "log/recover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static void print_finding(struct verdict *v, const struct finding *finding)
{
	char text[768];

	finding_print(finding, text, sizeof(text));
	fprintf(v->sink, "finding: %s\n", text);
}

struct log_shown {
	const struct vol *vol;
	FILE *out;
};

static int print_event(void *arg, const struct log_event *e)
{
	const struct log_shown *shown = arg;
	FILE *out = shown->out;
	char text[VALUE_TEXT];

	switch (e->kind) {
	case LOG_EVENT_RECORD:
		if (e->index) {
			fprintf(out, "  extended header %u\n", e->index);
			return 0;
		}
		fprintf(out, "record at block %u, lsn %" PRIu64 ":%" PRIu64 "\n", e->block,
			e->lsn >> 32, e->lsn & NULL32);
		break;
	case LOG_EVENT_OP:
		fprintf(out, "  operation at byte %u of the record at %u, transaction 0x%x\n",
			e->offset, e->block, e->tid);
		return 0;
	case LOG_EVENT_COMMIT:
		fprintf(out, "  committed: transaction 0x%x\n", e->tid);
		return 0;
	case LOG_EVENT_PART:
		fprintf(out, "  %s %s %u (%u bytes)\n", e->name, e->part_name ? e->part_name : "",
			e->index, e->length);
		break;
	}
	for (u32 i = 0; e->layout && i < e->layout->field_count && e->layout->size <= e->length;
	     i++) {
		const struct field *field = &e->layout->fields[i];

		value_print(&shown->vol->geo, e->layout, field, e->bytes, 0, text);
		fprintf(out, "    %-16s %s%s\n", field->name, text,
			field->count > 1 && field->width > 8 ? " ..." : "");
	}
	return 0;
}

int inspect_log(FILE *out, struct vol *vol, bool all)
{
	static const char *const state[] = {"", "clean", "dirty", "damaged"};
	struct verdict v = {
	    .raise = print_finding,
	    .sink = out,
	    .where = {.ag = NO_AG, .ino = NO_INO, .daddr = NO_DADDR, .owner = NO_OWNER}};
	struct log_options options = {.types = vol->types, .verdict = &v, .accept_loss = true};
	struct log_shown shown = {vol, out};
	struct log_status status = {0};
	const struct geometry *g = &vol->geo;
	int err = log_examine(vol->env, g, vol->data, vol->log, &options, &status);

	if (err && err != -EUCLEAN)
		return err;
	fprintf(out,
		"log: %s, %u blocks of %u bytes%s\n"
		"  head  cycle %u, block %" PRIu64 "\n"
		"  tail  cycle %u, block %" PRIu64 "\n",
		state[status.state], g->log_blocks, g->block_size,
		g->log_internal ? "" : ", external", status.head_cycle, status.head_block,
		status.tail_cycle, status.tail_block);
	if (status.torn_blocks)
		fprintf(out, "  %" PRIu64 " blocks at the head are torn\n", status.torn_blocks);
	if (!v.count)
		fprintf(out, "no findings\n");
	log_status_free(vol->env, &status);
	return all ? log_each(vol->env, g, vol->data, vol->log, &options, print_event, &shown) : 0;
}
