/* Marks of health: by item, by operation, by a sweep; fences; more inodes than are kept; events. */
#include "base/test.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/trail.h"
#include "format/verify.h"
#include "fs/health.h"
#include "fs/mkfs_test.h"
#include "host/host.h"
#include "meta/types_table.h"

#define IMAGE_SIZE (64u << 20)

static char path[] = "/tmp/mendfs-health-XXXXXX";

struct scene {
	struct env env;
	struct vol *vol;
	struct health *h;
	u64 next; /* event */
};

static void begin(struct scene *s)
{
	struct vol_options options = {0};
	struct mkfs_options mkfs;

	host_env_init(&s->env, 1);
	mkfs_options_init(&mkfs);
	mkfs.ag_count = 4;
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(truncate(path, IMAGE_SIZE), 0);
	test_mkfs(&s->env, path, NULL, &mkfs);
	assert_int_equal(device_open_file(&s->env, path, true, &options.data), 0);
	assert_int_equal(vol_open(&s->env, &meta_types, &options, &s->vol), 0);
	assert_int_equal(health_open(s->vol), 0);
	s->h = s->vol->health;
	s->next = 0;
}

static void end(struct scene *s)
{
	health_close(s->vol);
	assert_null(s->vol->health);
	assert_int_equal(vol_close(s->vol), 0);
}

/* The next event is this one. */
static void next_is(struct scene *s, enum event_kind kind, u32 items, u32 ag, u64 ino)
{
	struct event event;
	u64 lost;

	assert_int_equal(events_read(health_events(s->h), &s->next, &event, 1, &lost), 1);
	assert_int_equal(lost, 0);
	assert_int_equal(event.kind, kind);
	assert_int_equal(event.items, items);
	assert_int_equal(event.ag, ag);
	assert_int_equal(event.ino, ino);
}

static void no_more(struct scene *s)
{
	struct event event;
	u64 lost;

	assert_int_equal(events_read(health_events(s->h), &s->next, &event, 1, &lost), 0);
}

static void items(void **state)
{
	struct scene s;
	u64 root, ino = 0;
	struct health_marks m;

	(void)state;
	begin(&s);
	root = s.vol->geo.root_ino;
	assert_true(health_all_well(s.h));
	health_set(s.h, SCRUB_BNOBT, 2, 0, true);
	next_is(&s, EVENT_SICK, SCRUB_BIT(BNOBT), 2, NO_INO);
	next_is(&s, EVENT_QUARANTINED, SCRUB_BIT(BNOBT), 2, NO_INO);
	health_set(s.h, SCRUB_SB, 1, 0, true);
	next_is(&s, EVENT_SICK, SCRUB_BIT(SB), 1, NO_INO);
	health_set(s.h, SCRUB_DIR, 0, root, true);
	next_is(&s, EVENT_SICK, SCRUB_BIT(DIR), 0, root);
	health_set(s.h, SCRUB_FSCOUNTERS, 0, 0, false);
	health_set(s.h, SCRUB_BNOBT, 4, 0, true);	 /* there is no such AG, */
	health_set(s.h, SCRUB_UQUOTA, 0, 0, true);	 /* no quota, */
	health_set(s.h, SCRUB_DIR, 0, NULL64 - 1, true); /* no such inode */
	no_more(&s);
	m = health_of_ag(s.h, 2);
	assert_int_equal(health_kernel_bits(SCOPE_AG, m.sick), 1u << 4);
	assert_int_equal(health_kernel_bits(SCOPE_AG, m.checked), 1u << 4);
	assert_int_equal(health_kernel_bits(SCOPE_FS, health_of_fs(s.h).checked), 1u << 0);
	assert_int_equal(health_of_fs(s.h).sick, 0);
	assert_true(health_next_inode(s.h, &ino, &m));
	assert_int_equal(ino, root);
	assert_int_equal(health_kernel_bits(SCOPE_INODE, m.sick), 1u << 4);
	assert_false(health_next_inode(s.h, &ino, &m));
	assert_false(health_all_well(s.h));
	/* one of which a structure is sick, but no other; a repair may go in */
	for (u32 ag = 0; ag < 5; ag++)
		assert_int_equal(health_fenced(s.vol, ag), ag == 2);
	assert_int_equal(health_may_change(s.vol, root), -EUCLEAN);
	assert_int_equal(health_met(s.h, -EUCLEAN), 0); /* what is refused marks nothing */
	assert_int_equal(health_may_change(s.vol, root + 1), 0);
	s.vol->alone = true;
	assert_false(health_fenced(s.vol, 2));
	assert_int_equal(health_may_change(s.vol, root), 0);
	s.vol->alone = false;
	health_repairing(s.h, true);
	health_set(s.h, SCRUB_BNOBT, 2, 0, false);
	health_repairing(s.h, false);
	next_is(&s, EVENT_REPAIRED, SCRUB_BIT(BNOBT), 2, NO_INO);
	next_is(&s, EVENT_RELEASED, 0, 2, NO_INO);
	assert_int_equal(health_releases(s.h), 1);
	assert_false(health_fenced(s.vol, 2));
	health_set(s.h, SCRUB_DIR, 0, root, false);
	next_is(&s, EVENT_HEALTHY, SCRUB_BIT(DIR), 0, root);
	assert_int_equal(health_may_change(s.vol, root), 0);
	end(&s);
}

