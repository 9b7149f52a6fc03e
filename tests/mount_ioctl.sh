#!/bin/bash
# The ioctls of XFS on a mount: told as the kernel tells of the same image, flags set and obeyed, the label, trimming of what is
# free and nothing else, -o discard, and shutting down. SEED=n.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
IOCTLS=$SOURCE_TOP/tests/mount/ioctls.py
WORK=$SOURCE_TOP/tests/mount/work.py
SEED=${SEED:-1}
echo "seed $SEED"
image=$SCRATCH/ioctl.img dir=$SCRATCH/dir other=$SCRATCH/other
skip_all_if "$(fuse_missing)" mount-ioctl

# told NAME: the kernel tells the same of what was left
told() {
	if [ -n "$(kernel_missing)" ]; then
		skip "$1" "$(kernel_missing)"
		return
	fi
	kernel_up "$image" "$other" ro
	"$IOCTLS" tell "$other" >"$SCRATCH/kernel"
	umount "$other"
	check "$1" diff "$SCRATCH/kernel" "$SCRATCH/ours"
}

# one NAME MKFS-OPTION...
one() {
	make_image "$image" 400M "${@:2}" || { not_ok "$1-mkfs" "$*"; return; }
	serve "$image" "$dir" rw || { not_ok "$1-mount" "no mount"; return; }
	if [ "$(id -u)" = 0 ]; then
		check "$1-flags" "$IOCTLS" flags "$dir"
	else
		skip "$1-flags" "only root may make files immutable"
	fi
	check "$1-label" "$IOCTLS" label "$dir" twelve-bytes
	check "$1-no-label" "$IOCTLS" label "$dir" ""
	check "$1-label-again" "$IOCTLS" label "$dir" "label 2"
	"$IOCTLS" tell "$dir" >"$SCRATCH/ours"
	check "$1-quit" quit "$dir"
	check "$1-clean" clean
	told "$1-told"
	same=$(for ag in 0 1 2 3; do xfs_db -c "sb $ag" -c 'p fname' "$image"; done | sort -u)
	check "$1-label-of-all" test "${same//\\000/}" = 'fname = "label 2"'
	serve "$image" "$dir" ro
	"$IOCTLS" tell "$dir" >"$SCRATCH/ours"
	told "$1-told-read-only"
	"$IOCTLS" label "$dir" no 2>"$SCRATCH/err"
	check "$1-read-only" grep -q 'Read-only' "$SCRATCH/err"
	check "$1-quit-read-only" quit "$dir"
}
one rmap-1k -b size=1024 -m rmapbt=1 -L first
one plain -d agcount=4
one old -m reflink=0,finobt=0,inobtcount=0 -i nrext64=0

# Trimming: what was free is a hole in the image, and all else is as it was.
make_image "$image" 400M -b size=1024 -m rmapbt=1
serve "$image" "$dir" rw
python3 "$WORK" work "$dir" "$SEED" "${OPS:-800}" "$SCRATCH/model" >/dev/null
head -c 60M /dev/urandom >"$dir/large"
sync "$dir/large"
full=$(du -k "$image" | cut -f1)
rm "$dir/large"
sync "$dir"
shrinks() { "$IOCTLS" trim "$dir" >"$SCRATCH/trimmed" && [ "$(du -k "$image" | cut -f1)" -lt $((full - 60000)) ]; }
check trim-punches wait_until shrinks
check trim-tells test "$(cat "$SCRATCH/trimmed")" -gt 300000000
check trim-range test "$("$IOCTLS" trim "$dir" 0 $((50 << 20)))" -le $((50 << 20))
check trim-minlen test "$("$IOCTLS" trim "$dir" 0 $((400 << 20)) $((390 << 20)))" = 0
"$IOCTLS" trim "$dir" $((500 << 20)) 2>"$SCRATCH/err"
check trim-beyond grep -q 'Invalid argument' "$SCRATCH/err"
check trim-same python3 "$WORK" compare "$dir" "$SCRATCH/model"
check trim-quit quit "$dir"
check trim-clean clean
serve "$image" "$dir" rw
check trim-same-after python3 "$WORK" compare "$dir" "$SCRATCH/model"
# while files come and go
trims_while() {
	local count=0
	while kill -0 "$1" 2>/dev/null; do
		"$IOCTLS" trim "$dir" >/dev/null || return 1
		count=$((count + 1))
	done
	echo "$count trims under load"
	[ $count -gt 0 ] # how many, the machine's other work decides
}
rm -rf "${dir:?}"/*
python3 "$WORK" work "$dir" "$((SEED + 1))" "${OPS:-800}" "$SCRATCH/model" >"$SCRATCH/work.out" 2>&1 &
work=$!
check trim-under-load trims_while $work
check trim-work wait $work
check trim-load-same python3 "$WORK" compare "$dir" "$SCRATCH/model"
check trim-load-quit quit "$dir"
check trim-load-clean clean

# What has been freed, but is not durable yet, is spared: after a crash the file is there again.
make_image "$image" 300M
serve "$image" "$dir" rw
head -c 30M /dev/urandom >"$SCRATCH/content"
cp "$SCRATCH/content" "$dir/comes-back"
sync "$dir/comes-back"
rm "$dir/comes-back"
"$IOCTLS" trim "$dir" >"$SCRATCH/trimmed"
kill -9 "$server"
wait "$server" 2>/dev/null
umount -l "$dir"
serve "$image" "$dir" rw
if [ -e "$dir/comes-back" ]; then
	check trim-spares cmp "$SCRATCH/content" "$dir/comes-back"
else
	skip trim-spares "the machine was so slow that the removal became durable"
fi
check trim-spares-quit quit "$dir"

# -o discard: what is deleted goes by itself.
make_image "$image" 400M
serve "$image" "$dir" rw,discard
python3 "$WORK" work "$dir" "$((SEED + 2))" "${OPS:-800}" "$SCRATCH/model" >/dev/null
head -c 80M /dev/urandom >"$dir/large"
sync "$dir/large"
full=$(du -k "$image" | cut -f1)
rm "$dir/large"
gone_by_itself() { sync "$dir" && [ "$(du -k "$image" | cut -f1)" -lt $((full - 70000)) ]; }
for _ in 1 2 3; do wait_until gone_by_itself && break; done
check discard gone_by_itself
check discard-same python3 "$WORK" compare "$dir" "$SCRATCH/model"
check discard-quit quit "$dir"
check discard-clean clean
check discard-off "$MENDFS" mount -o discard,nodiscard "$image" "$dir"
check discard-off-quit "$MENDFS" unmount "$dir"

# Shutting down: nothing is answered, nothing is written, and recovery finds what was to be found. 0 and 1 keep all that was done, 2
# what was synced.
for how in 0 1 2; do
	make_image "$image" 300M
	serve "$image" "$dir" rw
	echo durable >"$dir/synced"
	sync "$dir/synced"
	mkdir "$dir/late"
	check "down-$how" "$IOCTLS" down "$dir" $how
	before=$(cksum <"$image")
	check "down-$how-quit" quit "$dir"
	check "down-$how-untouched" test "$(cksum <"$image")" = "$before"
	serve "$image" "$dir" rw
	check "down-$how-synced" test "$(cat "$dir/synced")" = durable
	if [ $how = 2 ]; then
		check down-2-late test ! -e "$dir/late"
	else
		check "down-$how-late" test -d "$dir/late"
	fi
	check "down-$how-again" quit "$dir"
	check "down-$how-clean" clean
done
