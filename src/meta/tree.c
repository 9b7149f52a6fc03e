/* What all btrees share; see tree.h. */
#include "meta/tree.h"

#include "base/trail.h"
#include "meta/findings.h"

#include <inttypes.h>
#include <stdio.h>

u32 tree_block_size(const struct geometry *g)
{
	return g->block_size;
}

bool tree_extent_rule(struct verdict *v, const struct geometry *g, u32 index, u32 bno, u32 blocks,
		      const struct finding_def *def)
{
	u32 length = geometry_ag_blocks(g, v->where.ag);
	char field[24], found[48];

	if (blocks && bno >= geometry_ag_header_blocks(g) && bno < length && blocks <= length - bno)
		return true;
	snprintf(field, sizeof(field), "recs[%u]", index);
	snprintf(found, sizeof(found), "%u, %u blocks", bno, blocks);
	raise_text(v, def, field, found, NULL);
	return false;
}

void tree_count(struct sweep *sweep, enum counter counter, u32 ag, enum side side, s64 amount)
{
	const struct fact fact = {{counter, ag == NO_AG ? NULL64 : ag, 0, 0}};

	sweep_post(sweep, ACCOUNT_COUNTERS, side, &fact, amount);
}

static void load_low(const struct btree_block *b, u32 index, struct btree_key *key)
{
	if (b->level)
		b->schema->key_load(btree_key_at(b, index, false), key);
	else
		b->schema->record_key(btree_record(b, index), key);
}

static void raise_at(struct verdict *v, const struct finding_def *def, const char *what, u32 index)
{
	char field[40];

	snprintf(field, sizeof(field), "%s[%u]", what, index);
	raise_text(v, def, field, NULL, NULL);
}

static void check_order(struct verdict *v, const struct btree_block *b)
{
	struct btree_key last = {{0}}, key;
	const char *what = b->level ? "keys" : "recs";
	u64 end = 0;

	for (u32 i = 0; i < b->count; i++) {
		load_low(b, i, &key);
		if (i && btree_key_compare(&last, &key) >= 0)
			raise_at(v, FOUND(TREE_ORDER), what, i);
		if (!b->level && b->schema->record_end && !b->schema->overlapping) {
			if (i && key.w[0] < end)
				raise_at(v, FOUND(TREE_OVERLAP), what, i);
			end = b->schema->record_end(btree_record(b, i));
		}
		last = key;
	}
}

static void check_merged(struct verdict *v, const struct btree_block *b)
{
	for (u32 i = 1; b->schema->mergeable && i < b->count; i++)
		if (b->schema->mergeable(btree_record(b, i - 1), btree_record(b, i)))
			raise_value(v, b->schema->merge, "recs", i);
}

static bool pointer_valid(const struct verdict *v, const struct geometry *g,
			  const struct btree_schema *schema, u64 ptr)
{
	if (schema->long_format)
		return fsblock_valid(g, fsblock_of(ptr), 1);
	return v->where.ag < g->ag_count && ptr >= geometry_ag_header_blocks(g) &&
	       ptr < geometry_ag_blocks(g, v->where.ag);
}

void tree_block_rules(struct verdict *v, const struct geometry *g,
		      const struct btree_schema *schema, const void *block, u32 len)
{
	struct btree_block b = btree_block_of(schema, block, len);
	const struct btree_short *h = block;
	u32 numrecs = be16_get(h->numrecs);

	if (b.level >= BTREE_LEVELS_MAX)
		raise_u64(v, FOUND(TREE_LEVEL), "level", b.level, BTREE_LEVELS_MAX - 1);
	if (numrecs != b.count)
		raise_u64(v, FOUND(TREE_NUMRECS), "numrecs", numrecs, b.count);
	if (btree_left(&b) != NULL64 && !pointer_valid(v, g, schema, btree_left(&b)))
		raise_value(v, FOUND(TREE_SIBLING), "leftsib", btree_left(&b));
	if (btree_right(&b) != NULL64 && !pointer_valid(v, g, schema, btree_right(&b)))
		raise_value(v, FOUND(TREE_SIBLING), "rightsib", btree_right(&b));
	if (schema->long_format && be32_get(((const struct btree_long *)block)->pad))
		raise_value(v, FOUND(TREE_PAD), "pad",
			    be32_get(((const struct btree_long *)block)->pad));
	if (b.level)
		check_order(v, &b);
	for (u32 i = 0; b.level && i < b.count; i++)
		if (!pointer_valid(v, g, schema, btree_ptr(&b, i)))
			raise_value(v, FOUND(TREE_PTR), "ptrs", btree_ptr(&b, i));
}

void tree_rules(struct verdict *v, const struct geometry *g, const struct btree_schema *schema,
		const void *block, u32 len)
{
	struct btree_block b = btree_block_of(schema, block, len);

	tree_block_rules(v, g, schema, block, len);
	if (!b.level) {
		check_order(v, &b);
		check_merged(v, &b);
	}
}

/* The rules of the block again, to nobody: is the structure sound, whatever the CRC says? Two
 * records that should be one say the same as the one. */
