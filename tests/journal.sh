#!/bin/bash
# Work through the journal that ends like a killed program: the kernel recovers the log, and so does
# mendfs, to the same filesystem, which the judges find clean and in which all that was durable is.
# Then the kernel works on it, is cut off, and mendfs goes on from there; and so on.
# FULL=1: more seeds.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1
WORK=$(dirname "$M")/../../tests/journal-work
[ -x "$WORK" ] || WORK=$TOP/build/tests/journal-work
SEED=${SEED:-1}
echo "seed $SEED"
mnt=$SCRATCH/mnt
mkdir -p "$mnt"
trap 'mountpoint -q "$mnt" && umount "$mnt"' EXIT

clean() { xfs_repair -n "$1" >repair.out 2>&1 && "$M" check "$1" >check.out 2>&1; }
# The last operation that was said to be durable is in some file, or a later one is.
durable_is_there() {
	local last newest
	last=$(sed -n 's/^durable //p' work.out | tail -1)
	# what the kernel has written itself is younger
	newest=$(stat -c %y "$1"/* | sed -n 's/^19[^.]*\.0*\([0-9]*\) .*/\1/p' | sort -n | tail -1)
	[ -z "$last" ] || [ "${newest:-0}" -ge "$last" ] || { echo "durable $last, newest $newest"; return 1; }
}
if [ "$(id -u)" != 0 ] || ! grep -qw xfs /proc/filesystems || ! losetup -f >/dev/null 2>&1; then
	skip journal "needs root and a kernel with XFS"
	exit 0
fi

# one NAME MKFS-OPTION...
one() {
	local name=$1 rounds=3 good=1 i
	shift
	image journal.img "$@" || { not_ok "$name: mkfs"; return; }
	mount -o loop journal.img "$mnt" || { skip "$name" "the kernel does not mount it"; return; }
	for i in 1 2 3 4 5 6; do head -c 3000 /dev/urandom >"$mnt/f$i"; done
	umount "$mnt"
	for ((i = 0; i < rounds; i++)); do
		SEED=$((SEED + 1))
		"$WORK" journal.img "$SEED" $((100 + SEED * 37 % 700)) >work.out || { good=0; break; }
		"$M" check journal.img >check.out 2>&1 || { cat check.out; good=0; }
		# mendfs recovers a copy of it, and leaves it clean
		cp --sparse=always journal.img mine.img
		"$WORK" mine.img "$SEED" 0 finish || good=0
		"$M" inspect mine.img log 2>/dev/null | grep -qi clean || xfs_logprint -t mine.img 2>/dev/null | grep -q '<CLEAN>' || { echo "not marked clean"; good=0; }
		clean mine.img || { cat repair.out check.out; good=0; }
		# the kernel recovers the other, works, and is cut off
		mount -o loop journal.img "$mnt" || { good=0; break; }
		durable_is_there "$mnt" || good=0
		for n in $(seq 1 40); do echo "$n" >"$mnt/k$i-$n"; done
		for n in $(seq 5 5 40); do mv "$mnt/k$i-$n" "$mnt/m$i-$n"; done
		sync -f "$mnt"
		touch "$mnt/k$i-1"
		cp --sparse=always journal.img cut.img
		umount "$mnt"
		clean journal.img || { cat repair.out check.out; good=0; }
		# a copy of the running one is as good as a cut: mendfs goes on from there
		mv cut.img journal.img
	done
	"$WORK" journal.img "$SEED" 200 finish >work.out || good=0
	clean journal.img || { cat repair.out check.out; good=0; }
	check "$name" [ $good = 1 ]
}

one 1k-blocks -d agcount=2 -b size=1024 -m rmapbt=1
one plain -d agcount=4
one no-rmap-no-reflink -m rmapbt=0,reflink=0 -b size=2048
one no-finobt -m finobt=0,reflink=0 -b size=1024 -i sparse=0 -d agcount=8
one 2k-inodes -i size=2048,maxpct=1 -d agcount=8
SIZE=600M one 64k-blocks -b size=65536 -m rmapbt=1
one 4k-sectors -s size=4096
if [ -n "${FULL:-}" ]; then
	for ((round = 0; round < 20; round++)); do
		one "1k-blocks-$round" -d agcount=2 -b size=1024 -m rmapbt=1
	done
fi
