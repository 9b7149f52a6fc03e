/*
 * The commit guard: what is falsified by hand in a transaction is refused, with the account in the
 * trail, and the volume goes on; without a guard the same is committed. The errors that our own
 * code could make are made in tests/guard/mutations.c.
 */
#include "base/test.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/trail.h"
#include "format/super.h"
#include "fs/ag.h"
#include "fs/fork_modify.h"
#include "fs/mkfs.h"
#include "fs/names.h"
#include "host/host.h"
#include "ledger/guard.h"
#include "ledger/sweep.h"
#include "meta/types_table.h"

#define SIZE (40u << 20)

struct image {
	struct device dev;
	u8 *bytes;
};

struct world {
	struct env env;
	struct image image;
	struct vol *vol;
	struct txn *txn;
	struct inum dir, file;
	u32 findings;
};

static int image_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	memcpy(to, ((struct image *)dev)->bytes + at.v, size);
	return 0;
}

static int image_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	memcpy(((struct image *)dev)->bytes + at.v, from, size);
	return 0;
}

static int image_flush(struct device *dev)
{
	(void)dev;
	return 0;
}

static void image_close(struct device *dev)
{
	(void)dev;
}

static void count_finding(struct env *env, const struct finding *finding)
{
	struct world *w = env->front;

	w->findings += finding->def->severity > SEVERITY_WARNING;
}

static void must(int err)
{
	if (err)
		print_error("%s\n", trail_text());
	assert_int_equal(err, 0);
}

static void make_file(struct world *w, struct inum dir, const char *name, u16 mode,
		      struct inum *out)
{
	const struct names_new new = {.mode = mode};
	const struct names_entry at = {dir, name, (u32)strlen(name)};

	must(vol_begin(w->vol, NULL, &w->txn));
	must(vol_end(w->vol, w->txn, names_create(w->vol, w->txn, &at, &new, out)));
}

static struct world *world_open_with(bool guard, u32 block_size)
{
	struct world *w = calloc(1, sizeof(*w));
	struct mkfs_target target = {.data_size = SIZE};
	struct vol_options options = {.write = true, .no_guard = !guard, .data = &w->image.dev};
	struct mkfs_devices devices = {.data = &w->image.dev};
	struct mkfs_options mkfs;
	struct geometry g;

	host_env_init(&w->env, 1);
	w->env.front = w;
	w->env.finding = count_finding;
	w->image = (struct image){.dev = {.name = "image",
					  .size = SIZE,
					  .read = image_read,
					  .write = image_write,
					  .flush = image_flush,
					  .close = image_close},
				  .bytes = calloc(1, SIZE)};
	mkfs_options_init(&mkfs);
	mkfs.features_on = 1u << FEATURE_PARENT;
	mkfs.block_size = block_size;
	must(mkfs_plan(&w->env, &mkfs, &target, &g));
	must(mkfs_build(&w->env, &meta_types, &mkfs, &g, &devices));
	must(vol_open(&w->env, &meta_types, &options, &w->vol));
	make_file(w, inum_of(w->vol->geo.root_ino), "dir", 0040755, &w->dir);
	make_file(w, w->dir, "file", 0100644, &w->file);
	return w;
}

static struct world *world_open(bool guard)
{
	return world_open_with(guard, 0);
}

static void world_close(struct world *w)
{
	must(vol_close(w->vol));
	free(w->image.bytes);
	free(w);
}

static u32 findings(struct world *w)
{
	const struct vol_options how = {.memory = 0};
	struct sweep_stats stats;
	struct vol *snapshot;

	w->findings = 0;
	must(vol_snapshot(w->vol, &w->env, &how, &snapshot));
	must(sweep_run(snapshot, NULL, &stats));
	must(vol_close(snapshot));
	return w->findings;
}

/* ---- what is falsified ---- */

static struct agf *open_agf(struct world *w, struct ag *ag)
{
	must(ag_open(w->vol, w->txn, 0, ag));
	txn_dirty(w->txn, ag->agf_buf);
	return ag_agf(ag);
}

static struct dinode *open_inode(struct world *w, struct inum ino)
{
	struct txn_buf *buf;

	must(inode_edit(w->vol, w->txn, ino, &buf));
	txn_dirty(w->txn, buf);
	return (struct dinode *)buf->data;
}

static void freeblks(struct world *w)
{
	struct ag ag;
	struct agf *agf = open_agf(w, &ag);

	agf->freeblks = be32_make(be32_get(agf->freeblks) - 1);
}

static void longest(struct world *w)
{
	struct ag ag;
	struct agf *agf = open_agf(w, &ag);

	agf->longest = be32_make(be32_get(agf->longest) - 1);
}

