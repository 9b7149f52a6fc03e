/*
 * Power cuts while the content of files changes, on a filesystem that is nearly full, so that what
 * falls free is soon used again: metadata as data, and one file's data as another's.
 *
 * Every sector that is written says of which file it is, which sector of it, and the how manyeth
 * version.  After a cut a file may show, in each sector, what was durable or anything that was
 * written to that sector since, or zeroes where it was zero since; never another file's bytes,
 * another sector's, or what was there before.  Sizes and names are held against what they have
 * been since the last durable point, too, and the sweep must be content.
 *
 * The recovery itself is cut as well: some wrecks are recovered for writing, on a device of the
 * same kind, and after every eighth of its writes the power fails again.
 *
 * SEED, CUTS (of how many writes one is looked at), AGAIN (of how many wrecks one is recovered with
 * cuts) and STEPS in the environment; the seed is printed.
 */
#include "base/test.h"
#include "base/trail.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cut.h"
#include "fs/attr_modify.h"
#include "fs/dir.h"
#include "fs/file_data.h"
#include "fs/file_range.h"
#include "fs/file_truncate.h"
#include "fs/file_write.h"
#include "fs/mkfs.h"
#include "fs/names.h"
#include "host/host.h"
#include "ledger/sweep.h"
#include "log/journal.h"
#include "meta/types_table.h"

#define SIZE (40u << 20)
#define FILES 8
#define SECTORS 96 /* of a file, at most */
#define IDS 4096
#define RECOVERY_EVERY 8 /* writes of a recovery: one is looked at */
#define CLUTTER 120	 /* names that come and go */

/* What one sector of a file may be. */
struct sector {
	u32 now;	 /* version; 0: zeroes */
	u32 least, most; /* of versions, since the last durable point */
	bool zero;	 /* it has been zero since */
};

struct file {
	u32 slot;
	struct inum ino;
	bool alive, possible; /* now; at some time since the last durable point */
	u64 size, least, most;
	struct sector sector[SECTORS];
};

struct tag {
	u32 magic, id, sector, version;
};
#define TAG_MAGIC 0x46544147u

struct world {
	struct env env;
	struct sim sim;
	struct vol *vol;
	u64 seed, cut_seed;
	struct file file[IDS]; /* by id; 0: none */
	u32 current[FILES];    /* ids of the slots */
	bool absent[FILES];    /* the slot has been empty since the last durable point */
	u32 ids, version;
	u32 writes, every, again, cuts, recovery_cuts, findings, forces, full;
	bool cutting;
	u32 left; /* blocks that the ballast leaves */
	bool ebb; /* of files: metadata take the space */
};

static void must(int err)
{
	if (err)
		printf("%s\n", trail_text());
	assert_int_equal(err, 0);
}

static void count_finding(struct env *env, const struct finding *finding)
{
	struct world *w = env->front;
	char text[512];

	if (finding->def->severity <= SEVERITY_WARNING)
		return;
	finding_print(finding, text, sizeof(text));
	printf("%s\n", text);
	w->findings++;
}

/* ---- what may be seen after a cut ---- */

static void broken(const struct world *w, u32 id, u32 sector, const char *what)
{
	const struct sector *s = &w->file[id].sector[sector];

	printf("write %u: file %u (slot %u), sector %u: %s; it may be %u to %u%s\n", w->writes, id,
	       w->file[id].slot, sector, what, s->least, s->most, s->zero ? ", or zero" : "");
	assert_true(false);
}

static void see_sector(const struct world *w, u32 id, u32 n, const u8 *bytes)
{
	static const u8 zeroes[SIM_SECTOR];
	const struct sector *s = &w->file[id].sector[n];
	char text[96];
	struct tag tag;

	if (!memcmp(bytes, zeroes, SIM_SECTOR)) {
		if (!s->zero)
			broken(w, id, n, "zeroes");
		return;
	}
	memcpy(&tag, bytes, sizeof(tag));
	for (u32 at = sizeof(tag); at < SIM_SECTOR; at += sizeof(tag))
		if (memcmp(bytes + at, &tag, sizeof(tag)))
			broken(w, id, n, "bytes of nobody");
	snprintf(text, sizeof(text), "file %u, sector %u, version %u", tag.id, tag.sector,
		 tag.version);
	if (tag.magic != TAG_MAGIC)
		broken(w, id, n, "other bytes");
	if (tag.id != id || tag.sector != n || tag.version < s->least || tag.version > s->most)
		broken(w, id, n, text);
}

