/*
 * A device in memory, or over a file, that can be written to, and whose Nth read, write or flush
 * fails.
 *
 * Used by any number of threads as long as nothing is made to fail.
 */
#ifndef MENDFS_TESTS_DISK_H
#define MENDFS_TESTS_DISK_H

#include "device/device.h"

enum disk_call { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_CALLS };

struct disk {
	struct device dev; /* first; close does nothing */
	u8 *bytes;
	u64 calls[DISK_CALLS];
	/* The Nth call of a kind from disk_fail() on fails, and with `on` all behind it. */
	u64 fail_at[DISK_CALLS];
	bool on, failed;
};

/* path NULL: in memory; else a new file of that size, with holes. Ends the program without. */
void disk_open(struct disk *disk, const char *path, u64 size);
void disk_close(struct disk *disk);
/* nth 0: nothing fails any more. */
void disk_fail(struct disk *disk, enum disk_call call, u64 nth, bool on);

#endif
