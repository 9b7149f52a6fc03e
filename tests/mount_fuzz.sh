#!/bin/bash
# Damaged images through the mount: whatever a few wrong fields do, the server answers, stays up, and ends well when it is unmounted
# (with the sanitizers watching).  SEED, ROUNDS (default 6; 60 with FULL=1).
set -uo pipefail
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"

skip_all_if "$(fuse_missing)$(kernel_missing)" fuzz
image=$SCRATCH/image ours=$SCRATCH/ours
rounds=6
if [ -n "${FULL:-}" ]; then rounds=60; fi
rounds=${ROUNDS:-$rounds} first=${SEED:-1} bad=0 told=0
make_image "$image" 400M -b size=1024 -m rmapbt=1
kernel_up "$image" "$SCRATCH/kernel"
"$FILL" "$SCRATCH/kernel" 600
down "$SCRATCH/kernel"
verbs=(zeroes ones firstbit middlebit lastbit add sub random)
# Most fields are of inodes; the rest gets its share, too.
"$MENDFS" damage --list "$image" >"$SCRATCH/fields"
grep -v ' as inodes' "$SCRATCH/fields" >"$SCRATCH/other"

for ((seed = first; seed < first + rounds; seed++)); do
	cp --sparse=always "$image" "$SCRATCH/damaged"
	RANDOM=$seed
	: >"$SCRATCH/what"
	for n in {1..8}; do
		from=fields
		if [ $((n % 2)) = 0 ]; then from=other; fi
		count=$(wc -l <"$SCRATCH/$from")
		field=$(sed -n "$(((RANDOM << 15 | RANDOM) % count + 1))p" "$SCRATCH/$from") verb=${verbs[RANDOM % 8]}
		# An object is several words.
		# shellcheck disable=SC2086
		if "$MENDFS" damage --seed=$seed "$SCRATCH/damaged" ${field%%$'\t'*} "${field#*$'\t'}" $verb >/dev/null 2>&1; then
			echo "$field $verb" >>"$SCRATCH/what"
		fi
	done
	if ! serve "$SCRATCH/damaged" "$ours" ro,norecovery; then
		# not mounted is an answer, if the server says why and ends with the status for it
		wait "$server"
		if [ $? = 4 ] && [ -s "$SCRATCH/log" ]; then continue; fi
	else
		timeout 120 "$LIST" "$ours" >"$SCRATCH/list" 2>"$SCRATCH/list.err"
		status=$?
		told=$((told + $(grep -c EUCLEAN "$SCRATCH/list")))
		if [ $status != 124 ] && ! grep -q ENOTCONN "$SCRATCH/list" && quit "$ours"; then continue; fi
	fi
	echo "seed $seed:"
	cat "$SCRATCH/what" "$SCRATCH/log"
	bad=$((bad + 1))
done
if [ $bad = 0 ]; then ok "fuzz-of-$rounds"; else not_ok fuzz "$bad of $rounds"; fi
check meets-damage test $told -gt 0
