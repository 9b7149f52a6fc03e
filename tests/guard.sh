#!/bin/bash
# Errors of our own, one kind at a time, are refused at the commit (tests/guard/mutations.c). They are in a build of
# their own, build-mutations, which is made here.
. "$(dirname "$0")/lib.sh"

build=$TOP/build-mutations
if [ ! -e "$build/build.ninja" ]; then
	CC=${CC:-gcc} meson setup "$build" "$TOP" -Dmutations=true >"$SCRATCH/setup" 2>&1 || { cat "$SCRATCH/setup"; exit 1; }
fi
ninja -C "$build" tests/mutations >"$SCRATCH/ninja" 2>&1 || { tail -40 "$SCRATCH/ninja"; exit 1; }
"$build/tests/mutations" >"$SCRATCH/out" 2>&1
found=$?
cat "$SCRATCH/out"
same all-caught 0 $found
# at least as many kinds as there were when this was written
check enough [ "$(grep -c '^ok [A-Z]' "$SCRATCH/out")" -ge 60 ]
# nothing of it is left in the program
check not-in-the-program bash -c "! nm '$MENDFS' | grep -q ' mutate'"
