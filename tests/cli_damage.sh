#!/bin/bash
# `mendfs damage`: each verb, with and without the checksum; the undo restores the image byte for byte.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1

proto proto files
image pristine -p proto -m rmapbt=1,reflink=1
cp --sparse=always pristine image

# undone NAME ARGUMENT...: damages, sees a change, undoes, sees none.
undone() {
	local name=$1
	shift
	"$M" damage --seed=7 "$@" >out 2>&1 || { cat out; not_ok "$name"; return; }
	if same_bytes pristine image >/dev/null; then echo "nothing changed"; not_ok "$name"; return; fi
	# The printed line is a shell command.
	eval "$(sed -n 's/^undo: mendfs/"$M"/p' out)" || { not_ok "$name"; return; }
	check "$name" same_bytes pristine image
}
for verb in ones firstbit middlebit lastbit add sub random; do
	undone "agf-length-$verb" image agf 1 length $verb
	undone "agi-count-$verb-crc-left" --no-fix-crc image agi 0 count $verb
	undone "record-$verb" image bnobt 0 'recs[0].blockcount' $verb
	undone "inode-$verb" image /small size $verb
	undone "name-$verb" image /dir data 0 'name[5].name' $verb
done
undone agf-length-zeroes image agf 1 length zeroes
undone uuid image agf 1 uuid random
undone bits image rmapbt 0 'recs[1].offset' lastbit
undone crc-itself image agi 2 crc add
undone slot image agfl 3 'slots[2].bno' add
undone superblock-copy image superblock 2 dblocks add
undone superblock image superblock 0 icount add

status unchanged 2 "$M" damage image agi 0 pad32 zeroes
check unchanged-says-so grep -q '^unchanged' out
check unchanged-is same_bytes pristine image
status bad-verb 8 "$M" damage image agi 0 count explode
status bad-field 4 "$M" damage image agi 0 nonsense add
status bad-undo 8 "$M" damage --undo=zz@1 image
status undo-beyond 4 "$M" damage --undo=00@99999999999 image
check refused-leave-it-alone same_bytes pristine image

# The checksum: right by default, wrong with --no-fix-crc.
"$M" damage image agi 1 newino add >out
"$M" inspect image agi 1 >shown
check crc-fixed test "$(grep -c BLOCK_CRC shown)" = 0
eval "$(sed -n 's/^undo: mendfs/"$M"/p' out)"
"$M" damage --no-fix-crc image agi 1 newino add >out
"$M" inspect image agi 1 >shown
check crc-not-fixed grep -q BLOCK_CRC shown
xfs_db -r -c 'agi 1' -c 'print crc' image >theirs 2>&1
check xfs_db-agrees grep -q 'CRC error' theirs
eval "$(sed -n 's/^undo: mendfs/"$M"/p' out)"

# The same seed does the same.
cp --sparse=always pristine a
cp --sparse=always pristine b
"$M" damage --seed=11 a agf 0 freeblks random >/dev/null
"$M" damage --seed=11 b agf 0 freeblks random >/dev/null
check seeded same_bytes a b
"$M" damage --seed=12 b agf 0 freeblks random >/dev/null
check other-seed test "$(cmp a b | wc -l)" = 1

# The list names fields that can be damaged: every one of an object.
"$M" damage --list image rmapbt 0 | cut -f2 >fields
check list-has-records grep -qx 'recs\[0\].owner' fields
"$M" damage --list image / >by-path
check list-by-path grep -q 'nlink$' by-path
count=0
while read -r field; do
	"$M" damage --seed=1 image rmapbt 0 "$field" lastbit >out 2>&1 || break
	eval "$(sed -n 's/^undo: mendfs/"$M"/p' out)" || break
	count=$((count + 1))
done < <(head -60 fields)
same list-all-work "$(head -60 fields | wc -l)" "$count"
check list-all-undone same_bytes pristine image
"$M" damage --list image | cut -f1 | sort -u >objects
for object in 'superblock 0' 'agf 3' 'agfl 2' 'agi 1'; do check "list-${object// /-}" grep -qx "$object" objects; done
# Inodes are listed one by one, with what is in their forks, as each is by itself.
"$M" damage --list image >all
inode=$("$M" inspect --field=ino image /dir)
large=$("$M" inspect --field=ino image /large)
link=$("$M" inspect --field=ino image /link)
for ino in "$inode" "$large" "$link"; do
	"$M" damage --list image inode "$ino" >one
	check "list-inode-fork-$ino" grep -q '	\(extents\[0\]\|target\|sfdir\)' one
	check "list-has-inode-$ino" diff one <(grep "^inode $ino	" all)
done
check list-no-chunks test "$(grep -c 'as inodes	' all)" = 0
check list-wrote-nothing same_bytes pristine image

status rt-device 0 "$M" damage --list --rt-device=image image agf 0

# Directory blocks that lie in several extents are listed by their place in the directory, with their own content.
xz -dc "$TOP/tests/fixtures/pieces.img.xz" >pieces.img
"$M" damage --list pieces.img >pieces.list
dir=$("$M" inspect --field=ino pieces.img /names)
cut -f 1 pieces.list | grep "^inode $dir data" | sort -u >pieces.blocks
check pieces-listed test "$(wc -l <pieces.blocks)" -gt 5
while read -r words; do
	# shellcheck disable=SC2086
	"$M" inspect pieces.img $words | tail -1
