# shellcheck shell=bash
# Shared by the judge and corpus scripts: the cache directory, the work tool, and
# loop mounts that are always undone.  Sourced, never run.  A function that fails
# says so on stderr and returns non-zero; scripts run under "set -euo pipefail".

JUDGES=${MENDFS_JUDGES:-$HOME/.cache/mendfs-judges}
LIB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SOURCE_TOP=$(cd "$LIB_DIR/../.." && pwd)
PATH=$PATH:/sbin:/usr/sbin
FSWORK=$JUDGES/bin/fswork

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }
need_root() { [ "$(id -u)" = 0 ] || die "needs root (it mounts filesystems)"; }

# Builds fswork into the cache when its source is newer. Static, so that it runs
# in a chroot and in user-mode Linux too.
need_fswork() {
	if [ ! -x "$FSWORK" ] || [ "$SOURCE_TOP/tests/corpus/fswork.c" -nt "$FSWORK" ]; then
		mkdir -p "$JUDGES/bin"
		# shellcheck disable=SC2086 # a compiler with words in front of it
		${CC:-cc} -std=c11 -O2 -Wall -Wextra -static -o "$FSWORK.$$" "$SOURCE_TOP/tests/corpus/fswork.c"
		mv "$FSWORK.$$" "$FSWORK"
	fi
}

# A private work directory, and everything mounted below it gone at exit.
WORK=
LOOPS=()
work_begin() {
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/mendfs-work.XXXXXX")
	mkdir "$WORK/mnt"
	trap work_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}
work_end() {
	local status=$? pids
	[ -n "$WORK" ] || return "$status"
	cd /
	pids=$(jobs -p)
	if [ -n "$pids" ]; then
		# shellcheck disable=SC2086
		kill -9 $pids 2>/dev/null || true
		wait 2>/dev/null || true
	fi
	for _ in 1 2 3 4 5 6; do
		mountpoint -q "$WORK/mnt" || break
		umount "$WORK/mnt" 2>/dev/null || sleep 0.5
	done
	if mountpoint -q "$WORK/mnt"; then umount -l "$WORK/mnt" || true; fi
	local l
	for l in "${LOOPS[@]}"; do losetup -d "$l" 2>/dev/null || true; done
	rm -rf --one-file-system "$WORK"
	WORK=
	return "$status"
}

# loop_attach VARIABLE FILE [losetup options]
loop_attach() {
	local -n loop_out=$1
	loop_out=$(losetup -f --show "${@:3}" "$2")
	LOOPS+=("$loop_out")
}
loop_detach() {
	local l keep=()
	for l in "${LOOPS[@]}"; do [ "$l" = "$1" ] || keep+=("$l"); done
	LOOPS=("${keep[@]}")
	losetup -d "$1"
}

# xfs_mount IMAGE OPTIONS [LOG]: mounts at $WORK/mnt; remembers what to undo.
MOUNT_LOOPS=()
xfs_mount() {
	local data log options=${2:-defaults}
	MOUNT_LOOPS=()
	loop_attach data "$1" || return 1
	MOUNT_LOOPS+=("$data")
	if [ -n "${3:-}" ]; then
		loop_attach log "$3" || return 1
		MOUNT_LOOPS+=("$log")
		options+=",logdev=$log"
	fi
	if ! mount -t xfs -o "$options" "$data" "$WORK/mnt" 2>"$WORK/mount.err"; then
		xfs_unloop
		return 1
	fi
}
xfs_unloop() {
	local l
	for l in "${MOUNT_LOOPS[@]}"; do loop_detach "$l" || true; done
	MOUNT_LOOPS=()
}
xfs_umount() {
	local n
	for n in 1 2 3 4 5 6 7 8 9 10; do
		if umount "$WORK/mnt" 2>/dev/null; then
			xfs_unloop
			return 0
		fi
		sleep "0.$n"
	done
	umount "$WORK/mnt"
}

# Whether this kernel mounts blocks of so many bytes (above the page size only newer kernels do).
kernel_mounts_block() {
	local img=$WORK/probe.img ok=1
	rm -f "$img"
	truncate -s 512M "$img"
	mkfs.xfs -q -b "size=$1" "$img" >/dev/null 2>&1 || return 1
	if xfs_mount "$img" defaults; then
		ok=0
		xfs_umount
	fi
	rm -f "$img"
	return "$ok"
}

# json_string TEXT
json_string() {
	local s=${1//\\/\\\\}
	printf '"%s"' "${s//\"/\\\"}"
}
