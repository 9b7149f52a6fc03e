#!/bin/bash
# A filesystem whose root inode or superblock is damaged can be mounted, so that a repair can be asked for.
set -uo pipefail
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"

skip_all_if "$(fuse_missing)" root-inode superblock superblock-magic superblock-quota no-realtime realtime-refused
LOST=${MENDFS_BUILD:-$SOURCE_TOP/build}/tests/lost
sound=$SCRATCH/sound image=$SCRATCH/image ours=$SCRATCH/ours
mkdir "$ours"
xz -dc "$SOURCE_TOP/tests/fixtures/parent.img.xz" >"$sound"
# mended NAME OBJECT... FIELD VERB
mended() {
	local name=$1
	shift
	cp "$sound" "$image"
	"$MENDFS" damage "$image" "$@" >/dev/null || not_ok "$name" "the damage"
	serve "$image" "$ours" rw
	check "$name-repair" "$MENDFS" repair "$ours"
	quit "$ours"
	check "$name-clean" "$MENDFS" check "$image"
	check "$name" "$LOST" "$sound" "$image"
}
mended root-inode / magic zeroes
mended superblock superblock 0 inoalignmt add
mended superblock-magic superblock 0 magicnum zeroes

# A mount that asks for no quotas turns them off in the superblock, which has to wait when that is damaged.
xz -dc "$SOURCE_TOP/tests/fixtures/quota.img.xz" >"$sound"
mended superblock-quota superblock 0 shared_vn ones
xz -dc "$SOURCE_TOP/tests/fixtures/parent.img.xz" >"$sound"

# A realtime section cannot be written to. Whether there is one is not told by one field alone.
mended no-realtime superblock 0 rblocks firstbit
for field in rblocks rextents rbmblocks; do
	xz -dc "$SOURCE_TOP/tests/fixtures/realtime.img.xz" >"$image"
	"$MENDFS" damage "$image" superblock 0 "$field" zeroes >/dev/null || not_ok "realtime-refused-$field" "the damage"
	printed=$("$MENDFS" mount -o rw "$image" "$ours" 2>&1)
	if [ $? = 4 ] && [[ $printed == *"realtime section"* ]]; then ok "realtime-refused-$field"; else not_ok "realtime-refused-$field" "$printed"; fi
	if mountpoint -q "$ours"; then umount "$ours"; fi
done
