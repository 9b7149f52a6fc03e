#!/bin/bash
# Attributes in leaves and trees, changed through the mount at random: the model, `mendfs check`, xfs_repair (that of Debian 13
# where there are parent pointers), and the kernel's own mount agree.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
ATTRS=$SOURCE_TOP/tests/mount/attrs.py
NEW=$SOURCE_TOP/tests/judges/xfsprogs-new.sh
SEED=${SEED:-1}
echo "seed $SEED"
image=$SCRATCH/attrs.img
dir=$SCRATCH/dir
other=$SCRATCH/other
skip_all_if "$(fuse_missing)" attr-write

kernel_agrees() {
	local status
	kernel_up "$image" "$other" ro || return 1
	python3 "$ATTRS" compare "$other" "$SCRATCH/model"
	status=$?
	umount "$other"
	return $status
}
judged() { "$@" "$image" >"$SCRATCH/judged" 2>&1 || { grep -v Phase "$SCRATCH/judged" | head -20; return 1; }; }

# one NAME MKFS-OPTION...
one() {
	local name=$1 repair="xfs_repair -n"
	rm -f "$image"
	truncate -s 500M "$image"
	"$MENDFS" mkfs "${@:2}" "$image" >/dev/null || { not_ok "$name-mkfs" "$*"; return; }
	serve "$image" "$dir" rw || { not_ok "$name-mount" "no mount"; return; }
	check "$name-work" python3 "$ATTRS" work "$dir" "$SEED" "$SCRATCH/model"
	check "$name-quit" quit "$dir"
	check "$name-check" judged "$MENDFS" check
	case $* in *parent=1*) repair="$NEW xfs_repair -n" ;; esac
	if [[ $repair = "$NEW"* ]] && ! "$NEW" xfs_repair -V >/dev/null 2>&1; then
		skip "$name-repair" "no xfs_repair that knows parent pointers (tests/judges/xfsprogs-new.sh install)"
	else
		# shellcheck disable=SC2086
		check "$name-repair" judged $repair
	fi
	if [ -n "$(kernel_missing)" ]; then
		skip "$name-kernel" "$(kernel_missing)"
	else
		check "$name-kernel" kernel_agrees
	fi
	serve "$image" "$dir" rw || { not_ok "$name-again" "no mount"; return; }
	check "$name-same" python3 "$ATTRS" compare "$dir" "$SCRATCH/model"
	rm -rf "${dir:?}"/*
	check "$name-empty" quit "$dir"
	check "$name-empty-check" judged "$MENDFS" check
}

one parents-1k -b size=1024 -n parent=1
# the sanitizers have seen the smallest blocks, which have the most forms
MENDFS=${MENDFS_BUILD:-$SOURCE_TOP/build}/src/cli/mendfs
one parents-4k -n parent=1
one plain-1k -b size=1024 -n parent=0
