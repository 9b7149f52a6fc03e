/*
 * The keyed hash of the books; see hash.h.
 *
 * AES: the first two words are whitened and pass four rounds, the other two are added, and seven
 * more rounds follow, each with a round key of its own, all drawn at random.  Fewer rounds would do
 * against chance, but three-round AES has integral properties that survive sums, and facts are
 * chosen by whoever made the image.  SipHash-2-4 with 128 bits of output stands in where the CPU
 * has no AES.
 */
#include "base/hash.h"

#include "base/sanitized.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define ROUNDS 12 /* round keys used: whitening, 4, 7 */

static u64 rotl(u64 v, u32 n)
{
	return v << n | v >> (64 - n);
}

struct sip {
	u64 v0, v1, v2, v3;
};

static void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

static void sip_word(struct sip *s, u64 m)
{
	s->v3 ^= m;
	sip_round(s);
	sip_round(s);
	s->v0 ^= m;
}

static u64 sip_end(struct sip *s)
{
	for (int i = 0; i < 4; i++)
		sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* SipHash-2-4-128 (Aumasson, Bernstein 2012) over exactly 32 bytes. */
static u128 sip_words(const u64 key[2], const u64 word[4])
{
	struct sip s = {0x736f6d6570736575ull ^ key[0], 0x646f72616e646f6dull ^ key[1] ^ 0xee,
			0x6c7967656e657261ull ^ key[0], 0x7465646279746573ull ^ key[1]};
	u64 low, high;

	for (int i = 0; i < 4; i++)
		sip_word(&s, word[i]);
	sip_word(&s, 32ull << 56);
	s.v2 ^= 0xee;
	low = sip_end(&s);
	s.v1 ^= 0xdd;
	high = sip_end(&s);
	return (u128)high << 64 | low;
}

#if defined(__x86_64__)
bool hash_has_aes(void)
{
	return __builtin_cpu_supports("aes");
}

__attribute__((target("aes,sse2"))) UNWATCHED static u128 aes_words(const struct hash_key *key,
								    const u64 word[4])
{
	const __m128i *k = (const __m128i *)key->round;
	__m128i x = _mm_set_epi64x((s64)load_alone(&word[1]), (s64)load_alone(&word[0]));
	__m128i y = _mm_set_epi64x((s64)load_alone(&word[3]), (s64)load_alone(&word[2]));

	x = _mm_xor_si128(x, k[0]);
	for (int i = 1; i <= 4; i++)
		x = _mm_aesenc_si128(x, k[i]);
	x = _mm_xor_si128(x, y);
#pragma GCC unroll 8
	for (int i = 5; i < ROUNDS; i++)
		x = _mm_aesenc_si128(x, k[i]);
	return (u128)(u64)_mm_cvtsi128_si64(_mm_unpackhi_epi64(x, x)) << 64 |
	       (u64)_mm_cvtsi128_si64(x);
}
#else
bool hash_has_aes(void)
{
	return false;
}

static u128 aes_words(const struct hash_key *key, const u64 word[4])
{
	return sip_words(key->sip, word);
}
#endif

void hash_key_init(struct hash_key *key, const u8 seed[32], bool aes)
{
	u64 expand[2];

	memcpy(key->sip, seed, 16);
	memcpy(expand, seed + 16, 16);
	key->aes = aes && hash_has_aes();
	for (u64 i = 0; i < ARRAY_COUNT(key->round); i++) {
		u64 counter[4] = {i, 0, 0, 0};
		u128 v = sip_words(expand, counter);

		memcpy(key->round[i], &v, 16);
	}
}

u128 hash_words(const struct hash_key *key, const u64 word[4])
{
	return key->aes ? aes_words(key, word) : sip_words(key->sip, word);
}
