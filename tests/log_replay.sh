#!/bin/bash
# Replays dirty logs and asks the judges: xfs_repair -n of a replayed copy finds nothing but what
# every mount after a crash cleans up, and the tree is the one that the kernel's own recovery shows.
#
#   log_replay.sh [-d DIR] [-o NAME] [-n COUNT] [REPLAY]
#
#   REPLAY    the program made from tests/log/replay.c; default: of the build folder
#   -d DIR    take dirty images from there: NAME.img (.log), with NAME.tree (fswork sum) or not
#   -o NAME   only this image
#   -n COUNT  only so many images
#
# Without -d, images are made here by mounting, working, and shutting the filesystem down; that
# needs root and a kernel with XFS, and is skipped where they are missing.
# The image must not change: its checksum is taken before and after, and the program opens it
# read-only, which strace shows where there is one.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
dir='' only='' count=1000000 failed=0 passed=0 pending=0 skipped=0
while getopts d:o:n: c; do
	case $c in
	d) dir=$OPTARG ;;
	o) only=$OPTARG ;;
	n) count=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -le 1 ] || { echo "usage: log_replay.sh [-d DIR] [-o NAME] [-n COUNT] [REPLAY]" >&2; exit 2; }
replay=$(realpath "${1:-${MENDFS_BUILD:-$top/build}/log-replay}")
skip() { echo "skip all: $1"; exit 0; }
[ "$(id -u)" = 0 ] || skip "mounting needs root"
command -v xfs_repair >/dev/null || skip "no xfsprogs"
work=$(mktemp -d "${SCRATCH:-${TMPDIR:-/tmp}}/mendfs-log.XXXXXX")
mkdir "$work/mnt"
cleanup() {
	mountpoint -q "$work/mnt" && umount "$work/mnt"
	rm -rf "$work"
}
trap cleanup EXIT
export TEST_DIR=1 TEST_DEV=1 QA_CHECK_FS=1 # small filesystems
cc -O1 -pthread -o "$work/fswork" "$top/tests/corpus/fswork.c"

sum_of() { md5sum <"$1" | cut -c1-32; }

# repair OUTPUT ARGUMENT...: a newer one where this machine's does not know the features; 1 when there is none.
repair() {
	local out=$1
	shift
	xfs_repair -n -f -o force_geometry "$@" >"$out" 2>&1 || true
	grep -q 'unsupported filesystem features' "$out" || return 0
	"$top/tests/judges/xfsprogs-new.sh" xfs_repair -n -f -o force_geometry "$@" >"$out" 2>&1 || true
	grep -q '^Phase 7' "$out"
}

# Only what a mount after a crash does anyway: unlinked inodes and staging extents are freed then.
repair_complaints() {
	grep -aE -v '^(Phase|Cannot get host|Repair may fail|the image and the host| *- |ALERT: The filesystem has valuable|ignored because the -n|which may be resolved|No modify flag set|leftover CoW extent|agi unlinked bucket|Would clear next_unlinked in inode|would have corrected fdblocks)' "$1" |
		grep -vE '^disconnected (dir )?inode [0-9]+, would move to lost\+found$|^would have reset inode [0-9]+ nlinks from 0 to [0-9]+$|^$|Maximum metadata LSN' || true
}

tree_of() {
	local img=$1 log=$2 options=loop,ro,norecovery,nouuid loopdev=''
	if [ -n "$log" ]; then
		loopdev=$(losetup -f --show -r "$log")
		options+=,logdev=$loopdev
	fi
	mount -t xfs -o "$options" "$img" "$work/mnt" 2>"$work/mount.err" || {
		[ -z "$loopdev" ] || losetup -d "$loopdev"
		return 1
	}
	"$work/fswork" sum "$work/mnt" || true
	umount "$work/mnt"
	[ -z "$loopdev" ] || losetup -d "$loopdev"
}

