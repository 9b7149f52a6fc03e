/*
 * The audit: recorded postings, sorted, and what is left over raised as findings; see ledger.h.
 *
 * One pass over the sorted postings.  Postings of one fact (points, sums) or of one key (ranges)
 * are neighbours, so only a net and a few witnesses are kept.  At most AUDIT_FINDINGS leftovers of
 * an account are raised one by one.
 */
#include "base/trail.h"
#include "format/dir.h"
#include "ledger/ledger_impl.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define WITNESSES 4
#define AUDIT_FINDINGS 1000

struct group {
	struct posting
	    first; /* the fact; for ranges the key, w[3] where the range at hand starts */
	__int128 left, right; /* occurrences on either side: the disk's 64 bits, many times */
	struct posting witness[WITNESSES];
	u32 witnesses;
};

struct audit {
	struct ledger *ledger;
	struct verdict *v;
	u32 raised[ACCOUNT_COUNT];
};

struct text {
	char text[FINDING_TEXT];
	size_t at;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	if (t->at >= sizeof(t->text))
		return;
	va_start(args, format);
	n = vsnprintf(t->text + t->at, sizeof(t->text) - t->at, format, args);
	va_end(args);
	if (n > 0)
		t->at += (size_t)n;
}

const char *counter_name(u64 counter)
{
	static const char *const name[COUNTER_COUNT] = {
	    [COUNTER_ICOUNT] = "sb.icount",
	    [COUNTER_IFREE] = "sb.ifree",
	    [COUNTER_FDBLOCKS] = "sb.fdblocks",
	    [COUNTER_FREXTENTS] = "sb.frextents",
	    [COUNTER_AGF_FREEBLKS] = "agf.freeblks",
	    [COUNTER_AGF_BTREEBLKS] = "agf.btreeblks",
	    [COUNTER_AGF_RMAP_BLOCKS] = "agf.rmap_blocks",
	    [COUNTER_AGF_REFCOUNT_BLOCKS] = "agf.refcount_blocks",
	    [COUNTER_AGI_COUNT] = "agi.count",
	    [COUNTER_AGI_FREECOUNT] = "agi.freecount",
	    [COUNTER_AGI_IBLOCKS] = "agi.iblocks",
	    [COUNTER_AGI_FBLOCKS] = "agi.fblocks",
	};

	return counter < COUNTER_COUNT ? name[counter] : "?";
}

static const char *file_type_name(u64 type)
{
	static const char *const name[DIR_FT_COUNT] = {
	    [DIR_FT_UNKNOWN] = "file",	     [DIR_FT_FILE] = "regular file",
	    [DIR_FT_DIR] = "directory",	     [DIR_FT_CHAR] = "character device",
	    [DIR_FT_BLOCK] = "block device", [DIR_FT_FIFO] = "fifo",
	    [DIR_FT_SOCKET] = "socket",	     [DIR_FT_SYMLINK] = "symbolic link",
	    [DIR_FT_WHITEOUT] = "whiteout"};

	return type < DIR_FT_COUNT ? name[type] : "file of unknown type";
}

/* The offset of an owner, from the word that stays the same along the extent. */
static void put_offset(struct text *t, u64 word, u64 pos)
{
	u64 flags = word & (7ull << 61);

	put(t, "offset %llu%s%s%s", (word + pos) & ((1ull << 54) - 1), flags >> 63 ? " attr" : "",
	    flags >> 62 & 1 ? " bmbt" : "", flags >> 61 & 1 ? " unwritten" : "");
}

static void put_word(struct text *t, const char *name, u64 value, u64 pos)
{
	if (!name[0] || !strcmp(name, "ag") || value == NULL64)
		return;
	if (t->at)
		put(t, ", ");
	if (!strcmp(name, "counter"))
		put(t, "%s", counter_name(value));
	else if (!strcmp(name, "offset"))
		put_offset(t, value, pos);
	else if (!strcmp(name, "owner"))
		put(t, "owner %" PRId64, (s64)value);
	else if (!strcmp(name, "file type"))
		put(t, "a %s", file_type_name(value));
	else if (!strcmp(name, "mask") || !strcmp(name, "hash") || !strcmp(name, "holes"))
		put(t, "%s 0x%" PRIx64, name, value);
	else
		put(t, "%s %" PRIu64, name, value);
}

static void describe(struct text *t, const struct account_def *def, const struct posting *p,
		     u64 end)
{
	bool range = def->kind == ACCOUNT_RANGE;
	u64 pos = be64_get(p->w[3]);

	if (range) {
		put(t, "%s %" PRIu64, def->word[3], pos);
		if (end - pos > 1)
			put(t, " to %" PRIu64, end - 1);
	}
	for (u32 i = 0; i < (range ? 3u : 4u); i++)
		put_word(t, def->word[i], be64_get(p->w[i]), range ? pos : 0);
}

static void describe_witnesses(struct text *t, const struct group *g)
{
	for (u32 i = 0; i < g->witnesses; i++) {
		const struct posting *w = &g->witness[i];

		put(t, "%s%s", i ? ", " : "", w->type ? w->type : "?");
		if (w->ino != NO_INO)
			put(t, " %" PRIu64, w->ino);
		else if (w->daddr != NO_DADDR)
			put(t, " (sector %" PRIu64 ")", w->daddr / 512);
	}
}

