/*
 * The ioctls that tell something about a file or the filesystem: flags, XFS attributes, geometry,
 * counts, label.
 *
 * FUSE's ioctls are restricted: what goes in and out is a structure of the size that the number
 * says.
 */
#include "fuse/ioctl.h"

#include "fuse/exchange.h"

#include "format/inode.h"
#include "format/ag.h"
#include "format/super.h"
#include "fs/health.h"
#include "fuse/node.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* What XFS_IOC_FSGEOMETRY fills in, in the fifth version of its structure. */
struct geometry_answer {
	u32 blocksize, rtextsize, agblocks, agcount, logblocks, sectsize, inodesize, imaxpct;
	u64 datablocks, rtblocks, rtextents, logstart;
	u8 uuid[16];
	u32 sunit, swidth, version, flags, logsectsize, rtsectsize, dirblocksize, logsunit;
	u32 sick, checked;
	u64 reserved[17];
};
_Static_assert(sizeof(struct geometry_answer) == 256, "XFS_IOC_FSGEOMETRY");
#define IOC_GEOMETRY _IOR('X', 126, struct geometry_answer)
#define GEOMETRY_VERSION 5
#define GEOMETRY_LOGV2 (1u << 8)
/* Older versions are the beginning of it; the first ends with 4 bytes that mean nothing. */
#define GEOMETRY_OLD_SIZE 112
#define IOC_GEOMETRY_V1 _IOC(_IOC_READ, 'X', 100, GEOMETRY_OLD_SIZE)
#define IOC_GEOMETRY_V4 _IOC(_IOC_READ, 'X', 124, GEOMETRY_OLD_SIZE)
_Static_assert(offsetof(struct geometry_answer, sick) == GEOMETRY_OLD_SIZE, "version 4");

struct ag_geometry_answer {
	u32 number, length, freeblks, icount, ifree, sick, checked, flags;
	u64 reserved[12];
};
_Static_assert(sizeof(struct ag_geometry_answer) == 128, "XFS_IOC_AG_GEOMETRY");
#define IOC_AG_GEOMETRY _IOWR('X', 61, struct ag_geometry_answer)

struct counts_answer {
	u64 data, rt_extents, inodes_free, inodes;
};
#define IOC_COUNTS _IOR('X', 113, struct counts_answer)

/* Its flags: bits, and the features that set them. */
#define GEOMETRY_ALWAYS (1u << 1 | 1u << 6 | 1u << 7 | 1u << 15) /* nlink, extflg, dirv2, v5 */
static const struct {
	enum feature feature;
	u32 bit;
} geometry_flags[] = {
    {FEATURE_ATTR, 0},	      {FEATURE_QUOTA, 2},     {FEATURE_ALIGN, 3},
    {FEATURE_DALIGN, 4},      {FEATURE_LOGV2, 8},     {FEATURE_SECTOR, 9},
    {FEATURE_ATTR2, 10},      {FEATURE_PROJID32, 11}, {FEATURE_LAZYSBCOUNT, 14},
    {FEATURE_FTYPE, 16},      {FEATURE_FINOBT, 17},   {FEATURE_SPARSE, 18},
    {FEATURE_RMAPBT, 19},     {FEATURE_REFLINK, 20},  {FEATURE_BIGTIME, 21},
    {FEATURE_INOBTCOUNT, 22}, {FEATURE_NREXT64, 23},  {FEATURE_EXCHANGE, 24},
    {FEATURE_PARENT, 25},
};

/* The flags of an inode, as FS_IOC_FSGETXATTR and as FS_IOC_GETFLAGS have them. */
const struct inode_flag_names inode_flag_names[INODE_FLAG_NAMES] = {
    {INODE_FLAG_REALTIME, FS_XFLAG_REALTIME, 0},
    {INODE_FLAG_PREALLOC, FS_XFLAG_PREALLOC, 0},
    {INODE_FLAG_IMMUTABLE, FS_XFLAG_IMMUTABLE, FS_IMMUTABLE_FL},
    {INODE_FLAG_APPEND, FS_XFLAG_APPEND, FS_APPEND_FL},
    {INODE_FLAG_SYNC, FS_XFLAG_SYNC, FS_SYNC_FL},
    {INODE_FLAG_NOATIME, FS_XFLAG_NOATIME, FS_NOATIME_FL},
    {INODE_FLAG_NODUMP, FS_XFLAG_NODUMP, FS_NODUMP_FL},
    {INODE_FLAG_RTINHERIT, FS_XFLAG_RTINHERIT, 0},
    {INODE_FLAG_PROJINHERIT, FS_XFLAG_PROJINHERIT, FS_PROJINHERIT_FL},
    {INODE_FLAG_NOSYMLINKS, FS_XFLAG_NOSYMLINKS, 0},
    {INODE_FLAG_EXTSIZE, FS_XFLAG_EXTSIZE, 0},
    {INODE_FLAG_EXTSZINHERIT, FS_XFLAG_EXTSZINHERIT, 0},
    {INODE_FLAG_NODEFRAG, FS_XFLAG_NODEFRAG, 0},
    {INODE_FLAG_FILESTREAM, FS_XFLAG_FILESTREAM, 0},
};

