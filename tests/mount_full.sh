#!/bin/bash
# An image on a disk that is full (ENOSPC to the server), and one of which the last part cannot be written (EIO): programs are told, what was
# synced stays, nothing is damaged, and it goes on when there is room again. (A loop device on a full disk would not do: it takes a
# write that went half for a good one.)
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
FULL=$SOURCE_TOP/tests/mount/full.py
disk=$SCRATCH/disk dir=$SCRATCH/dir image=$SCRATCH/disk/image
skip_all_if "$(fuse_missing)" mount-full
if [ "$(id -u)" != 0 ]; then skip_all_if "needs root (it mounts a tmpfs)" mount-full; fi

# A disk with room for so many MiB beside the image
new_disk() {
	mkdir -p "$disk"
	MOUNTED+=("$disk")
	mount -t tmpfs -o size=300m none "$disk" || return 1
	make_image "$image" 600M -m rmapbt=1
	head -c $(((300 << 20) - $(du -k "$image" | cut -f1) * 1024 - ($1 << 20))) /dev/zero >"$disk/filler"
}
trap 'undo; umount "$disk" 2>/dev/null' EXIT
# Beyond 460 MiB, in the last AG, each write fails: the log is before.
limit=$((460 << 20))
full() { new_disk 25 && serve "$image" "$dir" rw; }
failing() {
	new_disk 180 && serve "$image" "$dir" rw && prlimit --fsize=$limit:unlimited --pid "$server"
}
mends() {
	rm -f "$disk/filler"
	if [ "$1" = failing ] && kill -0 "$server" 2>/dev/null; then prlimit --fsize=unlimited:unlimited --pid "$server"; fi
}
trap '' XFSZ # a write beyond the limit is an error, not the end of the server

for kind in ${KINDS:-full failing}; do
	for end in mended unmounted killed; do
		name=$kind-$end model=$SCRATCH/model-$kind-$end
		$kind || { not_ok "$name-mount" "no mount"; continue; }
		check "$name-told" "$FULL" fill "$dir" "$model"
		check "$name-live" "$MENDFS" check "$dir"
		if [ $end = mended ]; then
			mends $kind
			check "$name-goes-on" "$FULL" more "$dir" "$model"
			check "$name-quit" quit "$dir"
		elif [ $end = unmounted ]; then
			# what cannot be put home stays in the log
			down "$dir"
			wait "$server"
			mends $kind
		else
			kill -9 "$server"
			wait "$server" 2>/dev/null
			umount -l "$dir"
			mends $kind
		fi
		check "$name-check" "$MENDFS" check "$image"
		serve "$image" "$dir" rw || { not_ok "$name-again" "no mount"; continue; }
		check "$name-there" "$FULL" more "$dir" "$model"
		check "$name-quit-again" quit "$dir"
		check "$name-clean" clean "$image"
		umount "$disk"
	done
done

# A flush fails, and the device tells it once: all whose data were on their way are told. (Of a write that is lost as a whole a loop device does tell.)
if new_disk 1 && loop=$(losetup -f --show "$image" 2>/dev/null); then
	trap 'undo; losetup -d "$loop"; umount "$disk" 2>/dev/null' EXIT
	serve "$loop" "$dir" rw
	check lost-told "$SOURCE_TOP/tests/mount/lost.py" "$dir" "$disk/filler"
	check lost-quit quit "$dir"
	check lost-clean clean "$loop"
else
	skip lost "no loop devices"
fi
