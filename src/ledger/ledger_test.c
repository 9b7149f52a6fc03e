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