static bool sound(const struct sweep *sweep, const struct btree_block *b)
{
	struct verdict quiet = {.where = sweep->verdict->where};

	if (!verdict_bad(sweep->verdict))
		return true;
	tree_block_rules(&quiet, sweep->g, b->schema, b->bytes, b->len);
	if (!b->level)
		check_order(&quiet, b);
	return quiet.worst < SEVERITY_CORRUPT;
}

/* The greatest high key in the block. */
static void high_of(const struct btree_block *b, struct btree_key *high)
{
	struct btree_key key;

	memset(high, 0, sizeof(*high));
	for (u32 i = 0; i < b->count; i++) {
		if (b->level)
			b->schema->key_load(btree_key_at(b, i, true), &key);
		else
			b->schema->record_high(btree_record(b, i), &key);
		if (btree_key_compare(&key, high) > 0)
			*high = key;
	}
}

static void key_text(const struct btree_key *key, char *text, size_t size)
{
	snprintf(text, size, "%" PRIu64 " %" PRId64 " 0x%" PRIx64, key->w[0], (s64)key->w[1],
		 key->w[2]);
}

static void raise_key(struct verdict *v, const struct finding_def *def,
		      const struct btree_key *found, const struct btree_key *expected)
{
	char a[80], b[80];

	key_text(found, a, sizeof(a));
	key_text(expected, b, sizeof(b));
	raise_text(v, def, NULL, a, b);
}

static bool expect_keys(struct verdict *v, const struct ref *ref, const struct btree_block *b)
{
	struct btree_key first, last, high;
	bool good = true;

	if (!b->count)
		return true;
	load_low(b, 0, &first);
	load_low(b, b->count - 1, &last);
	if (ref->has_low && btree_key_compare(&first, &ref->low)) {
		raise_key(v, FOUND(TREE_LOW_KEY), &first, &ref->low);
		good = false;
	}
	if (ref->has_next && btree_key_compare(&last, &ref->next) >= 0) {
		raise_key(v, FOUND(TREE_NEXT_KEY), &last, &ref->next);
		good = false;
	}
	if (!ref->has_high)
		return good;
	high_of(b, &high);
	if (btree_key_compare(&high, &ref->high)) {
		raise_key(v, FOUND(TREE_HIGH_KEY), &high, &ref->high);
		good = false;
	}
	return good;
}

static void expect_sibling(struct verdict *v, const char *field, u64 found, u64 expected)
{
	if (expected != SIBLING_UNKNOWN && found != expected)
		raise_hex(v, FOUND(TREE_CHAIN), field, found, expected);
}

bool tree_expect(struct sweep *sweep, const struct ref *ref, const struct btree_block *b)
{
	struct verdict *v = sweep->verdict;
	bool is_root = ref->left == NULL64 && ref->right == NULL64 && !ref->has_low;

	if (be32_get(((const struct btree_short *)b->bytes)->magic) != ref->type->magic)
		return false;
	if (ref->level >= 0 && b->level != (u32)ref->level) {
		raise_u64(v, FOUND(TREE_EXPECT_LEVEL), "level", b->level, (u64)ref->level);
		return false;
	}
	if (!b->count && (b->level || !is_root))
		raise_text(v, FOUND(TREE_EMPTY), "numrecs", NULL, NULL);
	else if (!is_root && b->count < btree_capacity(b) / 2)
		raise_u64(v, FOUND(TREE_UNDERFULL), "numrecs", b->count, btree_capacity(b) / 2);
	expect_sibling(v, "leftsib", btree_left(b), ref->left);
	expect_sibling(v, "rightsib", btree_right(b), ref->right);
	if (!sound(sweep, b))
		return false;
	/* A wrong key is no reason to lose what is below, unless there are so many that the walk
	 * could be led around in circles. */
	return expect_keys(v, ref, b) || sweep_may_stray(sweep);
}

/* A sibling of the block, as far as it looks like one; NULL if not. Its rules are for its own
 * visit.
 */
static struct buf *sibling_get(struct sweep *sweep, const struct ref *ref,
			       const struct btree_block *b, bool right, struct btree_block *out)
{
	u64 sibling = right ? btree_right(b) : btree_left(b);
	const struct geometry *g = sweep->g;
	struct buf *buf;
	struct daddr at;

	if (!pointer_valid(sweep->verdict, g, b->schema, sibling))
		return NULL;
	at = b->schema->long_format ? fsblock_daddr(g, fsblock_of(sibling))
				    : agblock_daddr(g, ref->where.ag, (u32)sibling);
	if (cache_get_raw(sweep->vol->cache, at, b->len, &buf))
		return NULL;
	*out = btree_block_of(b->schema, buf->data, buf->size);
	if (be32_get(((const struct btree_short *)out->bytes)->magic) == ref->type->magic &&
	    out->level == b->level && out->count)
		return buf;
	cache_put(sweep->vol->cache, buf);
	return NULL;
}

/* The pointer at the near edge of a sibling of the node: the first child of the right one, the last
 * of the left. */
