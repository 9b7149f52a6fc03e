#!/bin/bash
# Builds (gcc; and with ASan and UBSan), runs every test, and ends with one line:
#
#	N passed, N failed, N skipped
#
# Exit status 1 when anything failed.  What runs: the cmocka tests beside the code, in both builds
# (each case counts once, and fails if it fails in either); the executable scripts tests/*.sh; the
# lint, in which clang's analyzer goes less deep than by `make lint`.  A script prints for each of its
# tests one line `ok NAME`, `not ok NAME` or `skip NAME: reason`; other lines explain and are shown when it fails.  It is started in the source folder with
#
#	MENDFS       the program
#	MENDFS_ASAN  the program built with the sanitizers
#	MENDFS_BUILD the build folder
#	BUILD_PATH   the PATH for builds that stay
#	SCRATCH      an empty folder of its own, removed afterwards
#
# A kernel with a fault of its own kills whatever process met it, a cp as well as mendfs.  What failed while the
# kernel's log got such a line (an oops) is therefore done once more, which is printed; then it counts.
#
# run-tests.sh [PATTERN...] runs only the scripts whose name matches a pattern, and no lint.
# KEEP=1 keeps the scratch folder.  A cmocka test that skips prints the reason on the line before.
set -uo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin:/sbin
started=$SECONDS
out=$(mktemp -d "${TMPDIR:-/tmp}/mendfs-test.XXXXXX")
[ -n "${KEEP:-}" ] || trap 'rm -rf "$out"' EXIT
chmod 755 "$out"
mkdir "$out/results" "$out/scratch"
# How often this machine's kernel had a fault of its own, as far as its log tells.
kernel_faults() { dmesg 2>/dev/null | grep -cE 'BUG: |Oops: |Oops\[|general protection fault'; }
# faulty BEFORE WHAT: is WHAT, which failed, to be done again?  BEFORE: the faults when it began.
faulty() {
	[ "$(kernel_faults)" -gt "$1" ] || return 1
	echo "again: $2: the kernel of this machine had a fault: $(dmesg | grep -E 'BUG: |Oops: |Oops\[|general protection fault' | tail -1)"
}
export -f kernel_faults faulty

# build FOLDER OPTION...: sets a build folder up once, and builds it.
build() {
	local folder=$1 faults
	faults=$(kernel_faults)
	build_once "$@" || { faulty "$faults" "$folder" && build_once "$@"; }
}
build_once() {
	local folder=$1
	shift
	if [ ! -e "$folder/build.ninja" ]; then
		CC=${CC:-gcc} meson setup "$folder" "$@" >"$out/setup" 2>&1 || { cat "$out/setup"; return 1; }
	fi
	ninja -C "$folder" >"$out/ninja" 2>&1 || { tail -60 "$out/ninja"; return 1; }
}

# The sanitized build is for finding, not for speed: compiling it with -O2 -g takes three times as long, and it runs as fast.
# What the sanitizers add to the start of each program (relocating itself and their libraries) is half of what a short one
# takes: the programs are linked to fixed places, with the sanitizers in them, where the compiler can do that.
# (-Wl: the compiler's own -no-pie would make a program of the shared library, too, and so would another linker's.)
gold='' fixed=''
if command -v ld.gold >/dev/null; then
	gold=-fuse-ld=gold fixed="-Wl,-no-pie -static-libasan -static-libubsan"
	# shellcheck disable=SC2086
	echo 'int main(void) { return 0; }' | ${CC:-gcc} -x c -fsanitize=address,undefined $gold $fixed -o "$out/probe" - 2>/dev/null &&
		"$out/probe" || fixed=
fi
# What UBSan would print about each place it watches is 7 MB of a program of 14, which the search for leaks reads at each end:
# it traps instead, and ASan says where.
trap=-fsanitize-undefined-trap-on-error
plain=(build "-Dc_link_args=$gold")
sanitized=(build-asan '-Db_sanitize=address,undefined' -Db_lundef=false -Doptimization=g "-Dc_args=-g1 $trap" "-Dc_link_args=$gold $fixed")
for spec in plain sanitized; do
	declare -n options=$spec
	if build "${options[@]}"; then
		echo "ok build/$options"
	else
		echo "not ok build/$options"
	fi >"$out/results/0-$options"
	cat "$out/results/0-$options"
done
if grep -q '^not ok' "$out"/results/0-*; then
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
fi

built=$SECONDS