static void see_file(struct world *w, struct vol *vol, u32 slot, struct inum ino)
{
	static u8 bytes[SECTORS * SIM_SECTOR];
	const struct file *f;
	struct inode inode;

	must(inode_get(vol, ino, &inode));
	assert_true(inode.uid && inode.uid <= w->ids);
	f = &w->file[inode.uid];
	assert_true(f->possible && f->slot == slot);
	if (inode.size < f->least || inode.size > f->most) {
		printf("file %u: %llu bytes, and it had %llu to %llu\n", inode.uid,
		       (unsigned long long)inode.size, (unsigned long long)f->least,
		       (unsigned long long)f->most);
		assert_true(false);
	}
	if (inode.size)
		must(file_read(vol, &inode, 0, inode.size, bytes));
	for (u32 n = 0; n < inode.size / SIM_SECTOR; n++)
		see_sector(w, inode.uid, n, bytes + (size_t)n * SIM_SECTOR);
	inode_put(vol, &inode);
}

static void see(struct world *w, struct vol *vol)
{
	struct sweep_stats stats;
	struct inode root;

	must(sweep_run(vol, NULL, &stats));
	assert_int_equal(w->findings, 0);
	must(inode_get(vol, inum_of(vol->geo.root_ino), &root));
	for (u32 slot = 0; slot < FILES; slot++) {
		const char name[2] = {(char)('A' + slot), 0};
		struct inum ino;
		u8 type;
		int err = dir_lookup(vol, &root, name, 1, &ino, &type);

		if (err == -ENOENT) {
			assert_true(w->absent[slot]);
			continue;
		}
		must(err);
		see_file(w, vol, slot, ino);
	}
	inode_put(vol, &root);
}

static void look(struct world *w, struct device *dev)
{
	struct vol_options options = {.data = dev};
	struct vol *vol;

	must(vol_open(&w->env, &meta_types, &options, &vol));
	see(w, vol);
	vol_close(vol);
}

/* ---- cuts ---- */

/* A recovery that is cut in its turn. */
struct recovery {
	struct world *w;
	struct sim sim;
	u32 writes;
	bool cutting;
};

static void cut_recovery(void *arg)
{
	struct recovery *r = arg;
	struct world *w = r->w;

	if (r->cutting || r->writes++ % RECOVERY_EVERY)
		return;
	r->cutting = true;
	for (u32 mode = 0; mode < WRECK_MODES; mode++) {
		struct wreck wreck;

		wreck_begin(&wreck, &r->sim, mode, sim_draw(&w->cut_seed, 1u << 30));
		look(w, &wreck.dev);
		wreck_end(&wreck);
		w->recovery_cuts++;
	}
	r->cutting = false;
}

static void recover(struct world *w, struct device *left)
{
	struct vol_options options = {.write = true};
	/* another eighth of the writes in each */
	struct recovery r = {.w = w, .writes = sim_draw(&w->cut_seed, RECOVERY_EVERY)};
	struct vol *vol;

	sim_open(&r.sim, SIZE);
	must(device_read(left, daddr_of(0), r.sim.durable, SIZE));
	r.sim.arg = &r;
	r.sim.written = cut_recovery;
	options.data = &r.sim.dev;
	must(vol_open(&w->env, &meta_types, &options, &vol));
	see(w, vol);
	must(vol_close(vol));
	sim_close(&r.sim);
}

static void cut(void *arg)
{
	struct world *w = arg;

	if (w->cutting || w->writes++ % w->every)
		return;
	w->cutting = true;
	for (u32 mode = 0; mode < WRECK_MODES; mode++) {
		struct wreck wreck;

		wreck_begin(&wreck, &w->sim, mode, sim_draw(&w->cut_seed, 1u << 30));
		look(w, &wreck.dev);
		if (w->cuts++ % w->again == 0)
			recover(w, &wreck.dev);
		wreck_end(&wreck);
	}
	w->cutting = false;
}

/* All that has been done is durable. */
static void settle(struct world *w)
{
	for (u32 id = 1; id <= w->ids; id++) {
		struct file *f = &w->file[id];

		f->possible = f->alive;
		f->least = f->most = f->size;
		for (u32 n = 0; n < SECTORS && f->alive; n++) {
			struct sector *s = &f->sector[n];

			s->least = s->most = s->now;
			s->zero = !s->now;
		}
	}
	for (u32 slot = 0; slot < FILES; slot++)
		w->absent[slot] = !w->current[slot];
}

