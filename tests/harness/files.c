/* Random writing to files; see files.h. */
#include "files.h"

#include "base/trail.h"
#include "fs/file_data.h"
#include "fs/file_impl.h"
#include "fs/file_range.h"
#include "fs/file_share.h"
#include "fs/file_truncate.h"
#include "fs/file_write.h"
#include "ledger/sweep.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK_EVERY 200
#define STEPS_MAX 100000

static _Noreturn void __attribute__((format(printf, 2, 3)))
broken(struct files *f, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "round %u, %s: ", f->round, f->doing);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1);
}

u32 files_draw(struct files *f, u32 below)
{
	f->seed ^= f->seed << 13;
	f->seed ^= f->seed >> 7;
	f->seed ^= f->seed << 17;
	return (u32)((f->seed >> 20) % below);
}

static bool abandons(struct files *f)
{
	if (f->quiet || files_draw(f, 24))
		return false;
	f->abandoned++;
	return true;
}

void files_must(struct files *f, int err)
{
	if (err)
		broken(f, "%d: %s", err, trail_text());
}

void files_begin(struct files *f)
{
	files_must(f, vol_begin(f->vol, NULL, &f->txn));
}

void files_commit(struct files *f)
{
	files_must(f, vol_end(f->vol, f->txn, 0));
}

void files_force(struct files *f)
{
	struct journal *journal = f->vol->journal;

	files_must(f, journal_force(journal, journal_number(journal), true));
}

bool files_stepped(struct files *f, int err)
{
	if (err == -ENOSPC || (err == -EAGAIN && f->vol->journal)) {
		vol_end(f->vol, f->txn, err);
		if (err == -EAGAIN)
			files_force(f);
		f->full++;
		return false;
	}
	files_must(f, err);
	files_commit(f);
	return true;
}

/* ---- the model ---- */

static void model_set(struct file_model *m, u64 off, u64 end, const u8 *bytes)
{
	end = min_u64(end, m->size);
	if (off >= end)
		return;
	if (bytes)
		memcpy(m->bytes + off, bytes, end - off);
	else
		memset(m->bytes + off, 0, end - off);
}

static void model_size(struct file_model *m, u64 size)
{
	if (size < m->size)
		memset(m->bytes + size, 0, m->size - size);
	m->size = size;
}

static u64 read_file(struct files *f, u32 file, u8 *to)
{
	struct file_model *m = &f->file[file];
	struct inode inode;
	u64 size;

	files_must(f, inode_get(f->vol, m->ino, &inode));
	size = inode.size;
	if (size > FILES_MAX)
		broken(f, "file %u has size %llu", file, (unsigned long long)size);
	if (size)
		files_must(f, file_read(f->vol, &inode, 0, size, to));
	inode_put(f->vol, &inode);
	if (memchr(to, FILES_STALE, size))
		broken(f, "file %u shows what was never written", file);
	return size;
}

void files_same(struct files *f, u32 file)
{
	static u8 found[FILES_MAX];
	struct file_model *m = &f->file[file];
	u64 size = read_file(f, file, found);

	if (size != m->size)
		broken(f, "file %u has size %llu, not %llu", file, (unsigned long long)size,
		       (unsigned long long)m->size);
	if (!memcmp(found, m->bytes, size))
		return;
	for (u64 i = 0; i < size; i++)
		if (found[i] != m->bytes[i])
			broken(f, "file %u differs at %llu of %llu: %02x, not %02x", file,
			       (unsigned long long)i, (unsigned long long)size, found[i],
			       m->bytes[i]);
}

/* What was abandoned half-way is what the file has now. */
static void adopt(struct files *f, u32 file)
{
	static u8 found[FILES_MAX];
	u64 size = read_file(f, file, found);

	model_size(&f->file[file], size);
	memcpy(f->file[file].bytes, found, size);
}

/* ---- plans ---- */

struct change {
	u32 file;
	enum file_plan_kind kind;
	u64 off, end;
	const u8 *bytes; /* of `off` */
	bool whole;	 /* is not abandoned */
};

/* Bytes that were written where they can be seen at once. */
static void model_in_place(struct files *f, const struct change *c, const struct file_plan *plan)
{
	struct file_model *m = &f->file[c->file];
	u32 log = f->vol->geo.block_log;

	for (u32 i = 0; i < plan->count; i++) {
		const struct file_piece *p = &plan->piece[i];
		u64 start = p->off << log, end = start + (p->count << log);
		u64 from = max_u64(start, plan->off), until = min_u64(end, plan->end);

		if (p->state == FILE_PIECE_IN_PLACE && plan->kind != FILE_PLAN_UNSHARE &&
		    from < until)
			model_set(m, from, until, c->bytes ? c->bytes + (from - c->off) : NULL);
	}
}

