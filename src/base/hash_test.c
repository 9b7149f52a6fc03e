/* The keyed hash: the published SipHash vector, key and word sensitivity, and no sum collapses. */
#include "base/test.h"

#include "base/hash.h"

static struct hash_key key_of(u8 first, bool aes)
{
	struct hash_key key;
	u8 seed[32];

	for (u8 i = 0; i < 32; i++)
		seed[i] = (u8)(first + i);
	hash_key_init(&key, seed, aes);
	return key;
}

/* SipHash-2-4-128, key 00..0f, input 00..1f: from a model that also gives the published vector of
 * the empty input. */
static void siphash_vector(void **state)
{
	static const u8 expected[16] = {0x7c, 0x39, 0x56, 0xca, 0x5e, 0xea, 0xfc, 0x3e,
					0x36, 0x3e, 0x9d, 0x55, 0x65, 0x46, 0xeb, 0x68};
	struct hash_key key = key_of(0, false);
	u8 input[32];
	u64 word[4];
	u128 h;

	(void)state;
	for (u8 i = 0; i < 32; i++)
		input[i] = i;
	memcpy(word, input, 32);
	h = hash_words(&key, word);
	assert_memory_equal(&h, expected, sizeof(expected));
}

static void every_bit_counts(bool aes)
{
	struct hash_key key = key_of(7, aes), other = key_of(8, aes);
	u64 word[4] = {1, 2, 3, 4};
	u128 h = hash_words(&key, word);

	assert_true(h != hash_words(&other, word));
	for (u32 bit = 0; bit < 256; bit++) {
		word[bit / 64] ^= 1ull << bit % 64;
		assert_true(h != hash_words(&key, word));
		word[bit / 64] ^= 1ull << bit % 64;
	}
	assert_true(h == hash_words(&key, word));
}

static void words_matter_aes(void **state)
{
	(void)state;
	if (!hash_has_aes())
		skip();
	every_bit_counts(true);
}

static void words_matter_sip(void **state)
{
	(void)state;
	every_bit_counts(false);
}

/* A set that runs one byte through all values sums to a constant after two AES rounds: ours must
 * not. */
static void sums_depend_on_key(void **state)
{
	u128 sums[8];

	(void)state;
	for (u8 k = 0; k < 8; k++) {
		struct hash_key key = key_of((u8)(k * 31), true);

		sums[k] = 0;
		for (u64 i = 0; i < 256; i++) {
			u64 word[4] = {i, 0, 0, 0};
			sums[k] += hash_words(&key, word);
		}
		for (u8 j = 0; j < k; j++)
			assert_true((u64)sums[j] != (u64)sums[k] &&
				    (u64)(sums[j] >> 64) != (u64)(sums[k] >> 64));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(siphash_vector),
	    cmocka_unit_test(words_matter_aes),
	    cmocka_unit_test(words_matter_sip),
	    cmocka_unit_test(sums_depend_on_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