static void force(struct world *w)
{
	must(journal_force(w->vol->journal, journal_number(w->vol->journal), true));
	settle(w);
	w->forces++;
}

/* ---- work ---- */

/* One transaction; what was just freed can be had after a force. */
static int change(struct world *w, int (*step)(struct world *w, struct txn *txn, void *arg),
		  void *arg)
{
	struct txn *txn;
	int err = 0;

	for (u32 tries = 0; tries < 3; tries++) {
		must(vol_begin(w->vol, NULL, &txn));
		err = vol_end(w->vol, txn, step(w, txn, arg));
		if (err != -EAGAIN)
			break;
		force(w);
	}
	if (err == -EAGAIN)
		err = -ENOSPC;
	w->full += err == -ENOSPC;
	if (err && err != -ENOSPC && err != -EEXIST && err != -ENOENT && err != -ENODATA)
		must(err);
	return err;
}

struct work {
	struct inum ino;
	u64 off, len;
	struct file_plan plan;
	struct names_entry at;
	struct names_new new;
	struct attr attr;
	bool more;
};

static int prepare_step(struct world *w, struct txn *txn, void *arg)
{
	struct work *k = arg;

	return file_write_prepare(w->vol, txn, k->ino, k->off, k->len, 0, &k->plan);
}

static int finish_step(struct world *w, struct txn *txn, void *arg)
{
	struct work *k = arg;

	return file_write_finish(w->vol, txn, &k->plan);
}

static int truncate_step(struct world *w, struct txn *txn, void *arg)
{
	struct work *k = arg;

	return file_truncate_step(w->vol, txn, k->ino, k->off, &k->more);
}

static int create_step(struct world *w, struct txn *txn, void *arg)
{
	struct work *k = arg;

	return names_create(w->vol, txn, &k->at, &k->new, &k->ino);
}

static int unlink_step(struct world *w, struct txn *txn, void *arg)
{
	const struct names_time now = {2, 0};
	struct work *k = arg;

	return names_unlink(w->vol, txn, &k->at, &now, &k->ino);
}

static int inactive_step(struct world *w, struct txn *txn, void *arg)
{
	struct work *k = arg;

	return names_inactive_step(w->vol, txn, k->ino, &k->more);
}

static int attr_step(struct world *w, struct txn *txn, void *arg)
{
	struct work *k = arg;

	return k->attr.value ? attr_set(w->vol, txn, k->ino, &k->attr, ATTR_HOW_ANY)
			     : attr_remove(w->vol, txn, k->ino, &k->attr);
}

static void set_size(struct file *f, u64 size)
{
	f->size = size;
	f->least = min_u64(f->least, size);
	f->most = max_u64(f->most, size);
}

static void make_file(struct world *w, u32 slot)
{
	const char name[2] = {(char)('A' + slot), 0};
	u32 id = w->ids + 1;
	struct file *f = &w->file[id];
	struct work k = {.at = {inum_of(w->vol->geo.root_ino), name, 1},
			 .new = {.mode = 0100644, .uid = id}};

	assert_true(id < IDS);
	*f = (struct file){.slot = slot, .possible = true};
	for (u32 n = 0; n < SECTORS; n++)
		f->sector[n].zero = true;
	w->ids = id;
	if (change(w, create_step, &k))
		return;
	f->ino = k.ino;
	f->alive = f->possible = true;
	w->current[slot] = id;
}

static void remove_file(struct world *w, u32 slot)
{
	const char name[2] = {(char)('A' + slot), 0};
	struct work k = {.at = {inum_of(w->vol->geo.root_ino), name, 1}, .more = true};

	w->absent[slot] = true;
	if (change(w, unlink_step, &k))
		return;
	w->file[w->current[slot]].alive = false;
	w->current[slot] = 0;
	while (k.more)
		must(change(w, inactive_step, &k));
}

static void fill(u8 *bytes, u32 id, u32 first, u32 count, u32 version)
{
	for (u32 n = 0; n < count; n++)
		for (u32 at = 0; at < SIM_SECTOR; at += sizeof(struct tag)) {
			const struct tag tag = {TAG_MAGIC, id, first + n, version};

			memcpy(bytes + (size_t)n * SIM_SECTOR + at, &tag, sizeof(tag));
		}
}

