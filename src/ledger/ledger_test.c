/* The ledger: balance is seen whatever the order and the cuts, and the audit names what is left
 * over. */
#include "base/test.h"

#include "format/finding.h"
#include "host/host.h"
#include "ledger/ledger.h"
#include "meta/findings.h"

#include <stdio.h>

struct found {
	u32 count;
	struct finding last;
};

static void keep(struct verdict *v, const struct finding *finding)
{
	struct found *f = v->sink;

	f->count++;
	f->last = *finding;
}

static struct ledger *open_ledger(struct env *env)
{
	struct ledger *l;

	host_env_init(env, 1);
	assert_int_equal(ledger_open(env, &l), 0);
	return l;
}

static void ranges_may_be_cut_anyhow(void **state)
{
	const struct fact key = {{3, 133, 77, 0}};
	struct env env;
	struct ledger *l = open_ledger(&env);
	struct book *a, *b;

	(void)state;
	assert_int_equal(book_open(l, &a), 0);
	assert_int_equal(book_open(l, &b), 0);
	book_post_range(a, ACCOUNT_OWNERS, SIDE_LEFT, &key, 100, 50, 1, NULL);
	book_post_range(b, ACCOUNT_OWNERS, SIDE_RIGHT, &key, 120, 30, 1, NULL);
	book_post_range(a, ACCOUNT_OWNERS, SIDE_RIGHT, &key, 100, 20, 1, NULL);
	assert_int_equal(book_close(a), 0);
	assert_int_equal(book_close(b), 0);
	assert_int_equal(ledger_imbalances(l), 0);
	ledger_close(l);
}

static void multiplicity_counts(void **state)
{
	const struct fact ino = {{133, 0, 0, 0}};
	struct env env;
	struct ledger *l = open_ledger(&env);
	struct book *b;

	(void)state;
	assert_int_equal(book_open(l, &b), 0);
	for (int i = 0; i < 3; i++)
		book_post(b, ACCOUNT_LINKS, SIDE_LEFT, &ino, 1, NULL);
	book_post(b, ACCOUNT_LINKS, SIDE_RIGHT, &ino, 3, NULL);
	book_post(b, ACCOUNT_LINKS, SIDE_RIGHT, &ino, 5, NULL);
	book_post(b, ACCOUNT_LINKS, SIDE_RIGHT, &ino, -5, NULL);
	assert_int_equal(book_close(b), 0);
	assert_int_equal(ledger_imbalances(l), 0);
	ledger_close(l);
}

/* The same postings twice: first into the sums, then into the audit. */
static void post_space(struct ledger *l)
{
	const struct fact ag = {{2, 0, 0, 0}};
	const struct where file = {.type = "inode", .ag = NO_AG, .ino = 133, .daddr = NO_DADDR};
	const struct where tree = {.type = "bnobt", .ag = 2, .ino = NO_INO, .daddr = 8192};
	struct book *b;

	assert_int_equal(book_open(l, &b), 0);
	book_post_range(b, ACCOUNT_SPACE, SIDE_RIGHT, &ag, 0, 1000, 1, NULL);
	book_post_range(b, ACCOUNT_SPACE, SIDE_LEFT, &ag, 0, 400, 1, &tree);
	book_post_range(b, ACCOUNT_SPACE, SIDE_LEFT, &ag, 390, 20, 1, &file);
	book_post_range(b, ACCOUNT_SPACE, SIDE_LEFT, &ag, 415, 585, 1, &tree);
	assert_int_equal(book_close(b), 0);
}

static void audit_names_ranges(void **state)
{
	struct found found = {0};
	struct verdict v = {.raise = keep, .sink = &found};
	struct env env;
	struct ledger *l = open_ledger(&env);

	(void)state;
	post_space(l);
	assert_int_equal(ledger_imbalances(l), 1);
	assert_int_equal(ledger_begin_audit(l), 0);
	post_space(l);
	assert_int_equal(ledger_audit(l, &v), 0);
	assert_int_equal(found.count, 2);
	assert_string_equal(found.last.def->id, "SPACE_LEAKED");
	assert_string_equal(found.last.found, "agblock 410 to 414");
	assert_int_equal(found.last.where.ag, 2);
	ledger_close(l);
}

/* ---- sifting ---- */

#define DRAWN_AGS 2
#define DRAWN_OWNERS 4
#define DRAWN_BLOCKS 4096
#define DRAWN_INODES 64

/* What the findings of an audit say of each block and inode: which finding, 0 for none. */
struct told {
	const struct finding_def *owner[DRAWN_AGS][DRAWN_OWNERS][DRAWN_BLOCKS];
	const struct finding_def *space[DRAWN_AGS][DRAWN_BLOCKS];
	char links[DRAWN_INODES][FINDING_TEXT];
	u32 count, blocks, unnamed;
};