# one NAME IMAGE LOG RT TREE JUDGE: judges a replayed copy.
one() {
	local name=$1 img=$2 log=$3 rt=$4 tree=$5 judge=$6 before after orphans args=() rargs=() bad=''
	if [ -n "$log" ]; then args=(-l "$log") rargs+=(-l "$log"); fi
	if [ -n "$rt" ]; then rargs+=(-r "$rt"); fi
	before=$(sum_of "$img")
	cp --sparse=always "$img" "$work/copy.img"
	if ! "$replay" "${args[@]}" "$img" "$work/copy.img" >"$work/out"; then
		bad="replay failed: $(tail -1 "$work/out")"
	fi
	after=$(sum_of "$img")
	[ "$before" = "$after" ] || bad="the image has changed"
	local intents unlinked
	intents=$(sed -n 's/^state.* intents \([0-9]*\).*/\1/p' "$work/out")
	unlinked=$(sed -n 's/^state.* unlinked \([0-9]*\)$/\1/p' "$work/out")
	if [ -z "$bad" ] && [ "$intents" != 0 ]; then
		pending=$((pending + 1))
		echo "skip $name: $intents intents pending"
		return
	fi
	if [ -z "$bad" ]; then
		if ! repair "$work/repair" "${rargs[@]}" "$work/copy.img"; then
			skipped=$((skipped + 1))
			echo "skip $name-repair: no xfs_repair knows its features"
			printf '' >"$work/repair"
			unlinked=0
		fi
		repair_complaints "$work/repair" | sort >"$work/complaints"
		if [ -s "$work/complaints" ] && [ -n "$judge" ]; then
			# a crash amid the setting of a large attribute leaves it INCOMPLETE, in the kernel's copy as well
			repair "$work/repair.judge" "${rargs[@]}" "$judge" || true
			repair_complaints "$work/repair.judge" | sort | comm -23 "$work/complaints" - >"$work/more"
			mv "$work/more" "$work/complaints"
		fi
		[ ! -s "$work/complaints" ] || bad="xfs_repair -n: $(head -4 "$work/complaints" | tr '\n' ';')"
		orphans=$(grep -cE '^disconnected (dir )?inode [0-9]+' "$work/repair" || true)
		[ "$orphans" = "$unlinked" ] || bad+=" $unlinked unlinked inodes, xfs_repair has $orphans"
	fi
	if [ -z "$bad" ] && [ -n "$tree" ]; then
		if tree_of "$work/copy.img" "$log" >"$work/tree"; then
			diff "$work/tree" "$tree" >"$work/diff" || bad="tree differs: $(head -3 "$work/diff" | tr '\n' ';')"
		else
			skipped=$((skipped + 1))
			echo "skip $name-tree: this kernel does not mount it: $(tail -1 "$work/mount.err")"
		fi
	fi
	if [ -n "$bad" ]; then
		failed=$((failed + 1))
		echo "not ok $name: $bad"
	else
		passed=$((passed + 1))
		echo "ok $name"
	fi
}

