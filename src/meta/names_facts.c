/* What a sweep says of names, sorted by inode; see names.h. */
#include "base/order.h"
#include "base/trail.h"
#include "format/dir.h"
#include "ledger/sweep.h"
#include "meta/dir_salvage.h"
#include "meta/names.h"

#include <errno.h>

#define FACTS_MEMORY (16u << 20)
#define SWEEP_MEMORY (16u << 20)

enum fact_kind {
	FACT_LINKS,   /* word: type; times: its link count */
	FACT_ZERO,    /* it has none */
	FACT_NAME,    /* dir, word: type */
	FACT_CHILD,   /* dir: names it as a directory */
	FACT_DOTDOT,  /* dir: its .. */
	FACT_POINTER, /* dir, word: generation, digest; times: names less pointers */
};

struct fact_record {
	struct be64 ino;
	u8 kind;
	struct be64 dir, word, digest;
	struct be64 times;
};
#define FACT_KEY offsetof(struct fact_record, times)
_Static_assert(sizeof(struct fact_record) <= sizeof(((struct names_work *)0)->fact),
	       "the next fact");

struct gathering {
	struct names_work *w;
	struct repair *r;
	int err;
};

static void add(struct gathering *g, const struct fact_record *record)
{
	int err = sorter_add(g->w->facts, record);

	if (err && !g->err)
		g->err = err;
}

/* What is even is left alone: commits keep it so. */
static bool wanted(void *arg, const struct sweep_posting *p)
{
	const struct repair *r = ((struct gathering *)arg)->r;

	return !r->uneven_known || order_has(r->uneven, r->uneven_count, p->fact->w[0]);
}

static void on_posting(void *arg, const struct sweep_posting *p)
{
	const u64 *w = p->fact->w;
	bool left = p->side == SIDE_LEFT;
	struct fact_record record = {
	    .ino = be64_make(w[0]), .dir = be64_make(w[1]), .times = be64_make((u64)p->times)};

	if (!wanted(arg, p))
		return;
	if (p->account == ACCOUNT_LINKS) {
		record.kind = left ? FACT_NAME : FACT_LINKS;
		record.dir = be64_make(left && p->where ? p->where->ino : NO_INO);
		record.word = be64_make(w[1]);
	} else if (p->account == ACCOUNT_UNLINKED) {
		if (left)
			return;
		record.kind = FACT_ZERO;
		record.dir = be64_make(0);
	} else if (p->account == ACCOUNT_DOTDOT) {
		record.kind = left ? FACT_CHILD : FACT_DOTDOT;
	} else {
		record.kind = FACT_POINTER;
		record.word = be64_make(w[2]);
		record.digest = be64_make(w[3]);
		record.times = be64_make(left ? (u64)p->times : -(u64)p->times);
	}
	add(arg, &record);
}

int names_gather(struct names_work *w)
{
	struct gathering g = {.w = w, .r = w->r};
	const struct sweep_options options = {
	    .posted = on_posting,
	    .posted_wanted = wanted,
	    .posted_arg = &g,
	    .posted_accounts = 1u << ACCOUNT_LINKS | 1u << ACCOUNT_UNLINKED | 1u << ACCOUNT_DOTDOT |
			       1u << ACCOUNT_PARENTS,
	};
	int err =
	    sorter_open(w->vol->env, sizeof(struct fact_record), FACT_KEY, FACTS_MEMORY, &w->facts);

	if (!err)
		err = repair_gather(w->r, SWEEP_MEMORY, &options);
	if (!err)
		err = g.err;
	return err ? err : sorter_sort(w->facts);
}

/* ---- by inode ---- */

/* Whether there is one more: 1, 0 or a negative errno. */
static int peek_fact(struct names_work *w)
{
	int more = w->has_fact ? 1 : sorter_next(w->facts, w->fact);

	w->has_fact = more > 0;
	return more;
}

