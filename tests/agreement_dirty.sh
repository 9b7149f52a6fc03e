#!/bin/bash
# Dirty images made by kernels that were cut off: replay in memory, then check finds nothing, and the read-only
# mount shows what the kernel shows after its own recovery. The image is never written.
# The fixtures, and a few cuts of tests/corpus/dirty made afresh (SEED; all of them with FULL=1).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
"$TOP/tests/agreement/compare.sh" "$TOP/tests/fixtures" '@(*-dirty|log-*)'
if [ "$(id -u)" != 0 ]; then
	skip dirty "needs root to mount"
	exit 0
fi
seed=${SEED:-$((RANDOM + 1))}
echo "seed $seed"
mkdir "$SCRATCH/dirty"
if [ -n "${FULL:-}" ]; then
	"$TOP/tests/corpus/make-dirty.sh" -r -s "$seed" "$SCRATCH/dirty" >"$SCRATCH/log" 2>&1 || { tail -5 "$SCRATCH/log"; not_ok make-dirty; }
else
	for name in shut-quick shut-rmap shut-ext-log; do
		"$TOP/tests/corpus/make-dirty.sh" -r -s "$seed" -o "$name" "$SCRATCH/dirty" >"$SCRATCH/log" 2>&1 || { tail -5 "$SCRATCH/log"; not_ok "make-$name"; }
	done
fi
"$TOP/tests/agreement/compare.sh" "$SCRATCH/dirty"