# A python3 that is a script, which looks for the real one (pyenv's), takes longer than most of what is started by it.
# Only now: a build folder remembers its programs, and this one goes away at the end. A script that builds takes BUILD_PATH.
export BUILD_PATH=$PATH
if [ "$(head -c 2 "$(command -v python3)")" = '#!' ]; then
	mkdir "$out/bin"
	ln -s "$(python3 -c 'import sys; print(sys.executable)')" "$out/bin/python3"
	PATH=$out/bin:$PATH
fi

unit() {
	local faults
	faults=$(kernel_faults)
	unit_once "$1"
	if grep -q '^not ok' "$out/results/1-$1" && faulty "$faults" "$1"; then unit_once "$1"; fi
}
unit_once() {
	rm -f "$1/meson-logs/testlog.json"
	CMOCKA_MESSAGE_OUTPUT=TAP meson test -C "$1" --no-rebuild --num-processes 1 >/dev/null 2>&1 </dev/null
	tools/tap.py "$1/meson-logs/testlog.json" >"$out/results/1-$1"
}

script() {
	local name=${1##*/} faults
	name=${name%.sh}
	faults=$(kernel_faults)
	script_once "$1" "$name"
	if grep -q '^not ok' "$out/results/2-$name" && faulty "$faults" "$name"; then script_once "$1" "$name"; fi
}
script_once() {
	local name=$2 file=$out/results/2-$2
	rm -rf "${out:?}/scratch/$name"
	mkdir "$out/scratch/$name"
	SCRATCH=$out/scratch/$name timeout --kill-after=10 "${SCRIPT_TIMEOUT:-600}" "$1" >"$out/$name.all" 2>&1 </dev/null
	local status=$?
	grep -E '^(ok |not ok |skip )' "$out/$name.all" | sed -E "s,^(ok|not ok|skip) ,\1 $name/," >"$file"
	if [ $status != 0 ] && ! grep -q '^not ok' "$file"; then echo "not ok $name/exit-status-$status" >>"$file"; fi
	if [ ! -s "$file" ]; then echo "not ok $name/no-results" >>"$file"; fi
	if grep -q '^not ok' "$file"; then
		echo "--- $name"
		tail -100 "$out/$name.all"
	fi
	[ -n "${KEEP:-}" ] || rm -rf "${out:?}/scratch/$name"
}
lint() {
	local file=$out/results/3-$1
	QUICK=1 JOBS=1 BUILT=1 tools/lint.sh "$1" >"$out/lint-$1" 2>&1
	grep -E '^(ok |not ok |skip )' "$out/lint-$1" >"$file" || echo "not ok lint/$1-no-results" >"$file"
	if grep -q '^not ok' "$file"; then cat "$out/lint-$1"; fi
}
# job KIND ARGUMENT
job() {
	local start=$SECONDS name=${2##*/}
	"$1" "$2"
	echo "$((SECONDS - start)) s ${name%.sh}" >>"$out/times"
}
export -f unit unit_once script script_once lint job
export out SCRIPT_TIMEOUT KEEP
export MENDFS=$PWD/build/src/cli/mendfs MENDFS_ASAN=$PWD/build-asan/src/cli/mendfs MENDFS_BUILD=$PWD/build
# What is freed goes back to use after 16 MiB instead of 256, and shadows are cleared without asking the kernel: half of the time was page faults.
quick=quarantine_size_mb=16:malloc_context_size=8:clear_shadow_mmap_threshold=67108864:use_madv_dontdump=0
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:handle_sigill=1:$quick}

scripts=()
for file in tests/*.sh; do
	[ -x "$file" ] || continue
	if [ $# -gt 0 ]; then
		for pattern in "$@"; do
			# shellcheck disable=SC2053
			if [[ ${file##*/} == $pattern || ${file##*/} == $pattern.sh ]]; then scripts+=("$file"); fi
		done
	else
		scripts+=("$file")
	fi
done
# One queue for all, so that no processor waits for the end of a kind.  What takes longest begins first.
{
	if [ $# = 0 ]; then
		printf '%s\0' unit build-asan lint tidy unit build
		for name in $(tools/lint.sh --names); do [ "$name" = tidy ] || printf '%s\0' lint "$name"; done
	fi
	for file in "${scripts[@]}"; do printf '%s\0' script "$file"; done
} | xargs -0 -r -n 2 -P "$(nproc)" bash -c 'job "$@"' job
echo "the build took $((built - started)) s"
sort -rn "$out/times" 2>/dev/null | head -8 | tr '\n' ',' | sed 's/^/slowest: /; s/,$/\n/; s/,/, /g'
tools/tally.py "$((SECONDS - started))" "$out"/results/*