static void tell(struct verdict *v, const struct finding *f)
{
	struct told *t = v->sink;
	unsigned long long from, to, ino;

	t->count++;
	if (sscanf(f->found, "ino %llu", &ino) == 1) {
		assert_true(ino < DRAWN_INODES);
		snprintf(t->links[ino], sizeof(t->links[ino]), "%s", f->expected);
		return;
	}
	assert_true(sscanf(f->found, "agblock %llu", &from) == 1);
	if (sscanf(f->found, "agblock %*u to %llu", &to) != 1)
		to = from;
	/* a leak is said by the AG alone, which has no witness here */
	t->unnamed += !f->expected[0] && strcmp(f->def->id, "SPACE_LEAKED") != 0;
	for (u64 i = from; i <= to && i < DRAWN_BLOCKS; i++) {
		if (strcmp(f->where.type, "space") != 0)
			t->owner[f->where.ag][f->where.ino][i] = f->def;
		else
			t->space[f->where.ag][i] = f->def;
		t->blocks++;
	}
}

static void post_piece(struct book *b, u32 ag, u64 owner, u64 start, u64 length, u32 sides)
{
	const struct fact owns = {{ag, owner, 7, 0}}, space = {{ag, 0, 0, 0}};
	const struct where who = {.type = "inode", .ag = NO_AG, .ino = owner, .daddr = NO_DADDR};
	u64 cut = length / 2;

	for (u32 side = 0; side < 2; side++)
		if (sides >> side & 1) {
			/* either side cuts it in its own way */
			book_post_range(b, ACCOUNT_OWNERS, side, &owns, start, cut + side, 1, &who);
			book_post_range(b, ACCOUNT_OWNERS, side, &owns, start + cut + side,
					length - cut - side, 1, &who);
		}
	if (sides & 1)
		book_post_range(b, ACCOUNT_SPACE, SIDE_LEFT, &space, start, length, 1, &who);
}

/* The same each time for one seed: pieces that neither side lacks, but for one in `rare`. */
static void post_drawn(struct ledger *l, u64 seed, u32 rare)
{
	u64 state = seed * 2 + 1;
	struct book *b;

	assert_int_equal(book_open(l, &b), 0);
	for (u32 ag = 0; ag < DRAWN_AGS; ag++) {
		const struct fact space = {{ag, 0, 0, 0}};
		u64 at = 0;

		while (at + 2 < DRAWN_BLOCKS) {
			u64 length = 2 + test_draw(&state, at % 3 ? 8 : 300);
			u64 owner = test_draw(&state, DRAWN_OWNERS);
			bool odd = !(test_draw(&state, rare));

			if (length > DRAWN_BLOCKS - at)
				length = DRAWN_BLOCKS - at;
			post_piece(b, ag, owner, at, length, odd ? 1 + at % 2 : 3);
			if (odd && at % 5 == 0) /* and once more, over others */
				post_piece(b, ag, (owner + 1) % DRAWN_OWNERS, at / 2, length, 3);
			at += length;
		}
		book_post_range(b, ACCOUNT_SPACE, SIDE_RIGHT, &space, 0, DRAWN_BLOCKS, 1, NULL);
	}
	for (u64 ino = 0; ino < DRAWN_INODES; ino++) {
		const struct fact fact = {{ino, 0, 0, 0}};
		s64 links = 1 + (s64)(test_draw(&state, 4));

		book_post(b, ACCOUNT_LINKS, SIDE_LEFT, &fact, links, NULL);
		book_post(b, ACCOUNT_LINKS, SIDE_RIGHT, &fact, links + !(test_draw(&state, rare)),
			  NULL);
	}
	assert_int_equal(book_close(b), 0);
}

enum sift { NOT_SIFTED, SIFTED_WHEN_UNEVEN, SIFTED_AT_ONCE };

static struct told *audit_drawn(u64 seed, u32 rare, enum sift sift)
{
	struct told *told = calloc(1, sizeof(*told));
	struct verdict v = {.raise = tell, .sink = told};
	struct env env;
	struct ledger *l = open_ledger(&env);

	assert_non_null(told);
	if (sift == SIFTED_AT_ONCE)
		assert_int_equal(ledger_sift_all(l), 0);
	post_drawn(l, seed, rare);
	if (ledger_imbalances(l)) {
		assert_true(sift != SIFTED_AT_ONCE || !ledger_worth_sifting(l));
		if (sift == SIFTED_WHEN_UNEVEN) {
			assert_int_equal(ledger_begin_sift(l), 0);
			post_drawn(l, seed, rare);
		}
		assert_int_equal(ledger_begin_audit(l), 0);
		post_drawn(l, seed, rare);
		assert_int_equal(ledger_audit(l, &v), 0);
	}
	ledger_close(l);
	return told;
}

