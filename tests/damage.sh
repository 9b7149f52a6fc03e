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
	campaign "$b" --count=40 --seed="$SEED" || { not_ok "campaign-$b"; continue; }
	campaign "$b" --pairs=12 --seed="$SEED" || { not_ok "pairs-$b"; continue; }
	check "damage-$b" "$TOP/tests/damage/summary.py" "$b.jsonl"
done
dirty_bases || { not_ok dirty-bases; exit 1; }
for b in "${DIRTY[@]}"; do
	campaign "$b" --log --count=24 --seed="$SEED" || { not_ok "campaign-log-$b"; continue; }
	check "damage-log-$b" "$TOP/tests/damage/summary.py" "$b.jsonl"
done
rm ./*.jsonl
"$TOP/tests/damage/versus-repair.sh" 15 "$SEED"

# All that descriptors and items of the log can have is on one of the images; and it is told when an image is missing.
"$CAMPAIGN" --kinds >kinds
for b in "${BASES[@]}"; do campaign "$b" --list; mv "$b.jsonl" "$b.list"; done
for b in "${DIRTY[@]}"; do campaign "$b" --log --list; mv "$b.jsonl" "$b.list"; done
cat ./*.list >listed
check all-is-reached "$TOP/tests/damage/summary.py" --kinds kinds --listed listed
rm trees.list log-items.list
cat ./*.list >listed
if "$TOP/tests/damage/summary.py" --kinds kinds --listed listed >out; then not_ok gap-fails-the-run; else ok gap-fails-the-run; fi
for field in inobt.keys.startino inode.aptrs.ptr dirfree:later log:record.ext.cycle log:xmd.format.id log:efi.extent32.len; do
	check "gap-names-$field" grep -q "^no image has $field:" out
done

# The campaign itself: a field that nobody excuses makes it fail.
sed '/^inode:\*\.core\.atime/d' "$TOP/tests/damage/undetectable" >strict
"$CAMPAIGN" --name=plain --types=inode --per=1 --count=600 plain.img | grep 'core.atime' >atime.jsonl
if "$TOP/tests/damage/summary.py" --undetectable strict atime.jsonl >out; then
	not_ok miss-fails-the-run
else
	check miss-fails-the-run grep -q 'unnoticed: inode:[a-z]*.core.atime' out
fi
