#!/bin/bash
# Random writing to files, judged from outside: after hundreds of writes, truncations, holes, shifts, shares and abandoned changes
# (tests/file/work.c) xfs_repair -n and mendfs check find nothing, and the kernel reads the bytes that the model has.
#
# SEED=N ROUNDS=N choose others.
set -uo pipefail
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"

WORK=${MENDFS_BUILD:-$SOURCE_TOP/build}/tests/file-work
mnt=$SCRATCH/mnt image=$SCRATCH/image
configs=(
	"reflink-rmap-1k|-m reflink=1,rmapbt=1 -b size=1024"
	"reflink-4k|-m reflink=1,rmapbt=0 -b size=4096"
	"rmap-1k|-m reflink=0,rmapbt=1 -b size=1024"
	"plain-4k|-m reflink=0,rmapbt=0 -b size=4096"
	"reflink-rmap-4k|-m reflink=1,rmapbt=1 -b size=4096 -i size=1024,nrext64=1 -d agcount=4"
	"cut|-m reflink=1,rmapbt=1 -b size=1024|cut" # as a crash leaves it: staging blocks are left
	"journal-1k|-m reflink=1,rmapbt=1 -b size=1024|journal" # the log is left for others to recover
	"journal-4k|-m reflink=1,rmapbt=0 -b size=4096|journal"
	"killed-1k|-m reflink=0,rmapbt=1 -b size=1024|killed"
	"killed-reflink-1k|-m reflink=1,rmapbt=1 -b size=1024|killed"
	"killed-4k|-m reflink=0,rmapbt=0 -b size=4096|killed"
)
kernel=$(kernel_missing)

# Staging that a crash has left is what xfs_repair may speak of, and nothing else.
repair() {
	xfs_repair -n -f -o force_geometry "$image" >"$SCRATCH/repair" 2>&1 && return 0
	! grep -vE '^(Phase|Cannot get host|Repair may fail|the image and| *- |No modify flag|leftover CoW extent)' "$SCRATCH/repair"
}
# no_stale FILE N: no byte that nobody has written, or that another file has
no_stale() {
	local own=('\x00\x20-\x3f' '\x00\x40-\x5f' '\x00\x60-\x7f' '\x00\x80-\x9f') other='\xa7'
	case $options in *reflink=0*) other="[^${own[$2]}]" ;; esac
	! LC_ALL=C grep -q -a -P "$other" "$1"
}
# the kernel's content against the model's, or at least what may be there
compare() {
	local i access=ro
	case $how in journal | killed) access=defaults ;; esac
	kernel_up "$image" "$mnt" "$access" || return 1
	for i in 0 1 2 3; do
		if [ "$how" = killed ]; then
			no_stale "$mnt/file$i" "$i"
		else
			cmp "$mnt/file$i" "$image.$i"
		fi || { down "$mnt"; return 1; }
	done
	down "$mnt"
}
# and the kernel goes on with what it finds
change() {
	kernel_up "$image" "$mnt" || return 1
	dd if=/dev/zero of="$mnt/file0" bs=3000 count=50 seek=7 conv=notrunc status=none
	truncate -s 10000 "$mnt/file1"
	rm "$mnt/file2"
	down "$mnt"
	repair
}

seed=${SEED:-100}
for config in "${configs[@]}"; do
	IFS='|' read -r name options how <<<"$config"
	seed=$((seed + 1))
	"$WORK" "$seed" "${ROUNDS:-1500}" "$image" "$options" ${how:+"$how"}
	case $? in
	0) ok "$name-model" ;;
	77) skip "$name-model" "no mkfs.xfs"; continue ;;
	*) not_ok "$name-model" "seed $seed"; continue ;;
	esac
	check "$name-check" "$MENDFS" check "$image"
	case $how in journal | killed) ;; *) check "$name-repair" repair ;; esac
	if [ -n "$kernel" ]; then
		skip "$name-kernel" "$kernel"
	else
		check "$name-kernel" compare
		check "$name-kernel-changes" change
	fi
done
