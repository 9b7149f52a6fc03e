#!/bin/bash
# clang-tidy over the sources (.clang-tidy says which checks).  A file is skipped while neither it,
# nor any header, nor the settings have changed since it was found clean.
#
# The analyzer gives up on a function after a third of the states that it allows itself, which takes a third of
# the time; DEEP=1: after all.
set -uo pipefail
stamps=build/tidy
mkdir -p $stamps
common=$({ cat .clang-tidy; echo "${DEEP:-}"; find src include \( -name '*.h' -o -name '*.def' \) -print0 2>/dev/null | sort -z | xargs -0 cat; } | sha256sum)
FLAGS=$(pkg-config --cflags fuse3 jansson)
[ -n "${DEEP:-}" ] || FLAGS="$FLAGS -Xclang -analyzer-config -Xclang max-nodes=75000"
export FLAGS
tidy() {
	local sum stamp=$1/${2//\//_}
	sum=$(echo "$3" | cat - "$2" | sha256sum)
	[ "$(cat "$stamp" 2>/dev/null)" != "$sum" ] || return 0
	# shellcheck disable=SC2086
	if clang-tidy --quiet "$2" -- -std=gnu17 -D_GNU_SOURCE -DFUSE_USE_VERSION=314 '-DMENDFS_VERSION="0"' -I src -I build/src -I include \
		$FLAGS 2>/dev/null; then
		echo "$sum" >"$stamp"
	else
		return 1
	fi
}
export -f tidy
find src -name '*.c' -print0 | sort -z | xargs -0 -P "$(nproc)" -I{} bash -c 'tidy "$@"' tidy $stamps {} "$common"
