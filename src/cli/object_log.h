/*
 * Records of the log, as objects and by name; what inspect and damage call the things in them.
 *
 * A record has hdr, ext[1].. (its extended headers), op[0].. (its operations), and where they carry
 * them transaction[0].. and unmount; and the items that end in it: item[0].format, item[0].core,
 * item[2].extent[1].
 */
#ifndef MENDFS_CLI_OBJECT_LOG_H
#define MENDFS_CLI_OBJECT_LOG_H

#include "cli/object.h"
#include "log/recover.h"

#define LOG_PART 48

/* Counts along with log_each(): log_naming_next() for each event; begins as {.record = NULL32}. */
struct log_naming {
	u32 record; /* of the tail: 0 */
	u32 op, transaction, item;
	/* What the event is called. */
	char part[LOG_PART];
	u32 index;
	bool repeated;
};
void log_naming_next(struct log_naming *n, const struct log_event *e);

/* `log record N`, or its LSN: the object is this record and those before it in which its items
 * begin, as their writer had them. */
int object_log_find(struct object *o, char **words, u32 count);
/* Calls fn for each part that lies in one piece. */
void object_log_parts(const struct object *o, struct part_sink *sink);
/* Its bytes as they are on the device. */
const u8 *object_log_stored(const struct object *o);
/* Changes the object's bytes, or a copy, to what is stored; the checksums of records that differ
 * from what is stored now are made right. */
int object_log_store(const struct object *o, u8 *bytes, bool fix_crc);
void object_log_drop(struct object *o);
/* Calls fn for each part of each record, which has this name. Of a part, name and layout are told.
 */
int object_log_each(struct vol *vol,
		    void (*fn)(void *arg, const char *name, const struct part *part), void *arg);

#endif
