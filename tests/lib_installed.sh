#!/bin/bash
# Installs into a folder, compiles a program against what is there, and runs it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

build=${MENDFS_BUILD:-$TOP/build}
status install 0 env DESTDIR="$SCRATCH/root" meson install --no-rebuild -C "$build"
pc=$(find "$SCRATCH/root" -name mendfs.pc)
check pkg-config-file test -n "$pc"
lib=$(find "$SCRATCH/root" -name libmendfs.so)
check library test -n "$lib"
foreign=$(nm -D --defined-only "$lib" | awk '{print $NF}' | grep -v '^mendfs_' | grep -v '^{')
same only-mendfs-symbols "" "$foreign"
export PKG_CONFIG_LIBDIR=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$SCRATCH/root
# shellcheck disable=SC2046
status compile 0 gcc -std=c11 -Wall -Wextra -Wpedantic -Werror -o "$SCRATCH/example" "$TOP/tests/api_example.c" \
	$(pkg-config --cflags --libs mendfs)
proto "$SCRATCH/proto" "$SCRATCH/files"
image "$SCRATCH/image" -p "$SCRATCH/proto"
LD_LIBRARY_PATH=${lib%/*} status run 0 "$SCRATCH/example" "$SCRATCH/image" "$SCRATCH/new"
cat >"$SCRATCH/expected" <<EOF
new: label new, uuid 010203, 4 AGs of 2048-byte blocks
again: xfs
version $("$MENDFS" --version | awk '{print $2}')
block size 4096, 4 AGs
file mode 100644, size 6
content hello
path /dir/file-number-7
link to small
names 42
check 0
EOF
LD_LIBRARY_PATH=${lib%/*} "$SCRATCH/example" "$SCRATCH/image" "$SCRATCH/new2" >"$SCRATCH/found" 2>&1
check output diff -u "$SCRATCH/expected" "$SCRATCH/found"

# The log: a clean one, a dirty one, and one with a spoiled record; flags 0, 1 (no recovery), 2 (accept loss).
xz -dc "$TOP/tests/fixtures/log-efi.img.xz" >"$SCRATCH/dirty"
cp --sparse=always "$SCRATCH/dirty" "$SCRATCH/damaged"
spoil_log "$SCRATCH/damaged" 346
# told NAME IMAGE FLAGS: what the example says, on one line
told() { LD_LIBRARY_PATH=${lib%/*} "$SCRATCH/example" log "$SCRATCH/$1" "$2" 2>&1 | paste -sd' '; }
same log-clean "log 1, replayed 0 check 0" "$(told image 1)"
same log-replayed "log 2, replayed 1 check 0" "$(told dirty 0)"
same log-left-out "log 2, replayed 0 LOG_NOT_REPLAYED 2 check 2" "$(told dirty 1)"
check log-damaged-left-out grep -q '^log 3, replayed 0 LOG_RECORD_CRC 5 LOG_NOT_REPLAYED 2 .*check 5$' <<<"$(told damaged 1)"
check log-damaged-part grep -q '^log 3, replayed 1 ' <<<"$(told damaged 2)"
check log-damaged-refused grep -q '^open for the log: .*LOG_RECORD_CRC' <<<"$(told damaged 0)"
truncate -s 64M "$SCRATCH/outside"
image "$SCRATCH/external" -l "logdev=$SCRATCH/outside,size=64m"
same log-elsewhere "log 0, replayed 0 LOG_NOT_REPLAYED 2 check 2" "$(told external 1)"
check manual-page test -n "$(find "$SCRATCH/root" -name 'mendfs.8*')"
