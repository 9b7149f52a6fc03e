/*
 * The books as oracle of changes: random changes of space, sharing, forks and attributes of real
 * filesystems, each a transaction of its own; after any number of them a check of the whole image
 * must find nothing, and neither must xfs_repair -n at the end.
 */
#include "base/test.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "format/verify.h"
#include "fs/attr_build.h"
#include "fs/refcount_modify.h"
#include "fs/rmap_modify.h"
#include "host/host.h"
#include "ledger/sweep.h"
#include "meta/types_table.h"

#define IMAGE_SIZE (320u << 20)
#define STAGED_MAX 3000
#define OFFSETS 4000
#define FILES 2
#define LATE_MAX 20000
#define OVERLAY_MEMORY (64u << 20)

struct world {
	struct env env;
	char path[40], proto[40];
	struct vol *vol;
	struct txn *txn;
	u64 ino[FILES];
	u64 mapped[FILES][OFFSETS]; /* the block at an offset, or 0 */
	u64 staged[STAGED_MAX];
	u32 staged_count;
	u64 late[LATE_MAX];
	u32 late_count;
	u64 seed;
	u32 findings;
	bool share;
	s64 allocs_left; /* -1: without end */
};

static u32 draw(struct world *w, u32 below)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return (u32)((w->seed >> 20) % below);
}

static void print_finding(struct env *env, const struct finding *finding)
{
	struct world *w = env->front;
	char text[512];

	finding_print(finding, text, sizeof(text));
	if (w->findings++ < 5)
		print_error("%s\n", text);
}

static void *limited_alloc(struct env *env, size_t size)
{
	struct world *w = env->front;

	if (!w->allocs_left)
		return NULL;
	if (w->allocs_left > 0)
		w->allocs_left--;
	return calloc(1, size);
}

static void limited_free(struct env *env, void *memory)
{
	(void)env;
	free(memory);
}

static void must(int err)
{
	if (err)
		print_error("%d: %s\n", err, trail_text());
	assert_int_equal(err, 0);
}

static void find_files(struct world *w)
{
	struct inode inode;
	u32 found = 0;

	for (u64 ino = w->vol->geo.root_ino + 1; found < FILES; ino++) {
		must(inode_get(w->vol, inum_of(ino), &inode));
		if (inode_ftype(inode.mode) == 1 && !inode_internal(&w->vol->geo, inode.ino))
			w->ino[found++] = ino;
		inode_put(w->vol, &inode);
	}
}

static void open_world(struct world *w, const char *options)
{
	struct vol_options vol = {.memory = 0};
	struct device *lower;
	char command[300];
	FILE *f;

	memset(w, 0, sizeof(*w));
	w->seed = 88172645463325252ull;
	w->allocs_left = -1;
	strcpy(w->path, "/tmp/mendfs-balance-XXXXXX");
	strcpy(w->proto, "/tmp/mendfs-balance-XXXXXX");
	close(mkstemp(w->path));
	f = fdopen(mkstemp(w->proto), "w");
	fprintf(f,
		"/dev/null\n0 0\nd--755 0 0\na ---644 0 0 /dev/null\nb ---644 0 0 /dev/null\n$\n");
	fclose(f);
	assert_int_equal(truncate(w->path, IMAGE_SIZE), 0);
	snprintf(command, sizeof(command),
		 "PATH=$PATH:/sbin:/usr/sbin; command -v mkfs.xfs >/dev/null || exit 77; "
		 "exec mkfs.xfs -q -f -d agcount=2 -p %s %s %s >/dev/null",
		 w->proto, options, w->path);
	if (WEXITSTATUS(system(command)) == 77) {
		printf("skipped: no mkfs.xfs\n");
		unlink(w->path);
		unlink(w->proto);
		skip();
	}
	host_env_init(&w->env, 1);
	w->env.front = w;
	w->env.finding = print_finding;
	w->env.alloc = limited_alloc;
	w->env.alloc_bytes = NULL;
	w->env.free = limited_free;
	must(device_open_file(&w->env, w->path, true, &lower));
	must(device_open_overlay(&w->env, lower, OVERLAY_MEMORY, &vol.data));
	must(vol_open(&w->env, &meta_types, &vol, &w->vol));
	w->share = geometry_has(&w->vol->geo, FEATURE_REFLINK);
	find_files(w);
}

static void begin(struct world *w)
{
	must(txn_begin(&w->env, w->vol->cache, w->vol->data, &w->vol->geo, &w->txn));
}

static void commit(struct world *w)
{
	must(txn_commit(w->txn));
}

static void check(struct world *w)
{
	struct sweep_stats stats;

	must(sweep_run(w->vol, NULL, &stats));
	assert_int_equal(w->findings, 0);
}

