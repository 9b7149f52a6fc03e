#!/bin/bash
# Makes the images that the benchmarks run on, once, in $MENDFS_JUDGES/bench.
#
#   make-image.sh million|4million|bigdir|reflink [OUT]
#
#   million   1,000,000 small files in 1,000 directories (4million: four times that)
#   bigdir    one directory with 1,000,000 entries
#   reflink   a file of 100,000 extents and 19 reflinked copies: 20 files in all
#
# OUT, if given, becomes a copy (sparse, or reflinked where the disk can).  MKFS_OPTIONS
# are passed to mkfs.xfs, and such images are kept apart.  Needs root: the filesystem is
# filled by the kernel through a loop device.  Fails with status 1 and the reason, without
# leaving a half-made image or a mount behind.
set -euo pipefail
# shellcheck source=tests/judges/lib.sh
. "$(dirname "$0")/../tests/judges/lib.sh"

case ${1:-} in
million) size=8G kind=million number=1000000 ;;
4million) size=30G kind=million number=4000000 ;;
bigdir) size=3G kind=bigdir number=1000000 ;;
reflink) size=2G kind=reflink number=100000 ;;
*)
	say "usage: make-image.sh million|4million|bigdir|reflink [OUT]"
	exit 2
	;;
esac
name=$1
if [ -n "${MKFS_OPTIONS:-}" ]; then name+="-$(tr -cs 'a-zA-Z0-9=' - <<<"$MKFS_OPTIONS" | sed 's/^-*//; s/-*$//')"; fi
img=$JUDGES/bench/$name.img

mkdir -p "$JUDGES/bench"
exec 9>"$JUDGES/bench/lock"
flock 9
if [ ! -e "$img" ]; then
	need_root
	need_fswork
	work_begin
	say "making $img (a minute or so)"
	rm -f "$img.part"
	trap 'rm -f "$img.part"; work_end' EXIT
	truncate -s "$size" "$img.part"
	# shellcheck disable=SC2086
	mkfs.xfs -q ${MKFS_OPTIONS:-} "$img.part"
	xfs_mount "$img.part" noatime,logbsize=256k || { cat "$WORK/mount.err" >&2; exit 1; }
	"$FSWORK" fill "$kind" "$WORK/mnt" "$number"
	xfs_umount
	xfs_repair -n -f "$img.part" >"$WORK/judge.out" 2>&1 || { cat "$WORK/judge.out" >&2; exit 1; }
	mv "$img.part" "$img"
fi
if [ -n "${2:-}" ]; then cp --sparse=always --reflink=auto "$img" "$2"; fi
say "$img: $(du -h "$img" | cut -f1) on disk"