/* Of every block and inode the same is said, whether or not the facts were sifted, and by whom. */
static void sifting_hides_nothing(void **state)
{
	u64 seed = test_number("SEED", 1), blocks = 0;

	(void)state;
	print_message("SEED=%llu\n", (unsigned long long)seed);
	for (u32 i = 0; i < 60; i++, seed++) {
		struct told *whole = audit_drawn(seed, 10 + i, NOT_SIFTED);
		struct told *sifted =
		    audit_drawn(seed, 10 + i, i % 2 ? SIFTED_WHEN_UNEVEN : SIFTED_AT_ONCE);

		assert_memory_equal(whole->owner, sifted->owner, sizeof(whole->owner));
		assert_memory_equal(whole->space, sifted->space, sizeof(whole->space));
		assert_memory_equal(whole->links, sifted->links, sizeof(whole->links));
		assert_int_equal(sifted->unnamed, 0);
		blocks += whole->blocks;
		free(whole);
		free(sifted);
	}
	assert_true(blocks > 0);
}

/* Who covers what is uneven is told, also when his own ends are even. */
static void witness_of(unsigned long long from, unsigned long long size)
{
	const struct fact key = {{0, 133, 0, 0}};
	const struct where file = {.type = "inode", .ag = NO_AG, .ino = 133, .daddr = NO_DADDR};
	struct found found = {0};
	struct verdict v = {.raise = keep, .sink = &found};
	struct env env;
	struct ledger *l = open_ledger(&env);
	char text[64];

	for (u32 sweep = 0; sweep < 3; sweep++) {
		struct book *b;

		assert_int_equal(sweep == 1   ? ledger_begin_sift(l)
				 : sweep == 2 ? ledger_begin_audit(l)
					      : 0,
				 0);
		assert_int_equal(book_open(l, &b), 0);
		book_post_range(b, ACCOUNT_OWNERS, SIDE_LEFT, &key, from, size, 1, &file);
		book_post_range(b, ACCOUNT_OWNERS, SIDE_RIGHT, &key, from, size / 3, 1, NULL);
		book_post_range(b, ACCOUNT_OWNERS, SIDE_RIGHT, &key, from + size / 3 * 2,
				size - size / 3 * 2, 1, NULL);
		assert_int_equal(book_close(b), 0);
	}
	assert_int_equal(ledger_audit(l, &v), 0);
	assert_int_equal(found.count, 1);
	assert_string_equal(found.last.def->id, "OWNER_NOT_IN_RMAPBT");
	snprintf(text, sizeof(text), "agblock %llu to %llu,", from + size / 3,
		 from + size / 3 * 2 - 1);
	assert_non_null(strstr(found.last.found, text));
	assert_non_null(strstr(found.last.expected, "inode 133"));
	ledger_close(l);
}

/* Of a range that is looked at run by run, and of one that is too long for that. */
static void sifting_keeps_witnesses(void **state)
{
	(void)state;
	witness_of(1000, 3000);
	witness_of(1000, 900000);
}

/* The second sweep does not see what the first saw. */
static void what_the_audit_does_not_find(void **state)
{
	const struct fact one = {{133, 0, 0, 0}};
	struct found found = {0};
	struct verdict v = {.raise = keep, .sink = &found};
	struct env env;
	struct ledger *l = open_ledger(&env);
	struct book *b;

	(void)state;
	assert_int_equal(book_open(l, &b), 0);
	book_post(b, ACCOUNT_LINKS, SIDE_LEFT, &one, 2, NULL);
	assert_int_equal(book_close(b), 0);
	assert_int_equal(ledger_begin_audit(l), 0);
	assert_int_equal(ledger_audit(l, &v), 0);
	assert_int_equal(found.count, 1);
	assert_string_equal(found.last.def->id, "LEDGER_UNEXPLAINED");
	assert_string_equal(found.last.where.type, "links");
	ledger_close(l);
}

/* Amounts of 64 bits, as a disk may claim them, whose sum is 0 in 64 bits. */
static void huge_amounts_do_not_cancel(void **state)
{
	const struct fact one = {{1, 0, 0, 0}};
	struct found found = {0};
	struct verdict v = {.raise = keep, .sink = &found};
	struct env env;
	struct ledger *l = open_ledger(&env);

	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct book *b;

		assert_int_equal(book_open(l, &b), 0);
		book_post(b, ACCOUNT_QUOTA, SIDE_LEFT, &one, INT64_MIN, NULL);
		book_post(b, ACCOUNT_QUOTA, SIDE_LEFT, &one, INT64_MIN, NULL);
		assert_int_equal(book_close(b), 0);
		assert_int_equal(i ? 0 : ledger_begin_audit(l), 0);
	}
	assert_int_equal(ledger_audit(l, &v), 0);
	assert_int_equal(found.count, 1);
	assert_string_equal(found.last.def->id, "QUOTA_TOO_HIGH");
	ledger_close(l);
}

