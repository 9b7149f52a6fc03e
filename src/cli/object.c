/*
 * Naming objects on the command line; see object.h.
 *
 * A parser walks the words once, from left to right.  No state outlives a call.
 */
#include "cli/object.h"

#include "base/trail.h"
#include "cli/cli.h"
#include "cli/object_log.h"
#include "format/quota.h"
#include "fs/dir.h"
#include "fs/fork.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct words {
	char **word;
	u32 count, at;
};

static const char *peek(const struct words *w)
{
	return w->at < w->count ? w->word[w->at] : NULL;
}

/* Takes the next word if it is `word`. */
static bool take(struct words *w, const char *word)
{
	if (w->at >= w->count || strcmp(w->word[w->at], word))
		return false;
	w->at++;
	return true;
}

static int take_number(struct words *w, const char *what, u64 limit, u64 *number)
{
	const char *word = peek(w);

	if (!word || !cli_parse_number(word, number))
		return fail(-EINVAL, "expected %s, not \"%s\"", what, word ? word : "the end");
	if (*number >= limit)
		return fail(-EINVAL, "%s is %s, only those below %" PRIu64 " exist", what, word,
			    limit);
	w->at++;
	return 0;
}

const struct meta_type *object_type(const struct vol *vol, const char *name)
{
	for (u32 i = 0; i < META_COUNT; i++)
		if (!strcmp(vol->types->type[i]->name, name))
			return vol->types->type[i];
	return NULL;
}

const struct meta_type *object_identify(const struct vol *vol, const u8 *bytes, u32 len)
{
	for (u32 i = 0; i < META_COUNT; i++) {
		const struct meta_type *type = vol->types->type[i];
		u32 magic = 0;

		if (!type->magic || type->magic_offset + type->magic_width > len)
			continue;
		for (u32 b = 0; b < type->magic_width; b++)
			magic = magic << 8 | bytes[type->magic_offset + b];
		if (magic == type->magic)
			return type;
	}
	/* its block is an array, and has no header of its own */
	if (len >= sizeof(struct dquot) &&
	    be16_get(((const struct dquot *)bytes)->magic) == DQUOT_MAGIC)
		return vol_type(vol, META_DQUOT);
	return NULL;
}

/* Of the filesystem's own files, the inode tells what they have. NULL: of no such. */
static const struct meta_type *type_in_file(const struct vol *vol, struct inum ino)
{
	const struct geometry *g = &vol->geo;
	const struct {
		u64 ino;
		enum meta_id type;
	} own[] = {
	    {g->uquota_ino, META_DQUOT}, {g->gquota_ino, META_DQUOT},	{g->pquota_ino, META_DQUOT},
	    {g->rbm_ino, META_RTBITMAP}, {g->rsum_ino, META_RTSUMMARY},
	};

	for (u32 i = 0; i < ARRAY_COUNT(own); i++)
		if (own[i].ino == ino.v)
			return vol_type(vol, own[i].type);
	return NULL;
}

static int add_range(struct object *o, struct daddr at, u32 size)
{
	struct cache_range *last = o->range_count ? &o->ranges[o->range_count - 1] : NULL;

	if (last && last->at.v + last->size == at.v) {
		last->size += size;
	} else {
		if (o->range_count == CACHE_RANGES)
			return fail(-EUCLEAN, "%s: in more than %d pieces", o->name, CACHE_RANGES);
		o->ranges[o->range_count++] = (struct cache_range){at, size};
	}
	o->len += size;
	return 0;
}

static int load(struct object *o)
{
	u32 at = 0;

	o->bytes = env_alloc(o->vol->env, o->len);
	if (!o->bytes)
		return fail(-ENOMEM, "%s: out of memory", o->name);
	for (u32 i = 0; i < o->range_count; i++) {
		int err =
		    device_read(o->vol->data, o->ranges[i].at, o->bytes + at, o->ranges[i].size);

		if (err)
			return fail_in(err, "%s", o->name);
		at += o->ranges[i].size;
	}
	o->where.daddr = o->ranges[0].at.v;
	return 0;
}

/* A header with a fixed place. */
static int find_placed(struct object *o, struct words *w)
{
	const struct geometry *g = &o->vol->geo;
	u64 ag = 0;

	if (peek(w) && cli_parse_number(peek(w), &ag)) {
		int err = take_number(w, "the AG", g->ag_count, &ag);

		if (err)
			return err;
	}
	o->where.ag = (u32)ag;
	snprintf(o->name, sizeof(o->name), "%s %" PRIu64, o->type->name, ag);
	return add_range(o, o->type->place(g, (u32)ag), o->type->size(g));
}

