/*
 * The Nth allocation fails, the Nth read fails, for every N: check ends with an error or with a
 * finding that it could not look everywhere, loses no memory, and invents no damage.
 */
#include "base/test.h"

#include "ledger/sweep.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TRIES 150 /* of each kind and image; more are sampled */

struct fixture {
	struct world world;
	struct image data, rt;
	struct world_images images;
	char path[2][64];
};

static void unpack(const char *name, char path[64])
{
	char command[600];
	int fd;

	strcpy(path, "/tmp/mendfs-failures-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	snprintf(command, sizeof(command), "xz -dc '%s/%s.xz' >%s", FIXTURES, name, path);
	assert_int_equal(system(command), 0);
}

static void fixture_open(struct fixture *f, const char *name, bool rt)
{
	char file[80];

	memset(f, 0, sizeof(*f));
	world_init(&f->world);
	snprintf(file, sizeof(file), "%s.img", name);
	unpack(file, f->path[0]);
	assert_int_equal(image_map(&f->world, f->path[0], false, &f->data), 0);
	f->images.data = &f->data;
	if (!rt)
		return;
	snprintf(file, sizeof(file), "%s.rt", name);
	unpack(file, f->path[1]);
	assert_int_equal(image_map(&f->world, f->path[1], false, &f->rt), 0);
	f->images.rt = &f->rt;
}

static void fixture_close(struct fixture *f)
{
	image_unmap(&f->data);
	image_unmap(&f->rt);
	unlink(f->path[0]);
	if (f->path[1][0])
		unlink(f->path[1]);
}

/* All of the first, then ever larger steps. */
static u64 next_try(u64 n, u64 total)
{
	u64 step = total > TRIES && n > TRIES / 3 ? (total - TRIES / 3) / TRIES + 1 : 1;

	return n + step;
}

enum failing { ALLOC_ONCE, ALLOC_FROM_THEN_ON, READ, FAILINGS };

/* An allocation that failed once may have been tried again; then all must be as ever. */
static void must_tell(struct fixture *f, enum failing failing, u64 n, int err)
{
	const char *const what[FAILINGS] = {"allocation", "all allocations from", "read"};
	struct world *w = &f->world;
	bool good = failing == ALLOC_ONCE ? err || !w->findings : err || w->findings;
	char ids[1024];

	world_ids(w, ids, sizeof(ids));
	if (w->live || !good)
		print_error("%s %llu failed: error %d, findings %s, %llu allocations left\n",
			    what[failing], (unsigned long long)n, err, ids,
			    (unsigned long long)w->live);
	assert_int_equal(w->live, 0);
	assert_true(good);
}

static void fail_one(struct fixture *f, enum failing failing, u64 n)
{
	struct world *w = &f->world;
	int err;

	world_reset(w);
	w->fail_on = failing == ALLOC_FROM_THEN_ON;
	w->fail_alloc = failing == READ ? 0 : n;
	w->fail_read = failing == READ ? n : 0;
	err = world_check(w, &f->images, NULL, NULL);
	assert_true(failing == READ ? w->read_failed : w->alloc_failed);
	must_tell(f, failing, n, err);
	w->fail_alloc = w->fail_read = 0;
}

static void fail_each(const char *name, bool rt)
{
	struct fixture f;
	u64 allocs, reads;

	fixture_open(&f, name, rt);
	assert_int_equal(world_check(&f.world, &f.images, NULL, NULL), 0);
	allocs = f.world.allocs;
	reads = f.world.reads;
	assert_true(allocs > 10 && reads > 10);
	for (u64 n = 1; n <= allocs; n = next_try(n, allocs)) {
		fail_one(&f, ALLOC_ONCE, n);
		fail_one(&f, ALLOC_FROM_THEN_ON, n);
	}
	for (u64 n = 1; n <= reads; n = next_try(n, reads))
		fail_one(&f, READ, n);
	world_reset(&f.world);
	assert_int_equal(world_check(&f.world, &f.images, NULL, NULL), 0);
	fixture_close(&f);
}

static void parent(void **state)
{
	(void)state;
	fail_each("parent", false);
}

static void quota(void **state)
{
	(void)state;
	fail_each("quota", false);
}

static void realtime(void **state)
{
	(void)state;
	fail_each("realtime", true);
}

static void aged(void **state)
{
	(void)state;
	fail_each("aged-1k", false);
}

static void replay(void **state)
{
	(void)state;
	fail_each("log-orphans", false);
	fail_each("parent-dirty", false);
}

int main(void)
{
	const struct CMUnitTest all[] = {
	    cmocka_unit_test(parent), cmocka_unit_test(quota),	cmocka_unit_test(realtime),
	    cmocka_unit_test(aged),   cmocka_unit_test(replay),
	};

	return cmocka_run_group_tests_name("failures", all, NULL, NULL);
}
