/*
 * Whether the name of a directory entry holds neither a slash nor a zero byte, eight bytes at once.
 *
 * Knows nothing of the order in which a host has the bytes of a word: what is not of the name is
 * made 0xff by a word that is loaded as the name's are, from a table of bytes.  `load` is that of
 * the host (dir_name_load), or, in the test, that of a host of the other order.
 */
#ifndef MENDFS_META_DIR_NAME_H
#define MENDFS_META_DIR_NAME_H

#include "format/dir.h"

#define DIR_NAME_BYTES(byte) (0x0101010101010101ull * (byte))

static inline u64 dir_name_load(const u8 *at)
{
	u64 word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* Not 0: it has. */
static inline u64 dir_name_zeroes(u64 word)
{
	return (word - DIR_NAME_BYTES(1)) & ~word & DIR_NAME_BYTES(0x80);
}

/* The first byte of the name is the second of the entry's second word. Reads whole words, so up to
 * seven bytes behind the name. */
static inline bool dir_name_good(const u8 *entry, u32 length, u64 (*load)(const u8 *at))
{
	static const u8 before[8] = {0xff};
	static const u8 behind[16] = {[8] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	u32 end = (u32)sizeof(struct dir_data_entry) + length, at = 8;
	u64 ignore = load(before), bad = 0;

	for (; at < end; at += 8, ignore = 0) {
		u64 word = load(entry + at) | ignore;

		if (end - at < 8)
			word |= load(behind + 8 - (end - at));
		bad |= dir_name_zeroes(word) | dir_name_zeroes(word ^ DIR_NAME_BYTES('/'));
	}
	return !bad;
}

#endif
