# shellcheck shell=bash
# Shared by the tests of the mount: results, images, mounts that are always undone.  Sourced, never run.
#
# Each test script works in $SCRATCH.  Everything that mount_up or kernel_up has mounted is unmounted at exit, and a server that
# is still there then is ended by its process id.

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
SOURCE_TOP=$PWD
PATH=$PATH:/usr/sbin:/sbin
# What serves is the build with the sanitizers, where there is one.
MENDFS=${MENDFS_ASAN:-${MENDFS:-$SOURCE_TOP/build/src/cli/mendfs}}
if [ -z "${SCRATCH:-}" ]; then
	SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/mendfs-mount.XXXXXX")
	OWN_SCRATCH=1
fi
LIST=$SOURCE_TOP/tests/mount/list.py
FILL=$SOURCE_TOP/tests/mount/fill.py
MOUNTED=()
SERVERS=()

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1: $2"; }
skip() { echo "skip $1: $2"; }
# check NAME COMMAND...: the command's status decides.
check() {
	local name=$1
	shift
	if "$@"; then ok "$name"; else not_ok "$name" "$* failed"; fi
}

undo() {
	local status=$? dir pid
	cd /
	for dir in "${MOUNTED[@]}"; do
		if mountpoint -q "$dir" 2>/dev/null; then
			umount "$dir" 2>/dev/null || fusermount3 -u -z "$dir" 2>/dev/null || umount -l "$dir"
		fi
	done
	for pid in "${SERVERS[@]}"; do kill "$pid" 2>/dev/null; done
	if [ -n "${OWN_SCRATCH:-}" ]; then rm -rf --one-file-system "$SCRATCH"; fi
	return "$status"
}
trap undo EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Why no FUSE filesystem can be mounted here; empty when one can.
fuse_missing() {
	if [ ! -e /dev/fuse ]; then
		echo "no /dev/fuse"
	elif ! command -v fusermount3 >/dev/null; then
		echo "no fusermount3"
	elif [ "$(id -u)" = 0 ] && ! (exec 3<>/dev/fuse) 2>/dev/null; then
		echo "/dev/fuse cannot be opened"
	fi
}
# Why no XFS can be mounted by the kernel; empty when it can.
kernel_missing() {
	if [ "$(id -u)" != 0 ]; then
		echo "needs root (it mounts by the kernel)"
	elif ! losetup -f >/dev/null 2>&1; then
		echo "no loop devices"
	elif ! grep -qw xfs /proc/filesystems && ! modprobe xfs 2>/dev/null; then
		echo "this kernel has no XFS"
	fi
}
# skip_all_if REASON NAME...: skips these and leaves when there is a reason.
skip_all_if() {
	local reason=$1 name
	shift
	[ -n "$reason" ] || return 0
	for name in "$@"; do skip "$name" "$reason"; done
	exit 0
}

# make_image IMAGE SIZE [mkfs option...]
make_image() {
	rm -f "$1"
	truncate -s "$2" "$1"
	mkfs.xfs -q -f "${@:3}" "$1"
}
# kernel_up IMAGE DIR [OPTIONS]
kernel_up() {
	mkdir -p "$2"
	MOUNTED+=("$2")
	local n
	for n in 1 2 3; do # a loop device of a moment ago may just be going
		mount -t xfs -o "loop,${3:-defaults}" "$1" "$2" && return 0
		sleep "0.$n"
	done
	return 1
}
# mount_up IMAGE DIR [OPTIONS] [COMMAND WORD...]: what stands before `mendfs`
mount_up() {
	mkdir -p "$2"
	MOUNTED+=("$2")
	"${@:4}" "$MENDFS" mount -o "${3:-ro}" "$1" "$2"
}
# serve IMAGE DIR [OPTIONS]: mounts in the foreground, with what the server says in $SCRATCH/log
serve() {
	mkdir -p "$2"
	MOUNTED+=("$2")
	"$MENDFS" mount -f -o "${3:-ro}" "$1" "$2" 2>"$SCRATCH/log" &
	server=$!
	SERVERS+=("$server")
	wait_until served "$2"
	mountpoint -q "$2"
}
served() { mountpoint -q "$1" || gone "$server"; }
# quit DIR: unmounts; false when the server does not end well, which is how sanitizers end it
quit() {
	down "$1"
	wait "$server" && return 0
	sed 's/^/server: /' "$SCRATCH/log" | head -80
	return 1
}
# down DIR: unmounts, waiting for those who are just leaving
down() {
	local n
	for n in 1 2 3 4 5 6 7 8 9; do
		umount "$1" 2>/dev/null && return 0
		sleep "0.$n"
	done
	umount "$1"
}
# wait_until COMMAND...: true within ten seconds
wait_until() {
	local _
	for _ in {1..100}; do
		"$@" && return 0
		sleep 0.1
	done
	return 1
}
# clean [IMAGE]: neither judge finds anything in it ($image)
clean() {
	local of=${1:-$image}
	xfs_repair -n "$of" >"$SCRATCH/repair.out" 2>&1 && "$MENDFS" check "$of" >"$SCRATCH/check.out" 2>&1 && return
	grep -vE 'agno|Phase|^        -' "$SCRATCH/repair.out" "$SCRATCH/check.out" | head -20
	return 1
}
# all_there DIR: what mount/work.py until-killed had made durable
all_there() {
	local name
	while read -r name; do
		[ -z "$name" ] || [ -s "$1/$name" ] || { echo "lost: $name"; return 1; }
	done <"$SCRATCH/synced"
}
unmounted() { ! mountpoint -q "$1"; }
gone() { ! kill -0 "$1" 2>/dev/null; }
