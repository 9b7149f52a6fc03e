#!/bin/bash
# Tree equality: what programs see through our mount is what they see through the kernel's, on the same image, name by name and byte
# by byte: stat, attributes, ACLs, link targets, data, maps of data and holes, statfs, geometry. The default configuration and three
# drawn by SEED; all of them with FULL=1.
set -uo pipefail
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"

# name | size | mkfs options
configs=(
	"default|600M|"
	"b1k|600M|-b size=1024"
	"b1k-dir64k|600M|-b size=1024 -n size=65536"
	"dir64k|600M|-n size=65536"
	"inode2k|600M|-i size=2048"
	"bare|600M|-m rmapbt=0,reflink=0,finobt=0,bigtime=0,inobtcount=0 -i sparse=0"
	"rmap-nrext64|600M|-m rmapbt=1 -i nrext64=1"
)
names=()
for config in "${configs[@]}"; do names+=("${config%%|*}"); done
skip_all_if "$(fuse_missing)$(kernel_missing)" "${names[@]}" handles dirty

kernel=$SCRATCH/kernel ours=$SCRATCH/ours
seed=${SEED:-$((RANDOM + 1))}
echo "seed $seed"
if [ -z "${FULL:-}" ]; then
	mapfile -t configs < <(printf '%s\n' "${configs[0]}" && tools/draw.sh "$seed" 3 "${configs[@]:1}")
fi

# compare NAME IMAGE: both mounts read-only, at the same time
compare() {
	kernel_up "$2" "$kernel" ro || { not_ok "$1" "the kernel does not mount it"; return; }
	"$LIST" "$kernel" >"$SCRATCH/$1.kernel"
	down "$kernel"
	if ! serve "$2" "$ours"; then
		not_ok "$1" "mount: $(cat "$SCRATCH/log")"
		return
	fi
	"$LIST" "$ours" >"$SCRATCH/$1.ours"
	if ! quit "$ours"; then
		not_ok "$1" "the server has not ended well"
	elif diff "$SCRATCH/$1.kernel" "$SCRATCH/$1.ours" >"$SCRATCH/diff"; then
		ok "$1"
	else
		cut -c1-400 "$SCRATCH/diff" | head -20
		not_ok "$1" "$(grep -c '^>' "$SCRATCH/diff") of $(wc -l <"$SCRATCH/$1.kernel") lines differ"
	fi
}

for config in "${configs[@]}"; do
	IFS='|' read -r name size options <<<"$config"
	image=$SCRATCH/$name.img
	# shellcheck disable=SC2086
	if ! make_image "$image" "$size" $options; then
		skip "$name" "mkfs.xfs has no such options"
		continue
	fi
	kernel_up "$image" "$kernel" || { skip "$name" "this kernel does not mount it"; continue; }
	"$FILL" "$kernel" 3000 || { not_ok "$name" "filling it failed"; continue; }
	down "$kernel"
	compare "$name" "$image"
	[ "$name" = default ] || rm -f "$image"
done

# Handles of one mount are good in the next, where the kernel knows nothing but their inode numbers (as NFS needs it).
if serve "$SCRATCH/default.img" "$ours"; then
	tests/mount/handles.py take "$ours" "$SCRATCH/handles"
	quit "$ours"
	serve "$SCRATCH/default.img" "$ours"
	check handles tests/mount/handles.py open "$ours" "$SCRATCH/handles"
	quit "$ours"
fi

# A copy of an image in use is what a crash leaves: we replay the log in memory, the kernel does it on a copy of its own.
image=$SCRATCH/default.img
if kernel_up "$image" "$kernel"; then
	for number in {1..300}; do echo "$number" >"$kernel/late$number"; done
	mv "$kernel/types/small" "$kernel/late-small"
	rm -f "$kernel"/dirs/200/*7
	sync -f "$kernel"
	rm -f "$kernel"/late1*
	cp --sparse=always "$image" "$SCRATCH/dirty.img"
	down "$kernel"
	cp --sparse=always "$SCRATCH/dirty.img" "$SCRATCH/dirty-ours.img"
	cp --sparse=always "$SCRATCH/dirty.img" "$SCRATCH/before.img"
	if serve "$SCRATCH/dirty-ours.img" "$ours"; then
		"$LIST" "$ours" >"$SCRATCH/dirty.ours"
		check dirty-server quit "$ours"
		kernel_up "$SCRATCH/dirty.img" "$kernel" # recovers
		down "$kernel"
		kernel_up "$SCRATCH/dirty.img" "$kernel" ro
		"$LIST" "$kernel" >"$SCRATCH/dirty.kernel"
		down "$kernel"
		# What only lives in memory after recovery: the counters of the first line are settled by the kernel's unmount.
		if diff <(tail -n +2 "$SCRATCH/dirty.kernel") <(tail -n +2 "$SCRATCH/dirty.ours") >"$SCRATCH/diff"; then
			ok dirty
		else
			cut -c1-400 "$SCRATCH/diff" | head -20
			not_ok dirty "$(grep -c '^>' "$SCRATCH/diff") lines differ"
		fi
		check dirty-not-written "${MENDFS_BUILD:-$SOURCE_TOP/build}/tests/same-bytes" "$SCRATCH/before.img" "$SCRATCH/dirty-ours.img"
	else
		not_ok dirty "mount failed"
	fi
fi
