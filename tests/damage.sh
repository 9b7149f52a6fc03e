#!/bin/bash
# A seeded sample of the damage campaign: tests/damage/full.sh is the whole. SEED draws another sample.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/damage/lib.sh
. "$(dirname "$0")/damage/lib.sh"
cd "$SCRATCH" || exit 1
SEED=${SEED:-1}
bases || { not_ok bases; exit 1; }
for b in "${BASES[@]}"; do
	campaign "$b" --count=120 --seed="$SEED" || { not_ok "campaign-$b"; continue; }
	campaign "$b" --pairs=40 --seed="$SEED" || { not_ok "pairs-$b"; continue; }
	check "damage-$b" "$TOP/tests/damage/summary.py" "$b.jsonl"
done
dirty_bases || { not_ok dirty-bases; exit 1; }
for b in "${DIRTY[@]}"; do
	campaign "$b" --log --count=60 --seed="$SEED" || { not_ok "campaign-log-$b"; continue; }
	check "damage-log-$b" "$TOP/tests/damage/summary.py" "$b.jsonl"
done
"$TOP/tests/damage/versus-repair.sh" 40 "$SEED"

# The campaign itself: a field that nobody excuses makes it fail.
sed '/^inode:\*\.core\.atime/d' "$TOP/tests/damage/undetectable" >strict
"$CAMPAIGN" --name=plain --per=1 --types=inode --count=600 plain.img | grep 'core.atime' >atime.jsonl
if "$TOP/tests/damage/summary.py" --undetectable strict atime.jsonl >out; then
	not_ok miss-fails-the-run
else
	check miss-fails-the-run grep -q 'unnoticed: inode:[a-z]*.core.atime' out
fi