/* Where the header says that the tree's root is. */
static int find_root(struct object *o, u32 *bno)
{
	const struct geometry *g = &o->vol->geo;
	const struct meta_root *root = &o->type->root;
	const struct meta_type *header;
	const struct field *field;
	u8 *block;
	int err;

	if (!root->field)
		return fail(-EINVAL, "%s: say which block: %s block B", o->name, o->name);
	header = vol_type(o->vol, root->header);
	field = header->layout ? layout_field(header->layout, root->field) : NULL;
	if (!field || !header->place)
		return fail(-EINVAL, "%s: %s has no field %s", o->name, header->name, root->field);
	block = env_alloc(o->vol->env, header->size(g));
	if (!block)
		return fail(-ENOMEM, "%s: out of memory", o->name);
	err = device_read(o->vol->data, header->place(g, o->where.ag), block, header->size(g));
	if (!err)
		*bno = (u32)field_get(field, block, root->index);
	env_free(o->vol->env, block);
	if (!err && *bno >= geometry_ag_blocks(g, o->where.ag))
		err = fail(-EUCLEAN, "%s: %s %u says that the root is block %u, the AG has %u",
			   o->name, header->name, o->where.ag, *bno,
			   geometry_ag_blocks(g, o->where.ag));
	return err;
}

static int find_tree(struct object *o, struct words *w)
{
	const struct geometry *g = &o->vol->geo;
	u64 ag = 0, block = 0;
	u32 bno = 0;
	int err = take_number(w, "the AG", g->ag_count, &ag);

	if (err)
		return err;
	if (o->type->present && !o->type->present(g))
		return fail(-EINVAL, "this filesystem has no %s", o->type->name);
	o->where.ag = (u32)ag;
	o->where.owner = ag;
	snprintf(o->name, sizeof(o->name), "%s %" PRIu64, o->type->name, ag);
	if (take(w, "block")) {
		err = take_number(w, "the block of the AG", geometry_ag_blocks(g, (u32)ag), &block);
		bno = (u32)block;
	} else {
		err = find_root(o, &bno);
	}
	if (err)
		return err;
	snprintf(o->name, sizeof(o->name), "%s %" PRIu64 " block %u", o->type->name, ag, bno);
	return add_range(o, agblock_daddr(g, (u32)ag, bno), o->type->size(g));
}

/* FSB, AG:BNO, either with +COUNT. False: not written like that. */
static bool parse_block(const struct geometry *g, const char *word, struct fsblock *block,
			u64 *count)
{
	char text[64], *number = text, *plus, *colon;
	u64 ag = 0, bno;

	if (strlen(word) >= sizeof(text))
		return false;
	memcpy(text, word, strlen(word) + 1);
	plus = strchr(text, '+');
	if (plus)
		*plus = 0;
	colon = strchr(text, ':');
	if (colon) {
		*colon = 0;
		number = colon + 1;
		if (!cli_parse_number(text, &ag) || ag >= g->ag_count)
			return false;
	}
	*count = 1;
	if (!cli_parse_number(number, &bno) || (plus && !cli_parse_number(plus + 1, count)))
		return false;
	if (colon && bno >= g->ag_blocks)
		return false;
	*block = colon ? fsblock_make(g, (u32)ag, (u32)bno) : fsblock_of(bno);
	return *count <= CACHE_RANGES && fsblock_valid(g, *block, *count);
}

static int find_block(struct object *o, struct words *w)
{
	const struct geometry *g = &o->vol->geo;
	const char *word = peek(w);
	struct fsblock block;
	u64 count;

	if (!word || !parse_block(g, word, &block, &count))
		return fail(-EINVAL, "expected a block, FSB or AG:BNO, not \"%s\"",
			    word ? word : "the end");
	w->at++;
	o->where.ag = fsblock_ag(g, block);
	snprintf(o->name, sizeof(o->name), "block %u:%u", o->where.ag, fsblock_bno(g, block));
	if (count > 1)
		snprintf(o->name, sizeof(o->name), "block %u:%u+%" PRIu64, o->where.ag,
			 fsblock_bno(g, block), count);
	return add_range(o, fsblock_daddr(g, block), (u32)count << g->block_log);
}

