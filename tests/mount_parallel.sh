#!/bin/bash
# Several readers at a time through one mount, with a server that has been built with ThreadSanitizer where clang has it.
set -uo pipefail
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"

skip_all_if "$(fuse_missing)$(kernel_missing)" readers thread-sanitizer
image=$SCRATCH/image ours=$SCRATCH/ours kernel=$SCRATCH/kernel
make_image "$image" 600M -b size=1024
kernel_up "$image" "$kernel"
"$FILL" "$kernel" 600
expected=$("$SOURCE_TOP/tests/mount/readers.py" "$kernel" 1)
down "$kernel"
# The path is part of what is hashed.
ours=$kernel

# readers NAME: six at a time see what one saw through the kernel
readers() {
	local found
	if ! serve "$image" "$ours"; then
		not_ok "$1" "mount failed"
		return
	fi
	found=$("$SOURCE_TOP/tests/mount/readers.py" "$ours" 6 2>&1)
	if [ "$found" = "$expected" ]; then ok "$1"; else not_ok "$1" "expected $expected, found: $found"; fi
	check "$1-server" quit "$ours"
}
readers readers

tsan=$SOURCE_TOP/build-tsan
PATH=${BUILD_PATH:-$PATH}
echo 'int main(void) { return 0; }' >"$SCRATCH/probe.c"
if ! command -v clang >/dev/null || ! clang -fsanitize=thread -o "$SCRATCH/probe" "$SCRATCH/probe.c" 2>/dev/null || ! "$SCRATCH/probe"; then
	skip thread-sanitizer "no clang with ThreadSanitizer"
	exit 0
fi
if ! { [ -e "$tsan/build.ninja" ] || CC=clang meson setup "$tsan" -Db_sanitize=thread -Db_lundef=false -Doptimization=0 -Dc_args=-g1; } >"$SCRATCH/tsan.log" 2>&1 ||
	! nice ninja -C "$tsan" src/cli/mendfs >>"$SCRATCH/tsan.log" 2>&1; then
	tail -30 "$SCRATCH/tsan.log"
	not_ok thread-sanitizer "it does not build"
	exit 0
fi
MENDFS=$tsan/src/cli/mendfs
readers thread-sanitizer
