#!/bin/bash
# Fuzzes whole images: run.sh SECONDS [FOLDER]
#
# FOLDER (default: build-fuzz/fuzz) keeps the corpus and the finds. Status of the fuzzer: not 0 with a find.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:?usage: run.sh SECONDS [FOLDER]}
folder=${2:-build-fuzz/fuzz}
[ -e build-fuzz/build.ninja ] || CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
ninja -C build-fuzz tests/fuzz-image >/dev/null
mkdir -p "$folder/corpus" "$folder/finds"
tests/fuzz/bases.sh "$folder/bases"
# Leaks are counted by the target itself, each time.
export ASAN_OPTIONS=detect_leaks=0:malloc_context_size=2:quarantine_size_mb=16 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
MENDFS_FUZZ_BASES=$folder/bases exec nice build-fuzz/tests/fuzz-image -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2000 \
	-max_len=400 -len_control=0 -artifact_prefix="$folder/finds/" "$folder/corpus"
