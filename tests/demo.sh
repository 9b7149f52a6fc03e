#!/bin/bash
# The demo, with a smaller tree: all its steps, by the kernel and from a prototype; and damage under programs at work: what is to be seen
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
chmod 777 "$SCRATCH"
shown demo demo/demo.sh 4000
if [ -z "$(fuse_missing)" ]; then
	check reads-the-rest grep -q '^read: [1-9][0-9]* of [1-9][0-9]* files, byte for byte what they were; 0 differ' "$SCRATCH/out"
	check names-the-unreadable test "$(grep -c EUCLEAN "$SCRATCH/out")" -ge 2
else
	skip reads-the-rest "$(fuse_missing)"
fi
if [ "$(id -u)" = 0 ] && runuser -u nobody -- test -x "$MENDFS"; then
	shown prototype runuser -u nobody -- demo/demo.sh 4000
else
	skip prototype "needs root to become nobody, who may run the program"
fi

# of DIR: a mount, a process or a file of the demo that is left there
nothing_left() { ! grep -F " $SCRATCH/mendfs-live." /proc/self/mounts && ! pgrep -af "$SCRATCH/mendfs-live[.]" && ! ls -d "$SCRATCH"/mendfs-live.* 2>/dev/null; }
seen() { check "live-$1" grep -qE "$2" "$SCRATCH/live"; }
if [ -n "$(fuse_missing)" ]; then
	skip live "$(fuse_missing)"
	exit 0
fi
by=()
if [ "$(id -u)" = 0 ] && runuser -u nobody -- test -x "$MENDFS" && runuser -u nobody -- test -r /dev/fuse; then by=(runuser -u nobody --); fi
TMPDIR=$SCRATCH MENDFS=$MENDFS timeout -k 20 300 "${by[@]}" demo/live.sh >"$SCRATCH/live" 2>&1
status=$?
[ $status = 0 ] || cat "$SCRATCH/live"
check live test $status = 0
seen space '^  mended: AG [0-9]+: rebuilt its space trees and headers'
seen headers '^  mended: AG [0-9]+: rebuilt all trees and headers'
seen inode '^  mended: inode [0-9]+: map of its data from the reverse map'
seen directory '^  mended: directory [0-9]+: its block written anew'
check live-all test "$(grep -cE '^  [0-9]+ findings, 0 left; the program has waited [0-9]+ ms|^  met by nobody' "$SCRATCH/live")" = 5
seen met '^no error: [1-9][0-9]* rounds compiled, [1-9][0-9]* directories read; [3-5] of 5 damages met'
seen clean ': clean$'
seen same 'no difference$'
check live-nothing-left nothing_left

TMPDIR=$SCRATCH MENDFS=$MENDFS timeout -k 20 300 demo/live.sh >"$SCRATCH/live" 2>&1 &
demo=$!
SERVERS+=("$demo")
damaging() { grep -q 'becomes\? zeroes' "$SCRATCH/live" || gone "$demo"; }
wait_until damaging || wait_until damaging || wait_until damaging
kill -TERM "$demo"
wait "$demo"
check live-ended test $? != 0
check live-ended-nothing-left nothing_left
