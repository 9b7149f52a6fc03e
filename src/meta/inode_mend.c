/* Mending the record of one inode; see inode_mend.h. */
#include "meta/inode_mend.h"

#include "base/trail.h"
#include "format/attr.h"
#include "format/dir.h"
#include "format/verify.h"
#include "meta/inode.h"
#include "meta/inode_mend_impl.h"

#include <stdio.h>
#include <sys/stat.h>

/* Permissions of what has lost them: its owner alone. */
#define LOST_PERMISSIONS 0600
#define SYMLINK_MAX 1024

static struct dinode *core(const struct mend_inode *m)
{
	return (struct dinode *)m->raw;
}

static void parse(const struct mend_inode *m, struct inode *inode)
{
	inode_parse(m->g, inum_of(m->ino), m->raw, inode);
}

static void note(struct mend_inode *m, const char *name)
{
	size_t used = strlen(m->what);

	if (!strstr(m->what, name))
		snprintf(m->what + used, sizeof(m->what) - used, "%s%s", used ? ", " : "", name);
}

u32 inode_broken(const struct mend_inode *m)
{
	struct verdict quiet = {.where = {.type = m->type->name,
					  .ag = inum_ag(m->g, inum_of(m->ino)),
					  .ino = m->ino,
					  .owner = m->ino}};
	struct inode inode;

	parse(m, &inode);
	inode_rules(&quiet, m->g, &inode);
	return quiet.count;
}

bool inode_is_realtime(const struct mend_inode *m)
{
	return be16_get(core(m)->flags) & INODE_FLAG_REALTIME;
}

static const struct field *field_of(const struct mend_inode *m, const char *name)
{
	const struct layout *layout =
	    be64_get(core(m)->flags2) & INODE_FLAG2_NREXT64 ? &dinode64_layout : &dinode_layout;

	return layout_field(layout, name);
}

void inode_set(struct mend_inode *m, const char *name, u64 value)
{
	const struct field *f = field_of(m, name);

	if (!f || field_get(f, m->raw, 0) == value)
		return;
	field_set(f, m->raw, 0, value);
	note(m, name);
}

bool inode_better(struct mend_inode *m, const char *name, u64 value)
{
	const struct field *f = field_of(m, name);
	u32 before = inode_broken(m);
	u64 old;

	if (!f)
		return false;
	old = field_get(f, m->raw, 0);
	if (old == value)
		return false;
	field_set(f, m->raw, 0, value);
	if (inode_broken(m) < before) {
		note(m, name);
		return true;
	}
	field_set(f, m->raw, 0, old);
	return false;
}

/* ---- is it an inode? ---- */

bool inode_believable(const struct geometry *g, u64 ino, const u8 *raw)
{
	const struct dinode *d = (const struct dinode *)raw;
	u32 signs =
	    (be16_get(d->magic) == INODE_MAGIC) + (be64_get(d->ino) == ino) +
	    (memcmp(d->uuid, g->meta_uuid.b, sizeof(d->uuid)) == 0) +
	    (verify_crc(raw, g->inode_size, offsetof(struct dinode, crc)) == le32_get(d->crc));

	return signs >= 2;
}

static void identify(struct mend_inode *m)
{
	struct dinode *d = core(m);

	inode_set(m, "magic", INODE_MAGIC);
	inode_set(m, "version", INODE_VERSION);
	inode_set(m, "ino", m->ino);
	inode_set(m, "onlink", 0);
	if (memcmp(d->uuid, m->g->meta_uuid.b, sizeof(d->uuid)) != 0) {
		memcpy(d->uuid, m->g->meta_uuid.b, sizeof(d->uuid));
		note(m, "uuid");
	}
	for (u32 i = 0; i < sizeof(d->pad2); i++)
		if (d->pad2[i]) {
			memset(d->pad2, 0, sizeof(d->pad2));
			note(m, "pad2");
		}
	if (lsn_ahead(be64_get(d->lsn), m->head))
		inode_set(m, "lsn", 0);
}

/* A free inode, as mkfs makes them; the generation goes on, so that file handles stay void. */
static void make_free(struct mend_inode *m)
{
	struct dinode old = *core(m), *d = core(m);

	memset(m->raw, 0, m->g->inode_size);
	d->magic = be16_make(INODE_MAGIC);
	d->version = INODE_VERSION;
	d->format = d->aformat = FORMAT_EXTENTS;
	d->gen = be32_make(be32_get(old.gen) + 1);
	d->next_unlinked = be32_make(NULL32);
	d->ino = be64_make(m->ino);
	memcpy(d->uuid, m->g->meta_uuid.b, sizeof(d->uuid));
	m->freed = true;
}

