/*
 * Undo files: the exact bytes of a device as they were before each place was first written to.
 *
 * The undo device passes everything on to the one below, but before a page is written to for the
 * first time, its old content goes to the undo file and is made durable.  When the device is
 * closed, the file also learns what each of its sectors holds then; so whoever undoes can tell
 * whether the image went on since.  A file of a run that was cut off has no such end, and is still
 * good for undoing.
 *
 * The file: struct undo_header; records, each struct undo_record and its bytes; the end, a record
 * of no bytes, and for each sector of the records before it the checksum of what it held at the
 * end.  Numbers are little-endian.
 */
#ifndef MENDFS_HOST_UNDO_H
#define MENDFS_HOST_UNDO_H

#include "device/device.h"

/* Owns `lower`; when opening fails, it stays the caller's. -EEXIST: there is a file of that name.
 */
int device_open_undo(struct env *env, struct device *lower, const char *path, struct device **out);

struct undo_result {
	u64 records, bytes;
	bool complete; /* the run that made the file came to its end */
};
/*
 * Puts everything back. Each place must hold what the run left there, or already what it is to
 * hold: -ESTALE when the device went on, and nothing is written. Of a run that was cut off that
 * cannot be known: -ECANCELED unless `force`. Can be repeated when it was interrupted.
 * -EUCLEAN: no undo file, a damaged one, or one of a device of another size.
 */
int undo_apply(struct env *env, struct device *device, const char *path, bool force,
	       struct undo_result *result);

#endif
