#!/bin/bash
# A filesystem whose root inode or superblock is damaged can be mounted, so that a repair can be asked for.
set -uo pipefail
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"

skip_all_if "$(fuse_missing)" root-inode superblock superblock-magic
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