static u16 mode_of_ftype(u8 ftype)
{
	static const u16 mode[] = {0,	    S_IFREG, S_IFDIR,  S_IFCHR,
				   S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK};

	return ftype < ARRAY_COUNT(mode) ? mode[ftype] : 0;
}

/* An empty directory; whose it is will be seen from its name. */
static void make_short_dir(struct mend_inode *m)
{
	struct dir_short *header = (struct dir_short *)(m->raw + sizeof(struct dinode));
	struct be32 root = be32_make((u32)m->g->root_ino);

	header->count = header->i8count = 0;
	memcpy(header + 1, &root, sizeof(root));
	core(m)->format = FORMAT_LOCAL;
	core(m)->size = be64_make(sizeof(*header) + sizeof(root));
}

/* Of what nothing can be believed, its names and its blocks are left. */
static void make_anew(struct mend_inode *m)
{
	struct dinode *d = core(m);
	u16 type = mode_of_ftype(m->facts->ftype);

	if (m->ino == m->g->root_ino)
		type = S_IFDIR;
	if (type == S_IFLNK && !m->facts->seen[FORK_DATA].count)
		type = S_IFREG; /* its target is lost */
	make_free(m);
	m->freed = false;
	m->made = true;
	d->mode = be16_make((type ? type : S_IFREG) | LOST_PERMISSIONS);
	d->nlink = be32_make((u32)min_u64(max_u64(m->facts->names, 1), INODE_NLINK_MAX));
	if (type == S_IFDIR && !m->facts->seen[FORK_DATA].count)
		make_short_dir(m);
	if (type && type != S_IFREG && type != S_IFDIR && type != S_IFLNK)
		d->format = FORMAT_DEV;
	if (geometry_has(m->g, FEATURE_BIGTIME))
		d->flags2 = be64_make(be64_get(d->flags2) | INODE_FLAG2_BIGTIME);
	if (geometry_has(m->g, FEATURE_NREXT64))
		d->flags2 = be64_make(be64_get(d->flags2) | INODE_FLAG2_NREXT64);
}

/* ---- the literal area ---- */

/* Where the entries of a short form directory end; 0: it is none. */
static u32 short_dir_end(const struct mend_inode *m, const struct fork *fork)
{
	struct dir_short_cursor c;
	struct dir_slot slot;
	u64 parent;

	if (!dir_short_open(&c, m->g, fork->data, fork->size, &parent) ||
	    !inum_valid(m->g, inum_of(parent)))
		return 0;
	while (dir_short_next(&c, &slot))
		if (!inum_valid(m->g, inum_of(slot.ino)))
			return 0;
	return c.index == c.count ? c.at : 0;
}

/* Attributes that fill what they say they fill. */
static bool short_attr_whole(const u8 *fork, u32 size, bool *any)
{
	struct attr_short_cursor c;
	struct attr_slot slot;

	if (!attr_short_open(&c, fork, size))
		return false;
	while (attr_short_next(&c, &slot))
		if (slot.flags & ~ATTR_NAMESPACES || !slot.name_length)
			return false;
	*any = c.count != 0;
	return c.index == c.count && c.at == c.size;
}

u32 inode_records_valid(const struct geometry *g, const struct fork *fork, u32 most)
{
	const struct bmbt_rec *rec = (const struct bmbt_rec *)fork->data;
	u64 after = 0;
	u32 i;

	for (i = 0; i < most && i < fork_capacity(fork); i++) {
		struct extent e;

		extent_load(&rec[i], &e);
		if (!e.count || e.off < after || !fsblock_valid(g, fsblock_of(e.start), e.count) ||
		    fsblock_bno(g, fsblock_of(e.start)) < geometry_ag_header_blocks(g))
			break;
		after = e.off + e.count;
	}
	return i;
}

u32 inode_count_extents(const struct geometry *g, const struct fork *fork, u64 blocks)
{
	const struct bmbt_rec *rec = (const struct bmbt_rec *)fork->data;
	u32 valid = inode_records_valid(g, fork, NULL32);
	u64 sum = 0;

	for (u32 i = 0; i < valid; i++) {
		struct extent e;

		if (sum == blocks)
			return i;
		extent_load(&rec[i], &e);
		sum += e.count;
	}
	return valid;
}