/* What becomes the trail, and who is to blame where no finding is. */
static void operations(void **state)
{
	const struct finding_def def = {
	    .id = "TEST", .type = "cntbt", .severity = SEVERITY_CORRUPT, .text = "test"};
	struct finding f = {.def = &def,
			    .where = {.type = "cntbt", .ag = 3, .ino = NO_INO, .daddr = NO_DADDR}};
	struct first_finding first = {0};
	struct verdict v = {.sink = &first};
	struct scene s;

	(void)state;
	begin(&s);
	raise_first(&v, &f);
	assert_int_equal(first.err, -EUCLEAN);
	fail_in(first.err, "a place in front");
	/* whoever else would be blamed: the finding knows better */
	assert_int_equal(health_blame(-EUCLEAN, SCRUB_BNOBT, 1, NO_INO), -EUCLEAN);
	assert_int_equal(health_met(s.h, -EUCLEAN), HEALTH_MET_NEW | HEALTH_MET_FENCED);
	assert_int_equal(health_met(s.h, -EUCLEAN), 0);
	next_is(&s, EVENT_SICK, SCRUB_BIT(CNTBT), 3, NO_INO);
	next_is(&s, EVENT_QUARANTINED, SCRUB_BIT(CNTBT), 3, NO_INO);
	/* another failure, that nobody has placed; no damage; and one with a place */
	fail(-EUCLEAN, "something");
	assert_int_equal(health_met(s.h, -EUCLEAN), HEALTH_MET_NEW);
	assert_int_equal(health_met(s.h, -ENOSPC), 0);
	health_blame(-ENOSPC, SCRUB_BNOBT, 1, NO_INO);
	no_more(&s);
	fail(-EUCLEAN, "something else");
	health_blame(-EUCLEAN, SCRUB_DIR, NO_AG, s.vol->geo.root_ino);
	health_blame(-EUCLEAN, SCRUB_BNOBT, 1, NO_INO); /* the first is the nearest */
	assert_int_equal(health_met(s.h, -EUCLEAN), HEALTH_MET_NEW);
	next_is(&s, EVENT_SICK, SCRUB_BIT(DIR), 0, s.vol->geo.root_ino);
	no_more(&s);
	end(&s);
}