static int prepare(struct files *f, const struct change *c, u64 at, struct file_plan *plan)
{
	struct inum ino = f->file[c->file].ino;
	u64 len = c->end - at, spare = f->quiet || files_draw(f, 2) ? 0 : files_draw(f, 40);

	switch (c->kind) {
	case FILE_PLAN_WRITE:
		return file_write_prepare(f->vol, f->txn, ino, at, len, spare, plan);
	case FILE_PLAN_ZERO:
		return file_zero_prepare(f->vol, f->txn, ino, at, len, plan);
	case FILE_PLAN_UNSHARE:
		break;
	}
	return file_unshare_prepare(f->vol, f->txn, ino, at, len, plan);
}

/* False when the plan did not come to its end. */
static bool carry_out(struct files *f, const struct change *c, const struct file_plan *plan)
{
	struct file_model *m = &f->file[c->file];
	const u8 *bytes = c->bytes ? c->bytes + (plan->off - c->off) : NULL;
	int err;

	if (!c->whole && abandons(f))
		return false;
	files_must(f, file_write_data(f->vol, plan, bytes));
	if (!f->vol->journal)
		files_must(f, file_write_flush(plan)); /* the journal does it */
	if (!c->whole && abandons(f)) {
		model_in_place(f, c, plan);
		if (files_draw(f, 2))
			return false;
		files_begin(f);
		files_must(f, file_write_cancel(f->vol, f->txn, plan));
		files_commit(f);
		return false;
	}
	files_begin(f);
	err = file_write_finish(f->vol, f->txn, plan);
	if (err == -EAGAIN)
		files_must(f, err);
	if (!files_stepped(f, err)) {
		model_in_place(f, c, plan);
		return false;
	}
	if (plan->kind == FILE_PLAN_WRITE && plan->end > m->size)
		model_size(m, plan->end);
	if (plan->kind != FILE_PLAN_UNSHARE && plan->end > plan->off)
		model_set(m, plan->off, plan->end, bytes);
	return true;
}

static bool change(struct files *f, const struct change *c)
{
	struct file_plan plan;
	u64 at = c->off;

	for (u32 steps = 0;; steps++) {
		files_begin(f);
		if (!files_stepped(f, prepare(f, c, at, &plan)))
			return false;
		if (!carry_out(f, c, &plan))
			return false;
		at += file_plan_bytes(&plan);
		f->stepped += steps != 0;
		if (file_plan_ends(&plan, c->end))
			return true;
		if (steps > STEPS_MAX)
			broken(f, "no end");
	}
}

/* True when all of it lay where it could be written to. */
static bool overwrite(struct files *f, const struct change *c)
{
	struct file_plan plan;
	struct inode inode;
	bool can;

	files_must(f, inode_get(f->vol, f->file[c->file].ino, &inode));
	files_must(f, file_overwrite_prepare(f->vol, &inode, c->off, c->end - c->off, &plan, &can));
	inode_put(f->vol, &inode);
	if (!can)
		return false;
	files_must(f, file_write_data(f->vol, &plan, c->bytes));
	model_set(&f->file[c->file], c->off, c->end, c->bytes);
	f->overwritten++;
	return true;
}

void files_write(struct files *f, u32 file, u64 off, u64 len)
{
	static u8 bytes[FILES_MAX];
	struct change c = {.file = file, .kind = FILE_PLAN_WRITE, .off = off, .bytes = bytes};
	u8 first = (u8)files_draw(f, 256);

	if (off >= FILES_MAX)
		return;
	c.end = min_u64(off + len, FILES_MAX);
	for (u64 i = 0; i < c.end - off; i++)
		bytes[i] = (u8)(0x20 * (file + 1) + (first + i * 7 + (i >> 8)) % 0x20);
	if (f->quiet || files_draw(f, 2) || !overwrite(f, &c))
		change(f, &c);
}

void files_grow(struct files *f, u32 file, u64 size)
{
	const struct change c = {.file = file, .kind = FILE_PLAN_WRITE, .off = size, .end = size};

	if (size <= FILES_MAX)
		change(f, &c);
}

/* Only what is written is zeroed: the parts of blocks at the edges. */
static bool zero_bytes(struct files *f, u32 file, u64 off, u64 end, bool whole)
{
	const struct change c = {
	    .file = file, .kind = FILE_PLAN_ZERO, .off = off, .end = end, .whole = whole};

	return off >= end || change(f, &c);
}

