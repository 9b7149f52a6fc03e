#!/bin/bash
# The corpus of aged images (tests/corpus/make-images.sh) through the mount: names, modes, owners, times, attributes and data are
# those that the kernel listed when each image was made.  Every eighth image; all with FULL=1.
set -uo pipefail
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
# shellcheck source=tests/judges/lib.sh
. "$(dirname "$0")/judges/lib.sh"

skip_all_if "$(fuse_missing)" corpus
shopt -s nullglob
lists=("$JUDGES"/corpus/*.tree)
if [ ${#lists[@]} = 0 ]; then skip_all_if "no corpus in $JUDGES" corpus; fi
if [ "$(id -u)" != 0 ]; then skip_all_if "needs root (the lists have trusted attributes)" corpus; fi
need_fswork
step=8
if [ -n "${FULL:-}" ]; then step=1; fi
bad=0 count=0
for ((n = ${SEED:-0} % step; n < ${#lists[@]}; n += step)); do
	base=${lists[n]%.tree} options=ro
	[ -e "$base.img" ] || continue
	if [ -e "$base.log" ]; then options+=,logdev=$base.log; fi
	if [ -e "$base.rt" ]; then options+=,rtdev=$base.rt; fi
	count=$((count + 1))
	if ! serve "$base.img" "$SCRATCH/ours" "$options"; then
		sed 's/^/server: /' "$SCRATCH/log"
		bad=$((bad + 1))
		continue
	fi
	"$FSWORK" sum "$SCRATCH/ours" >"$SCRATCH/sum" 2>&1
	if ! diff "$SCRATCH/sum" "${lists[n]}" >"$SCRATCH/diff"; then
		echo "${base##*/}:"
		cut -c1-300 "$SCRATCH/diff" | head -5
		bad=$((bad + 1))
	fi
	quit "$SCRATCH/ours" || bad=$((bad + 1))
done
if [ $bad = 0 ]; then ok "corpus-of-$count"; else not_ok corpus "$bad of $count images"; fi
