#!/bin/bash
# mounted-repair.sh IMAGE: mounts it with mendfs, repairs it by its directory, unmounts it. Exit status of the repair, or 99 when it
# could not be mounted. MENDFS: the program.
set -u
directory=$(mktemp -d)
trap 'rmdir "$directory"' EXIT
timeout 60 "$MENDFS" mount "$1" "$directory" >/dev/null 2>&1 || exit 99
timeout 60 "$MENDFS" repair "$directory" >/dev/null 2>&1
status=$?
umount "$directory"
# it is ours again when the server has let go of it
for _ in {1..100}; do
	flock -n "$1" true && break
	sleep 0.05
done
exit $status