static struct geometry_answer geometry_answer(const struct geometry *g)
{
	struct geometry_answer a = {
	    .blocksize = g->block_size,
	    .rtextsize = g->rt_extent_size,
	    .agblocks = g->ag_blocks,
	    .agcount = g->ag_count,
	    .logblocks = g->log_blocks,
	    .sectsize = g->sector_size,
	    .inodesize = g->inode_size,
	    .imaxpct = g->max_inode_percent,
	    .datablocks = g->data_blocks,
	    .rtblocks = g->rt_blocks,
	    .rtextents = g->rt_extents,
	    .logstart = g->log_start,
	    .sunit = g->stripe_unit,
	    .swidth = g->stripe_width,
	    .version = GEOMETRY_VERSION,
	    .flags = GEOMETRY_ALWAYS,
	    .logsectsize = g->log_sector_size,
	    .rtsectsize = g->block_size,
	    .dirblocksize = g->dir_block_size,
	    .logsunit = g->log_stripe_unit,
	};

	memcpy(a.uuid, g->uuid.b, sizeof(a.uuid));
	for (u32 i = 0; i < ARRAY_COUNT(geometry_flags); i++)
		if (geometry_has(g, geometry_flags[i].feature))
			a.flags |= 1u << geometry_flags[i].bit;
	return a;
}

struct fsxattr fsxattr_answer(const struct geometry *g, const struct inode *inode)
{
	struct fsxattr a = {.fsx_projid = inode->projid,
			    .fsx_nextents = (u32)min_u64(inode->fork[FORK_DATA].extents, NULL32)};

	for (u32 i = 0; i < INODE_FLAG_NAMES; i++)
		if (inode->flags & inode_flag_names[i].flag)
			a.fsx_xflags |= inode_flag_names[i].xflag;
	if (inode->flags2 & INODE_FLAG2_DAX)
		a.fsx_xflags |= FS_XFLAG_DAX;
	if (inode->flags2 & INODE_FLAG2_COWEXTSIZE)
		a.fsx_xflags |= FS_XFLAG_COWEXTSIZE;
	if (inode->forkoff)
		a.fsx_xflags |= FS_XFLAG_HASATTR;
	if (a.fsx_xflags & (FS_XFLAG_EXTSIZE | FS_XFLAG_EXTSZINHERIT))
		a.fsx_extsize = inode->extsize << g->block_log;
	if (a.fsx_xflags & FS_XFLAG_COWEXTSIZE)
		a.fsx_cowextsize = inode->cowextsize << g->block_log;
	return a;
}

u32 flags_answer(const struct inode *inode)
{
	u32 flags = inode->flags2 & INODE_FLAG2_DAX ? FS_DAX_FL : 0;

	for (u32 i = 0; i < INODE_FLAG_NAMES; i++)
		if (inode->flags & inode_flag_names[i].flag)
			flags |= inode_flag_names[i].fl;
	return flags;
}

/* At most out_size bytes of the answer. */
static void answer(fuse_req_t req, const void *from, size_t size, size_t out_size)
{
	fuse_reply_ioctl(req, 0, from, min_u64(size, out_size));
}

static void inode_ioctl(fuse_req_t req, fuse_ino_t node, unsigned cmd, size_t out_size)
{
	struct server *server = server_of(req);
	const struct inode *inode;
	int err = node_get(server->nodes, node_inum(server, node), &inode);

	if (err) {
		reply_failure(req, err, "ioctl", node);
		return;
	}
	struct fsxattr fsx = fsxattr_answer(&server->vol->geo, inode);
	u32 flags = flags_answer(inode);

	node_put(server->nodes, inode);
	if (cmd == (unsigned)FS_IOC_FSGETXATTR)
		answer(req, &fsx, sizeof(fsx), out_size);
	else
		answer(req, &flags, sizeof(flags), out_size);
}

static void geometry_ioctl(fuse_req_t req, unsigned cmd, size_t out_size)
{
	struct health_marks marks;
	struct geometry_answer a;
	struct geometry g;

	geometry_now(server_of(req), &g);
	a = geometry_answer(&g);
	marks = health_of_fs(server_of(req)->vol->health);
	a.sick = health_kernel_bits(SCOPE_FS, marks.sick);
	a.checked = health_kernel_bits(SCOPE_FS, marks.checked);
	if (cmd != (unsigned)IOC_GEOMETRY)
		a.version = 0;
	if (cmd == (unsigned)IOC_GEOMETRY_V1) { /* which knows no second version of the log */
		a.logsunit = 0;
		a.flags &= ~GEOMETRY_LOGV2;
	}
	answer(req, &a, sizeof(a), out_size);
}

