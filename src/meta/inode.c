/*
 * One inode: its rules and its parts. inodes.c posts them, a chunk at a time.
 *
 * The rules say what an inode alone must obey; v->where.ino is its number.
 */
#include "meta/inode.h"

#include "format/btree.h"
#include "format/verify.h"
#include "meta/findings.h"
#include "meta/local_parts.h"
#include "meta/rebuild.h"

#include <sys/stat.h>

#define SYMLINK_BYTES_MAX 1024
#define DIR_BYTES_MAX (1ull << 35) /* of a directory's data section */
#define ID_NONE NULL32		   /* -1: what chown() takes as "leave it" */

enum inode_state inode_identify(struct verdict *v, const struct geometry *g, const u8 *raw)
{
	const struct dinode *d = (const struct dinode *)raw;
	static const struct field uuid = {"uuid", offsetof(struct dinode, uuid) * 8, 8, 16,
					  FIELD_UUID};
	static const struct field own = {"uuid", 0, 8, 16, FIELD_UUID};
	enum inode_state state = INODE_SOUND;
	char found[40], expected[40];
	u32 crc;

	if (be16_get(d->magic) != INODE_MAGIC) {
		raise_hex(v, verify_defs->magic, NULL, be16_get(d->magic), INODE_MAGIC);
		return INODE_BAD;
	}
	crc = verify_crc(raw, g->inode_size, offsetof(struct dinode, crc));
	if (crc != le32_get(d->crc)) {
		raise_hex(v, verify_defs->crc, NULL, le32_get(d->crc), crc);
		state = INODE_UNVERIFIED;
	}
	if (memcmp(d->uuid, g->meta_uuid.b, sizeof(d->uuid))) {
		field_print(&uuid, raw, found, sizeof(found));
		field_print(&own, g->meta_uuid.b, expected, sizeof(expected));
		raise_text(v, verify_defs->uuid, NULL, found, expected);
		state = INODE_UNVERIFIED;
	}
	if (be64_get(d->ino) != v->where.ino) {
		raise_u64(v, verify_defs->owner, NULL, be64_get(d->ino), v->where.ino);
		return INODE_BAD;
	}
	return state;
}

/* --- forks --- */

static bool data_format_fits(u16 mode, u32 format)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return format == FORMAT_EXTENTS || format == FORMAT_BTREE;
	case S_IFDIR:
		return format == FORMAT_LOCAL || format == FORMAT_EXTENTS || format == FORMAT_BTREE;
	case S_IFLNK:
		return format == FORMAT_LOCAL || format == FORMAT_EXTENTS;
	default:
		return format == FORMAT_DEV;
	}
}

static bool forkoff_fits(const struct geometry *g, const struct inode *inode)
{
	if (!inode->forkoff)
		return true;
	if (inode->fork[FORK_DATA].format == FORMAT_DEV)
		return inode->forkoff == DEV_FORK_SIZE;
	return inode->forkoff < g->inode_size - sizeof(struct dinode);
}

/* The root of a btree fork: levels, fill, ascending keys, pointers inside the filesystem. */
static bool check_root(struct verdict *v, const struct geometry *g, const struct fork *fork,
		       enum fork_id which)
{
	const char *name = which == FORK_DATA ? "data root" : "attr root";
	struct bmap_root root;

	if (!bmap_root_of(fork, &root)) {
		raise_value(v, FOUND(INODE_ROOT_ROOM), name, fork->size);
		return false;
	}
	if (!root.level || root.level > bmap_levels_max(g, which)) {
		raise_u64(v, FOUND(INODE_ROOT_LEVEL), name, root.level, bmap_levels_max(g, which));
		return false;
	}
	if (!root.numrecs || root.count != root.numrecs) {
		raise_u64(v, FOUND(INODE_ROOT_COUNT), name, root.numrecs, root.count);
		return false;
	}
	for (u32 i = 0; i < root.count; i++) {
		u64 key = be64_get(root.keys[i].startoff), ptr = be64_get(root.ptrs[i]);

		if (key >= FILEOFF_END || (i && key <= be64_get(root.keys[i - 1].startoff))) {
			raise_value(v, FOUND(INODE_ROOT_KEY), name, key);
			return false;
		}
		if (!fsblock_valid(g, fsblock_of(ptr), 1)) {
			raise_value(v, FOUND(INODE_ROOT_PTR), name, ptr);
			return false;
		}
	}
	return true;
}