/* Is there an attribute fork of its format at this place? */
static bool attr_fork_at(const struct mend_inode *m, u32 forkoff, u32 aformat, u64 anextents)
{
	u32 room = m->g->inode_size - (u32)sizeof(struct dinode);
	const struct fork fork = {.data = m->raw + sizeof(struct dinode) + forkoff,
				  .size = room - forkoff,
				  .format = aformat};
	bool any = false;

	if (aformat == FORMAT_LOCAL)
		return short_attr_whole(fork.data, fork.size, &any) && any;
	if (aformat == FORMAT_EXTENTS)
		return anextents && anextents <= fork_capacity(&fork) &&
		       inode_records_valid(m->g, &fork, (u32)anextents) == anextents;
	return false;
}

/* Does the data fork fit in front of it? */
static u32 data_end(const struct mend_inode *m)
{
	struct inode inode;
	struct fork *data = &inode.fork[FORK_DATA];

	parse(m, &inode);
	data->size = m->g->inode_size - (u32)sizeof(struct dinode);
	switch (data->format) {
	case FORMAT_DEV:
		return DEV_FORK_SIZE;
	case FORMAT_LOCAL:
		if (S_ISDIR(inode.mode))
			return short_dir_end(m, data);
		return (u32)min_u64(inode.size, m->g->inode_size);
	case FORMAT_EXTENTS:
		return (u32)min_u64(inode.fork[FORK_DATA].extents * sizeof(struct bmbt_rec),
				    m->g->inode_size);
	default:
		return sizeof(struct bmdr) + BMDR_ENTRY_SIZE;
	}
}

static void mend_attr_header(struct mend_inode *m, u32 at)
{
	struct attr_short *header = (struct attr_short *)(m->raw + at);

	if (header->padding)
		note(m, "padding of the attributes");
	header->padding = 0;
}

/* Looks for the attribute fork where it is said to be, and then everywhere. */
/* Without a reverse map, a record that cannot be is no reason to look for the fork elsewhere,
 * unless all that the inode counts is mapped then. */
static bool fork_is_there(struct mend_inode *m, u32 off, u32 aformat)
{
	struct dinode *d = core(m), old = *d;
	bool is;

	if (m->facts->rmaps || aformat != FORMAT_EXTENTS)
		return true;
	d->forkoff = (u8)(off / 8);
	d->aformat = (u8)aformat;
	is = inode_has_all_blocks(m);
	*d = old;
	return is;
}

static void find_attr_fork(struct mend_inode *m)
{
	u32 room = m->g->inode_size - (u32)sizeof(struct dinode);
	struct inode inode;
	bool any;

	parse(m, &inode);
	if (inode.forkoff && inode.forkoff < room) {
		const struct fork *attr = &inode.fork[FORK_ATTR];

		if (attr->format == FORMAT_EXTENTS && attr->extents <= fork_capacity(attr) &&
		    inode_records_valid(m->g, attr, (u32)attr->extents) == attr->extents)
			return;
		if (attr->format == FORMAT_BTREE && !inode_broken(m))
			return;
		if (attr->format == FORMAT_LOCAL &&
		    short_attr_whole(attr->data, attr->size, &any)) {
			mend_attr_header(m, (u32)(attr->data - m->raw));
			return;
		}
	} else if (!inode.forkoff && inode.fork[FORK_ATTR].format == FORMAT_EXTENTS &&
		   !inode.fork[FORK_ATTR].extents && !m->facts->seen[FORK_ATTR].count) {
		return;
	}
	for (u32 off = (data_end(m) + 7) & ~7u; off && off + 8 < room; off += 8) {
		const u8 formats[] = {FORMAT_LOCAL, FORMAT_EXTENTS};
		u64 extents = inode.fork[FORK_ATTR].extents;

		if (!extents)
			extents = m->facts->seen[FORK_ATTR].count;
		for (u32 i = 0; i < ARRAY_COUNT(formats); i++) {
			if (!attr_fork_at(m, off, formats[i], extents) ||
			    !fork_is_there(m, off, formats[i]))
				continue;
			inode_set(m, "forkoff", off / 8);
			inode_set(m, "aformat", formats[i]);
			if (formats[i] == FORMAT_LOCAL)
				inode_set(
				    m, field_of(m, "anextents") ? "anextents" : "big_anextents", 0);
			return;
		}
	}
}

