#!/bin/bash
# Two files on a mount exchange their content: what programs see, who may, what the judges say, and after a kill.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
EXCHANGE=$SOURCE_TOP/tests/mount/exchange.py
image=$SCRATCH/exchange.img dir=$SCRATCH/dir other=$SCRATCH/other
skip_all_if "$(fuse_missing)" mount-exchange

# the kernel shows the same bytes
kernel_same() {
	if [ -n "$(kernel_missing)" ]; then
		skip "$1" "$(kernel_missing)"
		return
	fi
	kernel_up "$image" "$other" ro
	check "$1" test "$(cd "$other" && cat -- * | cksum)" = "$sum"
	umount "$other"
}

# one NAME MOUNT-OPTIONS MKFS-OPTION...
one() {
	make_image "$image" 300M "${@:3}" || { not_ok "$1-mkfs" "$*"; return; }
	serve "$image" "$dir" "$2" || { not_ok "$1-mount" "no mount"; return; }
	check "$1" "$EXCHANGE" "$dir"
	sum=$(cd "$dir" && cat -- * | cksum)
	check "$1-quit" quit "$dir"
	check "$1-clean" clean
	kernel_same "$1-kernel"
}
one rmap-1k rw -b size=1024 -m rmapbt=1
one plain rw -m reflink=0,finobt=0,inobtcount=0 -i nrext64=0
one one-thread rw,sync -s size=512

# The server goes while files are exchanged: it ends, and what is left is whole.
for signal in TERM KILL; do
	make_image "$image" 300M
	serve "$image" "$dir" rw
	"$EXCHANGE" "$dir" loop >"$SCRATCH/begun" 2>&1 &
	loop=$!
	begun() { grep -q begun "$SCRATCH/begun"; }
	wait_until begun
	sleep 1
	kill -"$signal" "$server"
	check "$signal-ends" wait_until gone "$server"
	umount -l "$dir" 2>/dev/null
	check "$signal-loop" wait "$loop"
	serve "$image" "$dir" rw
	check "$signal-whole" "$EXCHANGE" "$dir" two
	check "$signal-quit" quit "$dir"
	check "$signal-clean" clean
done