/* How many extents are counted, against what the format has room for. */
static bool check_extents(struct verdict *v, const struct geometry *g, const struct inode *inode,
			  enum fork_id which)
{
	const struct fork *fork = &inode->fork[which];
	const struct finding_def *def =
	    which == FORK_DATA ? FOUND(INODE_NEXTENTS) : FOUND(INODE_ANEXTENTS);
	bool large = inode->flags2 & INODE_FLAG2_NREXT64;
	u64 most, least = 0;

	switch (fork->format) {
	case FORMAT_EXTENTS:
		most = fork_capacity(fork);
		break;
	case FORMAT_BTREE:
		least = fork_capacity(fork) + 1;
		if (which == FORK_DATA)
			most = large ? NEXTENTS_MAX_LARGE : NEXTENTS_MAX_SMALL;
		else
			most = large ? ANEXTENTS_MAX_LARGE : ANEXTENTS_MAX_SMALL;
		break;
	default:
		most = 0;
	}
	if (fork->extents < least || fork->extents > most) {
		raise_u64(v, def, NULL, fork->extents, fork->extents < least ? least : most);
		return false;
	}
	return fork->format != FORMAT_BTREE || check_root(v, g, fork, which);
}

static bool check_local_size(struct verdict *v, const struct inode *inode)
{
	const struct fork *fork = &inode->fork[FORK_DATA];

	if (fork->format == FORMAT_LOCAL && inode->size > fork->size) {
		raise_u64(v, FOUND(INODE_LOCAL_SIZE), NULL, inode->size, fork->size);
		return false;
	}
	/* one that is being removed has size 0 in any format */
	if (S_ISDIR(inode->mode) && inode->size && inode->size <= fork->size &&
	    fork->format != FORMAT_LOCAL)
		raise_u64(v, FOUND(INODE_DIR_NOT_LOCAL), NULL, inode->size, fork->size);
	return true;
}

static bool check_attr_fork(struct verdict *v, const struct geometry *g, const struct inode *inode)
{
	const struct fork *fork = &inode->fork[FORK_ATTR];

	if (!inode->forkoff) {
		if (fork->format != FORMAT_EXTENTS)
			raise_value(v, FOUND(INODE_AFORMAT), NULL, fork->format);
		if (fork->extents)
			raise_u64(v, FOUND(INODE_ANEXTENTS), NULL, fork->extents, 0);
		return true;
	}
	if (fork->format != FORMAT_LOCAL && fork->format != FORMAT_EXTENTS &&
	    fork->format != FORMAT_BTREE) {
		raise_value(v, FOUND(INODE_AFORMAT), NULL, fork->format);
		return false;
	}
	return check_extents(v, g, inode, FORK_ATTR);
}

static bool check_forks(struct verdict *v, const struct geometry *g, const struct inode *inode)
{
	const struct fork *data = &inode->fork[FORK_DATA];
	bool good = true;

	if (!data_format_fits(inode->mode, data->format)) {
		raise_value(v, FOUND(INODE_FORMAT), NULL, data->format);
		return false;
	}
	if (!forkoff_fits(g, inode)) {
		raise_u64(v, FOUND(INODE_FORKOFF), NULL, inode->forkoff / 8,
			  data->format == FORMAT_DEV
			      ? DEV_FORK_SIZE / 8
			      : (g->inode_size - sizeof(struct dinode)) / 8 - 1);
		return false;
	}
	good &= check_extents(v, g, inode, FORK_DATA);
	good &= check_local_size(v, inode);
	good &= check_attr_fork(v, g, inode);
	return good;
}

/* --- sizes --- */