/* The next fact, with all that was posted of it: what has gone meanwhile comes to 0. */
static int take_fact(struct names_work *w, struct fact_record *f)
{
	s64 times = 0;
	int more = peek_fact(w);

	memcpy(f, w->fact, sizeof(*f));
	while (more > 0 && !memcmp(w->fact, f, FACT_KEY)) {
		struct fact_record same;

		memcpy(&same, w->fact, sizeof(same));
		times += (s64)be64_get(same.times);
		w->has_fact = false;
		more = peek_fact(w);
	}
	f->times = be64_make((u64)times);
	return more < 0 ? more : 0;
}

static int add_name(struct names_work *w, struct named *n, const struct fact_record *f)
{
	u64 dir = be64_get(f->dir), type = be64_get(f->word), times = be64_get(f->times);
	u8 real;
	int there;

	n->names += times;
	if (dir == NO_INO)
		return 0; /* the superblock names it */
	if (n->there && (type == n->type || n->zero))
		return 0;
	if (n->there && n->wrong < NAMERS_MAX) {
		for (; times && n->wrong < NAMERS_MAX; times--)
			n->wrong_dir[n->wrong++] = dir;
		return 0;
	}
	if (n->there)
		return names_fix_add(w, dir, n->ino, DIR_FIX_TYPE);
	/* One that is damaged has not posted, either. */
	there = dir_salvage_inode(w->vol, n->ino, &real);
	return there ? (there < 0 ? there : 0) : names_fix_add(w, dir, n->ino, DIR_FIX_DROP);
}

static void add_children(struct named *n, const struct fact_record *f)
{
	for (u64 times = be64_get(f->times); times; times--) {
		if (n->dirs < NAMERS_MAX)
			n->dir[n->dirs] = be64_get(f->dir);
		n->dirs++;
	}
}

static int add_fact(struct names_work *w, struct named *n, const struct fact_record *f)
{
	s64 times = (s64)be64_get(f->times);

	if (f->kind == FACT_POINTER && times < 0)
		n->pointers = true;
	if (times <= 0)
		return 0;
	switch ((enum fact_kind)f->kind) {
	case FACT_LINKS:
		n->there = true;
		n->type = (u8)be64_get(f->word);
		n->nlink = (u64)times;
		break;
	case FACT_ZERO:
		n->there = n->zero = true;
		return dir_salvage_inode(w->vol, n->ino, &n->type) < 0 ? -ENOMEM : 0;
	case FACT_NAME:
		return add_name(w, n, f);
	case FACT_CHILD:
		add_children(n, f);
		break;
	case FACT_DOTDOT:
		n->has_dotdot = true;
		n->dotdot = be64_get(f->dir);
		break;
	case FACT_POINTER:
		return names_fix_add(w, be64_get(f->dir), n->ino, DIR_FIX_POINTER);
	}
	return 0;
}

/* A name of another type than the inode has: that of some other inode, when this one has as many
 * names as it needs. */
static int end_types(struct names_work *w, struct named *n)
{
	bool enough = n->names >= n->nlink + n->wrong;
	int err = 0;

	for (u32 i = 0; i < n->wrong && !err; i++)
		err = names_fix_add(w, n->wrong_dir[i], n->ino,
				    enough ? DIR_FIX_FALSE : DIR_FIX_TYPE);
	if (enough)
		n->names -= n->wrong;
	return err;
}

int names_next(struct names_work *w, struct named *n)
{
	struct fact_record f;
	int more = peek_fact(w), err = 0;

	if (more <= 0)
		return more;
	memcpy(&f, w->fact, sizeof(f));
	*n = (struct named){.ino = be64_get(f.ino)};
	do {
		err = take_fact(w, &f);
		if (!err)
			err = add_fact(w, n, &f);
		if (!err && w->has_fact)
			memcpy(&f, w->fact, sizeof(f));
	} while (!err && w->has_fact && be64_get(f.ino) == n->ino);
	if (!err)
		err = end_types(w, n);
	return err ? err : 1;
}
