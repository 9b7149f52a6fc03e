/* Where the inode chunks of AGs are whose inode trees cannot be asked. */
#ifndef MENDFS_SCRUB_CHUNKS_H
#define MENDFS_SCRUB_CHUNKS_H

#include "meta/evidence.h"
#include "scrub/survey.h"

/* For each AG with wanted[].inodes: wanted[].found. The reverse map tells which blocks to look at
 * where it is sound, else the bnobt which not to. Freed by chunks_free(). */
int chunks_look(struct vol *vol, const struct survey *survey, struct evidence_ag *wanted);
void chunks_free(struct vol *vol, struct evidence_ag *wanted);

#endif