/* A sweep knows all that was there when it began, and nothing of what came later. */
static void sweeps(void **state)
{
	struct scene s;
	u64 root;
	struct health_survey *sweep;

	(void)state;
	begin(&s);
	root = s.vol->geo.root_ino;
	health_set(s.h, SCRUB_BNOBT, 0, 0, true);
	health_set(s.h, SCRUB_DIR, 0, root, true);
	sweep = health_survey_begin(s.h);
	assert_non_null(sweep);
	health_set(s.h, SCRUB_INOBT, 1, 0, true);
	health_survey_add(sweep, SCRUB_BIT(AGI), 2, NO_INO);
	health_survey_add(sweep, SCRUB_BIT(XATTR), 0, root + 7);
	health_survey_add(sweep, SCRUB_BIT(NLINKS), NO_AG, root);
	health_survey_end(sweep, true);
	assert_int_equal(health_of_ag(s.h, 0).sick, 0);
	assert_int_equal(health_of_ag(s.h, 1).sick, SCRUB_BIT(INOBT));
	assert_int_equal(health_of_ag(s.h, 2).sick, SCRUB_BIT(AGI));
	assert_int_equal(health_of_inode(s.h, root).sick, 0);
	assert_int_equal(health_of_inode(s.h, root + 7).sick, SCRUB_BIT(XATTR));
	assert_int_equal(health_of_fs(s.h).sick, SCRUB_BIT(NLINKS));
	/* all has been looked at, every inode as well */
	assert_int_equal(health_kernel_bits(SCOPE_AG, health_of_ag(s.h, 3).checked) & 0x7f, 0x7f);
	assert_true(health_of_inode(s.h, root + 1).checked & SCRUB_BIT(INODE));
	/* one that did not come to its end knows nothing */
	sweep = health_survey_begin(s.h);
	health_survey_end(sweep, false);
	assert_int_equal(health_of_ag(s.h, 2).sick, SCRUB_BIT(AGI));
	sweep = health_survey_begin(s.h);
	health_survey_end(sweep, true);
	assert_true(health_all_well(s.h));
	health_survey_end(NULL, true);
	assert_null(health_survey_begin(NULL));
	end(&s);
}

/* More sick inodes than are kept: the AG says so, and memory does not grow. */
static void many_inodes(void **state)
{
	struct health_survey *sweep;
	struct health_marks m;
	struct scene s;
	u64 ino = 0;
	u32 kept = 0;

	(void)state;
	begin(&s);
	for (u32 i = 0; i < 4 * HEALTH_INODES; i++)
		health_set(s.h, SCRUB_BMBTD, 0, s.vol->geo.root_ino + i, true);
	while (health_next_inode(s.h, &ino, &m))
		kept++;
	assert_in_range(kept, HEALTH_INODES / 2, HEALTH_INODES);
	assert_int_equal(health_of_ag(s.h, 0).sick, HEALTH_INODES_SICK);
	assert_int_equal(health_kernel_bits(SCOPE_AG, health_of_ag(s.h, 0).sick), 1u << 10);
	assert_false(health_fenced(s.vol, 0));
	sweep = health_survey_begin(s.h);
	for (u32 i = 0; i < 4 * HEALTH_INODES; i++)
		health_survey_add(sweep, SCRUB_BIT(INODE), 0, s.vol->geo.root_ino + 2 * i);
	health_survey_end(sweep, true);
	assert_int_equal(health_of_ag(s.h, 0).sick, HEALTH_INODES_SICK);
	sweep = health_survey_begin(s.h);
	health_survey_end(sweep, true);
	assert_true(health_all_well(s.h));
	assert_int_equal(health_may_change(s.vol, s.vol->geo.root_ino), 0);
	end(&s);
}

/* A reader that is late is told how much it has missed, and gets the rest in order. */
static void events(void **state)
{
	struct event out[100];
	struct scene s;
	u64 next = 0, lost, expected;
	u32 count;

	(void)state;
	begin(&s);
	for (u32 i = 0; i < EVENTS_KEPT + 50; i++) {
		const struct event event = {.kind = EVENT_SICK, .ag = i};

		events_add(health_events(s.h), &event);
	}
	count = events_read(health_events(s.h), &next, out, 100, &lost);
	assert_int_equal(lost, 50);
	assert_int_equal(count, 100);
	for (expected = 50; count; count = events_read(health_events(s.h), &next, out, 100, &lost))
		for (u32 i = 0; i < count; i++, expected++) {
			assert_int_equal(out[i].number, expected);
			assert_int_equal(out[i].ag, expected);
		}
	assert_int_equal(expected, EVENTS_KEPT + 50);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(items),	   cmocka_unit_test(operations), cmocka_unit_test(sweeps),
	    cmocka_unit_test(many_inodes), cmocka_unit_test(events),
	};
	int fd = mkstemp(path), failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