static void check_size(struct verdict *v, const struct inode *inode)
{
	u64 most = (u64)INT64_MAX;

	if (S_ISDIR(inode->mode))
		most = DIR_BYTES_MAX - 1;
	else if (S_ISLNK(inode->mode))
		most = SYMLINK_BYTES_MAX;
	else if (!S_ISREG(inode->mode) && inode->mode)
		most = 0;
	if (inode->size > most)
		raise_u64(v, FOUND(INODE_SIZE), NULL, inode->size, most);
	if ((S_ISDIR(inode->mode) || S_ISLNK(inode->mode)) && !inode->size && inode->nlink)
		raise_value(v, FOUND(INODE_SIZE_ZERO), NULL, 0);
}

static void check_nblocks(struct verdict *v, const struct geometry *g, const struct inode *inode)
{
	u64 least = inode->fork[FORK_DATA].extents + inode->fork[FORK_ATTR].extents;
	u64 most = g->data_blocks + (inode_realtime(inode) ? g->rt_blocks : 0);

	if (inode->nblocks < least)
		raise_u64(v, FOUND(INODE_NBLOCKS_FEW), NULL, inode->nblocks, least);
	/* one block may be in a file many times when it is shared */
	if (inode->nblocks >= most && !(inode->flags2 & INODE_FLAG2_REFLINK))
		raise_u64(v, FOUND(INODE_NBLOCKS_MANY), NULL, inode->nblocks, most);
}

/* --- flags and hints --- */

static u32 flags_of_other_types(const struct geometry *g, const struct inode *inode)
{
	const u32 dir_only = INODE_FLAG_RTINHERIT | INODE_FLAG_EXTSZINHERIT |
			     INODE_FLAG_PROJINHERIT | INODE_FLAG_NOSYMLINKS;
	const u32 file_only = INODE_FLAG_REALTIME | INODE_FLAG_EXTSIZE;
	u32 flags = inode->flags, wrong = 0;

	if (!S_ISDIR(inode->mode))
		wrong |= flags & dir_only;
	if (!S_ISREG(inode->mode))
		wrong |= flags & file_only;
	if (flags & INODE_FLAG_REALTIME)
		wrong |= flags & INODE_FLAG_FILESTREAM;
	if (inode->ino.v != g->rbm_ino)
		wrong |= flags & INODE_FLAG_NEWRTBM;
	return wrong;
}

static void check_flags(struct verdict *v, const struct geometry *g, const struct inode *inode)
{
	u32 flags = inode->flags, wrong = flags_of_other_types(g, inode);

	if (wrong)
		raise_hex(v, FOUND(INODE_FLAGS_TYPE), NULL, flags, flags & ~wrong);
}

/* Of free inodes, too. */
static void check_flags_known(struct verdict *v, const struct geometry *g,
			      const struct inode *inode)
{
	u32 flags = inode->flags;

	if (flags & ~INODE_FLAG_KNOWN)
		raise_hex(v, FOUND(INODE_FLAGS), NULL, flags, flags & INODE_FLAG_KNOWN);
	if ((flags & INODE_FLAG_REALTIME) && !g->rt_blocks)
		raise_hex(v, FOUND(INODE_FLAGS_RT), NULL, flags, flags & ~INODE_FLAG_REALTIME);
	if (!inode->mode && (flags & INODE_FLAG_NEWRTBM))
		raise_hex(v, FOUND(INODE_FLAGS_TYPE), NULL, flags, flags & ~INODE_FLAG_NEWRTBM);
}

static u64 flags2_without_feature(const struct geometry *g)
{
	u64 lacking = 0;

	if (!geometry_has(g, FEATURE_REFLINK))
		lacking |= INODE_FLAG2_REFLINK | INODE_FLAG2_COWEXTSIZE;
	if (!geometry_has(g, FEATURE_BIGTIME))
		lacking |= INODE_FLAG2_BIGTIME;
	if (!geometry_has(g, FEATURE_NREXT64))
		lacking |= INODE_FLAG2_NREXT64;
	return lacking;
}