static void free_list(struct world *w)
{
	struct ag ag;
	struct agf *agf = open_agf(w, &ag);
	struct agfl_slot *slot;

	slot =
	    (struct agfl_slot *)(ag.agfl_buf->data + sizeof(struct agfl)) + be32_get(agf->flfirst);
	txn_dirty(w->txn, ag.agfl_buf);
	slot->bno = be32_make(be32_get(slot->bno) + 1);
}

static void super(struct world *w)
{
	struct txn_buf *buf;
	struct sb *sb;

	must(ag_super(w->vol, w->txn, &buf));
	txn_dirty(w->txn, buf);
	sb = (struct sb *)buf->data;
	sb->ifree = be64_make(be64_get(sb->ifree) + 1);
}

static void bucket(struct world *w)
{
	u32 agino = inum_agino(&w->vol->geo, w->file);
	struct ag ag;

	must(ag_open(w->vol, w->txn, 0, &ag));
	must(ag_open_inodes(&ag));
	txn_dirty(w->txn, ag.agi_buf);
	ag_agi(&ag)->unlinked[agino % AGI_BUCKETS] = be32_make(agino);
}

static void nlink(struct world *w)
{
	open_inode(w, w->file)->nlink = be32_make(2);
}

static void kind(struct world *w)
{
	open_inode(w, w->file)->mode = be16_make(0100644 ^ 0100000 ^ 0120000);
}

static void nblocks(struct world *w)
{
	open_inode(w, w->file)->nblocks = be64_make(1);
}

static void generation(struct world *w)
{
	struct dinode *d = open_inode(w, w->dir);

	d->gen = be32_make(be32_get(d->gen) + 1);
}

static void dotdot(struct world *w)
{
	struct dinode *d = open_inode(w, w->dir);

	/* short form: count, i8count, and the number of the parent */
	((u8 *)(d + 1))[2 + 3] ^= 1;
}

static void size(struct world *w)
{
	struct dinode *d = open_inode(w, w->dir);

	d->size = be64_make(be64_get(d->size) + 1);
}

static const struct {
	void (*falsify)(struct world *w);
	const char *account;
	bool rules; /* of the type would see it, too */
} cases[] = {
    {freeblks, "counters", false},
    {longest, "longest free extent", false},
    {free_list, "space", false},
    {super, "counters", false},
    {bucket, "unlinked inodes", false},
    {nlink, "links", false},
    {kind, "", true},
    {nblocks, "counts of files", false},
    {generation, "names and parent pointers", false},
    {dotdot, "links", false},
    {size, "its size", false},
};

static void refused(void **state)
{
	struct world *w = world_open(true);

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(cases); i++) {
		struct inum ino;
		char name[16];

		must(vol_begin(w->vol, NULL, &w->txn));
		cases[i].falsify(w);
		assert_int_equal(vol_end(w->vol, w->txn, 0), -EUCLEAN);
		if (!strstr(trail_text(), cases[i].account))
			print_error("%u: %s\n", i, trail_text());
		assert_non_null(strstr(trail_text(), cases[i].account));
		snprintf(name, sizeof(name), "next-%u", i);
		make_file(w, w->dir, name, 0100644, &ino);
		assert_int_equal(findings(w), 0);
	}
	world_close(w);
}

static void committed_without(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(cases); i++) {
		struct world *w = world_open(false);

		must(vol_begin(w->vol, NULL, &w->txn));
		cases[i].falsify(w);
		assert_int_equal(vol_end(w->vol, w->txn, 0), cases[i].rules ? -EUCLEAN : 0);
		assert_int_equal(findings(w) != 0, !cases[i].rules);
		world_close(w);
	}
}

/* A change of nothing that anybody counts is none. */
static void others_pass(void **state)
{
	struct world *w = world_open(true);
	struct dinode *d;

	(void)state;
	must(vol_begin(w->vol, NULL, &w->txn));
	d = open_inode(w, w->file);
	d->mtime = be64_make(be64_get(d->mtime) + 1);
	d->uid = be32_make(7);
	must(vol_end(w->vol, w->txn, 0));
	must(vol_begin(w->vol, NULL, &w->txn));
	must(vol_end(w->vol, w->txn, 0));
	assert_int_equal(findings(w), 0);
	world_close(w);
}

/* Records of the inobt that go from one block to another, of chunks that have free inodes and that
 * nothing else in the transaction touches. */
#define CHUNKS 75 /* more than fit into a block of 1 KiB */