static void flatten(struct world *w)
{
	static u8 bytes[1u << 20];
	FILE *f = fopen(w->path, "r+");

	for (u64 at = 0; at < IMAGE_SIZE; at += sizeof(bytes)) {
		must(device_read(w->vol->data, daddr_of(at), bytes, sizeof(bytes)));
		assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
		assert_int_equal(fwrite(bytes, sizeof(bytes), 1, f), 1);
	}
	fclose(f);
}

static void close_world(struct world *w)
{
	char command[200];

	check(w);
	flatten(w);
	vol_close(w->vol);
	snprintf(command, sizeof(command),
		 "PATH=$PATH:/sbin:/usr/sbin; xfs_repair -n -f -o force_geometry %s >%s 2>&1",
		 w->path, w->proto);
	if (system(command)) {
		snprintf(command, sizeof(command), "cat %s >&2", w->proto);
		assert_int_equal(system(command), 0);
		assert_false("xfs_repair -n is not content");
	}
	unlink(w->path);
	unlink(w->proto);
}

/* ---- changes ---- */

static int remember_late(void *arg, u64 start, u64 count)
{
	struct world *w = arg;

	for (u64 i = 0; i < count; i++) {
		assert_true(w->late_count < LATE_MAX);
		w->late[w->late_count++] = start + i;
	}
	return 0;
}

static void free_late(struct world *w)
{
	static const struct owner unknown = {(u64)OWNER_UNKNOWN, 0};
	const struct geometry *g = &w->vol->geo;
	struct ag ag;

	while (w->late_count) {
		struct fsblock b = fsblock_of(w->late[--w->late_count]);

		must(ag_open(w->vol, w->txn, fsblock_ag(g, b), &ag));
		must(space_free(&ag, fsblock_bno(g, b), 1, &unknown));
	}
}

static const struct owner cow_owner = {(u64)RMAP_OWN_COW, 0};

static void stage(struct world *w)
{
	const struct geometry *g = &w->vol->geo;
	u32 number = draw(w, 2), bno;
	struct ag ag;

	if (w->staged_count == STAGED_MAX)
		return;
	must(ag_open(w->vol, w->txn, number, &ag));
	must(space_alloc(&ag, draw(w, geometry_ag_blocks(g, number)), &cow_owner, &bno));
	must(refcount_cow_add(&ag, bno, 1));
	w->staged[w->staged_count++] = fsblock_make(g, number, bno).v;
}

static void unstage(struct world *w)
{
	const struct geometry *g = &w->vol->geo;
	struct fsblock b;
	struct ag ag;
	u32 i;

	if (!w->staged_count)
		return;
	i = draw(w, w->staged_count);
	b = fsblock_of(w->staged[i]);
	w->staged[i] = w->staged[--w->staged_count];
	must(ag_open(w->vol, w->txn, fsblock_ag(g, b), &ag));
	must(refcount_cow_remove(&ag, fsblock_bno(g, b), 1));
	must(space_free(&ag, fsblock_bno(g, b), 1, &cow_owner));
}

static struct fork_edit edit(struct world *w, u32 file, enum fork_id which)
{
	struct fork_edit f = {.vol = w->vol,
			      .txn = w->txn,
			      .ino = inum_of(w->ino[file]),
			      .which = which,
			      .unused = remember_late,
			      .arg = w};

	must(inode_edit(w->vol, w->txn, f.ino, &f.buf));
	return f;
}

static void map(struct world *w, u32 file, u32 off)
{
	struct fork_edit f = edit(w, file, FORK_DATA);
	u64 near =
	    off && w->mapped[file][off - 1] && draw(w, 2) ? w->mapped[file][off - 1] : NULL64;

	must(fork_add_block(&f, off, near, &w->mapped[file][off]));
}

struct unused_sink {
	struct refcount_sink sink;
	struct world *w;
};

static int unused(struct refcount_sink *sink, u32 ag, u32 bno, u32 blocks)
{
	struct world *w = ((struct unused_sink *)sink)->w;

	return remember_late(w, fsblock_make(&w->vol->geo, ag, bno).v, blocks);
}

static void unmap(struct world *w, u32 file, u32 off)
{
	struct fork_edit f = edit(w, file, FORK_DATA);
	struct fsblock b = fsblock_of(w->mapped[file][off]);
	struct unused_sink sink = {{unused}, w};
	struct ag ag;

	w->mapped[file][off] = 0;
	must(fork_unmap(&f, off, 1));
	if (!w->share) {
		must(remember_late(w, b.v, 1));
		return;
	}
	must(ag_open(w->vol, w->txn, fsblock_ag(&w->vol->geo, b), &ag));
	must(refcount_decrease(&ag, fsblock_bno(&w->vol->geo, b), 1, &sink.sink));
}

