/*
 * What has become of the health of a mounted filesystem, in order: a ring of bounded size.
 *
 * Whoever reads keeps the number of the event that is next; one that comes too late for some is
 * told how many, and nobody ever waits for a reader.
 */
#ifndef MENDFS_FS_EVENTS_H
#define MENDFS_FS_EVENTS_H

#include "base/env.h"

#define EVENTS_KEPT 1024

enum event_kind {
	EVENT_SICK,	   /* damage has been seen */
	EVENT_HEALTHY,	   /* a check finds it no more, and nobody has repaired it */
	EVENT_REPAIRED,	   /* a repair has made it anew, and a check finds it sound */
	EVENT_QUARANTINED, /* an AG gives no space and no inodes */
	EVENT_RELEASED,	   /* and does so again */
	EVENT_HEALED,	   /* a request has met damage, has waited, and is tried again */
	EVENT_UNHEALED,	   /* the same, and the repair has left something */
	EVENT_KINDS
};

struct event {
	u64 number; /* from 0 on, without gaps */
	u64 time;   /* env->now() */
	enum event_kind kind;
	u32 items; /* bits 1 << enum scrub_type; 0: not known */
	u32 ag;	   /* NO_AG, NO_INO: of no AG, of no inode; neither: of the filesystem */
	u64 ino;
	u64 waited; /* ns */
};

struct events;

int events_open(struct env *env, struct events **out);
void events_close(struct events *events); /* NULL: nothing */
/* Number and time are filled in. */
void events_add(struct events *events, const struct event *event);
/* The next ones from number *next on, `max` at most; *lost is how many of them are gone already.
 * Returns how many there are. */
u32 events_read(struct events *events, u64 *next, struct event *to, u32 max, u64 *lost);

#endif
