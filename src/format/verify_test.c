/* The checksum, computed in the quick ways, against one bit after the other. */
#include "base/test.h"

#include "format/verify.h"

#include <stdlib.h>

#define POLYNOMIAL 0x82f63b78u /* CRC32c, lowest power last */
#define SIZE 2048

/* The field counts as zero; seed and result are inverted. */
static u32 crc_bitwise(const u8 *bytes, u32 len, u32 crc_offset)
{
	u32 crc = NULL32;

	for (u32 i = 0; i < len; i++) {
		crc ^= i >= crc_offset && i < crc_offset + 4 ? 0 : bytes[i];
		for (u32 bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
	}
	return ~crc;
}

/* Of all inode sizes, of what is nearly so long, and with the field elsewhere. */
static void same_as_bitwise(void **state)
{
	static const u32 size[] = {256, 512, 1024, 2048, 136, 252, 508, 511, 516, 1020, 2044};
	static const u32 offset[] = {100, 4, 12, 104, 96, 108, 0};
	u8 bytes[SIZE];
	u64 seed = 88172645463325252ull;

	(void)state;
	for (u32 i = 0; i < ARRAY_COUNT(size); i++)
		for (u32 j = 0; j < ARRAY_COUNT(offset); j++)
			for (u32 n = 0; n < 20; n++) {
				for (u32 k = 0; k < size[i]; k++) {
					seed ^= seed << 13;
					seed ^= seed >> 7;
					seed ^= seed << 17;
					bytes[k] = (u8)(seed >> 32);
				}
				assert_int_equal(verify_crc(bytes, size[i], offset[j]),
						 crc_bitwise(bytes, size[i], offset[j]));
			}
}

static void known_value(void **state)
{
	static const u8 zeroes[32];

	(void)state;
	/* RFC 3720 B.4: 32 bytes of zero have aa 36 91 8a, lowest byte first. */
	assert_int_equal(verify_crc(zeroes, sizeof(zeroes), 8), 0x8a9136aa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(same_as_bitwise),
	    cmocka_unit_test(known_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
