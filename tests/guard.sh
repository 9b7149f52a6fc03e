#!/bin/bash
# Errors of our own, one kind at a time, are refused at the commit (tests/guard/mutations.c).
. "$(dirname "$0")/lib.sh"

"${MENDFS_BUILD:-$TOP/build}/tests/mutations" >"$SCRATCH/out" 2>&1
found=$?
cat "$SCRATCH/out"
same all-caught 0 $found
# at least as many kinds as there were when this was written
check enough [ "$(grep -c '^ok [A-Z]' "$SCRATCH/out")" -ge 60 ]
# nothing of it is left in the program
check not-in-the-program bash -c "! nm '$MENDFS' | grep -q ' mutate'"