static u64 attr_extents(const struct mend_inode *m)
{
	struct inode inode;

	parse(m, &inode);
	return inode.fork[FORK_ATTR].extents;
}

static bool attr_place_possible(const struct mend_inode *m)
{
	u32 off = core(m)->forkoff * 8u, room = m->g->inode_size - (u32)sizeof(struct dinode);

	return off < room && (core(m)->format != FORMAT_DEV || !off || off == DEV_FORK_SIZE);
}

/* No attribute fork is better than one that is none. */
static void drop_attr_fork(struct mend_inode *m)
{
	u32 before = inode_broken(m);
	struct dinode old;
	bool large = be64_get(core(m)->flags2) & INODE_FLAG2_NREXT64;

	if (!before)
		return;
	memcpy(&old, m->raw, sizeof(old));
	inode_better(m, "aformat", FORMAT_EXTENTS);
	inode_better(m, large ? "big_anextents" : "anextents", 0);
	if (!inode_broken(m))
		return;
	core(m)->forkoff = 0;
	core(m)->aformat = FORMAT_EXTENTS;
	field_set(field_of(m, large ? "big_anextents" : "anextents"), m->raw, 0, 0);
	if (inode_broken(m) < before)
		note(m, "attribute fork given up");
	else
		memcpy(m->raw, &old, sizeof(old));
}

/* ---- fields ---- */

static void mend_flags(struct mend_inode *m)
{
	const struct geometry *g = m->g;
	struct inode inode;

	parse(m, &inode);
	inode_set(m, "flags", inode_flags_possible(g, &inode));
	parse(m, &inode);
	inode_set(m, "flags2", inode_flags2_possible(g, &inode));
	/* which of two ways to count and to keep time it has is told by what makes more sense */
	if (geometry_has(g, FEATURE_NREXT64))
		inode_better(m, "flags2", be64_get(core(m)->flags2) ^ INODE_FLAG2_NREXT64);
	if (geometry_has(g, FEATURE_BIGTIME))
		inode_better(m, "flags2", be64_get(core(m)->flags2) | INODE_FLAG2_BIGTIME);
}

/* A hint without its flag is none, and so is a flag without a hint. */
static void mend_hints(struct mend_inode *m)
{
	const u32 flags = INODE_FLAG_EXTSIZE | INODE_FLAG_EXTSZINHERIT;
	struct dinode *d = core(m);
	u64 most = min_u64(EXTENT_COUNT_MAX, m->g->ag_blocks / 2);

	if (!be32_get(d->extsize) || be32_get(d->extsize) > most)
		inode_better(m, "flags", be16_get(d->flags) & ~flags);
	inode_better(m, "extsize", 0);
	if (!be32_get(d->cowextsize) || be32_get(d->cowextsize) > most)
		inode_better(m, "flags2", be64_get(d->flags2) & ~INODE_FLAG2_COWEXTSIZE);
	inode_better(m, "cowextsize", 0);
	if (!inode_broken(m))
		return;
	/* both are wrong in a way that neither alone mends */
	if (be32_get(d->extsize) > most || inode_is_realtime(m)) {
		inode_set(m, "flags", be16_get(d->flags) & ~flags);
		inode_set(m, "extsize", 0);
	}
	if (be32_get(d->cowextsize) > most) {
		inode_set(m, "flags2", be64_get(d->flags2) & ~INODE_FLAG2_COWEXTSIZE);
		inode_set(m, "cowextsize", 0);
	}
}

static void mend_times(struct mend_inode *m)
{
	const char *const name[] = {"atime", "mtime", "ctime", "crtime"};

	for (u32 i = 0; i < ARRAY_COUNT(name); i++) {
		u64 t = field_get(field_of(m, name[i]), m->raw, 0);

		inode_better(m, name[i], t & ~(u64)NULL32);
	}
}

/* No program can give a file to nobody: to whom it belongs is lost, and it becomes root's, with no
 * more power than before. */
static void mend_owner(struct mend_inode *m)
{
	struct dinode *d = core(m);
	u16 power = 0;

	if (be32_get(d->uid) == NULL32) {
		inode_set(m, "uid", 0);
		power |= S_ISUID;
	}
	if (be32_get(d->gid) == NULL32) {
		inode_set(m, "gid", 0);
		power |= S_ISGID;
	}
	if (S_ISREG(be16_get(d->mode)))
		inode_set(m, "mode", be16_get(d->mode) & ~power);
}

