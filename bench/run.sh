#!/bin/bash
# All benchmarks: check beside xfs_repair -n, the read-only mount beside fuse2fs. Figures belong into docs/BENCH.md.
set -euo pipefail
cd "$(dirname "$0")"
./check.sh
if [ -x ./mount.sh ]; then ./mount.sh; fi
