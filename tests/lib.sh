# shellcheck shell=bash
# For the scripts of tests/: results, and images without root.  Sourced first; sets SCRATCH when the
# script is started by hand.  A script that ends early counts as failed, by its exit status.
set -uo pipefail
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin:/sbin
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
MENDFS=${MENDFS:-$TOP/build/src/cli/mendfs}
# The program that is tested: the one with the sanitizers, where it is built.
M=${MENDFS_ASAN:-$MENDFS}
if [ -z "${SCRATCH:-}" ]; then
	SCRATCH=$(mktemp -d)
	trap 'rm -rf "$SCRATCH"' EXIT
fi

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1"; }
skip() { echo "skip $1: $2"; }
# check NAME COMMAND...: the command must succeed.
check() {
	local name=$1
	shift
	if "$@"; then ok "$name"; else not_ok "$name"; fi
}
# same NAME EXPECTED FOUND
same() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		printf 'expected: %s\nfound:    %s\n' "$2" "$3"
		not_ok "$1"
	fi
}
# status NAME EXPECTED COMMAND...: the exit status; output goes to $SCRATCH/out and $SCRATCH/err.
status() {
	local name=$1 expected=$2 found
	shift 2
	"$@" >"$SCRATCH/out" 2>"$SCRATCH/err"
	found=$?
	if [ "$found" != "$expected" ]; then
		echo "exit status of $*:"
		head -20 "$SCRATCH/out" "$SCRATCH/err"
	fi
	same "$name" "$expected" "$found"
}
# same_bytes IMAGE IMAGE: as cmp, without reading the holes of both.
same_bytes() { "${MENDFS_BUILD:-$TOP/build}/tests/same-bytes" "$@"; }
# image FILE MKFS-OPTION...: an empty filesystem, of 320 MiB unless SIZE says otherwise.
image() {
	local file=$1
	shift
	rm -f "$file"
	truncate -s "${SIZE:-320M}" "$file"
	mkfs.xfs -q "$@" "$file" >"$SCRATCH/mkfs.log" 2>&1 || { cat "$SCRATCH/mkfs.log"; return 1; }
}
# A prototype for mkfs.xfs -p with every kind of file: proto FILE FOLDER (for the content).
proto() {
	local file=$1 folder=$2
	mkdir -p "$folder"
	head -c 100000 /dev/urandom >"$folder/large"
	echo hello >"$folder/small"
	{
		printf '%s\n0 0\nd--755 0 0\n' /dev/null
		printf 'small ---644 1000 100 %s\nlarge -u-755 0 0 %s\n' "$folder/small" "$folder/large"
		printf 'link l--777 0 0 small\nlonglink l--777 0 0 %s\n' "$(printf 'x%.0s' {1..250})"
		printf 'null c--666 0 0 1 3\nblock b--660 0 6 8 0\nfifo p--600 0 0\n'
		printf 'dir d--755 0 0\n'
		for i in $(seq 1 40); do printf 'file-number-%d ---644 0 0 %s\n' "$i" "$folder/small"; done
		printf '$\nempty d--700 5 5\n$\n$\n'
	} >"$file"
}
# spoil_log IMAGE BLOCK [BYTE]: other bytes at that byte (100) behind one of the 512-byte blocks of an internal log, so
# in the body of a record that begins there.
spoil_log() {
	local place agblocks blocksize
	place=$("$M" inspect --field=logstart "$1" superblock) # 8198 (1:6)
	agblocks=$("$M" inspect --field=agblocks "$1" superblock)
	blocksize=$("$M" inspect --field=blocksize "$1" superblock)
	place=${place##*(} place=${place%)}
	printf 'no such bytes' | dd of="$1" bs=1 conv=notrunc status=none \
		seek=$(((${place%:*} * agblocks + ${place#*:}) * blocksize + ($2 + 1) * 512 + ${3:-100}))
}
