#!/bin/bash
# copy_file_range shares blocks, and what comes of it is what was to be copied: against a model, the judges and the kernel. SEED=n.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
COPY=$SOURCE_TOP/tests/mount/copy.py
SEED=${SEED:-1}
echo "seed $SEED"
image=$SCRATCH/copy.img dir=$SCRATCH/dir
skip_all_if "$(fuse_missing)" mount-copy

same_in_kernel() {
	kernel_up "$image" "$SCRATCH/kernel" ro || return 1
	(cd "$SCRATCH/kernel" && sha256sum -- *) >"$SCRATCH/sums.kernel"
	down "$SCRATCH/kernel"
	diff "$SCRATCH/sums" "$SCRATCH/sums.kernel"
}
# one NAME MKFS-OPTION...
one() {
	SEED=$((SEED + 1))
	make_image "$image" 400M "${@:2}" || { not_ok "$1-mkfs" "$*"; return; }
	serve "$image" "$dir" rw || { not_ok "$1-mount" "no mount"; return; }
	check "$1-random" "$COPY" "$dir" "$SEED" "${ROUNDS:-400}"
	if [[ $* != *reflink=0* ]]; then check "$1-shares" "$COPY" shares "$dir"; fi
	(cd "$dir" && sha256sum -- *) >"$SCRATCH/sums"
	check "$1-live" "$MENDFS" check "$dir"
	check "$1-quit" quit "$dir"
	check "$1-clean" clean
	if [ -n "$(kernel_missing)" ]; then
		skip "$1-kernel" "$(kernel_missing)"
	else
		check "$1-kernel" same_in_kernel
	fi
}
one plain
one rmap-1k -b size=1024 -m rmapbt=1
one 16k -b size=16384 -m rmapbt=1
one no-reflink -m reflink=0