static void remove_file(struct world *w, u32 i)
{
	const struct names_time now = {0};
	char name[16];
	struct names_entry at = {w->dir, name, (u32)snprintf(name, sizeof(name), "n-%u", i)};
	struct inum gone;
	bool more = true;

	must(vol_begin(w->vol, NULL, &w->txn));
	must(vol_end(w->vol, w->txn, names_unlink(w->vol, w->txn, &at, &now, &gone)));
	while (more) {
		must(vol_begin(w->vol, NULL, &w->txn));
		must(vol_end(w->vol, w->txn, names_inactive_step(w->vol, w->txn, gone, &more)));
	}
}

static void moved_records(void **state)
{
	struct world *w = world_open_with(true, 1024);
	const u32 count = CHUNKS * INODES_PER_CHUNK;

	(void)state;
	for (u32 i = 0; i < count; i++) {
		struct inum ino;
		char name[16];

		snprintf(name, sizeof(name), "n-%u", i);
		make_file(w, w->dir, name, 0100600, &ino);
	}
	for (u32 i = 0; i < count; i += INODES_PER_CHUNK)
		remove_file(w, i);
	for (u32 i = count / 4; i < count; i++)
		if (i % INODES_PER_CHUNK)
			remove_file(w, i);
	assert_int_equal(findings(w), 0);
	world_close(w);
}

/* ---- who listens ---- */

/* Who owns which blocks, as a sum over all blocks. */
struct heard {
	u64 sum, commit; /* of what was committed, and of the commit at hand */
	u32 commits, refused;
};

static u64 mix(u64 x)
{
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15ull;
	return (x ^ x >> 29) * 0xbf58476d1ce4e5b9ull;
}

static u64 sum_of(const struct sweep_posting *p)
{
	u64 key = mix(p->fact->w[0] + mix(p->fact->w[1] + mix(p->fact->w[2]))), sum = 0;

	if (p->account != ACCOUNT_OWNERS || p->side != SIDE_LEFT)
		return 0;
	for (u64 i = 0; i < p->length; i++)
		sum += mix(key + p->start + i);
	return sum * (u64)p->times;
}

static void hear(void *arg, const struct sweep_posting *p)
{
	((struct heard *)arg)->commit += sum_of(p);
}

static void hear_end(void *arg, bool committed)
{
	struct heard *h = arg;

	h->sum += committed ? h->commit : 0;
	h->commits += committed;
	h->refused += !committed;
	h->commit = 0;
}

static void add_posting(void *arg, const struct sweep_posting *p)
{
	*(u64 *)arg += sum_of(p);
}

static u64 owned(struct world *w)
{
	u64 sum = 0;
	const struct sweep_options options = {
	    .posted = add_posting, .posted_arg = &sum, .posted_accounts = 1u << ACCOUNT_OWNERS};

	must(sweep_gather(w->vol, 0, &options));
	return sum;
}

static void listen_to(struct world *w, const struct guard_listener *listener)
{
	must(vol_begin(w->vol, NULL, &w->txn));
	must(guard_listen(w->vol->guard, listener));
	must(vol_end(w->vol, w->txn, 0));
}

/* What a sweep finds afterwards is what it found before, and what was heard between; a commit that
 * was refused is not in it. */
static void heard_is_all(void **state)
{
	struct world *w = world_open_with(true, 1024);
	struct heard h = {0};
	const struct guard_listener listener = {
	    .accounts = 1u << ACCOUNT_OWNERS, .posted = hear, .ended = hear_end, .arg = &h};
	u64 before = owned(w), last;

	(void)state;
	listen_to(w, &listener);
	for (u32 i = 0; i < 300; i++) {
		struct inum ino;
		char name[16];

		snprintf(name, sizeof(name), "n-%u", i);
		make_file(w, w->dir, name, 0100600, &ino);
	}
	must(vol_begin(w->vol, NULL, &w->txn));
	free_list(w);
	assert_int_equal(vol_end(w->vol, w->txn, 0), -EUCLEAN);
	for (u32 i = 0; i < 200; i++)
		remove_file(w, i);
	assert_int_equal(guard_listen(w->vol->guard, &listener), -EBUSY);
	listen_to(w, NULL);
	assert_true(h.commits && h.refused && h.sum);
	last = owned(w);
	assert_true(last == before + h.sum);
	for (u32 i = 200; i < 300; i++)
		remove_file(w, i);
	assert_true(last == before + h.sum && owned(w) != last);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refused), cmocka_unit_test(committed_without),
	    cmocka_unit_test(others_pass), cmocka_unit_test(moved_records),
	    cmocka_unit_test(heard_is_all)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