from_dir() {
	local img name log rt tree judge
	for img in "$dir"/*.img; do
		case $img in *.recovered.img) continue ;; esac
		name=$(basename "$img" .img) log='' rt='' tree=''
		[ -z "$only" ] || [ "$only" = "$name" ] || continue
		[ "$((count--))" -gt 0 ] || return 0
		[ ! -e "$dir/$name.log" ] || log=$dir/$name.log
		[ ! -e "$dir/$name.tree" ] || tree=$dir/$name.tree
		[ ! -e "$dir/$name.rt" ] || { rt=$dir/$name.rt; skipped=$((skipped + 1)); echo "skip $name-tree: realtime"; tree=''; }
		judge=$dir/$name.recovered.img
		[ -e "$judge" ] || judge=''
		one "$name" "$img" "$log" "$rt" "$tree" "$judge"
	done
}

# What happens on the filesystem before it is shut down; run in the background.
work_age() { "$work/fswork" age --seed 7 --ops 0 --seconds 60 --jobs 3 --orphans 10 "$work/mnt"; }
# The log makes the filesystem larger.
work_grow() {
	"$work/fswork" age --seed 3 --ops 700 "$work/mnt"
	xfs_growfs "$work/mnt"
	"$work/fswork" age --seed 4 --ops 700 "$work/mnt"
}
# Two files exchange forks that have btrees: their blocks change owners, which only replay writes.
work_swap() {
	local name i fill=0
	for name in a b; do
		fill=$((fill + 1))
		for ((i = 0; i < 400; i++)); do
			printf 'pwrite -q -S %d %d 4096\n' "$fill" "$((i * 12288))"
			printf 'fsync\n'
		done >"$work/commands"
		xfs_io -f -c "truncate 4915200" "$work/mnt/$name"
		xfs_io "$work/mnt/$name" <"$work/commands"
	done
	xfs_io -c "swapext $work/mnt/b" "$work/mnt/a"
}

# make NAME WORK FLAG SECONDS MKFS MOUNT: a filesystem that is shut down under its work; 0 seconds: after it.
make() {
	local name=$1 job=$2 flag=$3 seconds=$4 mkfs=$5 options=$6 pid
	[ -z "$only" ] || [ "$only" = "$name" ] || return 0
	[ "$((count--))" -gt 0 ] || return 0
	rm -f "$work/dirty.img"
	truncate -s 300M "$work/dirty.img"
	# shellcheck disable=SC2086
	mkfs.xfs -q -f $mkfs "$work/dirty.img"
	mount -t xfs -o "loop,$options" "$work/dirty.img" "$work/mnt" || skip "no XFS in this kernel"
	"$job" >"$work/age.out" 2>&1 &
	pid=$!
	if [ "$seconds" = 0 ]; then wait "$pid" || true; else sleep "$seconds"; fi
	if [ "$seconds" = 0 ]; then "$work/fswork" sum "$work/mnt" >"$work/before.tree"; fi
	# shellcheck disable=SC2086
	xfs_io -x -c "shutdown $flag" "$work/mnt"
	wait "$pid" || true
	umount "$work/mnt"
	# the judge: the kernel's recovery of another copy
	cp --sparse=always "$work/dirty.img" "$work/judge.img"
	if mount -t xfs -o loop,nouuid "$work/judge.img" "$work/mnt" 2>/dev/null; then
		umount "$work/mnt"
		tree_of "$work/judge.img" '' >"$work/judge.tree"
		one "$name" "$work/dirty.img" '' '' "$work/judge.tree" "$work/judge.img"
	elif [ "$seconds" = 0 ]; then
		# Linux 6.18 does not recover a change of owners; what was there before the end is known
		one "$name" "$work/dirty.img" '' '' "$work/before.tree" ''
	else
		failed=$((failed + 1))
		echo "not ok $name: the kernel does not recover it"
	fi
}

shows_read_only() {
	command -v strace >/dev/null || { echo "skip read-only: no strace"; return 0; }
	strace -f -e trace=open,openat -o "$work/strace" "$replay" "$1" >/dev/null || true
	if grep -F "\"$1\"" "$work/strace" | grep -qv O_RDONLY; then
		echo "not ok read-only: the image was not opened O_RDONLY"
		failed=$((failed + 1))
	else
		echo "ok read-only"
	fi
}

if [ -n "$dir" ]; then
	from_dir
else
	make shut work_age '' 1 '' defaults
	make flush work_age -f 1 '-m rmapbt=1' defaults
	make b1k work_age '' 0.7 '-b size=1024' defaults
	make log256k work_age -f 1 '' logbsize=256k
	make s4096 work_age '' 0.7 '-s size=4096 -i size=1024' defaults
	make wrap work_age -f 2 '-l size=8m' defaults
	make grow work_grow -f 0 '-d size=150m,agsize=50m' defaults
	make swap work_swap -f 0 '-m reflink=0 -d agcount=1' defaults
	[ ! -e "$work/dirty.img" ] || shows_read_only "$work/dirty.img"
fi
echo "log replay: $passed as the kernel recovers them, $pending with pending intents, $failed failed, $skipped not compared"
[ "$failed" = 0 ]
