#!/bin/bash
# Makes docs/CHECKS.md and docs/SCRUB.md from what the program knows; --check fails when a committed one is older.
set -euo pipefail
cd "$(dirname "$0")/.."
ninja -C build src/cli/mendfs >/dev/null
# one FILE [WORD]
one() {
	local file=$1
	shift
	if [ -n "$check" ]; then
		build/src/cli/mendfs checks "$@" | diff -u "$file" - || {
			echo "$file is not up to date: run tools/gen-checks.sh"
			exit 1
		}
	else
		build/src/cli/mendfs checks "$@" >"$file"
	fi
}
check=
[ "${1:-}" != --check ] || check=1
one docs/CHECKS.md
one docs/SCRUB.md items