/* The other file gets the same block. */
static void share(struct world *w, u32 file, u32 off, u32 to)
{
	const struct extent e = {.off = to, .start = w->mapped[file][off], .count = 1};
	struct fork_edit f = edit(w, !file, FORK_DATA);
	struct ag ag;

	must(fork_map(&f, &e));
	w->mapped[!file][to] = e.start;
	must(ag_open(w->vol, w->txn, fsblock_ag(&w->vol->geo, fsblock_of(e.start)), &ag));
	must(refcount_increase(&ag, fsblock_bno(&w->vol->geo, fsblock_of(e.start)), 1));
}

static void set_reflink(struct world *w)
{
	begin(w);
	for (u32 i = 0; i < FILES && w->share; i++) {
		struct fork_edit f = edit(w, i, FORK_DATA);
		struct dinode *d = (struct dinode *)f.buf->data;

		txn_dirty(w->txn, f.buf);
		d->flags2 = be64_make(be64_get(d->flags2) | INODE_FLAG2_REFLINK);
	}
	commit(w);
}

/* grow of 8: more is mapped than unmapped */
static void step(struct world *w, u32 grow)
{
	u32 file = draw(w, FILES), off = draw(w, OFFSETS), to = draw(w, OFFSETS);
	bool more = draw(w, 8) < grow;

	begin(w);
	if (w->share && draw(w, 4) == 0) {
		if (more)
			stage(w);
		else
			unstage(w);
	} else if (w->mapped[file][off] && w->share && more && !w->mapped[!file][to]) {
		share(w, file, off, to);
	} else if (w->mapped[file][off] && !more) {
		unmap(w, file, off);
	} else if (!w->mapped[file][off] && more) {
		map(w, file, off);
	}
	free_late(w);
	commit(w);
}

static void run(const char *options)
{
	struct world *w = calloc(1, sizeof(*w));

	open_world(w, options);
	set_reflink(w);
	for (u32 round = 0; round < 6; round++) {
		for (u32 i = 0; i < 1500; i++)
			step(w, round < 3 ? 7 : 1);
		check(w);
	}
	close_world(w);
	free(w);
}

static void plain(void **state)
{
	(void)state;
	run("-b size=1024 -m reflink=0,rmapbt=0");
}

static void reflink(void **state)
{
	(void)state;
	run("-b size=4096 -m reflink=1,rmapbt=0");
}

static void rmap(void **state)
{
	(void)state;
	run("-b size=1024 -m reflink=1,rmapbt=1");
}

static void rmap_large(void **state)
{
	(void)state;
	run("-b size=16384 -i size=2048 -m reflink=1,rmapbt=1");
}

/* ---- attributes ---- */

static void fill_list(struct world *w, struct attr_list *list, u32 count, u32 largest)
{
	static char name[ATTR_NAME_MAX], value[ATTR_VALUE_MAX];

	for (u32 i = 0; i < count; i++) {
		struct attr attr = {.flags = draw(w, 3) == 0 ? ATTR_ROOT : 0, .name = name};

		attr.name_length = (u32)snprintf(name, sizeof(name), "%u-", i);
		for (u32 more = draw(w, 60); more--; attr.name_length++)
			name[attr.name_length] = (char)('a' + draw(w, 26));
		attr.value = value;
		attr.value_length = draw(w, largest + 1);
		memset(value, (int)i, attr.value_length);
		must(attr_list_add(list, &attr));
	}
}

static void same_lists(const struct attr_list *a, struct attr_list *b)
{
	assert_int_equal(a->count, b->count);
	for (struct attr_item *item = a->first; item; item = item->next) {
		const struct attr attr = {.flags = item->flags,
					  .name = (const char *)item->bytes,
					  .name_length = item->name_length};
		struct attr_item *other = b->first;

		while (other &&
		       (other->name_length != item->name_length || other->flags != item->flags ||
			memcmp(other->bytes, item->bytes, item->name_length)))
			other = other->next;
		assert_non_null(other);
		if (!other)
			return;
		assert_int_equal(other->value_length, item->value_length);
		assert_memory_equal(other->bytes, item->bytes,
				    item->name_length + item->value_length);
		assert_true(attr_list_remove(b, &attr));
	}
	assert_int_equal(b->count, 0);
}

