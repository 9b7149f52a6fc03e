#!/bin/bash
# A seeded sample of the repair matrix, of mendfs offline alone: after the repair of each damaged image the check finds nothing, and of
# one in ten xfs_repair finds no fewer losses. tests/damage/matrix.sh is the whole. SEED and COUNT choose another sample.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/damage/lib.sh
. "$(dirname "$0")/damage/lib.sh"
cd "$SCRATCH" || exit 1
SEED=${SEED:-1} COUNT=${COUNT:-40}
bases || { not_ok bases; exit 1; }
printf '#!/bin/bash\nxfs_repair -f "$PWD/$1" >/dev/null 2>&1\n' >offline
chmod +x offline
for b in pieces quota; do
	campaign "$b" --repair --census --count="$COUNT" --seed="$SEED" || { not_ok "campaign-$b"; continue; }
	campaign "$b" --repair --census --pairs=$((COUNT / 3)) --seed="$SEED" || { not_ok "pairs-$b"; continue; }
	check "matrix-$b" "$TOP/tests/damage/matrix.py" "$b.jsonl"
done
campaign quota --repair --census --count=$((COUNT / 10)) --seed="$SEED" --repairer=xfs_repair=./offline || not_ok campaign-beside
check beside-xfs_repair grep -q '"by":"xfs_repair"' quota.jsonl

# The census sees what is lost.
cp quota.img less.img
"$MENDFS" damage less.img inode 2177 size zeroes >/dev/null
if "${CAMPAIGN%campaign}lost" quota.img less.img >lost; then not_ok census-sees; else check census-sees grep -q '^0 names, [1-9]' lost; fi
