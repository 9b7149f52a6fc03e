/*
 * Naming objects on the command line, for inspect and damage.
 *
 *	TYPE [AG]               a header with a fixed place: superblock 3, agf 1
 *	TYPE AG [block B]       an AG tree: its root, or the block B of the AG
 *	inode INO|PATH          an inode by number, or by the path of a file
 *	PATH                    the same, when it begins with /
 *	... data N, ... attr N  after an inode: the object at block N of that fork
 *	block FSB|AG:BNO[+N]    whatever is there, of N blocks
 *	... as TYPE             after a block: take it for this; else its magic number or file tells
 *	log record N|LSN        a record of the log, counted from the tail (object_log.h)
 *	... PART N              after all: only record N, key N, .. of it: bnobt 0 recs 17
 *
 * Everything comes from the descriptors: place(), root, magic, size(), parts().  An object is a
 * private copy of its bytes, as they are on the disk, unverified.
 */
#ifndef MENDFS_CLI_OBJECT_H
#define MENDFS_CLI_OBJECT_H

#include "fs/inode.h"
#include "fs/vol.h"

#define OBJECT_NAME 160

struct object {
	struct vol *vol;
	const struct meta_type *type;
	struct where where;
	struct device *dev;	/* that it lies on */
	struct object_log *log; /* records of the log; NULL for others */
	struct cache_range ranges[CACHE_RANGES];
	u32 range_count;
	u8 *bytes;
	u32 len;
	char name[OBJECT_NAME]; /* in the words of the grammar */
	/* Only this part, when part is not empty. */
	char part[32];
	u32 part_index;
};

/* words[] is consumed whole; -EINVAL with a trail when it is no object. */
int object_find(struct vol *vol, char **words, u32 count, struct object *out);
void object_drop(struct object *object);
/* The object at an address, or in several pieces, for enumerations. */
int object_at(struct vol *vol, const struct meta_type *type, const struct where *where,
	      const struct cache_range *ranges, u32 count, struct object *out);

/* The type whose magic number is on the block; NULL if none is. */
const struct meta_type *object_identify(const struct vol *vol, const u8 *bytes, u32 len);
const struct meta_type *object_type(const struct vol *vol, const char *name);
/* Calls fn for each part: those of parts(), or the layout alone. */
void object_parts(const struct object *object, void (*fn)(void *arg, const struct part *part),
		  void *arg);
/* The place on the device of byte `offset` of the object. */
struct daddr object_daddr(const struct object *object, u32 offset);

/* An inode by number or path, from one word. */
int object_inum(struct vol *vol, const char *word, struct inum *out);

/* One field of an object. */
struct object_field {
	const struct field *field;
	const struct layout *layout; /* of the part */
	u32 element;		     /* of an array */
	u32 offset;		     /* of the part in the object, bytes */
};
/* `length`, `roots[1]`, `recs[3].startblock`, `hdr.level`; -ENOENT with a trail. */
int object_field_find(const struct object *object, const char *text, struct object_field *out);

#define OBJECT_GRAMMAR                                                                      \
	"OBJECT is one of\n"                                                                \
	"  TYPE [AG]           a header of an AG: superblock 3, agf 1, agi 0, agfl 2\n"     \
	"  TYPE AG [block B]   a tree of an AG: its root (bnobt 0), or one block of it\n"   \
	"  inode INO|PATH      an inode; a PATH begins with /, and may stand alone\n"       \
	"  inode INO data N    the block at block N of its data fork; attr N likewise\n"    \
	"  block FSB|AG:BNO    any block, taken for what its magic number says\n"           \
	"  log record N|LSN    a record of the log, counted from its tail, or by its LSN\n" \
	"each followed by `as TYPE` to take it for something else, and by PART N for one\n" \
	"record, key or entry alone: bnobt 0 recs 17.\n"

#endif