/* From here on the cut may show it. */
static void announce(struct file *f, u32 first, u32 end, u32 version)
{
	for (u32 n = first; n < end; n++)
		f->sector[n].most = version;
	f->most = max_u64(f->most, (u64)end * SIM_SECTOR);
}

static void done_to(struct file *f, u32 first, u32 end, u32 version)
{
	for (u32 n = first; n < end; n++)
		f->sector[n].now = version;
}

/* In place where it goes, else in three steps. */
static bool overwrite(struct world *w, struct work *k, const u8 *bytes)
{
	struct inode inode;
	bool can;

	must(inode_get(w->vol, k->ino, &inode));
	must(file_overwrite_prepare(w->vol, &inode, k->off, k->len, &k->plan, &can));
	inode_put(w->vol, &inode);
	if (can)
		must(file_write_data(w->vol, &k->plan, bytes));
	return can;
}

static void write_file(struct world *w, u32 id)
{
	static u8 bytes[SECTORS * SIM_SECTOR];
	struct file *f = &w->file[id];
	u32 first = sim_draw(&w->seed, SECTORS), count = 1 + sim_draw(&w->seed, 40), done = 0;
	u32 end = first + count < SECTORS ? first + count : SECTORS, version = ++w->version;
	struct work k = {.ino = f->ino};

	fill(bytes, id, first, end - first, version);
	announce(f, first, end, version);
	k.off = (u64)first * SIM_SECTOR;
	k.len = (u64)(end - first) * SIM_SECTOR;
	if (overwrite(w, &k, bytes)) {
		done_to(f, first, end, version);
		return;
	}
	while (first + done < end) {
		k.off = (u64)(first + done) * SIM_SECTOR;
		k.len = (u64)(end - first - done) * SIM_SECTOR;
		if (change(w, prepare_step, &k))
			return;
		/* a force in between makes durable what was done, not what is going to be */
		announce(f, first, end, version);
		must(file_write_data(w->vol, &k.plan, bytes + (size_t)done * SIM_SECTOR));
		if (change(w, finish_step, &k))
			return;
		count = (u32)(file_plan_bytes(&k.plan) / SIM_SECTOR);
		done_to(f, first + done, first + done + count, version);
		set_size(f, max_u64(f->size, k.plan.end));
		done += count;
	}
}

static void truncate_file(struct world *w, u32 id)
{
	struct file *f = &w->file[id];
	u64 size = f->size / SIM_SECTOR * sim_draw(&w->seed, 8) / 8 * SIM_SECTOR;
	struct work k = {.ino = f->ino, .off = size, .more = true};

	/* to whole blocks: what is zeroed in the last one is a write of its own */
	k.off = size -= size % w->vol->geo.block_size;
	f->least = min_u64(f->least, size);
	for (u32 n = (u32)(size / SIM_SECTOR); n < SECTORS; n++)
		f->sector[n].zero = true;
	while (k.more)
		must(change(w, truncate_step, &k));
	set_size(f, size);
	for (u32 n = (u32)(size / SIM_SECTOR); n < SECTORS; n++)
		f->sector[n].now = 0;
}

/* Names in a directory that grows and shrinks, links with long targets, and attributes: blocks of
 * metadata that come and go. */
static void clutter(struct world *w, struct inum dir)
{
	static char target[900], value[3000];
	char name[64];
	struct work k = {.at = {dir, name, 0}, .new = {.mode = 0120777, .target = target}};
	u32 n = sim_draw(&w->seed, CLUTTER);

	memset(target, 't', sizeof(target) - 1);
	k.at.length = (u32)snprintf(name, sizeof(name), "%u-%.*s", n, (int)n % 40,
				    "a-name-that-fills-a-directory-quickly---");
	if (sim_draw(&w->seed, 4) == 0) {
		k.ino = dir;
		k.attr = (struct attr){.name = name, .name_length = k.at.length};
		if (sim_draw(&w->seed, 2)) {
			k.attr.value = value;
			k.attr.value_length = sim_draw(&w->seed, sizeof(value));
		}
		change(w, attr_step, &k);
		return;
	}
	if (sim_draw(&w->seed, 8) ? w->ebb : !w->ebb) {
		k.new.mode = n % 8 ? 0120777 : 0010644;
		change(w, create_step, &k);
		return;
	}
	k.more = !change(w, unlink_step, &k);
	while (k.more)
		must(change(w, inactive_step, &k));
}

