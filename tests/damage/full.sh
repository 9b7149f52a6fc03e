#!/bin/bash
# The whole campaign: every field of every structure, every verb; pairs; against xfs_repair; writes docs/DAMAGE.md.
#
#	full.sh [PLACES] [SEED]
#
# PLACES for each field (default 3), JOBS at a time (default: one a processor). Some minutes; more than 50,000 images. Status 1 when anything is missed, or cannot be reached.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/damage/lib.sh
. "$(dirname "$0")/lib.sh"
CAMPAIGN=${MENDFS_BUILD:-$TOP/build}/tests/campaign
cd "$SCRATCH" || exit 1
bases || exit 1
dirty_bases || exit 1
# one BASE PLACES SEED
one() {
	if [ -e "$1.dirty" ]; then
		campaign "$1" --log --per="$2" --seed="$3"
	else
		campaign "$1" --per="$2" --seed="$3" && campaign "$1" --pairs=600 --seed="$3"
	fi
}
export -f one campaign
export CAMPAIGN
for b in "${DIRTY[@]}"; do : >"$b.dirty"; done
printf '%s\n' "${BASES[@]}" "${DIRTY[@]}" | xargs -P "${JOBS:-$(nproc)}" -I{} bash -c 'one "$@"' one {} "${1:-3}" "${2:-1}" || exit 1
for b in "${BASES[@]}" "${DIRTY[@]}"; do cat "$b.jsonl"; done >all
"$CAMPAIGN" --kinds >kinds || exit 1
"$TOP/tests/damage/summary.py" --kinds kinds --write-docs "$TOP/docs/DAMAGE.md" all || exit 1
SCRATCH=$SCRATCH "$TOP/tests/damage/versus-repair.sh" 500 "${2:-1}"
