#!/bin/bash
# The path in a finding is a path of that inode: by parent pointers, by the walk over directories, and where both are broken.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1

# found NAME IMAGE PATH: damages the inode at PATH, and looks for that path in the findings.
found() {
	local undo paths
	"$M" damage "$2" "$3" size firstbit >out 2>&1 || { cat out; not_ok "$1"; return; }
	undo=$(sed -n 's/^undo: mendfs/"$M"/p' out)
	"$M" check --json "$2" >report
	paths=$(jq -r '.findings[] | select(.id == "INODE_SIZE") | .path' report | sort -u)
	eval "$undo"
	# A file with several names has several right answers: the inode decides.
	same "$1" "$("$M" inspect --field=ino "$2" "$3")" "$("$M" inspect --field=ino "$2" "${paths:-none}" 2>&1)"
}
proto proto files
image plain -p proto
found walk-root-file plain /small
found walk-file plain /dir/file-number-40

xz -dc "$TOP/tests/fixtures/parent.img.xz" >parent
check has-parent-pointers grep -q 'parent=1' <("$M" info parent)
mapfile -t files < <(xz -dc "$TOP/tests/fixtures/parent.tree.xz" | awk '$2 == "-" && $1 !~ /\\/ { print substr($1, 2) }' | shuf -n 6 --random-source=<(yes))
check some-files test ${#files[@]} -ge 4
i=0
for file in "${files[@]}"; do found "parent-$((i += 1))" parent "$file"; done

# A directory that is its own ancestor: the walk ends, the check too.
"$M" damage plain /dir data 0 'entry[3].inumber' zeroes >/dev/null
dir=$("$M" inspect --field=ino plain /dir)
at=$("$M" damage plain /dir data 0 'entry[3].inumber' lastbit | sed -n 's/.*--undo=[0-9a-f]*@\([0-9]*\) .*/\1/p' | tail -1)
"$M" damage --undo="$(printf '%016x' "$dir")@$((at - 7))" plain
"$M" damage plain /dir data 0 'type[3].ftype' random >/dev/null
"$M" damage --undo="02@$("$M" damage plain /dir data 0 'type[3].ftype' zeroes | sed -n 's/.*--undo=[0-9a-f]*@\([0-9]*\) .*/\1/p' | tail -1)" plain
status loop-ends 1 timeout 60 "$M" check plain
check loop-shown grep -q "$dir" out