/* Files go while clutter comes, and the other way round, so that each takes what the other has
 * left. */
static void operate(struct world *w, struct inum dir)
{
	u32 slot = sim_draw(&w->seed, FILES), kind = sim_draw(&w->seed, 12);

	if (kind == 0 || (kind == 1 && w->ebb)) {
		if (w->current[slot])
			remove_file(w, slot);
	} else if (kind == 1 || (kind == 2 && w->ebb)) {
		if (w->current[slot])
			truncate_file(w, w->current[slot]);
	} else if (kind < 5 || (kind < 10 && w->ebb)) {
		for (u32 i = 0; i < 3; i++)
			clutter(w, dir);
	} else if (kind == 11) {
		force(w);
	} else {
		if (!w->current[slot])
			make_file(w, slot);
		if (w->current[slot])
			write_file(w, w->current[slot]);
	}
	if (!sim_draw(&w->seed, 300)) {
		must(journal_push(w->vol->journal));
		settle(w);
	}
	if (!sim_draw(&w->seed, 40))
		w->ebb = !w->ebb;
}

/* ---- the filesystem ---- */

static int allocate_step(struct world *w, struct txn *txn, void *arg)
{
	struct work *k = arg;

	return file_allocate_step(w->vol, txn, k->ino, &k->off, k->len);
}

/* A file that takes all space, and gives some back. */
static void ballast(struct world *w)
{
	struct work k = {.at = {inum_of(w->vol->geo.root_ino), "ballast", 7},
			 .new = {.mode = 0100600, .uid = IDS},
			 .more = true};

	must(change(w, create_step, &k));
	/* a step that does not find all of its space has none */
	for (u32 piece = 1024; piece; piece /= 4)
		do
			k.len = k.off + piece;
		while (!change(w, allocate_step, &k));
	must(journal_push(w->vol->journal));
	w->full = 0;
	assert_true(k.off > w->left);
	/* nothing of it is written, and its size is 0: the end is punched */
	k.len = k.off;
	for (k.off -= w->left; k.off < k.len;) {
		struct txn *txn;

		must(vol_begin(w->vol, NULL, &txn));
		must(vol_end(w->vol, txn, file_punch_step(w->vol, txn, k.ino, &k.off, k.len)));
	}
}

static void run(u32 block_size, u32 left, u64 seed)
{
	struct world *w = calloc(1, sizeof(*w));
	struct vol_options options = {.write = true};
	struct work k = {.new = {.mode = 0040755}};
	u64 steps = test_number("STEPS", 1200);

	seed = test_number("SEED", seed);
	printf("blocks of %u bytes, seed %llu\n", block_size, (unsigned long long)seed);
	host_env_init(&w->env, 1);
	w->env.front = w;
	w->env.finding = count_finding;
	w->seed = w->cut_seed = seed * 0x9e3779b97f4a7c15ull + 1;
	w->left = left;
	w->every = (u32)test_number("CUTS", TEST_STRIDE);
	w->again = (u32)test_number("AGAIN", TEST_STRIDE > 1 ? 120 : 300);
	sim_open(&w->sim, SIZE);
	must(sim_mkfs(&w->env, &w->sim, block_size));
	options.data = &w->sim.dev;
	must(vol_open(&w->env, &meta_types, &options, &w->vol));
	k.at = (struct names_entry){inum_of(w->vol->geo.root_ino), "clutter", 7};
	must(change(w, create_step, &k));
	ballast(w);
	must(journal_push(w->vol->journal));
	settle(w);
	w->sim.arg = w;
	w->sim.written = cut;
	for (u64 i = 0; i < steps; i++)
		operate(w, k.ino);
	must(vol_close(w->vol));
	settle(w);
	cut(w);
	printf("%u writes, %u cuts, %u in recoveries; %u forces, %u times full\n", w->writes,
	       w->cuts, w->recovery_cuts, w->forces, w->full);
	assert_true(w->cuts > 100 && w->recovery_cuts > 10 && w->full > 5);
	sim_close(&w->sim);
	free(w);
}

static void cuts_1k(void **state)
{
	(void)state;
	run(1024, 320, 1);
}

static void cuts_4k(void **state)
{
	(void)state;
	run(4096, 220, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(cuts_1k), cmocka_unit_test(cuts_4k)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