done <pieces.blocks | sort | uniq -c >pieces.verdicts
same pieces-sound "$(wc -l <pieces.blocks) no findings" "$(sed 's/^ *//' pieces.verdicts)"
"$M" inspect pieces.img inode "$dir" data 16 | grep -c '^entry\[' >pieces.entries
same pieces-entries "$(cat pieces.entries)" "$(grep -c "^inode $dir data 16 as dirdata	entry\[[0-9]*\]\.inumber" pieces.list)"

# Records of the log: in a log of kernels, whose items begin in one record and end in a later one; and in one with extended headers.
xz -dc "$TOP/tests/fixtures/log-efi.img.xz" >pristine
cp --sparse=always pristine image
"$M" damage --list image >all
"$M" damage --list image log record 49 >one
check log-list-one diff one <(grep '^log record 49	' all)
check log-list-has-records test "$(grep '^log record' all | cut -f1 | uniq | wc -l)" = 50
for field in hdr.len 'hdr.cycle_data\[63\]' 'op\[0\].tid' 'transaction\[0\].num_items' 'item\[[0-9]*\].extent\[0\].start'; do
	check "log-list-$field" grep -qx "log record 49	$field" one
done
# The names are those that inspect shows, and so are the values.
"$M" inspect image log record 49 >shown
item=$(sed -n 's/^  \(item\[[0-9]*\]\): efi,.*/\1/p' shown)
value=$(sed -n "/^    ${item//[\[\]]/.}.extent\[0\]/,/len/s/^ *len  *//p" shown)
same log-field "$value" "$("$M" inspect --field="$item.extent[0].len" image log record 49)"
undone log-item image log record 49 "$item.extent[0].len" add
check log-item-says grep -qF "log record 49: $item.extent[0].len: $value -> $((value + 1))" out
lsn=$(sed -n 's/^record 49 .* lsn //p' shown)
undone log-item-by-lsn image log record "$lsn" "$item.extent[0].len" add
undone log-crc-itself image log record 3 hdr.crc add
undone log-header image log record 3 hdr.cycle add
undone log-header-crc-left --no-fix-crc image log record 3 hdr.tail_lsn add
undone log-operation image log record 20 'op[1].len' add
undone log-transaction image log record 49 'transaction[0].magic' zeroes
# The sum is right afterwards, unless it is to be left: what is found is the item, or the sum.
"$M" damage image log record 49 "$item.extent[0].len" firstbit >/dev/null
"$M" check image >found
check log-crc-fixed test "$(grep -c LOG_RECORD_CRC found)" = 0
check log-item-found grep -q LOG_INTENT_PENDING found
cp --sparse=always pristine image
"$M" damage --no-fix-crc image log record 13 hdr.tail_lsn add >/dev/null
"$M" check --log=accept-loss image >found
check log-crc-left grep -q LOG_RECORD_CRC found
cp --sparse=always pristine image
# Also where an item begins in the record before: that is the one which is sealed, and undone.
"$M" damage image log record 0 hdr.crc lastbit >out
eval "$(sed -n 's/^undo: mendfs/"$M"/p' out)"
start=$(($(sed -n 's/^undo:.*@\([0-9]*\) .*/\1/p' out) / 512 - 2)) # the record is at block 2 of the log
over=$(awk -F '\t' '$2 ~ /^item\[0\].format.type/ { print $1 }' all | sed -n '/ 2[0-9]$/p' | while read -r _ _ record; do
	base=$("$M" inspect --field=hdr.lsn image log record "$record")
	"$M" damage image log record "$record" 'item[0].format.type' add >out 2>&1 || exit
	eval "$(sed -n 's/^undo: mendfs/"$M"/p' out)"
	seal=$(sed -n 's/^undo:.*undo=[0-9a-f]*@\([0-9]*\) --undo.*/\1/p' out)
	[ $((seal / 512 - start)) = "${base#*:}" ] || echo "$record"
done | wc -l)
check log-items-from-before test "$over" -gt 0
check log-all-undone cmp pristine image
for wrong in 'log hdr.len add' 'log all hdr.len add' 'log record x hdr.len add'; do
	# shellcheck disable=SC2086
	status "${wrong// /-}" 8 "$M" damage image $wrong
done
status log-record-beyond 4 "$M" damage image log record 50 hdr.len add
status log-no-field 4 "$M" damage image log record 49 'item[999].format.size' add
check log-refused-leave-it-alone cmp pristine image
# Far into a log that has more records than are kept in sight.
xz -dc "$TOP/tests/fixtures/realtime-dirty.img.xz" >pristine
cp --sparse=always pristine image
"$M" damage --list image >all
check log-long test "$(grep '^log record' all | cut -f1 | uniq | wc -l)" -gt 100
for record in 0 63 64 100; do
	check "log-list-$record" diff <("$M" damage --list image log record $record) <(grep "^log record $record	" all)
done
undone log-far image log record 100 hdr.tail_lsn add
