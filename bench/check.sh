#!/bin/bash
# Measures `mendfs check` beside `xfs_repair -n` on the same images, in one run, page cache warm.
#
#   check.sh [-r RUNS] [-f] [IMAGE...]
#
# Both take turns. -f: at real-time priority (needs root), where other work keeps the machine busy.
# Without images: those of make-image.sh (million, bigdir, reflink; 4million where BENCH_4MILLION=1), made if missing.
# Prints a table: seconds (medians), their ratio, peak memory, metadata read over metadata present, and the ratio to the
# floor (reading and checksumming the same metadata once, one thread). Needs an optimised build in build/.
# Fails when either program fails, or an image is not clean for both.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PATH:/usr/sbin:/sbin
# shellcheck source=bench/lib.sh
. bench/lib.sh
runs=5
first=()
while getopts r:f c; do
	case $c in
	r) runs=$OPTARG ;;
	f) first=(chrt -f 10) ;;
	*) exit 8 ;;
	esac
done
shift $((OPTIND - 1))
mendfs=build/src/cli/mendfs
floor=build/bench/bench-floor
work=$(mktemp -d "${TMPDIR:-/tmp}/mendfs-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT

if [ $# = 0 ]; then
	cache=${MENDFS_JUDGES:-$HOME/.cache/mendfs-judges}/bench
	mkdir -p "$cache"
	kinds="million bigdir reflink"
	if [ "${BENCH_4MILLION:-}" = 1 ]; then kinds="$kinds 4million"; fi
	for kind in $kinds; do
		[ -e "$cache/$kind.img" ] || bench/make-image.sh "$kind" "$cache/$kind.img" >&2
		set -- "$@" "$cache/$kind.img"
	done
fi

printf '%-12s %9s %11s %7s %11s %11s %10s %9s\n' image check xfs_repair ratio check-MiB repair-MiB read/there to-floor
for image; do
	cat "$image" >/dev/null
	: >"$work/check"
	: >"$work/repair"
	for ((i = 0; i < runs; i++)); do
		measure check "$mendfs" check "$image"
		measure repair xfs_repair -n "$image"
	done
	"${first[@]}" "$floor" "$image" "$runs" >"$work/floor"
	c=$(median 1 "$work/check") r=$(median 1 "$work/repair")
	python3 - "$(basename "$image" .img)" "$c" "$r" "$(median 2 "$work/check")" "$(median 2 "$work/repair")" "$work/floor" <<-'EOF'
	import json, sys
	name, c, r, cm, rm = sys.argv[1], *map(float, sys.argv[2:6])
	f = json.load(open(sys.argv[6]))
	print(f"{name:12} {c:8.3f}s {r:10.3f}s {c / r:7.3f} {cm / 1024:11.1f} {rm / 1024:11.1f} {f['read'] / f['present']:10.3f} {c / f['seconds']:9.2f}")
	EOF
done