/* What a header says of its AG; zeroes where it cannot be read: the answer tells that it is sick.
 */
static void ag_counts(struct vol *vol, enum meta_id id, struct ag_geometry_answer *a)
{
	const struct meta_type *type = vol_type(vol, id);
	struct daddr at = type->place(&vol->geo, a->number);
	const struct where where = {
	    .type = type->name, .ag = a->number, .ino = NO_INO, .daddr = at.v, .owner = NO_OWNER};
	struct buf *buf;
	int err = cache_get(vol->cache, type, &where, at, vol->geo.sector_size, &buf);

	if (err) {
		health_met(vol->health, err);
		return;
	}
	if (id == META_AGF) {
		a->freeblks = be32_get(((const struct agf *)buf->data)->freeblks) +
			      be32_get(((const struct agf *)buf->data)->flcount) +
			      be32_get(((const struct agf *)buf->data)->btreeblks);
	} else {
		a->icount = be32_get(((const struct agi *)buf->data)->count);
		a->ifree = be32_get(((const struct agi *)buf->data)->freecount);
	}
	cache_put(vol->cache, buf);
}

static void ag_geometry_ioctl(fuse_req_t req, fuse_ino_t node, const void *in, size_t in_size,
			      size_t out_size)
{
	struct vol *vol = server_of(req)->vol;
	struct ag_geometry_answer a = {0}, wanted;
	struct health_marks marks;

	(void)node;
	if (in_size < sizeof(wanted)) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	memcpy(&wanted, in, sizeof(wanted));
	if (wanted.number >= vol->geo.ag_count || wanted.flags) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	a.number = wanted.number;
	a.length = geometry_ag_blocks(&vol->geo, a.number);
	vol_read_begin(vol);
	ag_counts(vol, META_AGF, &a);
	ag_counts(vol, META_AGI, &a);
	vol_read_end(vol);
	marks = health_of_ag(vol->health, a.number);
	a.sick = health_kernel_bits(SCOPE_AG, marks.sick);
	a.checked = health_kernel_bits(SCOPE_AG, marks.checked);
	answer(req, &a, sizeof(a), out_size);
}

static void counts_ioctl(fuse_req_t req, size_t out_size)
{
	struct counts_answer a = {0};
	struct geometry g;
	struct statvfs st;

	geometry_now(server_of(req), &g);
	statfs_fill(&g, &st);
	a.data = st.f_bfree;
	a.inodes_free = g.ifree;
	a.inodes = g.icount;
	answer(req, &a, sizeof(a), out_size);
}

static void label_ioctl(fuse_req_t req, size_t out_size)
{
	struct geometry g;
	char label[IOCTL_LABEL_SIZE] = "";

	geometry_now(server_of(req), &g);
	memcpy(label, g.label, sizeof(g.label));
	answer(req, label, sizeof(label), out_size);
}

void do_ioctl(fuse_req_t req, fuse_ino_t node, unsigned int cmd, void *arg,
	      struct fuse_file_info *fi, unsigned int flags, const void *in_buf, size_t in_size,
	      size_t out_size)
{
	struct server *server = server_of(req);

	(void)fi;
	(void)flags;
	switch (cmd) {
	case (unsigned)FS_IOC_GETFLAGS:
	case (unsigned)FS_IOC_FSGETXATTR:
		inode_ioctl(req, node, cmd, out_size);
		break;
	case (unsigned)IOC_GEOMETRY:
	case (unsigned)IOC_GEOMETRY_V1:
	case (unsigned)IOC_GEOMETRY_V4:
		geometry_ioctl(req, cmd, out_size);
		break;
	case (unsigned)IOC_AG_GEOMETRY:
		ag_geometry_ioctl(req, node, in_buf, in_size, out_size);
		break;
	case (unsigned)IOC_COUNTS:
		counts_ioctl(req, out_size);
		break;
	case (unsigned)FS_IOC_GETFSLABEL:
		label_ioctl(req, out_size);
		break;
	case IOC_EXCHANGE_RANGE:
	case IOC_START_COMMIT:
	case IOC_COMMIT_RANGE:
		exchange_ioctl(req, node, cmd, in_buf, in_size, out_size);
		break;
	case (unsigned)IOC_SCRUB:
		scrub_ioctl(req, node, in_buf, in_size, out_size);
		break;
	case (unsigned)CONTROL_IOC_ADDRESS:
		if (server->options.control)
			answer(req, server->options.control, sizeof(struct control_address),
			       out_size);
		else
			fuse_reply_err(req, ENOTTY);
		break;
	default:
		change_ioctl(req, node, cmd, arg, in_buf, in_size, out_size);
	}
}
