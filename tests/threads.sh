#!/bin/bash
# Threads of mixed work in one volume under the thread sanitizer (tests/stress/threads_test.c). FULL=1, since it builds everything once
# more; without, the same test runs among the unit tests.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
if [ -z "${FULL:-}" ]; then
	skip threads "FULL=1 builds with the thread sanitizer"
	exit 0
fi
cd "$TOP" || exit 1
folder=${TSAN_BUILD:-$SCRATCH/build-tsan}
PATH=${BUILD_PATH:-$PATH}
[ -e "$folder/build.ninja" ] || meson setup "$folder" -Db_sanitize=thread -Db_lundef=false >"$SCRATCH/setup" 2>&1 || cat "$SCRATCH/setup"
ninja -C "$folder" tests/threads_test >"$SCRATCH/ninja" 2>&1 || tail -30 "$SCRATCH/ninja"
check threads-tsan env TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1" SECONDS_EACH="${SECONDS_EACH:-20}" "$folder/tests/threads_test"
