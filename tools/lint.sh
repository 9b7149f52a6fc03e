#!/bin/bash
# All lints; one line `ok lint/NAME` or `not ok lint/NAME` each, details before it when it fails.
#
# lint.sh [NAME...]: only these.  --names: says which there are.  QUICK=1: clang's analyzer goes less deep (lint-tidy.sh).
# JOBS=N: so many at a time (default: one a processor).  Needs a configured build folder (build/) for the headers that the
# build makes and for the compile commands; BUILT=1: it is built.
set -uo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8 JOBS=${JOBS:-$(nproc)}
all=(layers headers size env text checks format shell cppcheck tidy)
if [ "${1:-}" = --names ]; then
	echo "${all[*]}"
	exit 0
fi

[ -e build/build.ninja ] || meson setup build >/dev/null || exit 1
[ -n "${BUILT:-}" ] || ninja -C build src/format/types.h >/dev/null 2>&1 || ninja -C build >/dev/null || exit 1
mapfile -t c_files < <(git ls-files --cached --others --exclude-standard -- '*.c' '*.h' '*.def')
mapfile -t shell_files < <(git ls-files --cached --others --exclude-standard -- '*.sh' .ci/run)
present() { for file in "$@"; do [ -e "$file" ] && printf '%s\n' "$file"; done; }
mapfile -t c_files < <(present "${c_files[@]}")
mapfile -t shell_files < <(present "${shell_files[@]}")

lint_layers() { tools/lint-layers.py; }
lint_headers() { tools/lint-headers.sh; }
lint_size() { tools/lint-size.py; }
lint_env() { tools/lint-env.py; }
lint_text() { tools/lint-text.py; }
lint_checks() { tools/gen-checks.sh --check; }
lint_format() {
	local files=()
	for file in "${c_files[@]}"; do
		case $file in src/*.[ch] | include/*.h | tests/*.[ch] | bench/*.[ch]) files+=("$file") ;; esac
	done
	clang-format --dry-run --Werror "${files[@]}"
}
lint_tidy() { tools/lint-tidy.sh; }
lint_cppcheck() {
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,performance,portability \
		-j "$JOBS" --cppcheck-build-dir="$cppcheck_dir" -DMENDFS_VERSION='"0"' --suppressions-list=tools/cppcheck-suppressions \
		-I src -I build/src -I include src
}
lint_shell() { shellcheck -S warning -e SC2034,SC2164 -x "${shell_files[@]}"; }

cppcheck_dir=build/cppcheck
mkdir -p $cppcheck_dir
names=("$@")
[ ${#names[@]} -gt 0 ] || names=("${all[@]}")
status=0
for name in "${names[@]}"; do
	if details=$("lint_$name" 2>&1); then
		echo "ok lint/$name"
	else
		printf '%s\nnot ok lint/%s\n' "$details" "$name"
		status=1
	fi
done
exit $status