void files_unshare(struct files *f, u32 file, u64 off, u64 len)
{
	const struct change c = {
	    .file = file, .kind = FILE_PLAN_UNSHARE, .off = off, .end = off + len};

	change(f, &c);
}

void files_comb(struct files *f, u32 file, u64 off, u64 len)
{
	u64 block = f->vol->geo.block_size;
	bool quiet = f->quiet;

	f->quiet = true;
	for (u64 at = off; at < off + len; at += 2 * block)
		files_write(f, file, at, block);
	f->quiet = quiet;
}

/* ---- steps ---- */

static u64 block_up(struct files *f, u64 bytes)
{
	u64 mask = f->vol->geo.block_size - 1;

	return (bytes + mask) & ~mask;
}

/* Zeroes what lies in the last block behind the end. Whether it was done. */
static bool zero_tail(struct files *f, u32 file)
{
	u64 size = f->file[file].size;

	return zero_bytes(f, file, size, block_up(f, size), false);
}

void files_truncate(struct files *f, u32 file, u64 size)
{
	struct file_model *m = &f->file[file];
	bool more = true;

	if (size > m->size)
		return;
	while (more) {
		files_begin(f);
		files_must(f, file_truncate_step(f->vol, f->txn, m->ino, size, &more));
		files_commit(f);
		model_size(m, size);
		f->stepped += more;
		if (abandons(f))
			return;
	}
	zero_tail(f, file);
}

static void trim(struct files *f, u32 file)
{
	bool more = true;

	while (more) {
		files_begin(f);
		files_must(f, file_trim_step(f->vol, f->txn, f->file[file].ino, &more));
		files_commit(f);
	}
}

static bool punch_blocks(struct files *f, u32 file, u64 at, u64 end)
{
	u32 log = f->vol->geo.block_log;

	while (at < end) {
		u64 from = at;

		files_begin(f);
		files_must(f, file_punch_step(f->vol, f->txn, f->file[file].ino, &at, end));
		files_commit(f);
		model_set(&f->file[file], from << log, at << log, NULL);
		f->stepped += at < end;
		if (abandons(f))
			return false;
	}
	return true;
}

/* The blocks that lie wholly inside. */
static bool punch(struct files *f, u32 file, u64 off, u64 end, u64 *first, u64 *last)
{
	u32 log = f->vol->geo.block_log;

	*first = block_up(f, off) >> log;
	*last = end >> log;
	if (*first >= *last) {
		zero_bytes(f, file, off, end, false);
		return false;
	}
	return zero_bytes(f, file, off, *first << log, false) &&
	       zero_bytes(f, file, *last << log, end, false) &&
	       punch_blocks(f, file, *first, *last);
}

void files_punch(struct files *f, u32 file, u64 off, u64 len)
{
	u64 first, last;

	punch(f, file, off, off + len, &first, &last);
}

void files_allocate(struct files *f, u32 file, u64 at, u64 end)
{
	u32 idle = 0;

	while (at < end) {
		u64 before = at;

		files_begin(f);
		if (!files_stepped(f,
				   file_allocate_step(f->vol, f->txn, f->file[file].ino, &at, end)))
			return;
		f->stepped += at < end;
		if (at == before && ++idle > STEPS_MAX)
			broken(f, "allocation makes no progress");
	}
}

void files_zero(struct files *f, u32 file, u64 off, u64 len)
{
	u64 first, last;

	if (punch(f, file, off, off + len, &first, &last))
		files_allocate(f, file, first, last);
}

/* A shift wants nothing behind the end. */
static bool cut_clean(struct files *f, u32 file)
{
	bool more = true;

	while (more) {
		files_begin(f);
		files_must(f, file_truncate_step(f->vol, f->txn, f->file[file].ino,
						 f->file[file].size, &more));
		files_commit(f);
	}
	return zero_tail(f, file);
}

void files_collapse(struct files *f, u32 file, u64 off, u64 count)
{
	struct file_model *m = &f->file[file];
	struct file_shift shift = file_shift_of(m->ino, off, count);
	u32 log = f->vol->geo.block_log;
	u64 to = off << log, from = (off + count) << log;

	if (!count || from > m->size || !cut_clean(f, file))
		return;
	while (!shift.done) {
		files_begin(f);
		files_must(f, file_collapse_step(f->vol, f->txn, &shift));
		files_commit(f);
		f->stepped += !shift.done;
		if (!shift.done && abandons(f)) {
			adopt(f, file);
			return;
		}
	}
	memmove(m->bytes + to, m->bytes + from, m->size - from);
	model_size(m, m->size - (from - to));
}