static void fill_where(struct where *where, const struct account_def *def, const struct group *g)
{
	*where = (struct where){
	    .type = def->name, .ag = NO_AG, .ino = NO_INO, .daddr = NO_DADDR, .owner = NO_OWNER};
	for (u32 i = 0; i < 3; i++) {
		u64 w = be64_get(g->first.w[i]);

		if (!strcmp(def->word[i], "ag") && w < NO_AG)
			where->ag = (u32)w;
		if (!strcmp(def->word[i], "ino"))
			where->ino = w;
		if (!strcmp(def->word[i], "owner") && (s64)w >= 0)
			where->ino = w;
	}
	if (where->ino == NO_INO && g->witnesses)
		where->ino = g->witness[0].ino;
}

/* For printing: what no honest filesystem reaches is cut. */
static s64 shown(__int128 v)
{
	return v > INT64_MAX ? INT64_MAX : v < INT64_MIN ? INT64_MIN : (s64)v;
}

/* A leftover: more on one side than on the other. end: of the range at hand. */
static void raise_leftover(struct audit *a, struct group *g, u64 end)
{
	const struct account_def *def = &account_defs[g->first.account];
	bool left = g->left > g->right;
	struct text found = {.at = 0}, expected = {.at = 0};

	if (g->left == g->right || ++a->raised[g->first.account] > AUDIT_FINDINGS)
		return;
	describe(&found, def, &g->first, end);
	if (def->kind == ACCOUNT_SUM)
		put(&expected, "%s %" PRId64 ", %s %" PRId64, def->left, shown(g->left), def->right,
		    shown(g->right));
	else
		describe_witnesses(&expected, g);
	fill_where(&a->v->where, def, g);
	a->v->count = 0; /* the limit is for one object; here it is AUDIT_FINDINGS */
	raise_text(a->v, left ? def->left_only : def->right_only, NULL, found.text, expected.text);
}

static void add_witness(struct group *g, const struct posting *p)
{
	if (g->witnesses < WITNESSES)
		g->witness[g->witnesses++] = *p;
}

static void remove_witness(struct group *g, const struct posting *p)
{
	for (u32 i = 0; i < g->witnesses; i++) {
		struct posting *w = &g->witness[i];

		if (w->side == p->side && w->ino == p->ino && w->daddr == p->daddr &&
		    w->type == p->type) {
			*w = g->witness[--g->witnesses];
			return;
		}
	}
}

static bool same_group(const struct group *g, const struct posting *p)
{
	size_t key = account_defs[p->account].kind == ACCOUNT_RANGE
			 ? offsetof(struct posting, w) + 3 * sizeof(struct be64)
			 : POSTING_KEY;

	return g->first.account == p->account && !memcmp(&g->first, p, key);
}

/* Where a bucket is even each end in it has another to cancel, which need not have been written
 * down. It tells only who is there. */
static bool is_uneven(const struct audit *a, const struct posting *p)
{
	struct fact fact;

	if (!a->ledger->sifted[p->account])
		return true;
	for (u32 i = 0; i < 4; i++)
		fact.w[i] = be64_get(p->w[i]);
	return sift_uneven(a->ledger, p->account, &fact);
}

static void add(struct audit *a, struct group *g, const struct posting *p)
{
	bool range = account_defs[p->account].kind == ACCOUNT_RANGE, counts = is_uneven(a, p);

	if (range && counts && be64_get(g->first.w[3]) != be64_get(p->w[3])) {
		raise_leftover(a, g, be64_get(p->w[3]));
		g->first.w[3] = p->w[3];
	}
	if (counts && p->side == SIDE_LEFT)
		g->left += p->times;
	else if (counts)
		g->right += p->times;
	if (range && p->times < 0)
		remove_witness(g, p);
	else
		add_witness(g, p);
}

/* What was not raised one by one; and accounts that did not balance, but do so in the audit: then
 * the filesystem changed under the check, and nothing can be said of it. */
static void raise_rest(struct audit *a)
{
	for (u32 i = 0; i < ACCOUNT_COUNT; i++) {
		const char *name = account_defs[i].name;
		char text[32];

		a->v->where = (struct where){
		    .type = name, .ag = NO_AG, .ino = NO_INO, .daddr = NO_DADDR, .owner = NO_OWNER};
		a->v->count = 0;
		snprintf(text, sizeof(text), "%u", a->raised[i] - AUDIT_FINDINGS);
		if (a->raised[i] > AUDIT_FINDINGS)
			raise_text(a->v, ledger_more, NULL, text, name);
		else if (!a->raised[i] && ledger_audited(a->ledger, i))
			raise_text(a->v, ledger_unexplained, NULL, NULL, NULL);
	}
}

int ledger_audit(struct ledger *l, struct verdict *v)
{
	struct audit a = {.ledger = l, .v = v};
	struct group g = {.left = 0};
	struct posting p;
	bool any = false;
	int err = sorter_sort(l->recorder), more;

	if (err)
		return err;
	while ((more = sorter_next(l->recorder, &p)) > 0) {
		if (any && !same_group(&g, &p)) {
			raise_leftover(&a, &g, be64_get(g.first.w[3]));
			any = false;
		}
		if (!any)
			g = (struct group){.first = p};
		any = true;
		add(&a, &g, &p);
	}
	if (any)
		raise_leftover(&a, &g, be64_get(g.first.w[3]));
	raise_rest(&a);
	return more < 0 ? more : 0;
}