/* The address of an inode, allocated or not. */
static int find_inode(struct object *o, struct inum ino)
{
	const struct geometry *g = &o->vol->geo;
	u32 ag;

	if (!inum_valid(g, ino))
		return fail(-EINVAL, "there is no place for an inode %" PRIu64, ino.v);
	ag = inum_ag(g, ino);
	o->where.ag = ag;
	o->where.ino = ino.v;
	o->where.owner = ino.v;
	snprintf(o->name, sizeof(o->name), "inode %" PRIu64, ino.v);
	return add_range(o, inum_daddr(g, ino), g->inode_size);
}

/* `count` blocks of a fork from block `off`, as ranges. */
static int add_fork_blocks(struct object *o, const struct inode *inode, enum fork_id which, u64 off,
			   u64 count)
{
	const struct geometry *g = &o->vol->geo;

	while (count) {
		struct extent e;
		u64 inside, now;
		int err = fork_lookup(o->vol, inode, which, fileoff_of(off), &e);

		if (err)
			return err;
		if (e.start == NULL64)
			return fail(-ENOENT, "%s: a hole", o->name);
		inside = off - e.off;
		now = min_u64(e.count - inside, count);
		if (!fsblock_valid(g, fsblock_of(e.start), e.count))
			return fail(-EUCLEAN, "%s: mapped to block %" PRIu64 " + %" PRIu64, o->name,
				    e.start, e.count);
		for (u64 i = 0; i < now; i++) {
			err = add_range(o, fsblock_daddr(g, fsblock_of(e.start + inside + i)),
					g->block_size);
			if (err)
				return err;
		}
		off += now;
		count -= now;
	}
	return 0;
}

/* The size of the object that starts with these bytes, in blocks. */
static u64 blocks_of(const struct object *o)
{
	const struct geometry *g = &o->vol->geo;
	const struct meta_type *type =
	    o->type ? o->type : object_identify(o->vol, o->bytes, o->len);

	return type && type->size ? max_u64(div_up_u64(type->size(g), g->block_size), 1) : 1;
}

static int find_in_fork(struct object *o, struct words *w, enum fork_id which, struct inum ino)
{
	struct inode inode;
	u64 off, blocks;
	int err = take_number(w, "the block of the fork", 1ull << 54, &off);

	if (err)
		return err;
	err = inode_get(o->vol, ino, &inode);
	if (err)
		return err;
	snprintf(o->name, sizeof(o->name), "inode %" PRIu64 " %s %" PRIu64, ino.v,
		 which == FORK_DATA ? "data" : "attr", off);
	o->range_count = 0;
	o->len = 0;
	err = add_fork_blocks(o, &inode, which, off, 1);
	if (!err && take(w, "as")) {
		o->type = peek(w) ? object_type(o->vol, peek(w)) : NULL;
		if (!o->type)
			err = fail(-EINVAL, "there is no type \"%s\"", peek(w) ? peek(w) : "");
		w->at++;
	} else {
		o->type = which == FORK_DATA ? type_in_file(o->vol, ino) : NULL;
	}
	if (!err)
		err = load(o);
	if (!err) {
		blocks = blocks_of(o);
		env_free(o->vol->env, o->bytes);
		o->bytes = NULL;
		if (blocks > 1)
			err = add_fork_blocks(o, &inode, which, off + 1, blocks - 1);
	}
	inode_put(o->vol, &inode);
	return err;
}

int object_inum(struct vol *vol, const char *word, struct inum *out)
{
	struct inum ino = inum_of(vol->geo.root_ino);
	const char *at = word;
	u64 number;

	if (*word != '/') {
		if (!cli_parse_number(word, &number))
			return fail(-EINVAL, "expected an inode number or a path, not \"%s\"",
				    word);
		*out = inum_of(number);
		return 0;
	}
	while (*at) {
		u32 length;
		struct inode dir;
		u8 type;
		int err;

		at += strspn(at, "/");
		length = (u32)strcspn(at, "/");
		if (!length)
			break;
		err = inode_get(vol, ino, &dir);
		if (!err) {
			err = dir_lookup(vol, &dir, at, length, &ino, &type);
			inode_put(vol, &dir);
		}
		if (err)
			return fail_in(err, "%.*s", (int)(at - word + length), word);
		at += length;
	}
	*out = ino;
	return 0;
}