static u64 cousin(struct sweep *sweep, const struct ref *ref, const struct btree_block *b,
		  bool right)
{
	struct btree_block s;
	struct buf *buf;
	u64 ptr;

	if ((right ? btree_right(b) : btree_left(b)) == NULL64)
		return NULL64;
	buf = sibling_get(sweep, ref, b, right, &s);
	if (!buf)
		return SIBLING_UNKNOWN;
	ptr = btree_ptr(&s, right ? 0 : s.count - 1);
	cache_put(sweep->vol->cache, buf);
	return ptr;
}

/* The last record of a leaf beside the first of the next. The neighbour is read only where the
 * parent's key for it says that they touch. */
static void check_border(struct sweep *sweep, const struct ref *ref, const struct btree_block *b)
{
	const struct btree_schema *s = b->schema;
	const void *last;
	struct btree_key first;
	struct btree_block next;
	struct buf *buf;
	u64 end;

	if (!s->record_end || !b->count || !ref->has_next)
		return;
	last = btree_record(b, b->count - 1);
	end = s->record_end(last);
	if (!s->overlapping && end > ref->next.w[0])
		raise_text(sweep->verdict, FOUND(TREE_OVERLAP), "recs[0] of the next block", NULL,
			   NULL);
	if (!s->mergeable || end != ref->next.w[0])
		return;
	buf = sibling_get(sweep, ref, b, true, &next);
	if (!buf)
		return;
	load_low(&next, 0, &first);
	if (!btree_key_compare(&first, &ref->next) && s->mergeable(last, btree_record(&next, 0)))
		raise_text(sweep->verdict, s->merge, "recs", "0 of the next block", NULL);
	cache_put(sweep->vol->cache, buf);
}

int tree_push(struct sweep *sweep, const struct ref *ref, const struct btree_block *b)
{
	const struct geometry *g = sweep->g;
	u64 before = cousin(sweep, ref, b, false), after = cousin(sweep, ref, b, true);

	for (u32 i = 0; i < b->count; i++) {
		struct ref child = *ref;
		u64 ptr = btree_ptr(b, i);
		int err;

		if (!pointer_valid(sweep->verdict, g, b->schema, ptr))
			continue;
		child.at = b->schema->long_format ? fsblock_daddr(g, fsblock_of(ptr))
						  : agblock_daddr(g, ref->where.ag, (u32)ptr);
		child.where.daddr = child.at.v;
		child.level = (s32)b->level - 1;
		child.left = i ? btree_ptr(b, i - 1) : before;
		child.right = i + 1 < b->count ? btree_ptr(b, i + 1) : after;
		child.has_low = true;
		load_low(b, i, &child.low);
		if (i + 1 < b->count) {
			child.has_next = true;
			load_low(b, i + 1, &child.next);
		}
		child.has_high = b->schema->overlapping;
		if (child.has_high)
			b->schema->key_load(btree_key_at(b, i, true), &child.high);
		err = sweep_push(sweep, &child);
		if (err)
			return err;
	}
	return 0;
}

static u32 block_of(const struct sweep *sweep, const struct ref *ref)
{
	const struct geometry *g = sweep->g;
	u64 linear = ref->at.v >> g->block_log;

	return (u32)(linear - (u64)ref->where.ag * g->ag_blocks);
}

int tree_post(struct sweep *sweep, const struct ref *ref, const void *block, u32 len,
	      const struct tree_use *use)
{
	struct btree_block b = btree_block_of(ref->type->btree, block, len);
	bool root = ref->left == NULL64 && ref->right == NULL64 && !ref->has_low;
	u32 ag = ref->where.ag;

	sweep_own(sweep, ag, block_of(sweep, ref), 1, use->owner, 0);
	if (use->blocks != COUNTER_COUNT)
		tree_count(sweep, use->blocks, ag, SIDE_LEFT, 1);
	if (use->in_btreeblks && !root)
		tree_count(sweep, COUNTER_AGF_BTREEBLKS, ag, SIDE_LEFT, 1);
	if (!tree_expect(sweep, ref, &b))
		return 0;
	if (b.level)
		return tree_push(sweep, ref, &b);
	check_border(sweep, ref, &b);
	return use->leaf(sweep, ref, &b);
}

int tree_push_root(struct sweep *sweep, enum meta_id id, u32 ag, u32 root, u32 levels, u64 arg0)
{
	const struct geometry *g = sweep->g;
	const struct meta_type *type = vol_type(sweep->vol, id);
	struct ref ref = {.type = type, .size = g->block_size, .left = NULL64, .right = NULL64};

	if (type->present && !type->present(g))
		return 0;
	if (root >= geometry_ag_blocks(g, ag) || !levels || levels > BTREE_LEVELS_MAX)
		return 0; /* the header's rules have said so */
	ref.at = agblock_daddr(g, ag, root);
	ref.level = (s32)levels - 1;
	ref.arg[0] = arg0;
	ref.where = (struct where){
	    .type = type->name, .ag = ag, .ino = NO_INO, .daddr = ref.at.v, .owner = ag};
	return sweep_push(sweep, &ref);
}
