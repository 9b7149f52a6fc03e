#!/bin/bash
# The demo, with a smaller tree: all its steps, by the kernel and from a prototype.
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
