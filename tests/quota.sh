#!/bin/bash
# Quotas on a mount: what owners use is right after random work, on images that a kernel with quotas has made; also after a crash.
# ROUNDS and SEEDS in the environment make it longer.
set -uo pipefail
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
QUOTA=$SOURCE_TOP/tests/mount/quota.py
image=$SCRATCH/image dir=$SCRATCH/dir
skip_all_if "$(fuse_missing)" quota
if [ "$(id -u)" != 0 ]; then skip_all_if "needs root (it gives files away)" quota; fi
chmod 755 "$SCRATCH"

# The check compares the usage of every owner; xfs_repair looks at the quota files themselves.
clean() {
	xfs_repair -n "$image" >"$SCRATCH/repair.out" 2>&1 && "$MENDFS" check "$image" >"$SCRATCH/check.out" 2>&1 && return
	grep -vE 'agno|Phase|^        -' "$SCRATCH/repair.out" "$SCRATCH/check.out" | head -20
	return 1
}
live() {
	"$MENDFS" check "$dir" >"$SCRATCH/check.out" 2>&1 && return
	head -20 "$SCRATCH/check.out"
	return 1
}
fixture() { xz -dc "$SOURCE_TOP/tests/fixtures/$1.img.xz" >"$image"; }

for name in quota quota-dirty; do
	for seed in ${SEEDS:-1}; do
		fixture $name
		serve "$image" "$dir" rw || { not_ok "$name-mount" "no mount"; continue; }
		check "$name-work-$seed" "$QUOTA" work "$dir" "$seed" "${ROUNDS:-150}"
		check "$name-live-$seed" live
		check "$name-quit-$seed" quit "$dir"
		check "$name-clean-$seed" clean
	done
done

# A crash, and a log with quota records in it.
fixture quota
serve "$image" "$dir" rw
"$QUOTA" work "$dir" 2 60
sync -f "$dir"
"$QUOTA" work "$dir" 3 60
kill -9 "$server"
wait "$server" 2>/dev/null
umount -l "$dir"
check crash-check clean
serve "$image" "$dir" rw
check crash-live live
check crash-quit quit "$dir"
check crash-clean clean
