#!/bin/bash
# Brings the Debian packages that a task needs: deps.sh build|lint|test|demo|bench
#
# Quick and silent when all are there.  Otherwise says what it installs, with sudo when not root.
# Where there is no apt-get it says what is needed and goes on: the build tells what is missing.
# Fails when the installation fails.
set -euo pipefail

build=(gcc libc6-dev make meson ninja-build pkg-config python3 libisal-dev libjansson-dev libfuse3-dev libcmocka-dev)
lint=(clang clang-format clang-tidy cppcheck shellcheck git)
run=(xfsprogs fuse3 attr jq util-linux xz-utils strace)

case ${1:-} in
build) wanted=("${build[@]}") ;;
lint) wanted=("${build[@]}" "${lint[@]}") ;;
test) wanted=("${build[@]}" "${lint[@]}" "${run[@]}") ;;
demo) wanted=("${build[@]}" "${run[@]}") ;;
bench) wanted=("${build[@]}" "${run[@]}" fuse2fs e2fsprogs time) ;;
*)
	echo "usage: deps.sh build|lint|test|demo|bench" >&2
	exit 2
	;;
esac

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
	echo "deps.sh: no apt-get here; please see that these are installed: ${wanted[*]}" >&2
	exit 0
fi

declare -A have=()
while read -r status name; do
	if [ "$status" = installed ]; then have[$name]=1; fi
done < <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null)
missing=()
for package in "${wanted[@]}"; do
	if [ -z "${have[$package]:-}" ]; then missing+=("$package"); fi
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "deps.sh: not root and no sudo; please run: apt-get install ${missing[*]}" >&2
		exit 1
	fi
	as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
install=("${as_root[@]}" env "DEBIAN_FRONTEND=noninteractive" apt-get -qq -y -o DPkg::Lock::Timeout=300
	--no-install-recommends install "${missing[@]}")
echo "deps.sh: installing ${missing[*]}" >&2
if ! "${install[@]}" </dev/null >/dev/null 2>&1; then
	echo "deps.sh: refreshing the package lists first" >&2
	"${as_root[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 update </dev/null
	"${install[@]}" </dev/null >/dev/null
fi
