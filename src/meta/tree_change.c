/* What btrees post when a transaction changes them; see tree.h and ledger/guard.h. */
#include "meta/tree.h"

void tree_change_count(struct sweep *sweep, enum counter counter, u32 ag, enum side side,
		       u64 before, u64 after)
{
	if (before != after)
		tree_count(sweep, counter, ag, side, (s64)(after - before));
}

static void post_place(struct sweep *sweep, enum side side, const struct meta_type *type,
		       u64 fsblock, u32 level)
{
	const struct fact fact = {{fsblock, type->id, level, 0}};

	sweep_post(sweep, ACCOUNT_BLOCKS, side, &fact, 1);
}

/* As a block of the filesystem, whichever the format. */
static u64 pointer_block(const struct sweep *sweep, const struct meta_type *type, u32 ag, u64 ptr)
{
	return type->btree->long_format ? ptr : fsblock_make(sweep->g, ag, (u32)ptr).v;
}

static u64 load_pointer(const struct meta_type *type, const u8 *at)
{
	struct be64 wide;
	struct be32 narrow;

	if (type->btree->long_format) {
		memcpy(&wide, at, sizeof(wide));
		return be64_get(wide);
	}
	memcpy(&narrow, at, sizeof(narrow));
	return be32_get(narrow);
}

static void post_pointers(struct sweep *sweep, const struct meta_type *type, u32 ag,
			  const struct tree_pointers *p, u32 from, u32 to)
{
	u32 size = type->btree->ptr_size;

	for (u32 i = from; i < to; i++)
		post_place(
		    sweep, SIDE_LEFT, type,
		    pointer_block(sweep, type, ag, load_pointer(type, p->ptrs + (size_t)i * size)),
		    p->level);
}

/* Nodes change seldom; what is alike at the start is left out. */
void tree_change_pointers(struct sweep *sweep, const struct meta_type *type, u32 ag,
			  const struct tree_pointers *before, const struct tree_pointers *after)
{
	u32 size = type->btree->ptr_size, same = 0;

	while (before->level == after->level && same < before->count && same < after->count &&
	       !memcmp(before->ptrs + (size_t)same * size, after->ptrs + (size_t)same * size, size))
		same++;
	sweep->times = -1;
	post_pointers(sweep, type, ag, before, same, before->count);
	sweep->times = 1;
	post_pointers(sweep, type, ag, after, same, after->count);
}

void tree_change_root(struct sweep *sweep, enum meta_id id, u32 ag, const u32 root[2],
		      const u32 levels[2])
{
	const struct meta_type *type = vol_type(sweep->vol, id);

	if (root[0] == root[1] && levels[0] == levels[1])
		return;
	for (u32 i = 0; i < 2; i++) {
		sweep->times = i ? 1 : -1;
		post_place(sweep, SIDE_LEFT, type, fsblock_make(sweep->g, ag, root[i]).v,
			   levels[i] - 1);
	}
}

static u64 own_block(const struct sweep *sweep, const struct txn_change *c)
{
	u64 linear = c->where->daddr >> sweep->g->block_log;
	u32 ag = (u32)(linear / sweep->g->ag_blocks);

	return fsblock_make(sweep->g, ag, (u32)(linear - (u64)ag * sweep->g->ag_blocks)).v;
}

/* Who stands to the right says who is to its left, and the other way round. */
static void post_sibling(struct sweep *sweep, const struct txn_change *c, u64 own, u64 other,
			 bool right)
{
	struct fact fact = {{own, other, c->type->id, 0}};

	if (other == NULL64)
		return;
	other = pointer_block(sweep, c->type, c->where->ag, other);
	fact.w[right ? 1 : 0] = other;
	fact.w[right ? 0 : 1] = own;
	sweep_post(sweep, ACCOUNT_SIBLINGS, right ? SIDE_LEFT : SIDE_RIGHT, &fact, 1);
}

static void change_siblings(struct sweep *sweep, const struct txn_change *c,
			    const struct btree_block *was, const struct btree_block *is)
{
	u64 own, left[2] = {NULL64, NULL64}, right[2] = {NULL64, NULL64};

	if (c->before) {
		left[0] = btree_left(was);
		right[0] = btree_right(was);
	}
	if (c->after) {
		left[1] = btree_left(is);
		right[1] = btree_right(is);
	}
	if (left[0] == left[1] && right[0] == right[1])
		return;
	own = own_block(sweep, c);
	for (u32 i = 0; i < 2; i++) {
		sweep->times = i ? 1 : -1;
		if (left[0] != left[1])
			post_sibling(sweep, c, own, left[i], false);
		if (right[0] != right[1])
			post_sibling(sweep, c, own, right[i], true);
	}
	sweep->times = 1;
}

static struct guard_array records_of(const struct btree_block *b)
{
	return (struct guard_array){b->bytes + btree_header_size(b->schema), b->count};
}

static struct tree_pointers pointers_of(const struct btree_block *b)
{
	const struct btree_schema *s = b->schema;
	const u8 *keys = b->bytes + btree_header_size(s);
	u32 stride = s->key_size * (s->overlapping ? 2 : 1);

	return (struct tree_pointers){.keys = keys,
				      .ptrs = keys + (size_t)btree_max_ptrs(s, b->len) * stride,
				      .count = b->count,
				      .level = b->level - 1};
}

void tree_change_block(struct sweep *sweep, const struct txn_change *c, guard_entry_fn *changed)
{
	const struct btree_schema *s = c->type->btree;
	struct btree_block was = {.schema = s, .level = NULL32}, is = was;
	struct guard_array none = {NULL, 0};
	struct tree_pointers nothing = {.level = NULL32};
	struct tree_pointers before = nothing, after = nothing;

	if (c->before)
		was = btree_block_of(s, c->before, c->size);
	if (c->after)
		is = btree_block_of(s, c->after, c->size);
	for (u32 i = 0; i < 2 && was.level != is.level; i++) {
		sweep->times = i ? 1 : -1;
		if (i ? c->after : c->before)
			post_place(sweep, SIDE_RIGHT, c->type, own_block(sweep, c),
				   i ? is.level : was.level);
	}
	change_siblings(sweep, c, &was, &is);
	guard_entries(sweep, c, c->before && !was.level ? records_of(&was) : none,
		      c->after && !is.level ? records_of(&is) : none, s->record_size, changed);
	sweep->times = 1;
	if (c->before && was.level)
		before = pointers_of(&was);
	if (c->after && is.level)
		after = pointers_of(&is);
	if (before.count || after.count)
		tree_change_pointers(sweep, c->type, c->where->ag, &before, &after);
}

int tree_change(struct sweep *sweep, const struct txn_change *c, const struct tree_use *use)
{
	u32 ag = c->where->ag;

	if (!c->before != !c->after) {
		sweep->times = c->after ? 1 : -1;
		sweep_own(sweep, ag, fsblock_bno(sweep->g, fsblock_of(own_block(sweep, c))), 1,
			  use->owner, 0);
		if (use->blocks != COUNTER_COUNT)
			tree_count(sweep, use->blocks, ag, SIDE_LEFT, 1);
		/* The root counts here, too: there always is one, before and after. */
		if (use->in_btreeblks)
			tree_count(sweep, COUNTER_AGF_BTREEBLKS, ag, SIDE_LEFT, 1);
		sweep->times = 1;
	}
	tree_change_block(sweep, c, use->changed);
	return 0;
}