static u64 flags2_of_other_types(const struct inode *inode)
{
	u64 wrong = 0;

	if ((inode->mode && !S_ISREG(inode->mode)) || inode_realtime(inode))
		wrong |= INODE_FLAG2_REFLINK;
	if (inode->mode && !S_ISREG(inode->mode) && !S_ISDIR(inode->mode))
		wrong |= INODE_FLAG2_COWEXTSIZE | INODE_FLAG2_DAX;
	if (inode_realtime(inode))
		wrong |= INODE_FLAG2_COWEXTSIZE;
	return wrong & inode->flags2;
}

static void check_flags2(struct verdict *v, const struct geometry *g, const struct inode *inode)
{
	u64 flags2 = inode->flags2, wrong = flags2_of_other_types(inode);
	u64 lacking = flags2 & flags2_without_feature(g);

	if (flags2 & ~INODE_FLAG2_KNOWN)
		raise_hex(v, FOUND(INODE_FLAGS2), NULL, flags2, flags2 & INODE_FLAG2_KNOWN);
	if (lacking)
		raise_hex(v, FOUND(INODE_FLAGS2_FEATURE), NULL, flags2, flags2 & ~lacking);
	if (wrong)
		raise_hex(v, FOUND(INODE_FLAGS2_TYPE), NULL, flags2, flags2 & ~wrong);
}

u32 inode_flags_possible(const struct geometry *g, const struct inode *inode)
{
	u32 possible = INODE_FLAG_KNOWN & ~flags_of_other_types(g, inode);

	if (!g->rt_blocks || inode_internal(g, inode->ino))
		possible &= ~INODE_FLAG_REALTIME;
	return inode->flags & possible;
}

u64 inode_flags2_possible(const struct geometry *g, const struct inode *inode)
{
	u64 wrong = flags2_without_feature(g) | flags2_of_other_types(inode);

	if (inode_internal(g, inode->ino))
		wrong |= INODE_FLAG2_REFLINK | INODE_FLAG2_DAX;
	return inode->flags2 & INODE_FLAG2_KNOWN & ~wrong;
}

static void check_hint(struct verdict *v, const struct geometry *g, const struct inode *inode,
		       const struct finding_def *def, u32 hint, bool flagged)
{
	u64 most = inode_realtime(inode) ? EXTENT_COUNT_MAX : g->ag_blocks / 2;

	if (most > EXTENT_COUNT_MAX)
		most = EXTENT_COUNT_MAX;
	/* a free inode keeps its hint when it has lost its flags */
	if (flagged ? !hint : (hint && inode->mode))
		raise_u64(v, def, NULL, hint, flagged ? 1 : 0);
	else if (hint > most)
		raise_u64(v, def, NULL, hint, most);
}

static void check_hints(struct verdict *v, const struct geometry *g, const struct inode *inode)
{
	const u32 both = INODE_FLAG_RTINHERIT | INODE_FLAG_EXTSZINHERIT;
	u32 rt_size = g->rt_extent_size ? g->rt_extent_size : 1, off;

	/* The usual inode: none, and no flag that asks for one. */
	if (!inode->extsize && !inode->cowextsize &&
	    !(inode->flags & (INODE_FLAG_EXTSIZE | INODE_FLAG_EXTSZINHERIT)) &&
	    !(inode->flags2 & INODE_FLAG2_COWEXTSIZE))
		return;
	off = inode->extsize % rt_size;
	check_hint(v, g, inode, FOUND(INODE_EXTSIZE), inode->extsize,
		   inode->flags & (INODE_FLAG_EXTSIZE | INODE_FLAG_EXTSZINHERIT));
	check_hint(v, g, inode, FOUND(INODE_COWEXTSIZE), inode->cowextsize,
		   inode->flags2 & INODE_FLAG2_COWEXTSIZE);
	if (off && inode_realtime(inode))
		raise_u64(v, FOUND(INODE_EXTSIZE), NULL, inode->extsize, inode->extsize - off);
	if (off && (inode->flags & both) == both)
		raise_u64(v, FOUND(INODE_EXTSIZE_RT), NULL, inode->extsize, rt_size);
}

/* --- the rest --- */

