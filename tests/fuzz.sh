#!/bin/bash
# What the fuzzer found once, and a few hundred inputs drawn by SEED, without libFuzzer.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1
PROGRAM=${MENDFS_BUILD:-$TOP/build}/tests/fuzz-cases
if [ -n "${MENDFS_ASAN:-}" ]; then PROGRAM=${MENDFS_ASAN%/src/cli/mendfs}/tests/fuzz-cases; fi
"$TOP/tests/fuzz/bases.sh" bases || exit 1
for file in "$TOP"/tests/fuzz/cases/*; do
	if "$PROGRAM" bases "$file" >out 2>&1; then ok "case-$(basename "$file")"; else tail -30 out; not_ok "case-$(basename "$file")"; fi
done
mkdir inputs
python3 - "${SEED:-1}" <<'END'
import random, sys
random.seed(int(sys.argv[1]))
for i in range(200):
    with open(f"inputs/{i}", "wb") as file:
        file.write(random.randbytes(random.randrange(4, 300)))
END
if "$PROGRAM" bases inputs/* >out 2>&1; then ok random-inputs; else tail -30 out; not_ok random-inputs; fi
