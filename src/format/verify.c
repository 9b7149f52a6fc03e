/* The rules that all blocks share; see verify.h. */
#include "format/verify.h"

#include "base/trail.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <isa-l/crc.h>
#include <errno.h>
#include <stdio.h>

/* Four bytes of zero: one instruction where there is one, and there are as many CRCs as inodes. */
#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static u32 crc_zeroes_fast(u32 crc)
{
	return _mm_crc32_u32(crc, 0);
}
#endif

static u32 crc_zeroes(u32 crc)
{
	static const u8 zero[4];

#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return crc_zeroes_fast(crc);
#endif
	return crc32_iscsi((u8 *)(uintptr_t)zero, sizeof(zero), crc);
}

/* Both halves of the CRC run around the field, which counts as zero: crc32c, seed and result
 * inverted. */
static u32 crc_around(u8 *bytes, u32 len, u32 crc_offset)
{
	u32 crc = crc32_iscsi(bytes, (int)crc_offset, NULL32);

	crc = crc_zeroes(crc);
	crc = crc32_iscsi(bytes + crc_offset + 4, (int)(len - crc_offset - 4), crc);
	return ~crc;
}

/*
 * Of something as short as an inode two halves cost twice as much as the whole. A CRC is linear:
 * that of the whole, and what the field has added to it, taken off. What four bytes add that are
 * followed by n others is their product with x^(8n + 32) modulo the polynomial. Multiplying without
 * carry adds one power, and the CRC of the product 32; the rest is the factor here.
 */
static u32 crc_factor(u32 behind)
{
	switch (behind) { /* behind the field of a dquot; of an inode of 256 to 2048 bytes */
	case 24:
		return 0x3743f7bd;
	case 152:
		return 0xcf23ab10;
	case 408:
		return 0x09232f23;
	case 920:
		return 0x2b6b5388;
	case 1944:
		return 0xeae22a51;
	default:
		return 0;
	}
}

#if defined(__x86_64__)
__attribute__((target("sse4.2,pclmul"))) static u32 crc_added(u32 field, u32 factor)
{
	__m128i product =
	    _mm_clmulepi64_si128(_mm_cvtsi32_si128((s32)field), _mm_cvtsi32_si128((s32)factor), 0);

	return (u32)_mm_crc32_u64(0, (u64)_mm_cvtsi128_si64(product));
}

static bool crc_can_add(void)
{
	return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}
#else
static u32 crc_added(u32 field, u32 factor)
{
	return field ^ factor; /* never called */
}

static bool crc_can_add(void)
{
	return false;
}
#endif

u32 verify_crc(const void *block, u32 len, u32 crc_offset)
{
	u8 *bytes = (u8 *)(uintptr_t)block; /* isa-l takes a non-const pointer and does not write */
	u32 factor = crc_factor(len - crc_offset - 4);
	struct le32 field;

	if (!factor || !crc_can_add())
		return crc_around(bytes, len, crc_offset);
	memcpy(&field, bytes + crc_offset, sizeof(field));
	return ~(crc32_iscsi(bytes, (int)len, NULL32) ^ crc_added(le32_get(field), factor));
}

static u64 load_be(const u8 *at, u32 width)
{
	u64 v = 0;

	for (u32 i = 0; i < width; i++)
		v = v << 8 | at[i];
	return v;
}

static void check_uuid(struct verdict *v, const struct meta_type *type, const struct geometry *g,
		       const u8 *block)
{
	char found[40], expected[40];
	const struct field uuid = {"uuid", 0, 8, 16, FIELD_UUID};

	if (!memcmp(block + type->uuid_offset, g->meta_uuid.b, 16))
		return;
	field_print(&uuid, block + type->uuid_offset, found, sizeof(found));
	field_print(&uuid, g->meta_uuid.b, expected, sizeof(expected));
	raise_text(v, verify_defs->uuid, NULL, found, expected);
}

enum severity verify(struct verdict *v, const struct meta_type *type, const struct geometry *g,
		     const void *block, u32 len)
{
	const u8 *bytes = block;

	if (type->magic) {
		u64 magic = load_be(bytes + type->magic_offset, type->magic_width);

		if (magic != type->magic) {
			raise_hex(v, verify_defs->magic, NULL, magic, type->magic);
			return v->worst; /* something else: its other bytes mean nothing */
		}
	}
	if (type->crc_offset != CRC_NONE && !v->unsealed) {
		struct le32 stored;
		u32 crc = verify_crc(block, len, type->crc_offset);

		memcpy(&stored, bytes + type->crc_offset, sizeof(stored));
		if (le32_get(stored) != crc)
			raise_hex(v, verify_defs->crc, NULL, le32_get(stored), crc);
	}
	if (type->uuid_offset)
		check_uuid(v, type, g, bytes);
	if (type->blkno_offset && v->where.daddr != NO_DADDR) {
		u64 blkno = load_be(bytes + type->blkno_offset, 8);

		if (blkno != v->where.daddr / 512)
			raise_u64(v, verify_defs->blkno, NULL, blkno, v->where.daddr / 512);
	}
	if (type->owner_offset && v->where.owner != NO_OWNER) {
		u64 owner = load_be(bytes + type->owner_offset, type->owner_width);

		if (owner != v->where.owner)
			raise_u64(v, verify_defs->owner, NULL, owner, v->where.owner);
	}
	if (type->rules)
		type->rules(v, g, block, len);
	return v->worst;
}

static _Thread_local struct {
	struct finding finding;
	unsigned long trail; /* whose it is; 0: none yet */
} last;

void raise_first(struct verdict *v, const struct finding *finding)
{
	struct first_finding *first = v->sink;
	char text[512];

	if (first->err || finding->def->severity < SEVERITY_DISAGREES)
		return;
	first->err = finding->def == verify_defs->crc ? -EBADMSG : -EUCLEAN;
	finding_print(finding, text, sizeof(text));
	fail(first->err, "%s", text);
	last.finding = *finding;
	last.trail = trail_number();
}

const struct finding *raised_last(void)
{
	return last.trail && last.trail == trail_number() ? &last.finding : NULL;
}

void raise_nothing(struct verdict *v, const struct finding *finding)
{
	(void)v;
	(void)finding;
}