void files_insert(struct files *f, u32 file, u64 off, u64 count)
{
	struct file_model *m = &f->file[file];
	struct file_shift shift = file_shift_of(m->ino, off, count);
	u32 log = f->vol->geo.block_log;
	u64 from = off << log, bytes = count << log;

	if (!count || from >= m->size || m->size + bytes > FILES_MAX || !cut_clean(f, file))
		return;
	while (!shift.done) {
		files_begin(f);
		files_must(f, file_insert_step(f->vol, f->txn, &shift));
		files_commit(f);
		f->stepped += !shift.done;
		if (!shift.done && abandons(f)) {
			adopt(f, file);
			return;
		}
	}
	memmove(m->bytes + from + bytes, m->bytes + from, m->size - from);
	memset(m->bytes + from, 0, bytes);
	m->size += bytes;
}

static void model_share(struct file_model *from, struct file_model *to, u64 from_at, u64 to_at,
			u64 len)
{
	if (to_at + len > to->size)
		to->size = to_at + len;
	memmove(to->bytes + to_at, from->bytes + from_at, len);
}

void files_share(struct files *f, u32 from, u32 to, u64 from_at, u64 to_at, u64 blocks)
{
	u32 log = f->vol->geo.block_log;
	struct file_model *a = &f->file[from], *b = &f->file[to];
	struct file_share s = {
	    .from = a->ino, .to = b->ino, .from_at = from_at, .to_at = to_at, .blocks = blocks};
	u64 len = min_u64(blocks << log, a->size - (from_at << log)), end = (to_at << log) + len;
	u64 source = from_at << log, place = to_at << log;

	if (place > b->size)
		files_grow(f, to, place);
	if (place > b->size || (len & (f->vol->geo.block_size - 1) && end < b->size))
		return;
	s.size = end;
	while (s.blocks) {
		u64 at = s.to_at << log, done;

		files_begin(f);
		if (!files_stepped(f, file_share_step(f->vol, f->txn, &s)))
			return;
		done = min_u64(s.to_at << log, end) - at;
		model_share(a, b, source + (at - place), at, done);
		f->stepped += s.blocks != 0;
		if (s.blocks && abandons(f))
			return;
	}
}

/* The size alone becomes less, as a truncation does it that never comes to its end. */
static void lose_end(struct files *f, u32 file, u64 size)
{
	struct file_edit edit;

	files_begin(f);
	files_must(f, file_edit_begin(f->vol, f->txn, f->file[file].ino, &edit));
	file_set_size(&edit, size);
	files_commit(f);
	model_size(&f->file[file], size);
}

static void set_hint(struct files *f, u32 file, u32 blocks)
{
	struct file_edit edit;
	struct dinode *d;
	u16 flags;

	files_begin(f);
	files_must(f, file_edit_begin(f->vol, f->txn, f->file[file].ino, &edit));
	d = file_core(&edit);
	flags = be16_get(d->flags) & ~INODE_FLAG_EXTSIZE;
	d->flags = be16_make(blocks ? flags | INODE_FLAG_EXTSIZE : flags);
	d->extsize = be32_make(blocks);
	files_commit(f);
}

/* ---- all together ---- */

static void try_share(struct files *f, u32 file)
{
	u32 to = files_draw(f, FILES_COUNT), log = f->vol->geo.block_log, room = FILES_MAX >> log;
	u64 have = block_up(f, f->file[file].size) >> log, from_at, to_at, blocks;

	if (!have || !geometry_has(&f->vol->geo, FEATURE_REFLINK))
		return;
	from_at = files_draw(f, (u32)have);
	blocks = 1 + files_draw(f, (u32)(have - from_at));
	to_at = files_draw(f, 3) ? files_draw(f, room) : from_at;
	if (to_at + blocks > room)
		return;
	if (file == to && max_u64(from_at, to_at) - min_u64(from_at, to_at) < blocks)
		return;
	files_share(f, file, to, from_at, to_at, blocks);
	files_same(f, to);
}

static u64 some_length(struct files *f)
{
	static const u32 most[] = {10, 3000, 9000, 60000, 400000};

	return 1 + files_draw(f, most[files_draw(f, ARRAY_COUNT(most))]);
}

static void write_some(struct files *f, u32 file)
{
	u64 size = f->file[file].size;

	switch (files_draw(f, 4)) {
	case 0:
		files_write(f, file, size, some_length(f)); /* append */
		break;
	case 1:
		files_write(f, file, files_draw(f, FILES_MAX), some_length(f));
		break;
	default:
		files_write(f, file, files_draw(f, (u32)min_u64(size + 5000, FILES_MAX)),
			    some_length(f));
	}
}