static void check_links(struct verdict *v, const struct geometry *g, const struct inode *inode)
{
	const struct dinode *d = (const struct dinode *)inode->raw;

	if (inode->nlink > INODE_NLINK_MAX)
		raise_u64(v, FOUND(INODE_NLINK), NULL, inode->nlink, INODE_NLINK_MAX);
	if (be16_get(d->onlink))
		raise_u64(v, FOUND(INODE_ONLINK), NULL, be16_get(d->onlink), 0);
	if (inode->next_unlinked == NULL32)
		return;
	if (!agino_valid(g, inum_ag(g, inode->ino), inode->next_unlinked))
		raise_value(v, FOUND(INODE_NEXT_UNLINKED), NULL, inode->next_unlinked);
	else if (inode->nlink || !inode->mode)
		raise_value(v, FOUND(INODE_NEXT_UNLINKED_LINKED), NULL, inode->next_unlinked);
}

static void check_owners(struct verdict *v, const struct geometry *g, const struct inode *inode)
{
	if (inode->uid == ID_NONE)
		raise_value(v, FOUND(INODE_UID), NULL, inode->uid);
	if (inode->gid == ID_NONE)
		raise_value(v, FOUND(INODE_GID), NULL, inode->gid);
	if (inode->projid >> 16 && !geometry_has(g, FEATURE_PROJID32))
		raise_value(v, FOUND(INODE_PROJID), NULL, inode->projid);
	else if (inode->projid == ID_NONE)
		raise_value(v, FOUND(INODE_PROJID_NONE), NULL, inode->projid);
}

static void check_times(struct verdict *v, const struct inode *inode)
{
	const char *const name[] = {"atime", "mtime", "ctime", "crtime"};
	const u32 ns[] = {inode->atime_ns, inode->mtime_ns, inode->ctime_ns, inode->crtime_ns};

	for (u32 i = 0; i < ARRAY_COUNT(ns); i++)
		if (ns[i] >= NS_PER_SECOND)
			raise_u64(v, FOUND(INODE_TIME), name[i], ns[i], NS_PER_SECOND - 1);
}

static void check_padding(struct verdict *v, const struct inode *inode)
{
	const struct dinode *d = (const struct dinode *)inode->raw;
	const struct dinode64 *d64 = (const struct dinode64 *)inode->raw;
	bool large = inode->flags2 & INODE_FLAG2_NREXT64;
	static const u8 zero[sizeof(d->pad2)];

	if (large && be16_get(d64->nrext64_pad))
		raise_hex(v, FOUND(INODE_COUNTER_PAD), NULL, be16_get(d64->nrext64_pad), 0);
	if (!large && be64_get(d->v3_pad))
		raise_hex(v, FOUND(INODE_COUNTER_PAD), NULL, be64_get(d->v3_pad), 0);
	if (memcmp(d->pad2, zero, sizeof(zero)))
		raise_text(v, FOUND(INODE_PAD), NULL, NULL, NULL);
}

/* A free inode: what is left of its last life lies in the forks, but owns nothing. */
static void check_free(struct verdict *v, const struct inode *inode)
{
	const struct dinode *d = (const struct dinode *)inode->raw;

	if (inode->nblocks || inode->fork[FORK_DATA].extents || inode->fork[FORK_ATTR].extents)
		raise_u64(v, FOUND(INODE_FREE_BLOCKS), NULL, inode->nblocks, 0);
	if (inode->nlink)
		raise_u64(v, FOUND(INODE_FREE_NLINK), NULL, inode->nlink, 0);
	if (inode->forkoff)
		raise_u64(v, FOUND(INODE_FREE_FORKOFF), NULL, inode->forkoff, 0);
	else if (d->aformat && d->aformat != FORMAT_EXTENTS)
		raise_value(v, FOUND(INODE_FREE_AFORMAT), NULL, d->aformat);
}

