#!/bin/bash
# `mendfs inspect` shows what xfs_db shows, header by header and field by field.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1

proto proto files
image image -p proto -m rmapbt=1 -d agcount=3

# fields TYPE NAME=XFS_DB_NAME...: each field of AG 0 and 2 against xfs_db's value, as decimal numbers.
number() {
	local value=${1%% *}
	case $value in
	null | '') echo null ;;
	0x*) printf '%u\n' "$value" ;;
	*) echo "$value" ;;
	esac
}
fields() {
	local type=$1 pair ag theirs ours
	shift
	for ag in 0 2; do
		for pair in "$@"; do
			ours=$("$M" inspect --field="${pair%%=*}" image "$type" $ag 2>&1)
			theirs=$(xfs_db -r -c "${dbtype:-$type} $ag" -c "print ${pair##*=}" image | sed 's/.*= //')
			same "$type-$ag-${pair%%=*}" "$(number "$theirs")" "$(number "$ours")"
		done
	done
}
dbtype=sb fields superblock magicnum=magicnum blocksize=blocksize dblocks=dblocks rootino=rootino agblocks=agblocks \
	agcount=agcount logblocks=logblocks sectsize=sectsize inodesize=inodesize agblklog=agblklog \
	features_ro_compat=features_ro_compat features_incompat=features_incompat
fields agf magicnum=magicnum seqno=seqno length=length 'roots[0]=bnoroot' 'roots[1]=cntroot' 'roots[2]=rmaproot' \
	'levels[0]=bnolevel' flfirst=flfirst fllast=fllast flcount=flcount freeblks=freeblks longest=longest \
	refcount_root=refcntroot
fields agi magicnum=magicnum seqno=seqno length=length count=count root=root level=level freecount=freecount newino=newino \
	free_root=free_root
fields agfl magicnum=magicnum seqno=seqno 'slots[0].bno=bno[0]' 'slots[3].bno=bno[3]'

# Trees: the fields of every record, in xfs_db's order, as rows of numbers.
tree() {
	local type=$1 ag=$2 header=$3 root=$4 columns=$5
	"$M" inspect image "$type" "$ag" >"$type.all"
	grep '^recs\[' "$type.all" | sed 's/([^)]*)//' | awk -v columns="$columns" '{
		n = split(columns, c, ","); line = ""
		for (i = 1; i <= n; i++) line = line " " $(c[i] + 1)
		print line }' | while read -r row; do for x in $row; do number "$x"; done; echo; done >"$type.ours"
	xfs_db -r -c "$header $ag" -c "addr $root" -c "print recs" image | tr ' ' '\n' | grep '^[0-9]*:\[' |
		sed 's/.*:\[//; s/\]//; s/,/ /g' |
		while read -r row; do for x in $row; do number "$x"; done; echo; done >"$type.theirs"
	check "$type-$ag-records" diff -u "$type.theirs" "$type.ours"
	check "$type-$ag-some" test -s "$type.ours"
	check "$type-$ag-sound" grep -q '^no findings' "$type.all"
}
tree bnobt 0 agf bnoroot 1,2
tree cntbt 2 agf cntroot 1,2
tree rmapbt 1 agf rmaproot 1,2,3,8,6,4,5
tree inobt 1 agi root 1,2,3,4,5
tree finobt 0 agi free_root 1,2,3,4,5

# Inodes, by number and by path; directories by name.
root=$(xfs_db -r -c 'sb 0' -c 'print rootino' image | sed 's/.* = //')
same root-by-number "$("$M" inspect --field=ino image inode "$root")" "$root"
same root-by-path "$("$M" inspect --field=ino image /)" "$root"
ino=$("$M" inspect --field=ino image /dir/file-number-33)
for pair in size=core.size nlink=core.nlinkv2 nblocks=core.nblocks uid=core.uid; do
	theirs=$(xfs_db -r -c "inode $ino" -c "print ${pair#*=}" image | sed 's/.*= //')
	same "inode-${pair%=*}" "$theirs" "$("$M" inspect --field="${pair%=*}" image inode "$ino")"
done
"$M" inspect image dir /dir >names
same directory-listing 42 "$(grep -c '^ ' names)"
check directory-name grep -q "$ino  *file  *file-number-33\$" names
status directory-block 0 "$M" inspect image /dir data 0
check directory-block-entry grep -q "entry\\[.*$ino .*file-number-33" out
status one-record 0 "$M" inspect image bnobt 0 recs 1
same one-record-only 1 "$(grep -c '^recs\[' out)"
status by-magic 0 "$M" inspect image block 0:1
check by-magic-type grep -q 'AB3B' out
status as-type 1 "$M" inspect image block 0:1 as cntbt
check as-type-finding grep -q BLOCK_MAGIC out
for wrong in "agf 77" "nothing" "agf 0 recs 1 2" "inode 5000000000000" "block 9:1" "bnobt" "bnobt 0 block 99999999"; do
	# shellcheck disable=SC2086
	status "wrong-${wrong// /-}" 8 "$M" inspect image $wrong
	same "wrong-${wrong// /-}-one-line" 1 "$(wc -l <err)"
done
status no-such-field 4 "$M" inspect --field=nonsense image agf 0
status no-such-file 4 "$M" inspect image /dir/none
status log 0 "$M" inspect image log
check log-clean grep -q '^log: clean' out
status log-all 0 "$M" inspect image log all
check log-record grep -q '^record 0 at block' out

# Blocks of the filesystem's own files have no magic number, or none of a block: the inode tells.
for name in quota realtime; do xz -dc "$TOP/tests/fixtures/$name.img.xz" >$name.img; done
for pair in quota:uquotino:quota quota:gquotino:quota quota:pquotino:quota realtime:rbmino:bitmap realtime:rsumino:summary; do
	IFS=: read -r img field title <<<"$pair"
	ino=$("$M" inspect --field="$field" $img.img superblock)
	status "own-$field" 0 "$M" inspect $img.img inode "$ino" data 0
	check "own-$field-title" grep -q "^inode $ino data 0: .*$title" out
done
sector=$(sed -n '1s/.*sector \([0-9]*\),.*/\1/p' <("$M" inspect quota.img inode "$("$M" inspect --field=uquotino quota.img superblock)" data 0))
status dquot-by-magic 0 "$M" inspect quota.img block 0:$((sector / 8))
check dquot-by-magic-title grep -q '^block 0:[0-9]*: block of quota records' out