static void mend_rest(struct mend_inode *m)
{
	struct dinode *d = core(m);
	bool large = be64_get(d->flags2) & INODE_FLAG2_NREXT64;

	inode_set(m, large ? "nrext64_pad" : "v3_pad", 0);
	inode_better(m, "next_unlinked", NULL32);
	inode_better(m, "projid_hi", 0);
	mend_owner(m);
	if (be32_get(d->nlink) > INODE_NLINK_MAX)
		inode_set(m, "nlink", min_u64(m->facts->names, INODE_NLINK_MAX));
	mend_times(m);
}

/* ---- type and format ---- */

/* What there is of a type, judged by the content alone. */
static u16 type_by_content(const struct mend_inode *m)
{
	struct inode inode;

	parse(m, &inode);
	if (inode.fork[FORK_DATA].format == FORMAT_DEV)
		return inode.size ? 0 : S_IFIFO;
	if (inode.fork[FORK_DATA].format != FORMAT_LOCAL)
		return S_IFREG;
	if (short_dir_end(m, &inode.fork[FORK_DATA]) == inode.size && inode.size)
		return S_IFDIR;
	return S_IFLNK;
}

static void mend_type(struct mend_inode *m)
{
	u16 mode = be16_get(core(m)->mode), named = mode_of_ftype(m->facts->ftype);
	u16 bits = mode & 07777;

	/* one that has a name is what the superblock has wrong */
	if (inode_internal(m->g, inum_of(m->ino)) && !m->facts->names)
		named = S_IFREG;
	if (m->ino == m->g->root_ino)
		named = S_IFDIR;
	if (!inode_ftype(mode)) {
		if (!named)
			named = type_by_content(m);
		inode_set(m, "mode", (named ? named : S_IFREG) | bits);
		return;
	}
	if (named && (mode & S_IFMT) != named)
		inode_better(m, "mode", named | bits);
}

/* Is the content of a directory or symbolic link in the inode, whatever the format says? */
static bool is_local(const struct mend_inode *m, const struct inode *inode)
{
	const struct fork *fork = &inode->fork[FORK_DATA];
	u64 size = inode->size;

	if (!size || size > fork->size || inode->nblocks > m->facts->seen[FORK_ATTR].blocks ||
	    (m->facts->rmaps && m->facts->seen[FORK_DATA].count))
		return false;
	if (S_ISDIR(inode->mode))
		return short_dir_end(m, fork) == size;
	return S_ISLNK(inode->mode) && !memchr(fork->data, 0, size);
}

/* Formats that a type can have, the likeliest first. */
static void mend_format(struct mend_inode *m)
{
	const u8 formats[] = {FORMAT_DEV, FORMAT_LOCAL, FORMAT_EXTENTS, FORMAT_BTREE};
	bool large = be64_get(core(m)->flags2) & INODE_FLAG2_NREXT64;
	struct inode inode;

	parse(m, &inode);
	if (is_local(m, &inode)) {
		inode_set(m, "format", FORMAT_LOCAL);
		inode_set(m, large ? "big_nextents" : "nextents", 0);
		return;
	}
	if (!inode_broken(m))
		return;
	if (!inode.fork[FORK_DATA].extents || inode.fork[FORK_DATA].format == FORMAT_EXTENTS)
		for (u32 i = 0; i < ARRAY_COUNT(formats); i++)
			inode_better(m, "format", formats[i]);
	for (u32 i = ARRAY_COUNT(formats); i--;)
		inode_better(m, "format", formats[i]);
}

/* ---- size ---- */

static u64 mapped_end(const struct mend_inode *m, const struct inode *inode)
{
	const struct fork *fork = &inode->fork[FORK_DATA];
	const struct bmbt_rec *rec = (const struct bmbt_rec *)fork->data;
	const struct mapped *seen = &m->facts->seen[FORK_DATA];
	struct extent e = {0};

	if (m->facts->rmaps && seen->count && !inode_realtime(inode))
		e = seen->extent[seen->count - 1];
	else if (fork->format == FORMAT_EXTENTS && fork->extents &&
		 fork->extents <= fork_capacity(fork))
		extent_load(&rec[fork->extents - 1], &e);
	return e.off + e.count;
}

