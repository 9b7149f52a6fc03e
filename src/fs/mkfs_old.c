/*
 * What is on a device already, by its signature: a new filesystem would destroy it.
 *
 * Not a complete list: what one is likely to meet on Linux.  A device that is too small for a
 * signature has none.
 */
#include "fs/mkfs.h"

#include <errno.h>

#define SIGNATURE_MAX 10
#define MBR_SIZE 512
#define MBR_TABLE 446
#define MBR_ENTRIES 4
#define MBR_ENTRY_SIZE 16
#define MBR_ENTRY_TYPE 4

struct signature {
	const char *name;
	u32 at;
	u8 length;
	char bytes[SIGNATURE_MAX + 1];
};

static const struct signature signatures[] = {
    {"xfs", 0, 4, "XFSB"},
    {"ext2, ext3 or ext4", 1080, 2, "\x53\xef"},
    {"btrfs", 65600, 8, "_BHRfS_M"},
    {"swap", 4086, 10, "SWAPSPACE2"},
    {"swap", 4086, 10, "SWAP-SPACE"},
    {"swap", 65526, 10, "SWAPSPACE2"},
    {"a hibernated system", 4086, 9, "S1SUSPEND"},
    {"a partition table (gpt)", 512, 8, "EFI PART"},
    {"a partition table (gpt)", 4096, 8, "EFI PART"},
    {"LUKS", 0, 6, "LUKS\xba\xbe"},
    {"LVM", 0, 8, "LABELONE"},
    {"LVM", 512, 8, "LABELONE"},
    {"an md RAID member", 0, 4, "\xfc\x4e\x2b\xa9"},
    {"an md RAID member", 4096, 4, "\xfc\x4e\x2b\xa9"},
    {"bcache or bcachefs", 4120, 10, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65"},
    {"bcachefs", 4120, 10, "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a"},
    {"f2fs", 1024, 4, "\x10\x20\xf5\xf2"},
    {"erofs", 1024, 4, "\xe2\xe1\xf5\xe0"},
    {"nilfs2", 1030, 2, "\x34\x34"},
    {"gfs2", 65536, 8, "\x01\x16\x19\x70\x00\x00\x00\x01"},
    {"ocfs2", 8192, 6, "OCFSV2"},
    {"jfs", 32768, 4, "JFS1"},
    {"reiserfs", 65588, 6, "ReIsEr"},
    {"squashfs", 0, 4, "hsqs"},
    {"ntfs", 3, 8, "NTFS    "},
    {"exfat", 3, 8, "EXFAT   "},
    {"fat", 82, 5, "FAT32"},
    {"fat", 54, 5, "FAT16"},
    {"fat", 54, 5, "FAT12"},
    {"iso9660", 32769, 5, "CD001"},
    {"udf", 32769, 5, "BEA01"},
};

/* A boot sector whose four entries could be partitions, one of them at least. */
static bool is_mbr(const u8 *block)
{
	bool any = false;

	if (block[MBR_SIZE - 2] != 0x55 || block[MBR_SIZE - 1] != 0xaa)
		return false;
	for (u32 i = 0; i < MBR_ENTRIES; i++) {
		const u8 *entry = block + MBR_TABLE + (size_t)i * MBR_ENTRY_SIZE;

		if (entry[0] && entry[0] != 0x80)
			return false;
		any |= entry[MBR_ENTRY_TYPE] != 0;
	}
	return any;
}

int mkfs_old_content(struct device *dev, const char **name)
{
	u8 bytes[MBR_SIZE];
	int err;

	*name = NULL;
	for (u32 i = 0; i < ARRAY_COUNT(signatures); i++) {
		const struct signature *s = &signatures[i];

		if ((u64)s->at + s->length > dev->size)
			continue;
		err = device_read(dev, daddr_of(s->at), bytes, s->length);
		if (err)
			return err;
		if (!memcmp(bytes, s->bytes, s->length)) {
			*name = s->name;
			return 0;
		}
	}
	if (dev->size < MBR_SIZE)
		return 0;
	err = device_read(dev, daddr_of(0), bytes, MBR_SIZE);
	if (!err && is_mbr(bytes))
		*name = "a partition table (dos)";
	return err;
}
