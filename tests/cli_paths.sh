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

# More inodes with findings than were named once (10,000): a byte of each is changed, behind the back of its checksum.
{
	printf '/dev/null\n0 0\nd--755 0 0\n'
	for i in $(seq 12000); do printf 'many-%05d p--644 0 0\n' "$i"; done
	printf '$\n'
} >many.proto
image many -d agcount=2 -p many.proto
"$M" inspect many dir / | awk '$3 ~ /^many-/ { print $1, $3 }' >many.names
same many-names 12000 "$(wc -l <many.names)"
# In AG 0 an inode lies at its number times its size.
python3 -c 'import sys
image = open("many", "r+b")
for line in open("many.names"):
    image.seek(int(line.split()[0]) * 512 + 48)
    image.write(b"Z")'
status many-found 1 "$MENDFS" check --json many
same many-left 0 "$(jq .paths_left out)"
check many-named diff <(sort many.names) <(jq -r '.findings[] | select(.id == "BLOCK_CRC") | "\(.ino) \(.path[1:])"' out | sort)