/* Many small findings must not hide a grave one, which decides the exit status. */
static void the_worst_is_always_raised(void **state)
{
	struct found found = {0};
	struct verdict v = {.raise = keep, .sink = &found};

	(void)state;
	for (u32 i = 0; i < 2 * VERDICT_MAX; i++)
		raise_value(&v, FOUND(TREE_PAD), NULL, i);
	assert_int_equal(found.count, VERDICT_MAX);
	raise_value(&v, FOUND(TREE_PTR), NULL, 0);
	raise_value(&v, FOUND(TREE_PTR), NULL, 0);
	assert_int_equal(found.count, VERDICT_MAX + 1);
	assert_string_equal(found.last.def->id, "TREE_PTR");
}

static void post_links(struct ledger *l)
{
	const struct fact one = {{133, 0, 0, 0}}, two = {{134, 0, 0, 0}};
	struct book *b;

	assert_int_equal(book_open(l, &b), 0);
	book_post(b, ACCOUNT_LINKS, SIDE_LEFT, &one, 2, NULL);
	book_post(b, ACCOUNT_LINKS, SIDE_RIGHT, &one, 7, NULL);
	book_post(b, ACCOUNT_LINKS, SIDE_LEFT, &two, 1, NULL);
	book_post(b, ACCOUNT_LINKS, SIDE_RIGHT, &two, 1, NULL);
	assert_int_equal(book_close(b), 0);
}

static void audit_tells_amounts(void **state)
{
	struct found found = {0};
	struct verdict v = {.raise = keep, .sink = &found};
	struct env env;
	struct ledger *l = open_ledger(&env);
	char text[256];

	(void)state;
	post_links(l);
	assert_int_equal(ledger_begin_audit(l), 0);
	post_links(l);
	assert_int_equal(ledger_audit(l, &v), 0);
	assert_int_equal(found.count, 1);
	assert_int_equal(found.last.where.ino, 133);
	finding_print(&found.last, text, sizeof(text));
	assert_non_null(strstr(text, "names 2, link counts 7 [LINKS_FEWER_NAMES]"));
	ledger_close(l);
}

/* Every account sees a fact that only one side has, and one that differs in any word. */
static void no_account_is_blind(void **state)
{
	(void)state;
	for (u32 account = 0; account < ACCOUNT_COUNT; account++) {
		struct env env;
		struct ledger *l = open_ledger(&env);
		struct fact left = {{1, 2, 3, 4}}, right = left;
		struct book *b;

		assert_int_equal(book_open(l, &b), 0);
		right.w[account % 4]++;
		book_post(b, (enum account)account, SIDE_LEFT, &left, 1, NULL);
		book_post(b, (enum account)account, SIDE_RIGHT, &right, 1, NULL);
		assert_int_equal(book_close(b), 0);
		assert_true(ledger_imbalances(l) > 0);
		ledger_close(l);
	}
}

static void digests_tell_apart(void **state)
{
	struct env env;
	struct ledger *l = open_ledger(&env);
	struct book *b;

	(void)state;
	assert_int_equal(book_open(l, &b), 0);
	assert_true(book_digest(b, "a", 1) != book_digest(b, "b", 1));
	assert_true(book_digest(b, "a", 1) != book_digest(b, "a\0", 2));
	assert_true(book_digest(b, "0123456789abcdefX", 17) !=
		    book_digest(b, "0123456789abcdefY", 17));
	assert_true(book_digest(b, "same", 4) == book_digest(b, "same", 4));
	assert_int_equal(book_close(b), 0);
	ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ranges_may_be_cut_anyhow),
	    cmocka_unit_test(multiplicity_counts),
	    cmocka_unit_test(sifting_hides_nothing),
	    cmocka_unit_test(sifting_keeps_witnesses),
	    cmocka_unit_test(what_the_audit_does_not_find),
	    cmocka_unit_test(huge_amounts_do_not_cancel),
	    cmocka_unit_test(the_worst_is_always_raised),
	    cmocka_unit_test(audit_names_ranges),
	    cmocka_unit_test(audit_tells_amounts),
	    cmocka_unit_test(no_account_is_blind),
	    cmocka_unit_test(digests_tell_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
