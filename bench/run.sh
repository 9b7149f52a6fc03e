#!/bin/bash
# All benchmarks: check beside xfs_repair -n, repair beside xfs_repair, the read-only mount beside fuse2fs, the writing one beside three other servers.
# BENCH_LONG=1: ten times the work for the last. Figures belong into docs/BENCH.md.
set -euo pipefail
cd "$(dirname "$0")"
./check.sh
./repair.sh
./mount.sh
if [ "${BENCH_LONG:-}" = 1 ]; then ./write.sh -l; else ./write.sh; fi
