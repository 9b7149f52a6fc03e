/* The superblock's counters after a recovery: added up from the AGs, and left alone where these
 * come to what cannot be. */
#include "fs/mkfs_test.h"

#include "format/ag.h"
#include "format/super.h"
#include "host/host.h"
#include "log/replay.h"
#include "log/summary.h"

#include <unistd.h>

#define SIZE (64u << 20)
#define WRONG 7

struct fixture {
	struct env env;
	struct geometry g;
	struct device *data;
	struct log_status status;
	struct log_replay replay;
	u8 target[LOG_TARGET_MAX];
	u64 right; /* free blocks */
};

static void load(struct fixture *f, struct daddr at, void *to, size_t size)
{
	assert_int_equal(device_read(f->data, at, to, size), 0);
}

static void store(struct fixture *f, struct daddr at, const void *from, size_t size)
{
	assert_int_equal(device_write(f->data, at, from, size), 0);
}

static u64 free_blocks(struct fixture *f)
{
	struct sb sb;

	load(f, daddr_of(0), &sb, sizeof(sb));
	return be64_get(sb.fdblocks);
}

static void set_free_blocks(struct fixture *f, u64 value)
{
	struct sb sb;

	load(f, daddr_of(0), &sb, sizeof(sb));
	sb.fdblocks = be64_make(value);
	store(f, daddr_of(0), &sb, sizeof(sb));
}

/* The first AG says that its list of free blocks has so many. */
static void set_list_count(struct fixture *f, u32 value)
{
	struct daddr at = ag_header_daddr(&f->g, 0, 1);
	struct agf agf;

	load(f, at, &agf, sizeof(agf));
	agf.flcount = be32_make(value);
	store(f, at, &agf, sizeof(agf));
}

static int setup(void **state)
{
	static struct fixture f;
	char path[] = "/tmp/mendfs-summary-XXXXXX";
	struct mkfs_options options;
	struct sb sb;
	int fd = mkstemp(path);

	memset(&f, 0, sizeof(f));
	host_env_init(&f.env, 1);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	close(fd);
	mkfs_options_init(&options);
	test_mkfs(&f.env, path, NULL, &options);
	assert_int_equal(device_open_file(&f.env, path, false, &f.data), 0);
	unlink(path);
	load(&f, daddr_of(0), &sb, sizeof(sb));
	assert_int_equal(geometry_from_sb(&f.g, &sb), 0);
	f.right = free_blocks(&f);
	f.replay = (struct log_replay){
	    .env = &f.env, .g = &f.g, .data = f.data, .status = &f.status, .target = f.target};
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	device_close(((struct fixture *)*state)->data);
	return 0;
}

static void are_added_up(void **state)
{
	struct fixture *f = *state;

	set_free_blocks(f, WRONG);
	assert_int_equal(log_summary_update(&f->replay), 0);
	assert_int_equal(free_blocks(f), f->right);
}

static void are_left_alone(void **state)
{
	struct fixture *f = *state;

	set_free_blocks(f, WRONG);
	set_list_count(f, 1u << 31);
	assert_int_equal(log_summary_update(&f->replay), 0);
	assert_int_equal(free_blocks(f), WRONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(are_added_up, setup, teardown),
	    cmocka_unit_test_setup_teardown(are_left_alone, setup, teardown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