/* The inodes that the superblock names. */
static void check_named(struct verdict *v, const struct geometry *g, const struct inode *inode)
{
	const u64 wrong2 = INODE_FLAG2_REFLINK | INODE_FLAG2_DAX;

	if (inode->ino.v == g->root_ino) {
		if (!S_ISDIR(inode->mode))
			raise_value(v, FOUND(INODE_ROOT_TYPE), NULL, inode->mode);
		return;
	}
	if (!inode_internal(g, inode->ino))
		return;
	if (!S_ISREG(inode->mode))
		raise_value(v, FOUND(INODE_INTERNAL_TYPE), NULL, inode->mode);
	if (inode->forkoff)
		raise_value(v, FOUND(INODE_INTERNAL_ATTR), NULL, inode->forkoff);
	if (inode_realtime(inode) || (inode->flags2 & wrong2))
		raise_hex(v, FOUND(INODE_INTERNAL_FLAGS), NULL, inode->flags, 0);
}

bool inode_rules(struct verdict *v, const struct geometry *g, const struct inode *inode)
{
	const struct dinode *d = (const struct dinode *)inode->raw;
	bool good = true;

	if (d->version != INODE_VERSION)
		raise_u64(v, FOUND(INODE_VERSION), NULL, d->version, INODE_VERSION);
	if (!inode->mode) {
		check_free(v, inode);
	} else if (!inode_ftype(inode->mode)) {
		raise_hex(v, FOUND(INODE_MODE), NULL, inode->mode, 0);
		return false;
	} else {
		good = check_forks(v, g, inode);
		check_nblocks(v, g, inode);
		check_flags(v, g, inode);
		check_owners(v, g, inode);
		check_named(v, g, inode);
	}
	check_size(v, inode);
	check_flags_known(v, g, inode);
	check_flags2(v, g, inode);
	check_hints(v, g, inode);
	check_links(v, g, inode);
	check_times(v, inode);
	check_padding(v, inode);
	return good;
}

static void inode_type_rules(struct verdict *v, const struct geometry *g, const void *block,
			     u32 len)
{
	struct inode inode;

	if (len < g->inode_size)
		return;
	inode_parse(g, inum_of(v->where.ino), block, &inode);
	inode_rules(v, g, &inode);
}

/* --- parts --- */

static void emit(struct part_sink *sink, const char *name, u32 index, bool repeated,
		 const struct inode *inode, const void *at, const struct layout *layout)
{
	const struct part part = {name, index, repeated, (u32)((const u8 *)at - inode->raw),
				  layout};

	sink->part(sink, &part);
}

static void emit_extents(struct part_sink *sink, const struct inode *inode, enum fork_id which)
{
	const struct fork *fork = &inode->fork[which];
	u64 count = min_u64(fork->extents, fork_capacity(fork));

	for (u32 i = 0; i < count; i++)
		emit(sink, which == FORK_DATA ? "extents" : "aextents", i, true, inode,
		     fork->data + i * sizeof(struct bmbt_rec), &bmbt_rec_layout);
}

static void emit_root(struct part_sink *sink, const struct inode *inode, enum fork_id which)
{
	struct bmap_root root;
	bool data = which == FORK_DATA;

	if (!bmap_root_of(&inode->fork[which], &root))
		return;
	emit(sink, data ? "root" : "aroot", 0, false, inode, inode->fork[which].data, &bmdr_layout);
	for (u32 i = 0; i < root.count; i++)
		emit(sink, data ? "keys" : "akeys", i, true, inode, &root.keys[i],
		     &bmbt_key_layout);
	for (u32 i = 0; i < root.count; i++)
		emit(sink, data ? "ptrs" : "aptrs", i, true, inode, &root.ptrs[i],
		     &btree_ptr_long_layout);
}

/* A link target has any length: pieces of this many bytes, and a shorter last one. */
#define TARGET_PIECE 16
#define TARGET_FIELD(n)                         \
	{                                       \
		"target", 0, 8, n, FIELD_STRING \
	}
#define TARGET_LAYOUT(n)                              \
	{                                             \
		"target", &target_fields[(n)-1], 1, n \
	}
#define TARGET_ROWS(row)                                                                          \
	row(1), row(2), row(3), row(4), row(5), row(6), row(7), row(8), row(9), row(10), row(11), \
	    row(12), row(13), row(14), row(15), row(16)
static const struct field target_fields[TARGET_PIECE] = {TARGET_ROWS(TARGET_FIELD)};
static const struct layout target_layouts[TARGET_PIECE] = {TARGET_ROWS(TARGET_LAYOUT)};

