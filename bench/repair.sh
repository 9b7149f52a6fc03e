#!/bin/bash
# Measures `mendfs repair` beside `xfs_repair` on copies of the same damaged image, in one run, page cache warm.
#
#   repair.sh [-r RUNS] [-f] [-d FOLDER] [IMAGE]
#
# Both take turns, each on a copy of its own in FOLDER (default: /dev/shm). -f: at real-time priority (needs root), where other
# work keeps the machine busy. Without an image: the million files of make-image.sh, with a reverse map. An image must have those files.
#
#   trees      the roots of all trees of all AGs have a wrong magic number
#   inodes     1,000 inodes of files, one in every directory: size, link count, blocks, extents or format is wrong, by turns
#
# Prints a table: seconds (medians), their ratio, peak memory. Fails when either program fails, which for mendfs is also to leave
# anything that it finds, or when mendfs leaves anything that xfs_repair -n finds.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PATH:/usr/sbin:/sbin
# shellcheck source=bench/lib.sh
. bench/lib.sh
runs=5 folder=/dev/shm
first=()
while getopts r:fd: c; do
	case $c in
	r) runs=$OPTARG ;;
	f) first=(chrt -f 10) ;;
	d) folder=$OPTARG ;;
	*) exit 8 ;;
	esac
done
shift $((OPTIND - 1))
mendfs=build/src/cli/mendfs
work=$(mktemp -d "$folder/mendfs-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
image=${1:-}
if [ -z "$image" ]; then
	image=$work/million.img
	MKFS_OPTIONS="-m rmapbt=1" bench/make-image.sh million "$image" >&2
fi
copy() { cp --sparse=always "$1" "$2"; }

damage_trees() {
	local ag ags tree
	ags=$("$mendfs" info "$1" | sed -n 's/.*agcount=\([0-9]*\).*/\1/p')
	for ((ag = 0; ag < ags; ag++)); do
		for tree in bnobt cntbt inobt finobt rmapbt refcountbt; do
			"$mendfs" damage "$1" $tree "$ag" magic zeroes >/dev/null 2>&1 || [ $tree != bnobt ]
		done
	done
}
damage_inodes() {
	local dir how=("size add" "nlink add" "nblocks add" "nextents add" "format zeroes")
	for ((dir = 0; dir < 1000; dir++)); do
		# shellcheck disable=SC2086 # field and verb
		"$mendfs" damage "$1" "$(printf '/d%04d/file-%04d.txt' $dir $((dir * 7 % 1000)))" ${how[dir % 5]} >/dev/null
	done
}

printf '%-8s %9s %11s %7s %11s %11s %13s\n' damage mendfs xfs_repair ratio mendfs-MiB repair-MiB memory-ratio
for kind in trees inodes; do
	copy "$image" "$work/hurt"
	"damage_$kind" "$work/hurt"
	: >"$work/mendfs"
	: >"$work/repair"
	for ((i = 0; i < runs; i++)); do
		copy "$work/hurt" "$work/ours"
		measure mendfs "$mendfs" repair "$work/ours"
		((i + 1 < runs)) || xfs_repair -n -f "$work/ours" >"$work/output" 2>&1 || { cat "$work/output"; exit 1; }
		rm "$work/ours"
		copy "$work/hurt" "$work/theirs"
		measure repair xfs_repair -f "$work/theirs"
		rm "$work/theirs"
	done
	python3 - "$kind" "$(median 1 "$work/mendfs")" "$(median 1 "$work/repair")" "$(median 2 "$work/mendfs")" "$(median 2 "$work/repair")" <<-'END'
	import sys
	kind, c, r, cm, rm = sys.argv[1], *map(float, sys.argv[2:6])
	print(f"{kind:8} {c:8.3f}s {r:10.3f}s {c / r:7.3f} {cm / 1024:11.1f} {rm / 1024:11.1f} {cm / rm:13.3f}")
	END
	rm "$work/hurt"
done
