/*
 * Scrub items: the aspects of objects that drivers of XFS_IOC_SCRUB_METADATA ask for, by the
 * numbers, names and flags that the kernel's interface has.
 *
 * Which types and accounts look at an item is said by their descriptors (format/type.h) and rows
 * (ledger/accounts.def); an item that no descriptor names does not exist.
 */
#ifndef MENDFS_FORMAT_SCRUB_H
#define MENDFS_FORMAT_SCRUB_H

#include "base/types.h"

/* What an object belongs to, and so what is named with it: nothing, an AG, an inode. */
enum meta_scope { SCOPE_FS, SCOPE_AG, SCOPE_INODE };

/* In the order of their numbers: row(ID, name, scope, what is checked). Names as xfs_io has them.
 */
#define SCRUB_TYPES(row)                                                                           \
	row(PROBE, "probe", FS, "nothing: is scrubbing to be had?") row(                           \
	    SB, "sb", AG,                                                                          \
	    "superblock, or its copy in the AG") row(AGF, "agf", AG,                               \
						     "header of the AG's space trees, with its "   \
						     "counters") row(AGFL, "agfl", AG,             \
								     "blocks that the space "      \
								     "trees may grow into")        \
	    row(AGI, "agi", AG, "header of the AG's inode trees, with its counters") row(          \
		BNOBT, "bnobt", AG, "free space by block, and that each block has a use")          \
		row(CNTBT, "cntbt", AG, "free space by size") row(                                 \
		    INOBT, "inobt", AG,                                                            \
		    "chunks of inodes") row(FINOBT, "finobt", AG,                                  \
					    "chunks with free inodes") row(RMAPBT, "rmapbt", AG,   \
									   "owners of blocks")     \
		    row(REFCNTBT, "refcountbt", AG, "shared blocks, and staging of copies") row(   \
			INODE, "inode", INODE, "record of an inode") row(BMBTD, "bmapbtd", INODE,  \
									 "map of an inode's data") \
			row(BMBTA, "bmapbta", INODE, "map of an inode's attributes") row(          \
			    BMBTC, "bmapbtc", INODE, "map of copies that are not written yet")     \
			    row(DIR, "directory", INODE,                                           \
				"entries and indexes of a directory") row(XATTR, "xattr", INODE,   \
									  "extended attributes")   \
				row(SYMLINK, "symlink", INODE, "target of a symbolic link") row(   \
				    PARENT, "parent", INODE,                                       \
				    "parent pointers, or a directory's ..")                        \
				    row(RTBITMAP, "rtbitmap", FS,                                  \
					"free space of the realtime section")                      \
					row(RTSUM, "rtsummary", FS,                                \
					    "summary of the realtime bitmap") row(UQUOTA,          \
										  "usrquota", FS,  \
										  "quota records " \
										  "of users")      \
					    row(GQUOTA, "grpquota", FS, "quota records of groups") \
						row(PQUOTA, "prjquota", FS,                        \
						    "quota records of projects")                   \
						    row(FSCOUNTERS, "fscounters", FS,              \
							"counters of the superblock")              \
							row(QUOTACHECK, "quotacheck", FS,          \
							    "usage in all quota records")          \
							    row(NLINKS, "nlinks", FS,              \
								"link counts of all inodes")       \
								row(HEALTHY, "healthy", FS,        \
								    "everything")                  \
								    row(DIRTREE, "dirtree", INODE, \
									"way from a directory up " \
									"to the root")

enum scrub_type {
#define SCRUB_ENUM(id, ...) SCRUB_##id,
	SCRUB_TYPES(SCRUB_ENUM)
#undef SCRUB_ENUM
	    SCRUB_COUNT
};
#define SCRUB_BIT(id) (1ull << SCRUB_##id)

struct scrub_def {
	const char *name;
	enum meta_scope scope;
	const char *what;
};
extern const struct scrub_def scrub_defs[SCRUB_COUNT];

/* Items of this scope: bits. */
u64 scrub_of_scope(enum meta_scope scope);

struct finding;
struct geometry;
/* Of the items of a finding's type those that it is about: which map, whose quota, the inode. */
u64 scrub_narrow(const struct geometry *g, const struct finding *finding, u64 items);
/* The AG that it is in; NO_AG. */
u32 finding_ag(const struct geometry *g, const struct finding *finding);

/* In, and out. */
#define SCRUB_REPAIR (1u << 0)
#define SCRUB_FORCE (1u << 8) /* with SCRUB_REPAIR: although nothing is wrong */
#define SCRUB_FLAGS_IN (SCRUB_REPAIR | SCRUB_FORCE)

#define SCRUB_CORRUPT (1u << 1)
#define SCRUB_PREEN (1u << 2)
#define SCRUB_XFAIL (1u << 3)	 /* what it should be compared with is damaged */
#define SCRUB_XCORRUPT (1u << 4) /* others say otherwise */
#define SCRUB_INCOMPLETE (1u << 5)
#define SCRUB_WARNING (1u << 6)
#define SCRUB_UNTOUCHED (1u << 7) /* SCRUB_REPAIR was set, and there was nothing to do */
#define SCRUB_FLAGS_OUT                                                                  \
	(SCRUB_CORRUPT | SCRUB_PREEN | SCRUB_XFAIL | SCRUB_XCORRUPT | SCRUB_INCOMPLETE | \
	 SCRUB_WARNING | SCRUB_UNTOUCHED)
/* What asks for a repair. */
#define SCRUB_SICK (SCRUB_CORRUPT | SCRUB_XCORRUPT | SCRUB_PREEN)

#endif
