#!/bin/bash
# The demo, with a smaller tree: all its steps, filled by the kernel, by an ordinary user, and from a prototype; and damage under programs at work: what is to be seen
# there, by an ordinary user where that is possible, and that nothing stays behind, whether it ends or is ended.
set -uo pipefail
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"

# shown NAME COMMAND...
shown() {
	local name=$1
	shift
	if TMPDIR=$SCRATCH "$@" >"$SCRATCH/out" 2>&1 && [ "$(tail -1 "$SCRATCH/out" | sed 's/.*: //')" = clean ] && grep -q 'agi.freecount' "$SCRATCH/out"; then
		ok "$name"
	else
		cat "$SCRATCH/out"
		not_ok "$name" "status or last line"
	fi
}
line() { check "$1" grep -qE "$2" "$SCRATCH/out"; }
# what_is_in NAME HOW: of 4000 files and 400 clones, the rest of what was made of them, and what is read of it after the damage
what_is_in() {
	line "$1-filled" "^filled on a mount by $2\$"
	if [ -n "$(fuse_missing)" ]; then
		skip "$1-reads" "$(fuse_missing)"
		return
	fi
	line "$1-names" '^in it: 4800 files; (7[5-9][0-9]|8[0-9][0-9]) with a further name, [1-9][0-9]* with an attribute$'
	line "$1-shares" '^shared: [1-9][0-9]{2,} blocks that clones do not take again$'
	line "$1-reads" '^read: [1-9][0-9]* of 4800 files, byte for byte what they were; 0 differ'
	check "$1-names-the-unreadable" test "$(grep -c EUCLEAN "$SCRATCH/out")" -ge 2
}
# An ordinary user who may use FUSE, as on most machines: where /dev/fuse is for root alone, he has one of his own, which nobody else sees.
ordinary=()
if [ "$(id -u)" = 0 ] && runuser -u nobody -- test -x "$MENDFS"; then
	ordinary=(runuser -u nobody --)
	if [ -z "$(fuse_missing)" ] && ! "${ordinary[@]}" test -w /dev/fuse; then
		mknod -m 666 "$SCRATCH/fuse" c 10 229
		# shellcheck disable=SC2016
		ordinary=(unshare -m sh -c 'mount --bind "$0" /dev/fuse && exec "$@"' "$SCRATCH/fuse" "${ordinary[@]}")
	fi
elif [ "$(id -u)" != 0 ]; then
	ordinary=(env)
fi
chmod 777 "$SCRATCH"
if [ -n "$(kernel_missing)" ]; then
	skip kernel "$(kernel_missing)"
else
	shown kernel demo/demo.sh 4000 kernel
	what_is_in kernel "the kernel"
fi
if [ ${#ordinary[@]} = 0 ]; then
	skip ordinary "nobody may not run the program"
elif [ -n "$(fuse_missing)" ]; then
	skip ordinary "$(fuse_missing)"
else
	shown ordinary "${ordinary[@]}" demo/demo.sh 4000
	what_is_in ordinary mendfs
fi
shown prototype "${ordinary[@]}" demo/demo.sh 4000 proto

# no mount, process or file of the demo
nothing_left() {
	! grep -F " $SCRATCH/mendfs-live." /proc/self/mounts && ! ls -d "$SCRATCH"/mendfs-live.* 2>/dev/null &&
		! grep -laz "$SCRATCH/mendfs-live[.]" /proc/[0-9]*/cmdline 2>/dev/null &&
		[ -z "$(find /proc/[0-9]*/fd /proc/[0-9]*/cwd -lname "$SCRATCH/mendfs-live.*" 2>/dev/null)" ]
}
seen() { check "live-$1" grep -qE "$2" "$SCRATCH/live"; }
if [ -n "$(fuse_missing)" ]; then
	skip live "$(fuse_missing)"
	exit 0
fi
TMPDIR=$SCRATCH MENDFS=$MENDFS timeout -k 20 300 "${ordinary[@]}" demo/live.sh >"$SCRATCH/live" 2>&1
status=$?
[ $status = 0 ] || cat "$SCRATCH/live"
check live test $status = 0
seen space '^  mended: AG [0-9]+: rebuilt its space trees and headers'
seen headers '^  mended: AG [0-9]+: rebuilt all trees and headers'
seen inode '^  mended: inode [0-9]+: map of its data from the reverse map'
seen directory '^  mended: directory [0-9]+: its block written anew'
check live-all test "$(grep -cE '^  [0-9]+ findings, 0 left; the program has waited [0-9]+ ms|^  met by nobody' "$SCRATCH/live")" = 5
# what the reader is sent to is met; whether the worker comes to the rest in time is a matter of load
seen met '^no error: [1-9][0-9]* rounds compiled, [1-9][0-9]* directories read; [2-5] of 5 damages met'
seen clean ': clean$'
seen same 'no difference$'
check live-nothing-left nothing_left

TMPDIR=$SCRATCH MENDFS=$MENDFS timeout -k 20 300 demo/live.sh >"$SCRATCH/live" 2>&1 &
demo=$!
SERVERS+=("$demo")
damaging() { grep -q 'becomes\? zeroes' "$SCRATCH/live" || gone "$demo"; }
wait_until damaging || wait_until damaging || wait_until damaging
kill -TERM "$demo" || { cat "$SCRATCH/live"; not_ok live-alive "it has ended before"; }
wait "$demo"
check live-ended test $? != 0
check live-ended-nothing-left nothing_left
