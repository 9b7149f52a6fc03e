#!/bin/bash
# Files per second through the read-only mount, beside Debian's fuse2fs on the same tree in ext4.
#
#   mount.sh [FILES] [ROUNDS]      (default 50000 and 5)
#
# Both images are filled by the kernel with the same tree.  Each round mounts afresh, so that the kernel's caches of names and
# attributes are empty, while the image itself is in the page cache; rounds of both alternate, and the medians count.
# Prints a table, and fails when a ratio is below 1.5.  Needs root, loop devices, fuse2fs and mkfs.ext4.
set -euo pipefail
# shellcheck source=tests/judges/lib.sh
. "$(dirname "$0")/../tests/judges/lib.sh"

files=${1:-50000} rounds=${2:-5} wanted=1.5
MENDFS=${MENDFS:-$SOURCE_TOP/build/src/cli/mendfs}
need_root
for tool in fuse2fs mkfs.ext4 tar find; do command -v $tool >/dev/null || die "$tool is missing"; done
need_fswork
work_begin
size=$((1024 + files / 100))M
xfs=$WORK/xfs.img ext4=$WORK/ext4.img
truncate -s "$size" "$xfs" "$ext4"
mkfs.xfs -q "$xfs"
mkfs.ext4 -q -F -N $((files * 5 / 4 + 5000)) "$ext4"
say "filling two filesystems with $files files"
xfs_mount "$xfs" noatime
"$FSWORK" fill million "$WORK/mnt" "$files" >/dev/null
xfs_umount
mount -t ext4 -o loop,noatime "$ext4" "$WORK/mnt"
"$FSWORK" fill million "$WORK/mnt" "$files" >/dev/null
umount "$WORK/mnt"
cat "$xfs" "$ext4" >/dev/null

server_mendfs() { "$MENDFS" mount -o ro "$xfs" "$WORK/mnt"; }
server_fuse2fs() { fuse2fs -o ro "$ext4" "$WORK/mnt" >/dev/null; }
work_find() { find "$WORK/mnt" -ls >/dev/null; }
# tar does not read what it writes to /dev/null.
work_tar() { tar -C "$WORK/mnt" --exclude=lost+found -cf - . | cat >/dev/null; }
# The rate of one round, in files per second.
round() {
	local started ended
	"server_$1"
	started=$(date +%s%N)
	"work_$2"
	ended=$(date +%s%N)
	echo $((files * 1000000000 / (ended - started)))
	for _ in 1 2 3 4 5; do
		if umount "$WORK/mnt" 2>/dev/null; then return 0; fi
		sleep 0.2
	done
	umount "$WORK/mnt"
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

printf '%-10s %14s %14s %8s   (files per second, medians of %d)\n' "" mendfs fuse2fs ratio "$rounds"
status=0
for work in find tar; do
	rm -f "$WORK/mendfs" "$WORK/fuse2fs"
	for ((n = 0; n < rounds; n++)); do
		for server in mendfs fuse2fs; do round "$server" "$work" >>"$WORK/$server"; done
	done
	ours=$(median <"$WORK/mendfs") theirs=$(median <"$WORK/fuse2fs")
	ratio=$(awk "BEGIN { printf \"%.2f\", $ours / $theirs }")
	case $work in find) label="find -ls" ;; *) label=$work ;; esac
	printf '%-10s %14d %14d %8s\n' "$label" "$ours" "$theirs" "$ratio"
	if awk "BEGIN { exit !($ratio < $wanted) }"; then status=1; fi
done
[ $status = 0 ] || say "below $wanted"
exit $status
