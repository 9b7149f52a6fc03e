#!/bin/bash
# Clean images made by kernels: check finds nothing, and the read-only mount shows what the kernel showed.
# The fixtures, and a few configurations of tests/corpus made afresh (SEED; all of them with FULL=1).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
"$TOP/tests/agreement/compare.sh" "$TOP/tests/fixtures" '@(quota|realtime|parent)'
if [ "$(id -u)" != 0 ]; then
	skip corpus "needs root to mount"
	exit 0
fi
seed=${SEED:-$((RANDOM + 1))}
echo "seed $seed"
mkdir "$SCRATCH/corpus"
if [ -n "${FULL:-}" ]; then
	"$TOP/tests/corpus/make-images.sh" -s "$seed" "$SCRATCH/corpus" >"$SCRATCH/log" 2>&1 || { tail -5 "$SCRATCH/log"; not_ok make-images; }
else
	for name in $("$TOP/tools/draw.sh" "$seed" 4 default b1k-rmap ag16 bigdir-node frag-rmap n16k s4096-rmap attrs no-finobt); do
		"$TOP/tests/corpus/make-images.sh" -s "$seed" -o "$name" "$SCRATCH/corpus" >"$SCRATCH/log" 2>&1 || { tail -5 "$SCRATCH/log"; not_ok "make-$name"; }
	done
fi
"$TOP/tests/agreement/compare.sh" "$SCRATCH/corpus"
