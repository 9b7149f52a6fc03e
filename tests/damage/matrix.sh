#!/bin/bash
# What a repair mends, and what it loses, beside xfs_repair: the same damaged images to mendfs offline, mendfs mounted, xfs_repair.
#
#	matrix.sh [COUNT] [PAIRS] [SEED]
#
# COUNT images with one damage and PAIRS with two, of each base, drawn by SEED. OUTSIDE= (empty): mendfs offline alone, which takes a
# fraction of the time. ONLY="BASE...": of these bases. KERNEL=N: each Nth image that xfs_repair -n is content with is mounted by the
# kernel of this machine, too, and read from end to end. Writes the table to stdout, and with DOCS=FILE into that file; ALONE=FILE adds to
# that what a run with OUTSIDE= has kept by KEEP=FILE. Status 1 when something is left, or a cell is worse than xfs_repair's.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/damage/lib.sh
. "$(dirname "$0")/lib.sh"
read -ra only <<<"${ONLY:-aged-1k pieces plain quota norm}"
cd "$SCRATCH" || exit 1
: >kernel
bases || exit 1
export MENDFS
# one more without a reverse map, which can be mounted to be written to
SIZE=300M image norm.img -d agcount=2 -m rmapbt=0 -p proto || exit 1
cat >judge <<'S'
#!/bin/bash
timeout 120 xfs_repair -n -f "$PWD/$1" >/dev/null 2>&1 || exit 1
[ "${KERNEL:-0}" -gt 0 ] || exit 0
echo >>"$1.content"
[ $(($(stat -c %s "$1.content") % KERNEL)) = 0 ] || exit 0
at=$(mktemp -d)
status=0
if mount -o loop,ro,nouuid "$PWD/$1" "$at"; then
	find "$at" -type f -exec cat {} + >/dev/null || status=2
	umount "$at" || status=3
else
	status=4
fi
rmdir "$at"
echo "$status $1" >>kernel
exit $status
S
cat >offline <<'S'
#!/bin/bash
timeout 120 xfs_repair -f "$PWD/$1" >/dev/null 2>&1
S
chmod +x judge offline
one() {
	local b=$1 options=(--repair --census) count=$2 pairs=$3
	[ -z "${OUTSIDE:-}" ] || options+=(--judge=./judge --repairer=xfs_repair=./offline)
	case $b in
	realtime) ;; # cannot be mounted to be written to
	*) [ -z "${OUTSIDE:-}" ] || options+=("--repairer=mounted=$TOP/tests/damage/mounted-repair.sh") ;;
	esac
	: >"$b.jsonl"
	[ "$count" = 0 ] || campaign "$b" "${options[@]}" --count="$count" --seed="$4"
	[ "$pairs" = 0 ] || campaign "$b" "${options[@]}" --pairs="$pairs" --seed="$4"
}
export -f one campaign
export CAMPAIGN TOP KERNEL OUTSIDE="${OUTSIDE-1}"
printf '%s\n' "${only[@]}" | xargs -P "${JOBS:-$(nproc)}" -I{} bash -c 'one "$@"' one {} "${1:-100}" "${2:-30}" "${3:-1}" || exit 1
for b in "${only[@]}"; do cat "$b.jsonl"; done >all
[ -z "${KEEP:-}" ] || cp all "$KEEP"
docs=()
[ -z "${ALONE:-}" ] || docs=(--alone "$ALONE")
[ -z "${DOCS:-}" ] || docs+=(--write-docs "$DOCS" --command "tests/damage/matrix.sh ${1:-100} ${2:-30} ${3:-1}")
"$TOP/tests/damage/matrix.py" "${docs[@]}" --kernel kernel all
