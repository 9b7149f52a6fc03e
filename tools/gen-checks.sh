#!/bin/bash
# Makes docs/CHECKS.md from what the program knows; --check fails when the committed one is older.
set -euo pipefail
cd "$(dirname "$0")/.."
ninja -C build src/cli/mendfs >/dev/null
if [ "${1:-}" = --check ]; then
	build/src/cli/mendfs checks | diff -u docs/CHECKS.md - || {
		echo "docs/CHECKS.md is not up to date: run tools/gen-checks.sh"
		exit 1
	}
else
	build/src/cli/mendfs checks >docs/CHECKS.md
fi
