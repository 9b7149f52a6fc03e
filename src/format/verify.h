/*
 * The rules that all blocks share: magic, CRC, uuid, own address, owner; then the type's own.
 */
#ifndef MENDFS_FORMAT_VERIFY_H
#define MENDFS_FORMAT_VERIFY_H

#include "format/type.h"

/* The findings that every type shares, handed in by src/meta so that format stays below it. */
struct verify_defs {
	const struct finding_def *magic, *crc, *uuid, *blkno, *owner;
};
extern const struct verify_defs *verify_defs;

/* Runs them all on one object at v->where. Returns v->worst. */
enum severity verify(struct verdict *v, const struct meta_type *type, const struct geometry *g,
		     const void *block, u32 len);
/* The CRC that the object should carry (its CRC field taken as zero). */
u32 verify_crc(const void *block, u32 len, u32 crc_offset);

/*
 * A verdict for who only wants to know whether to go on: .raise = raise_first, .sink = a zeroed
 * struct first_finding. The first finding that is grave enough becomes the trail, and err: -EBADMSG
 * for a checksum, -EUCLEAN for anything else.
 */
struct first_finding {
	int err;
};
void raise_first(struct verdict *v, const struct finding *finding);
/* The finding that has become the trail of this thread's last failure; NULL: it was no finding. */
const struct finding *raised_last(void);
/* For who goes on whatever is found, or hears of it elsewhere. */
void raise_nothing(struct verdict *v, const struct finding *finding);

#endif
