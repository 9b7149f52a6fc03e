#!/bin/bash
# clang-tidy over the sources (.clang-tidy says which checks).  A file is skipped while neither it,
# nor any header, nor the settings have changed since it was found clean.
#
# The analyzer gives up on a function after a third of the states that it allows itself, which takes a third of
# the time; DEEP=1: after all.  QUICK=1, as by `make test`: after a fifteenth, and it looks at one in three of the files,
# drawn by SEED, which is printed; all other checks are of all files.
set -uo pipefail
nodes=75000
[ -z "${QUICK:-}" ] || nodes=15000
[ -z "${DEEP:-}" ] || nodes=225000
seed=${SEED:-$((RANDOM + 1))}
if [ -n "${QUICK:-}" ]; then echo "seed $seed"; fi
stamps=build/tidy/$nodes
mkdir -p $stamps
touch $stamps/analyzed $stamps/unanalyzed
common=$({ cat .clang-tidy; find src include \( -name '*.h' -o -name '*.def' \) -print0 2>/dev/null | sort -z | xargs -0 cat; } | sha256sum | cut -d ' ' -f 1)
FLAGS="$(pkg-config --cflags fuse3 jansson) -Xclang -analyzer-config -Xclang max-nodes=$nodes"
export FLAGS stamps common
# sums FILE...: a line for each, with all that it depends on
sums() { [ $# = 0 ] || sha256sum "$@" | sed "s/^/$common /"; }
# tidy KIND FILE...: in one process; starting it takes as long as reading a file.  KIND: analyzed or unanalyzed
tidy() {
	local kind=$1 checks=()
	if [ "$kind" = unanalyzed ]; then checks=('--checks=-clang-analyzer-*'); fi
	shift
	# shellcheck disable=SC2086
	clang-tidy --quiet "${checks[@]}" "$@" -- -std=gnu17 -D_GNU_SOURCE -DFUSE_USE_VERSION=314 '-DMENDFS_VERSION="0"' -I src -I build/src \
		-I include $FLAGS 2>/dev/null || return 1
	sums "$@" >>"$stamps/$kind"
}
export -f tidy sums
# fresh KIND FILE...: those that have not been found clean
fresh() { sums "${@:2}" | grep -vxFf "$stamps/$1" | cut -d ' ' -f 4; }
mapfile -t files < <(find src -name '*.c' | sort)
share=1
[ -z "${QUICK:-}" ] || share=3
mapfile -t deep < <(tools/draw.sh "$seed" $((${#files[@]} / share)) "${files[@]}") # these are analyzed
mapfile -t rest < <(printf '%s\n' "${files[@]}" "${deep[@]}" | sort | uniq -u)
mapfile -t analyzed < <(fresh analyzed "${deep[@]}")
mapfile -t rest < <(fresh unanalyzed "${rest[@]}")
# Of clang 14 the check of va_list believes only the first file of a process: those that have one are each alone.
mapfile -t lists < <(printf '%s\n' "${analyzed[@]}" | xargs -r grep -l va_start)
mapfile -t others < <(printf '%s\n' "${analyzed[@]}" | xargs -r grep -L va_start)
# in_groups KIND FILE...
in_groups() { [ $# = 1 ] || printf '%s\n' "${@:2}" | xargs -n 12 echo "$1"; }
{
	[ ${#lists[@]} = 0 ] || printf 'analyzed %s\n' "${lists[@]}"
	in_groups analyzed "${others[@]}"
	in_groups unanalyzed "${rest[@]}"
} | xargs -r -d '\n' -n 1 -P "${JOBS:-$(nproc)}" bash -c 'read -ra words <<<"$1" && tidy "${words[@]}"' tidy