static void resize(struct files *f, u32 file)
{
	u64 size = files_draw(f, (u32)f->file[file].size + 1);

	switch (files_draw(f, 6)) {
	case 0:
		files_truncate(f, file, files_draw(f, 3) ? size : 0);
		break;
	case 1:
		lose_end(f, file, size);
		break;
	case 2:
		trim(f, file);
		break;
	default:
		files_grow(f, file, f->file[file].size + files_draw(f, 60000));
	}
}

static void shift(struct files *f, u32 file)
{
	u32 log = f->vol->geo.block_log;
	u64 blocks = f->file[file].size >> log, off;

	if (!blocks)
		return;
	off = files_draw(f, (u32)blocks);
	if (files_draw(f, 2))
		files_collapse(f, file, off, 1 + files_draw(f, (u32)min_u64(blocks - off, 50)));
	else
		files_insert(f, file, off, 1 + files_draw(f, 50));
}

/* All space goes to a file, or is given back. */
static void hog(struct files *f, u32 file)
{
	u32 log = f->vol->geo.block_log;
	u64 first = (u64)FILES_MAX >> log, last = first + f->vol->geo.data_blocks;

	if (files_draw(f, 2))
		files_allocate(f, file, first, last);
	else
		cut_clean(f, file);
}

struct kind {
	const char *name;
	u32 weight;
};

static u32 choose(struct files *f, const struct kind *kinds)
{
	u32 sum = 0, at, i;

	for (i = 0; kinds[i].name; i++)
		sum += kinds[i].weight;
	at = files_draw(f, sum);
	for (i = 0; at >= kinds[i].weight; i++)
		at -= kinds[i].weight;
	f->doing = kinds[i].name;
	return i;
}

static void one_round(struct files *f)
{
	static const struct kind kinds[] = {
	    {"write", 30},   {"resize", 10},  {"punch", 6},   {"zero", 4}, {"shift", 8},
	    {"allocate", 4}, {"share", 14},   {"unshare", 3}, {"comb", 3}, {"hint", 1},
	    {"hog", 1},	     {"exchange", 8}, {"recover", 1}, {NULL, 0}};
	u32 file = files_draw(f, FILES_COUNT), log = f->vol->geo.block_log;
	u64 off = files_draw(f, FILES_MAX), size = f->file[file].size;
	u32 kind = choose(f, kinds);

	switch (kind) {
	case 0:
		write_some(f, file);
		break;
	case 1:
		resize(f, file);
		break;
	case 2:
		files_punch(f, file, size ? off % size : off, some_length(f));
		break;
	case 3:
		files_zero(f, file, size ? off % size : off, some_length(f));
		break;
	case 4:
		shift(f, file);
		break;
	case 5:
		files_allocate(f, file, off >> log, (off >> log) + 1 + files_draw(f, 80));
		break;
	case 6:
		try_share(f, file);
		break;
	case 7:
		files_unshare(f, file, off, some_length(f));
		break;
	case 8:
		files_comb(f, file, off / 8, files_draw(f, 4) ? some_length(f) : FILES_MAX);
		break;
	case 9:
		set_hint(f, file, files_draw(f, 2) ? 0 : 1 + files_draw(f, 20));
		break;
	case 10:
		hog(f, file);
		break;
	case 11:
		files_exchange_some(f, file);
		break;
	default:
		files_recover(f);
	}
	files_same(f, file);
}

void files_run(struct files *f, u32 rounds)
{
	for (u32 i = 0; i < rounds; i++, f->round++) {
		one_round(f);
		if (f->round % CHECK_EVERY == CHECK_EVERY - 1)
			files_check(f);
	}
}

void files_recover(struct files *f)
{
	for (u32 ag = 0; ag < f->vol->geo.ag_count; ag++) {
		bool more = true;

		while (more) {
			files_begin(f);
			files_must(f, file_cow_cleanup(f->vol, f->txn, ag, &more));
			files_commit(f);
		}
	}
}

void files_check(struct files *f)
{
	struct vol *vol = f->vol;
	struct sweep_stats stats;

	f->doing = "check";
	for (u32 i = 0; i < FILES_COUNT; i++)
		files_same(f, i);
	f->world.print = true;
	if (f->vol->journal)
		files_must(f, vol_snapshot(f->vol, f->vol->env, &(struct vol_options){0}, &vol));
	files_must(f, sweep_run(vol, NULL, &stats));
	if (vol != f->vol)
		vol_close(vol);
	if (f->world.findings)
		broken(f, "%llu findings", (unsigned long long)f->world.findings);
}
