/*
 * The keyed hash of the books: 256 bits in, 128 bits out.
 *
 * Who made the image chose the facts before the key was drawn, so what is needed is that no set of
 * facts, however chosen, has a keyed sum modulo 2^128 that is predictable.  docs/DESIGN.md says
 * which function this is, what was measured, and why.
 */
#ifndef MENDFS_BASE_HASH_H
#define MENDFS_BASE_HASH_H

#include "base/types.h"

struct hash_key {
	/* Round keys for AES, or the two words of SipHash: made by hash_key_init(). */
	_Alignas(16) u8 round[16][16];
	u64 sip[2];
	bool aes;
};

/* seed: 32 random bytes. aes false forces the portable function (for tests). */
void hash_key_init(struct hash_key *key, const u8 seed[32], bool aes);
u128 hash_words(const struct hash_key *key, const u64 word[4]);
bool hash_has_aes(void);

#endif