static int find_by_inode(struct object *o, struct words *w)
{
	struct inum ino;
	const char *word = peek(w);
	int err;

	if (!word)
		return fail(-EINVAL, "expected an inode number or a path");
	err = object_inum(o->vol, word, &ino);
	if (err)
		return err;
	w->at++;
	err = find_inode(o, ino);
	if (!err && take(w, "data"))
		err = find_in_fork(o, w, FORK_DATA, ino);
	else if (!err && take(w, "attr"))
		err = find_in_fork(o, w, FORK_ATTR, ino);
	return err;
}

static int find_base(struct object *o, struct words *w)
{
	const char *word = peek(w);

	if (!word)
		return fail(-EINVAL, "expected an object");
	if (*word == '/') {
		o->type = vol_type(o->vol, META_INODE);
		return find_by_inode(o, w);
	}
	if (take(w, "block"))
		return find_block(o, w);
	o->type = object_type(o->vol, word);
	if (!o->type)
		return fail(-EINVAL, "there is no type \"%s\"", word);
	w->at++;
	if (o->type->place)
		return find_placed(o, w);
	if (o->type->scope == SCOPE_AG && o->type->btree)
		return find_tree(o, w);
	if (o->type->id == META_INODE)
		return find_by_inode(o, w);
	return fail(-EINVAL, "%s: name it by its inode (inode INO data N) or its block",
		    o->type->name);
}

/* `as TYPE`, and the magic number where nobody said. */
static int settle_type(struct object *o, struct words *w)
{
	if (take(w, "as")) {
		o->type = peek(w) ? object_type(o->vol, peek(w)) : NULL;
		if (!o->type)
			return fail(-EINVAL, "there is no type \"%s\"", peek(w) ? peek(w) : "");
		w->at++;
	}
	if (!o->type)
		o->type = object_identify(o->vol, o->bytes, o->len);
	if (!o->type)
		return fail(-EINVAL, "%s: no magic number that is known; say `as TYPE`", o->name);
	o->where.type = o->type->name;
	if (o->type->size && o->type->size(&o->vol->geo) < o->ranges[0].size &&
	    o->range_count == 1) {
		o->ranges[0].size = o->type->size(&o->vol->geo); /* a sector of the block */
		o->len = o->ranges[0].size;
	}
	if (o->where.owner == NO_OWNER && o->type->scope == SCOPE_AG && o->type->btree)
		o->where.owner = o->where.ag;
	return 0;
}

static int find_part(struct object *o, struct words *w)
{
	const char *word = peek(w);
	u64 index = 0;
	int err = 0;

	if (!word)
		return 0;
	if (!strcmp(word, "rec"))
		word = "recs";
	w->at++;
	snprintf(o->part, sizeof(o->part), "%s", word);
	if (peek(w))
		err = take_number(w, "the number of the part", NULL32, &index);
	o->part_index = (u32)index;
	if (!err && peek(w))
		err = fail(-EINVAL, "\"%s\" does not belong here", peek(w));
	return err;
}

static int find_in_volume(struct object *o, struct words *w)
{
	int err = find_base(o, w);

	if (!err)
		err = load(o);
	if (!err)
		err = settle_type(o, w);
	return err ? err : find_part(o, w);
}

int object_find(struct vol *vol, char **words, u32 count, struct object *out)
{
	struct words w = {words, count, 0};
	int err;

	*out = (struct object){
	    .vol = vol, .dev = vol->data, .where = {.ag = NO_AG, .ino = NO_INO, .owner = NO_OWNER}};
	if (count && !strcmp(words[0], "log"))
		err = object_log_find(out, words, count);
	else
		err = find_in_volume(out, &w);
	if (err)
		object_drop(out);
	return err;
}

int object_at(struct vol *vol, const struct meta_type *type, const struct where *where,
	      const struct cache_range *ranges, u32 count, struct object *out)
{
	int err = 0;

	*out = (struct object){.vol = vol, .dev = vol->data, .type = type, .where = *where};
	for (u32 i = 0; i < count && !err; i++)
		err = add_range(out, ranges[i].at, ranges[i].size);
	if (!err)
		err = load(out);
	if (err)
		object_drop(out);
	return err;
}

void object_drop(struct object *object)
{
	object_log_drop(object);
	env_free(object->vol->env, object->bytes);
	object->bytes = NULL;
}

struct daddr object_daddr(const struct object *object, u32 offset)
{
	u32 i = 0;

	while (i + 1 < object->range_count && offset >= object->ranges[i].size)
		offset -= object->ranges[i++].size;
	return daddr_of(object->ranges[i].at.v + offset);
}
