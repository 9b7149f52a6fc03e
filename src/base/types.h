/*
 * Byte types and units.
 *
 * On-disk integers are byte structs: alignment 1, no arithmetic compiles on them, and the only way
 * to a number is a getter.  Units that are easily mixed up (a block in the filesystem, in an AG, in
 * a file; an inode number) are distinct structs at module borders.
 */
#ifndef MENDFS_BASE_TYPES_H
#define MENDFS_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;
typedef unsigned __int128 u128;

struct be16 {
	u8 b[2];
};
struct be32 {
	u8 b[4];
};
struct be64 {
	u8 b[8];
};
/* Checksums, and the payload of the log, which is in the byte order of the host that wrote it:
 * little-endian for every host whose log we replay. */
struct le16 {
	u8 b[2];
};
struct le32 {
	u8 b[4];
};
struct le64 {
	u8 b[8];
};
struct uuid {
	u8 b[16];
};

static inline u16 be16_get(struct be16 x)
{
	u16 v;
	memcpy(&v, x.b, 2);
	return __builtin_bswap16(v);
}
static inline u32 be32_get(struct be32 x)
{
	u32 v;
	memcpy(&v, x.b, 4);
	return __builtin_bswap32(v);
}
static inline u64 be64_get(struct be64 x)
{
	u64 v;
	memcpy(&v, x.b, 8);
	return __builtin_bswap64(v);
}
static inline u16 le16_get(struct le16 x)
{
	u16 v;
	memcpy(&v, x.b, 2);
	return v;
}
static inline u32 le32_get(struct le32 x)
{
	u32 v;
	memcpy(&v, x.b, 4);
	return v;
}
static inline u64 le64_get(struct le64 x)
{
	u64 v;
	memcpy(&v, x.b, 8);
	return v;
}
static inline struct be16 be16_make(u16 v)
{
	struct be16 x;
	v = __builtin_bswap16(v);
	memcpy(x.b, &v, 2);
	return x;
}
static inline struct be32 be32_make(u32 v)
{
	struct be32 x;
	v = __builtin_bswap32(v);
	memcpy(x.b, &v, 4);
	return x;
}
static inline struct be64 be64_make(u64 v)
{
	struct be64 x;
	v = __builtin_bswap64(v);
	memcpy(x.b, &v, 8);
	return x;
}
static inline struct le16 le16_make(u16 v)
{
	struct le16 x;
	memcpy(x.b, &v, 2);
	return x;
}
static inline struct le32 le32_make(u32 v)
{
	struct le32 x;
	memcpy(x.b, &v, 4);
	return x;
}
static inline struct le64 le64_make(u64 v)
{
	struct le64 x;
	memcpy(x.b, &v, 8);
	return x;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "the getters assume a little-endian host");

/* Units.  A daddr is a byte offset on a device: sectors vary in size, bytes do not. */
struct fsblock {
	u64 v; /* agno << agblklog | agbno, as stored on disk */
};
struct daddr {
	u64 v; /* byte offset on the device */
};
struct inum {
	u64 v;
};
struct fileoff {
	u64 v; /* block offset within a file */
};
static inline struct fsblock fsblock_of(u64 v)
{
	return (struct fsblock){v};
}
static inline struct daddr daddr_of(u64 v)
{
	return (struct daddr){v};
}
static inline struct inum inum_of(u64 v)
{
	return (struct inum){v};
}
static inline struct fileoff fileoff_of(u64 v)
{
	return (struct fileoff){v};
}

#define NULL32 0xffffffffu
#define NULL64 0xffffffffffffffffull

#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Loaded by itself. Compilers join the loads of neighbours, and when those have just been stored
 * one by one, the joined load has to wait until both are in the cache. */
static inline u64 load_alone(const u64 *at)
{
	u64 v = *at;

	__asm__("" : "+r"(v));
	return v;
}

static inline u64 min_u64(u64 a, u64 b)
{
	return a < b ? a : b;
}
static inline u64 max_u64(u64 a, u64 b)
{
	return a > b ? a : b;
}
static inline u64 round_up_u64(u64 v, u64 unit)
{
	return (v + unit - 1) / unit * unit;
}
static inline u64 div_up_u64(u64 v, u64 unit)
{
	return (v + unit - 1) / unit;
}

#endif
