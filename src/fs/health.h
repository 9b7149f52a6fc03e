/*
 * Health of a mounted filesystem: which items (format/scrub.h) of the filesystem, of each AG and of
 * inodes have been seen to be damaged (sick), and which have been looked at (checked).
 *
 * Marks are set by an operation that meets damage, by checks and by repairs; a check that finds
 * nothing takes them away.  They live as long as the mount: what a check after the next mount says
 * is worth more than what was true before it.
 *
 * Of inodes HEALTH_INODES are kept at most.  Of sick ones beyond that the AG is told to have some
 * (HEALTH_INODES_SICK); they show themselves again where they are met.
 *
 * An AG of which a structure is sick that says what is free or in use is fenced: whoever looks for
 * space or an inode goes on to the next one, and nothing is freed into it.  An inode that is sick
 * is not changed.
 *
 * With health NULL (a filesystem that is not mounted), all is as if nothing were sick.
 */
#ifndef MENDFS_FS_HEALTH_H
#define MENDFS_FS_HEALTH_H

#include "format/scrub.h"
#include "fs/events.h"
#include "fs/vol.h"

#define HEALTH_INODES 4096
/* Beside the items of an AG: inodes in it are sick that are not kept. */
#define HEALTH_INODES_SICK (1u << 31)

struct health_marks {
	u32 sick, checked; /* bits 1 << enum scrub_type */
};

struct health;

/* From then on vol->health, until it is closed. */
int health_open(struct vol *vol);
void health_close(struct vol *vol);
struct events *health_events(const struct health *health);

struct health_marks health_of_fs(const struct health *health);
struct health_marks health_of_ag(const struct health *health, u32 ag);
struct health_marks health_of_inode(const struct health *health, u64 ino);
/* The next sick inode behind *ino (begin with 0); false: there is none. */
bool health_next_inode(const struct health *health, u64 *ino, struct health_marks *marks);
bool health_all_well(const struct health *health);

/* One item has been checked. ag or ino as its scope says. */
void health_set(struct health *health, enum scrub_type type, u32 ag, u64 ino, bool sick);

/* The same as the kernel's interface has it, in XFS_IOC_FSGEOMETRY, XFS_IOC_AG_GEOMETRY and
 * bulkstat: bits of that scope. */
u32 health_kernel_bits(enum meta_scope scope, u32 items);

/* ---- operations ---- */

/* An operation has failed with err: marks what it has met. */
u32 health_met(struct health *health, int err);
#define HEALTH_MET_NEW 1u    /* nobody knew of that, or nobody can say what it was */
#define HEALTH_MET_FENCED 2u /* an AG is fenced now: the operation may go well elsewhere */
/* What failed just now belongs to this item, if its trail is not that of a finding, which tells
 * more. Returns err. */
int health_blame(int err, enum scrub_type type, u32 ag, u64 ino);
/* What the trail of this thread is about. False: nobody has said. */
bool health_blamed(const struct health *health, u32 *items, u32 *ag, u64 *ino);
/* Neither space nor inodes are to be taken from this AG, or given back to it. */
bool health_fenced(const struct vol *vol, u32 ag);
/* -EUCLEAN, and whoever asked is not the one to blame. */
int health_refuse(u32 ag);
/* -EUCLEAN for an inode that is sick, unless this is a repair. */
int health_may_change(const struct vol *vol, u64 ino);
/* A request has waited so long for a repair. */
void health_healed(struct health *health, const struct event *event);
/* How many times an AG or an inode has been released: what was refused may be tried again. */
u64 health_releases(const struct health *health);

/* ---- checks and repairs of everything ---- */

/* What a sweep finds: begun before its snapshot is made. Marks that operations set meanwhile stay.
 */
struct health_survey;
struct health_survey *health_survey_begin(struct health *health); /* NULL: no health, no memory */
/* Items of an AG or an inode are sick; one at a time. */
void health_survey_add(struct health_survey *survey, u64 items, u32 ag, u64 ino);
/* done: it came to its end; otherwise it is forgotten. */
void health_survey_end(struct health_survey *survey, bool done);
/* While a repair is at work that has made something anew, what becomes well has been repaired. */
void health_repairing(struct health *health, bool begins);

#endif