static void emit_target(struct part_sink *sink, const struct inode *inode)
{
	const struct fork *fork = &inode->fork[FORK_DATA];
	u32 size = (u32)min_u64(inode->size, fork->size), piece;

	for (u32 at = 0; at < size; at += piece) {
		piece = (u32)min_u64(size - at, TARGET_PIECE);
		emit(sink, "target", at / TARGET_PIECE, true, inode, fork->data + at,
		     &target_layouts[piece - 1]);
	}
}

static const struct part_kind kinds[] = {
    {"core", &dinode_layout},
    {"core", &dinode64_layout},
    {"extents", &bmbt_rec_layout},
    {"aextents", &bmbt_rec_layout},
    {"root", &bmdr_layout},
    {"keys", &bmbt_key_layout},
    {"ptrs", &btree_ptr_long_layout},
    {"aroot", &bmdr_layout},
    {"akeys", &bmbt_key_layout},
    {"aptrs", &btree_ptr_long_layout},
    {"target", &target_layouts[0]},
    {"dev", &inode_dev_layout},
    DIR_SHORT_KINDS,
    ATTR_SHORT_KINDS,
    {NULL, NULL},
};

static void fork_parts(const struct geometry *g, const struct inode *inode, enum fork_id which,
		       struct part_sink *sink)
{
	const struct fork *fork = &inode->fork[which];
	u32 at = (u32)(fork->data - inode->raw);

	if (!fork->size)
		return;
	if (fork->format == FORMAT_EXTENTS)
		emit_extents(sink, inode, which);
	else if (fork->format == FORMAT_BTREE)
		emit_root(sink, inode, which);
	else if (fork->format == FORMAT_LOCAL && which == FORK_ATTR)
		attr_short_parts(g, fork->data, fork->size, at, sink);
	else if (fork->format == FORMAT_LOCAL && S_ISDIR(inode->mode))
		dir_short_parts(g, fork->data, fork->size, at, sink);
	else if (fork->format == FORMAT_LOCAL && S_ISLNK(inode->mode))
		emit_target(sink, inode);
	else if (fork->format == FORMAT_DEV && which == FORK_DATA &&
		 (S_ISCHR(inode->mode) || S_ISBLK(inode->mode)))
		emit(sink, "dev", 0, false, inode, fork->data, &inode_dev_layout);
}

static void inode_parts(const struct geometry *g, const void *block, u32 len,
			struct part_sink *sink)
{
	struct inode inode;

	if (len < g->inode_size)
		return;
	inode_parse(g, inum_of(be64_get(((const struct dinode *)block)->ino)), block, &inode);
	emit(sink, "core", 0, false, &inode, inode.raw,
	     inode.flags2 & INODE_FLAG2_NREXT64 ? &dinode64_layout : &dinode_layout);
	if (!inode.mode)
		return;
	fork_parts(g, &inode, FORK_DATA, sink);
	if (inode.forkoff)
		fork_parts(g, &inode, FORK_ATTR, sink);
}

static u32 inode_type_size(const struct geometry *g)
{
	return g->inode_size;
}

const struct meta_type meta_inode = {
    .id = META_INODE,
    .name = "inode",
    .title = "inode",
    .scope = SCOPE_INODE,
    .class = CLASS_PRIMARY,
    .magic = INODE_MAGIC,
    .magic_width = 2,
    .crc_offset = offsetof(struct dinode, crc),
    .size = inode_type_size,
    .layout = &dinode_layout,
    .parts = inode_parts,
    .kinds = kinds,
    .rules = inode_type_rules,
    .rebuild = inode_rebuild,
    .change = inode_change,
    .uuid_offset = offsetof(struct dinode, uuid),
    .owner_offset = offsetof(struct dinode, ino),
    .owner_width = 8,
    .lsn_offset = offsetof(struct dinode, lsn),
    .items = SCRUB_BIT(INODE),
    .rebuilt_from = "its own rules, the names that lead to it, the reverse map",
    .else_from = "the free space, where fork and reverse map differ",
    .kernel_scrub = "xchk_inode",
};