static void build_one(struct world *w, u32 count, u32 largest)
{
	struct attr_list list, read;
	struct fork_edit f;
	struct inode inode;

	attr_list_open(&w->env, &list);
	attr_list_open(&w->env, &read);
	fill_list(w, &list, count, largest);
	begin(w);
	f = edit(w, 0, FORK_ATTR);
	if (!((struct dinode *)f.buf->data)->forkoff) {
		txn_dirty(w->txn, f.buf);
		((struct dinode *)f.buf->data)->forkoff = 24;
	}
	must(attr_list_write(&f, &list));
	free_late(w);
	commit(w);
	must(inode_get(w->vol, inum_of(w->ino[0]), &inode));
	must(attr_list_read(&read, w->vol, &inode));
	inode_put(w->vol, &inode);
	same_lists(&list, &read);
	attr_list_close(&list);
	attr_list_close(&read);
	check(w);
}

static void build_all(const char *options)
{
	static const u32 count[] = {3, 1, 40, 2, 900, 5, 12, 300, 1, 3};
	static const u32 largest[] = {10, 65536, 30, 800, 90, 60000, 4000, 1500, 3, 0};
	struct world *w = calloc(1, sizeof(*w));

	open_world(w, options);
	for (u32 i = 0; i < ARRAY_COUNT(count); i++)
		build_one(w, count[i], largest[i]);
	close_world(w);
	free(w);
}

static void attributes(void **state)
{
	(void)state;
	build_all("-b size=4096 -m rmapbt=1");
	build_all("-b size=1024 -m rmapbt=1");
	build_all("-b size=65536 -m rmapbt=1");
}

/* ---- hostile callers, and short memory ---- */

/* What the trees do not say is refused, and a rollback leaves nothing of it. */
static void refuses(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	const struct owner file = {133, 0};
	struct ag ag;
	u32 bno = 0;

	(void)state;
	open_world(w, "-m reflink=1,rmapbt=1");
	begin(w);
	assert_int_equal(ag_open(w->vol, w->txn, 99, &ag), -EUCLEAN);
	must(ag_open(w->vol, w->txn, 0, &ag));
	assert_int_equal(space_free(&ag, 0, 1, &cow_owner), -EUCLEAN);
	assert_int_equal(space_free(&ag, 5000, NULL32, &cow_owner), -EUCLEAN);
	assert_int_equal(space_free(&ag, 5000, 0, &cow_owner), -EUCLEAN);
	txn_rollback(w->txn);
	begin(w);
	must(ag_open(w->vol, w->txn, 0, &ag));
	must(space_alloc(&ag, 5000, &cow_owner, &bno));
	assert_int_equal(space_free(&ag, bno, 1, &file), -EUCLEAN);
	txn_rollback(w->txn);
	begin(w);
	must(ag_open(w->vol, w->txn, 0, &ag));
	must(space_alloc(&ag, 5000, &cow_owner, &bno));
	must(space_free(&ag, bno, 1, &cow_owner));
	assert_int_equal(rmap_unmap(&ag, bno, 1, &cow_owner), -EUCLEAN);
	assert_int_equal(space_free(&ag, bno, 1, &(struct owner){(u64)OWNER_ELSEWHERE, 0}),
			 -EUCLEAN);
	assert_int_equal(refcount_cow_remove(&ag, bno, 1), -EUCLEAN);
	txn_rollback(w->txn);
	close_world(w);
	free(w);
}

static int one_change(struct world *w)
{
	struct fork_edit f = {.vol = w->vol,
			      .txn = NULL,
			      .ino = inum_of(w->ino[0]),
			      .which = FORK_DATA,
			      .unused = remember_late,
			      .arg = w};
	int err = txn_begin(&w->env, w->vol->cache, w->vol->data, &w->vol->geo, &f.txn);
	u64 block;

	if (err)
		return err;
	err = inode_edit(w->vol, f.txn, f.ino, &f.buf);
	for (u32 i = 0; i < 60 && !err; i++)
		err = fork_add_block(&f, 2 * i, NULL64, &block);
	if (!err)
		return txn_commit(f.txn);
	txn_rollback(f.txn);
	return err;
}

static void memory_fails(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int err = -ENOMEM;
	u32 rounds = 0;

	(void)state;
	open_world(w, "-b size=1024 -m reflink=1,rmapbt=1");
	for (s64 n = 0; err; n++, rounds++) {
		w->allocs_left = n;
		err = one_change(w);
		w->allocs_left = -1;
		if (err)
			assert_int_equal(err, -ENOMEM);
		if (n % 8 == 0)
			check(w);
	}
	assert_true(rounds > 10);
	close_world(w);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain),	    cmocka_unit_test(reflink),	  cmocka_unit_test(rmap),
	    cmocka_unit_test(rmap_large),   cmocka_unit_test(attributes), cmocka_unit_test(refuses),
	    cmocka_unit_test(memory_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
