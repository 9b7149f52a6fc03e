#!/bin/bash
# Quotas on a mount: what owners use is right after random work, on images that a kernel with quotas has made and on new ones; also after
# a crash. Turned on and off by mount options.
# ROUNDS and SEEDS in the environment make it longer.
set -uo pipefail
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
QUOTA=$SOURCE_TOP/tests/mount/quota.py
image=$SCRATCH/image dir=$SCRATCH/dir
skip_all_if "$(fuse_missing)" quota
if [ "$(id -u)" != 0 ]; then skip_all_if "needs root (it gives files away)" quota; fi
chmod 755 "$SCRATCH"

# Both compare the usage of every owner.
clean() {
	xfs_repair -n "$image" >"$SCRATCH/repair.out" 2>&1 && "$MENDFS" check "$image" >"$SCRATCH/check.out" 2>&1 && return
	grep -vE 'agno|Phase|^        -' "$SCRATCH/repair.out" "$SCRATCH/check.out" | head -20
	return 1
}
live() { sound "$dir"; }
sound() {
	"$MENDFS" check "$1" >"$SCRATCH/check.out" 2>&1 && return
	head -20 "$SCRATCH/check.out"
	return 1
}
fixture() { xz -dc "$SOURCE_TOP/tests/fixtures/$1.img.xz" >"$image"; }

for name in quota quota-dirty; do
	for seed in ${SEEDS:-1}; do
		fixture $name
		serve "$image" "$dir" "rw,uquota,gquota,pquota" || { not_ok "$name-mount" "no mount"; continue; }
		check "$name-work-$seed" "$QUOTA" work "$dir" "$seed" "${ROUNDS:-150}"
		check "$name-live-$seed" live
		check "$name-quit-$seed" quit "$dir"
		check "$name-clean-$seed" clean
	done
done

qflags() { xfs_db -r -c 'sb 0' -c 'p qflags' "$image" | sed 's/.* = //'; }
# is NAME EXPECTED FOUND
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "expected $2, found $3"; fi; }
# options NAME QFLAGS OPTIONS: a mount with them, some work, and what the superblock says afterwards
options() {
	serve "$image" "$dir" "rw,$3" || { not_ok "$1" "no mount"; return; }
	"$QUOTA" work "$dir" "$1" 40
	check "$1-live" live
	check "$1-quit" quit "$dir"
	is "$1-flags" "$2" "$(qflags)"
	check "$1-clean" clean
}

# Of an image that has never had quotas: they are counted, forgotten by a mount without them, and counted again.
rm -f "$image"
truncate -s 300M "$image"
"$MENDFS" mkfs -q "$image"
options off-at-first 0 defaults
options user-and-project 0x40d "uquota,uqnoenforce,pqnoenforce"
options group-too 0x5cd "uqnoenforce,gquota,pqnoenforce"
options group-alone 0x1c0 "grpquota"
options off 0 "uquota,noquota"
options all 0x7cf "usrquota,gquota,prjquota"
sum=$(cksum <"$image")
check read-only mount_up "$image" "$dir" ro,noquota
down "$dir"
is read-only-untouched "$sum" "$(cksum <"$image")"

# A crash, and a log with quota records in it.
fixture quota
serve "$image" "$dir" "rw,uquota,gquota,pquota"
"$QUOTA" work "$dir" 2 60
sync -f "$dir"
"$QUOTA" work "$dir" 3 60
kill -9 "$server"
wait "$server" 2>/dev/null
umount -l "$dir"
check crash-check sound "$image"
serve "$image" "$dir" "rw,uquota,gquota,pquota"
check crash-live live
check crash-quit quit "$dir"
check crash-clean clean
