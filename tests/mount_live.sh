#!/bin/bash
# `mendfs repair DIR`: the space trees of all AGs are made anew while programs write to the mount, and a damaged reverse map, link counts and
# quotas are mended so; what cannot be is said, and done with the writers stopped, or left (--live). Afterwards check and xfs_repair -n find nothing, and every file
# has what was written to it.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
image=$SCRATCH/live.img dir=$SCRATCH/dir
skip_all_if "$(fuse_missing)" mount-live
space=agf,agfl,bnobt,cntbt,rmapbt,refcountbt

# writer N: files of its own, over and over, until the folder is told to stop
writer() {
	local i=0
	mkdir "$dir/w$1" || return 1
	while [ ! -e "$SCRATCH/stop" ]; do
		i=$((i + 1))
		seq "$i" "$((i + 500))" >"$dir/w$1/f$((i % 60))" || return 1
		[ $((i % 7)) -ne 0 ] || rm -f "$dir/w$1/f$((i % 13))" || return 1
	done
}
# whole: each file has the lines that somebody has written
whole() {
	local file first
	for file in "$dir"/w*/f*; do
		read -r first <"$file" && cmp -s "$file" <(seq "$first" "$((first + 500))") || { echo "$file"; return 1; }
	done
}
quiet_repair() { xfs_repair -n -f "$image" >"$SCRATCH/judge" 2>&1 || { cat "$SCRATCH/judge"; return 1; }; }
live() { "$MENDFS" repair --live "$@" "$dir" >"$SCRATCH/out" 2>&1 || { cat "$SCRATCH/out"; return 1; }; }
many_live() { for _ in 1 2 3 4; do live "--force=$space" || return 1; done; }
# the image is damaged while it is mounted, by the bytes in which a damaged copy differs
hurt() {
	cp "$image" "$SCRATCH/copy" && "$MENDFS" damage "$SCRATCH/copy" "$@" >/dev/null || return 1
	cmp -l "$image" "$SCRATCH/copy" | python3 -c '
import sys
with open(sys.argv[1], "r+b") as image:
    for line in sys.stdin:
        at, _, new = line.split()
        image.seek(int(at) - 1)
        image.write(bytes([int(new, 8)]))' "$image"
}

make_image "$image" 320M -m rmapbt=1,reflink=1 || { not_ok mkfs ""; exit 1; }
serve "$image" "$dir" rw || { not_ok mount "no mount"; exit 1; }
writers=()
for n in 1 2 3; do
	writer $n &
	writers+=($!)
done
check rebuild many_live
check says-so grep -q 'rebuilt its space trees while others wrote' "$SCRATCH/out"
nobody_stopped() { ! grep -q "with the writers stopped" "$SCRATCH/out"; }
check stops-nobody nobody_stopped
check others-not live "--force=$space,inobt"
check says-not grep -q 'the rest is left: for that the writers would have to stop' "$SCRATCH/out"
others_too() { "$MENDFS" repair "--force=inobt" "$dir" >"$SCRATCH/out" 2>&1; }
check others-too others_too
check says-why grep -q 'the rest is repaired with the writers stopped' "$SCRATCH/out"
touch "$SCRATCH/stop"
for pid in "${writers[@]}"; do check "writer" wait "$pid"; done
check clean "$MENDFS" check "$dir"
check content whole
check unmount quit "$dir"
check check "$MENDFS" check "$image"
check xfs-repair quiet_repair

# The server is killed in the middle, three times; what is left is replayed, here and by the kernel.
killed() {
	rm -f "$SCRATCH/stop"
	serve "$image" "$dir" rw || return 1
	rm -rf "$dir"/w*
	for n in 1 2 3; do writer $n 2>/dev/null & done
	many_live >/dev/null 2>&1 &
	sleep "$1"
	kill -9 "$server"
	touch "$SCRATCH/stop"
	umount -l "$dir"
	wait
	"$MENDFS" check "$image" >"$SCRATCH/judge" 2>&1 || { cat "$SCRATCH/judge"; return 1; }
}
# by_kernel: it replays, and reads everything, where there is one
by_kernel() {
	[ -z "$(kernel_missing)" ] || return 0
	kernel_up "$image" "$SCRATCH/kernel" && find "$SCRATCH/kernel" -type f -exec cat {} + >"$SCRATCH/all" && down "$SCRATCH/kernel"
}
for wait in 0.4 0.7 1.1; do
	check "killed-$wait" killed "$wait"
	check "kernel-$wait" by_kernel
	[ -n "$(kernel_missing)" ] || check "killed-xfs-repair-$wait" quiet_repair
done

# the reverse map alone is wrong
serve "$image" "$dir" rw || { not_ok mount-again "no mount"; exit 1; }
check hurt hurt rmapbt 0 "recs[1].owner" random
check mend live
check mended-live grep -q 'AG 0: rebuilt its space trees while others wrote' "$SCRATCH/out"
check unmount-again quit "$dir"
check check-again "$MENDFS" check "$image"
check xfs-repair-again quiet_repair

# Link counts and the usage of a user are wrong; somebody goes on creating in the directory whose count it is, and the user's file grows.
serve "$image" "$dir" rw,uquota || { not_ok mount-third "no mount"; exit 1; }
mkdir "$dir/hot" && echo something >"$dir/single" && chown 3 "$dir/single"
quit "$dir"
hurt_three() {
	local records
	records=$("$MENDFS" inspect "$image" superblock 0 | awk '$1 == "uquotino" { print $2 }')
	"$MENDFS" damage "$image" /hot nlink middlebit && "$MENDFS" damage "$image" /single nlink add &&
		"$MENDFS" damage "$image" inode "$records" data 0 as dquot 'dquot[3].icount' add
}
check hurt-three hurt_three
serve "$image" "$dir" rw,uquota || { not_ok mount-fourth "no mount"; exit 1; }
rm -f "$SCRATCH/stop"
grower() {
	local i=0
	while [ ! -e "$SCRATCH/stop" ]; do
		i=$((i + 1))
		mkdir "$dir/hot/d$i" && echo more >>"$dir/single" || return 1
	done
	echo "$i" >"$SCRATCH/made"
}
grower &
grower=$!
check mend-names live
touch "$SCRATCH/stop"
check grower wait "$grower"
check mended-three grep -q '^3 findings at first, 0 left after 2 rounds; rebuilt: 2, failed: 0$' "$SCRATCH/out"
check stops-nobody-again nobody_stopped
check unmount-third quit "$dir"
check check-third "$MENDFS" check "$image"
check xfs-repair-third quiet_repair
serve "$image" "$dir" ro || { not_ok mount-fifth "no mount"; exit 1; }
links() { [ "$(stat -c %h "$dir/hot")" = $(($(cat "$SCRATCH/made") + 2)) ] && [ "$(stat -c %h "$dir/single")" = 1 ]; }
check links links
check unmount-last quit "$dir"