/* The last block of a directory's data. */
static u64 dir_end(const struct mend_inode *m, const struct inode *inode)
{
	const struct fork *fork = &inode->fork[FORK_DATA];
	const struct bmbt_rec *rec = (const struct bmbt_rec *)fork->data;
	u64 end = 0;

	if (fork->format != FORMAT_EXTENTS)
		return 0;
	for (u64 i = 0; i < min_u64(fork->extents, fork_capacity(fork)); i++) {
		struct extent e;

		extent_load(&rec[i], &e);
		if (e.off < m->g->dir_leaf_off)
			end = e.off + e.count;
	}
	return end << m->g->block_log;
}

static u64 target_end(const struct fork *fork)
{
	u32 length = 0;

	while (length < fork->size && fork->data[length])
		length++;
	return length;
}

/* The files of the realtime section are as long as it says, or longer where something is mapped
 * there: growing it begins with that. */
static u64 realtime_size(const struct mend_inode *m, const struct inode *inode, u64 needed)
{
	const struct mapped *said = &m->facts->said[FORK_DATA];
	u64 end = mapped_end(m, inode);

	if (said->count)
		end = max_u64(end, said->extent[said->count - 1].off +
				       said->extent[said->count - 1].count);
	return end > needed >> m->g->block_log ? max_u64(inode->size, needed) : needed;
}

void inode_mend_size(struct mend_inode *m)
{
	struct inode inode;
	const struct fork *fork = &inode.fork[FORK_DATA];
	u64 size;

	parse(m, &inode);
	size = inode.size;
	if (S_ISREG(inode.mode)) {
		if (size > (u64)INT64_MAX || (m->made && !size))
			size = mapped_end(m, &inode) << m->g->block_log;
	} else if (S_ISDIR(inode.mode)) {
		if (fork->format == FORMAT_LOCAL && short_dir_end(m, fork))
			size = short_dir_end(m, fork);
		else if (fork->format == FORMAT_EXTENTS && dir_end(m, &inode) &&
			 (!size || size > dir_end(m, &inode) || inode_broken(m)))
			size = dir_end(m, &inode);
	} else if (S_ISLNK(inode.mode)) {
		if (fork->format == FORMAT_LOCAL && (!size || size > fork->size))
			size = target_end(fork);
		else if (!size || size > SYMLINK_MAX)
			size = 0;
	} else {
		size = 0;
	}
	if (m->ino == m->g->rbm_ino)
		size = realtime_size(m, &inode, (u64)m->g->rt_bitmap_blocks << m->g->block_log);
	if (m->ino == m->g->rsum_ino)
		size = realtime_size(m, &inode, m->g->rt_summary_size);
	inode_set(m, "size", size);
}

static void mend_free(struct mend_inode *m)
{
	const struct inode_facts *f = m->facts;
	struct dinode *d = core(m);
	bool taken =
	    f->names || (f->named && m->use != USE_FREE) || f->seen[0].blocks || f->seen[1].blocks;

	if (taken)
		return;
	if (!be16_get(d->mode) || (m->use == USE_FREE && !be32_get(d->nlink))) {
		make_free(m);
		note(m, "a free inode");
	}
}

void inode_mend(struct mend_inode *m)
{
	const struct inode_facts *f = m->facts;

	if (!inode_believable(m->g, m->ino, m->raw)) {
		if (f->names || f->named || f->seen[0].blocks || f->seen[1].blocks ||
		    inode_internal(m->g, inum_of(m->ino)) || m->ino == m->g->root_ino)
			make_anew(m);
		else
			make_free(m);
		note(m, m->freed ? "freed" : "made anew: owner, times and attributes are lost");
	}
	identify(m);
	if (!m->freed)
		mend_free(m);
	if (m->freed)
		return;
	mend_type(m);
	mend_flags(m);
	mend_rest(m);
	mend_hints(m);
	if (core(m)->aformat == FORMAT_EXTENTS && !attr_extents(m))
		inode_better(m, "forkoff", 0);
	if (!attr_place_possible(m) || (core(m)->forkoff && core(m)->aformat == FORMAT_LOCAL))
		find_attr_fork(m);
	inode_mend_size(m);
	mend_format(m);
	inode_mend_counts(m);
	find_attr_fork(m);
	drop_attr_fork(m);
	inode_mend_counts(m);
	inode_mend_size(m);
	mend_format(m);
	mend_hints(m);
}
