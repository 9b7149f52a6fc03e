#!/bin/bash
# clang-tidy over the sources (.clang-tidy says which checks).  A file is skipped while neither it,
# nor any header, nor the settings have changed since it was found clean.
#
# The analyzer gives up on a function after a third of the states that it allows itself, which takes a third of
# the time; DEEP=1: after all; QUICK=1, as by `make test`: after a fifteenth, a third of the time again.
set -uo pipefail
nodes=75000
[ -z "${QUICK:-}" ] || nodes=15000
[ -z "${DEEP:-}" ] || nodes=225000
stamps=build/tidy/$nodes
mkdir -p $stamps
common=$({ cat .clang-tidy; find src include \( -name '*.h' -o -name '*.def' \) -print0 2>/dev/null | sort -z | xargs -0 cat; } | sha256sum)
FLAGS="$(pkg-config --cflags fuse3 jansson) -Xclang -analyzer-config -Xclang max-nodes=$nodes"
export FLAGS stamps common
stamp_of() { echo "$stamps/${1//\//_}"; }
sum_of() { echo "$common" | cat - "$1" | sha256sum; }
# tidy FILE...: in one process; starting it takes as long as reading a file.
tidy() {
	local file files=()
	for file in "$@"; do
		[ "$(cat "$(stamp_of "$file")" 2>/dev/null)" = "$(sum_of "$file")" ] || files+=("$file")
	done
	[ ${#files[@]} -gt 0 ] || return 0
	# shellcheck disable=SC2086
	clang-tidy --quiet "${files[@]}" -- -std=gnu17 -D_GNU_SOURCE -DFUSE_USE_VERSION=314 '-DMENDFS_VERSION="0"' -I src -I build/src \
		-I include $FLAGS 2>/dev/null || return 1
	for file in "${files[@]}"; do sum_of "$file" >"$(stamp_of "$file")"; done
}
export -f tidy stamp_of sum_of
# Of clang 14 the check of va_list believes only the first file of a process: those that have one are each alone.
mapfile -t lists < <(grep -rl --include='*.c' va_start src | sort)
mapfile -t others < <(grep -rL --include='*.c' va_start src | sort)
{ printf '%s\n' "${lists[@]}" && printf '%s\n' "${others[@]}" | xargs -n 12; } | xargs -d '\n' -n 1 -P "${JOBS:-$(nproc)}" bash -c 'read -ra files <<<"$1" && tidy "${files[@]}"' tidy
