#!/bin/bash
# The whole campaign: every field of every structure, every verb; pairs; against xfs_repair; writes docs/DAMAGE.md.
#
#	full.sh [PLACES] [SEED]
#
# PLACES for each field (default 3). Some minutes; more than 30,000 images. Status 1 when anything is missed.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/damage/lib.sh
. "$(dirname "$0")/lib.sh"
CAMPAIGN=${MENDFS_BUILD:-$TOP/build}/tests/campaign
cd "$SCRATCH" || exit 1
bases || exit 1
for b in "${BASES[@]}"; do
	campaign "$b" --per="${1:-3}" --seed="${2:-1}" || exit 1
	campaign "$b" --pairs=600 --seed="${2:-1}" || exit 1
done
cat ./*.jsonl >all
"$TOP/tests/damage/summary.py" --write-docs "$TOP/docs/DAMAGE.md" all || exit 1
SCRATCH=$SCRATCH "$TOP/tests/damage/versus-repair.sh" 500 "${2:-1}"
