/*
 * What a fact costs to hash: the AES form and the SipHash form of base/hash.h, one after the other,
 * and many at once as a book does it; each the best of several runs. Prints ns a fact.
 */
#include "base/hash.h"

#include <stdio.h>
#include <time.h>

#define FACTS 2000000u
#define RUNS 5
#define AT_ONCE 16

static u128 sum_singly(const struct hash_key *key)
{
	u64 word[4] = {0, 1, 2, 3};
	u128 sum = 0;

	for (u32 i = 0; i < FACTS; i++) {
		word[0] = i;
		sum += hash_words(key, word);
	}
	return sum;
}

static u128 sum_together(const struct hash_key *key)
{
	u64 word[AT_ONCE][4];
	u128 out[AT_ONCE], sum = 0;

	for (u32 i = 0; i < FACTS; i++) {
		u64 *at = word[i % AT_ONCE];

		at[0] = i;
		at[1] = 1;
		at[2] = 2;
		at[3] = 3;
		if (i % AT_ONCE < AT_ONCE - 1)
			continue;
		hash_many(key, word, AT_ONCE, out);
		for (u32 j = 0; j < AT_ONCE; j++)
			sum += out[j];
	}
	return sum;
}

static double run(const struct hash_key *key, u128 (*function)(const struct hash_key *key))
{
	struct timespec a, b;
	u128 sum;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	sum = function(key);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	if ((u64)sum == 42)
		puts(""); /* the sum is used */
	return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / FACTS;
}

static double best(bool aes, u128 (*function)(const struct hash_key *key))
{
	static const u8 seed[32] = "a key for the benchmark, no more";
	struct hash_key key;
	double least = 1e9;

	hash_key_init(&key, seed, aes);
	for (int i = 0; i < RUNS; i++) {
		double ns = run(&key, function);

		least = ns < least ? ns : least;
	}
	return least;
}

int main(void)
{
	if (hash_has_aes())
		printf("AES, 11 rounds  %6.1f ns, %6.1f ns of %u at once\n", best(true, sum_singly),
		       best(true, sum_together), AT_ONCE);
	printf("SipHash-2-4-128 %6.1f ns, %6.1f ns of %u at once\n", best(false, sum_singly),
	       best(false, sum_together), AT_ONCE);
	return 0;
}
