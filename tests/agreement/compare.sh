#!/bin/bash
# Holds mendfs against the kernel on images that it made: for each line of DIR/manifest.jsonl,
#
#   check   `mendfs check` finds nothing (after replaying the log of a dirty image), and leaves the image as it is
#   tree    the read-only mount shows the tree that the kernel showed, name by name and byte by byte
#
#   compare.sh DIR [NAME-PATTERN]
#
# Images packed as .img.xz are unpacked into $SCRATCH. Prints `ok`, `not ok` and `skip` lines.
# Manifest and trees: tests/corpus/make-images.sh, make-dirty.sh.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/judges/lib.sh
. "$TOP/tests/judges/lib.sh"
set +e
dir=$1 pattern=${2:-*}
need_fswork
mnt=$SCRATCH/mnt
mkdir -p "$mnt"
unmount() { "$MENDFS" unmount "$mnt" >/dev/null 2>&1 || umount -l "$mnt" 2>/dev/null; }
trap 'unmount; [ -z "${WORK:-}" ] || work_end' EXIT

# fetch FILE: its path, unpacked if need be; empty for null
fetch() {
	if [ "$1" = null ]; then return; fi
	if [ -e "$dir/$1" ]; then
		echo "$dir/$1"
	elif [ -e "$dir/$1.xz" ]; then
		xz -dc "$dir/$1.xz" >"$SCRATCH/$1" && echo "$SCRATCH/$1"
	fi
}

compare_tree() {
	local name=$1 image=$2 log=$3 rt=$4 tree=$5 options=ro
	[ -c /dev/fuse ] || { skip "$name/tree" "no /dev/fuse"; return; }
	if [ -n "$log" ]; then options+=,logdev=$log; fi
	if [ -n "$rt" ]; then options+=,rtdev=$rt; fi
	if ! "$MENDFS" mount -o "$options" "$image" "$mnt" 2>"$SCRATCH/err"; then
		cat "$SCRATCH/err"
		not_ok "$name/tree"
		return
	fi
	"$FSWORK" sum "$mnt" >"$SCRATCH/found.tree"
	unmount
	if cmp -s "$tree" "$SCRATCH/found.tree"; then
		ok "$name/tree"
	else
		diff "$tree" "$SCRATCH/found.tree" | head -10
		not_ok "$name/tree"
	fi
}

compare() {
	local name=$1 judge=$6 image log rt tree status args=()
	image=$(fetch "$2") log=$(fetch "$3") rt=$(fetch "$4") tree=$(fetch "$5")
	[ -n "$image" ] || { skip "$name" "no image"; return; }
	if [ -n "$log" ]; then args+=(--log-device "$log"); fi
	if [ -n "$rt" ]; then args+=(--rt-device "$rt"); fi
	cp --sparse=always "$image" "$SCRATCH/before.img"
	"$MENDFS" check "${args[@]}" "$image" >"$SCRATCH/found" 2>"$SCRATCH/err"
	status=$?
	# A last record that was torn off is no damage, but a person is told: a warning.
	if [ $status = 2 ] && ! grep '^[a-z]*: ' "$SCRATCH/found" | grep -v -e '\[LOG_TORN\]' -e '^log: ' -e '^read: ' | grep -q '\['; then status=0; fi
	if [ "$judge" != clean ] && [ $status != 0 ]; then
		skip "$name/check" "the kernel's own recovery leaves it unclean for xfs_repair: $judge"
	else
		if [ $status != 0 ]; then head -5 "$SCRATCH/found" "$SCRATCH/err"; fi
		same "$name/check" 0 "$status"
	fi
	check "$name/untouched" same_bytes "$SCRATCH/before.img" "$image"
	if [ -n "$tree" ]; then compare_tree "$name" "$image" "$log" "$rt" "$tree"; fi
	rm -f "$SCRATCH"/*.img "$SCRATCH"/*.rt "$SCRATCH"/*.tree
}

while IFS=$'\t' read -r name image log rt tree judge; do
	# shellcheck disable=SC2053
	if [[ $name == $pattern ]]; then compare "$name" "$image" "$log" "$rt" "$tree" "$judge"; fi
done < <(python3 - "$dir/manifest.jsonl" <<-'EOF'
	import json, sys
	for line in open(sys.argv[1]):
	    m = json.loads(line)
	    print("\t".join(str(m.get(k) or d) for k, d in (("name", ""), ("image", ""), ("log", "null"), ("rt", "null"), ("tree", "null"), ("judge", "clean"))))
EOF
)
