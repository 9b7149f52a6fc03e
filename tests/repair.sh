#!/bin/bash
# Damage to superblocks, AGs, inodes, quota and realtime files, each repaired: afterwards check and xfs_repair -n find nothing. A seeded sample; SEED and
# COUNT choose another.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/damage/lib.sh
. "$(dirname "$0")/damage/lib.sh"
cd "$SCRATCH" || exit 1
SEED=${SEED:-1} COUNT=${COUNT:-18}
AG_TYPES=agf,agfl,agi,bnobt,cntbt,rmapbt,refcountbt,inobt,finobt
bases || { not_ok bases; exit 1; }
# a judge that says what it saw, not only that it saw something
cat >judge <<'S'
#!/bin/bash
xfs_repair -n -f "$1" >judged 2>&1 || { cat judged >>unhappy; exit 1; }
S
chmod +x judge
for b in aged-1k plain; do
	: >"$b.jsonl"
	: >unhappy
	campaign "$b" --repair --types=$AG_TYPES --count="$COUNT" --seed="$SEED" --judge=./judge || { not_ok "campaign-$b"; continue; }
	campaign "$b" --repair --types=$AG_TYPES --pairs="$COUNT" --seed="$SEED" --judge=./judge || { not_ok "pairs-$b"; continue; }
	jq -c 'select(.repair and (.ids != "" or .error or .refused != "" or .judge != 0))' "$b.jsonl" >bad
	jq -c 'select(.repair)' "$b.jsonl" >repaired
	echo "$b: $(wc -l <repaired) damaged images repaired, $(wc -l <bad) of them not to everybody's content (seed $SEED)"
	head -3 bad unhappy
	check "repaired-$b" test -s repaired -a ! -s bad
done

# What an inode itself says, the superblocks, quota records, realtime bitmaps.
own_types() {
	case $1 in
	quota) echo superblock,inode,dquot ;;
	realtime) echo superblock,inode,rtbitmap,rtsummary ;;
	*) echo superblock,inode ;;
	esac
}
for b in aged-1k plain quota realtime; do
	: >"$b.jsonl"
	: >unhappy
	judged=(--judge=./judge)
	[ $b != realtime ] || judged=() # xfs_repair looks at the data device alone
	campaign "$b" --repair --types="$(own_types $b)" --count="$COUNT" --seed="$SEED" "${judged[@]}" || { not_ok "campaign-own-$b"; continue; }
	jq -c 'select(.repair and (.ids != "" or .error or .refused != "" or (.judge // 0) != 0))' "$b.jsonl" >bad
	jq -c 'select(.repair)' "$b.jsonl" >repaired
	echo "$b: $(wc -l <repaired) damaged images repaired, $(wc -l <bad) of them not to everybody's content (seed $SEED)"
	head -3 bad unhappy
	check "repaired-own-$b" test -s repaired -a ! -s bad
done

# A log that cannot be read is emptied when that is asked for, and never by itself.
cp plain.img log.img
start=$(xfs_db -c 'sb 0' -c 'p logstart' log.img | sed 's/.* //')
at=$(xfs_db -c "convert fsblock $start byte" log.img | sed 's/.*(\(.*\)).*/\1/')
head -c 32768 /dev/zero | tr '\0' '\377' | dd of=log.img bs=512 seek=$((at / 512)) conv=notrunc status=none
status log-refused 4 "$M" repair log.img
status log-discard 0 "$M" repair --log=discard log.img
check log-discard-says-so grep -q '^log: emptied' "$SCRATCH/out"
status log-clean 0 "$M" check log.img
check log-judge xfs_repair -n -f log.img

# By hand: one damage, the preview, the repair.
status damage 0 "$MENDFS" damage plain.img bnobt 0 magic zeroes
cp plain.img before.img
status preview 0 "$M" repair --preview plain.img
check preview-says-so grep -q 'nothing was written' "$SCRATCH/out"
check preview-writes-nothing same_bytes plain.img before.img
status found 1 "$M" check plain.img
status repair-undo-file 0 "$M" repair --undo=undo plain.img
status undo 0 "$M" undo undo plain.img
check undone same_bytes plain.img before.img
status undo-file-is-kept 4 "$M" repair --undo=undo plain.img
status repair 0 "$M" repair --undo=undo2 plain.img
cp plain.img repaired.img
status damage-again 0 "$MENDFS" damage plain.img agf 1 freeblks add
status repair-again 0 "$M" repair plain.img
status undo-refused 4 "$M" undo undo2 plain.img
check undo-says-why grep -q 'has been changed since' "$SCRATCH/err"
cp repaired.img plain.img
status undo-complete 0 "$M" undo undo2 plain.img
status repair 0 "$M" repair plain.img
check repair-says-what grep -q '^AG 0: rebuilt' "$SCRATCH/out"
status clean 0 "$M" check plain.img
status nothing-left 0 "$M" repair plain.img
check says-nothing-to-repair grep -q '^nothing to repair' "$SCRATCH/out"
status force-all 0 "$M" repair --force=all plain.img
status force-unknown 8 "$M" repair --force=nonsense plain.img
status forced-clean 0 "$M" check plain.img

# Damage that once cost more than itself. What stays must be as it was, block by block and name by name.
# as_it_is IMAGE INO...: what the inodes map, and the names of those that are directories
as_it_is() {
	local image=$1 ino
	shift
	for ino in "$@"; do
		"$MENDFS" inspect "$image" inode "$ino" | grep -E '^ +(mode|nlink|size|nblocks|nextents) |^extents\[' || not_ok "inspect $ino"
		if "$MENDFS" inspect "$image" inode "$ino" | grep -q ' mode .*(d'; then "$MENDFS" inspect "$image" dir "$ino"; fi
	done
}
# costs_nothing NAME IMAGE "OBJECT FIELD VERB[;...]" INO...
costs_nothing() {
	local name=$1 image=$2 damages=$3 one
	shift 3
	cp "$image" cost.img
	as_it_is cost.img "$@" >before
	check "$name-knows" test -s before
	while read -r -d ';' one; do
		# shellcheck disable=SC2086
		"$MENDFS" damage cost.img $one >/dev/null || not_ok "$name-damage $one"
	done <<<"$damages;"
	status "$name-found" 1 "$M" check cost.img
	status "$name" 0 "$M" repair cost.img
	as_it_is cost.img "$@" >after
	check "$name-kept" cmp before after
	status "$name-clean" 0 "$M" check cost.img
}
costs_nothing rmap-owner aged-1k.img 'rmapbt 1 block 6 recs[7].owner lastbit' 76551 76550
costs_nothing rmap-length aged-1k.img 'rmapbt 1 block 6 recs[8].blockcount add' 76557 76550
costs_nothing chunk-start aged-1k.img 'inobt 1 recs[0].startino add;inobt 1 owner sub' 76352
costs_nothing shared-as-staging parent.img 'refcountbt 1 recs[0].cow ones' 81687 81695

# loses_nothing NAME IMAGE "OBJECT FIELD VERB[;...]": no name and no byte of any file
loses_nothing() {
	local name=$1 image=$2 damages=$3 one
	cp "$image" cost.img
	while read -r -d ';' one; do
		# shellcheck disable=SC2086
		"$MENDFS" damage cost.img $one >/dev/null || not_ok "$name-damage $one"
	done <<<"$damages;"
	if "$M" check cost.img >"$SCRATCH/out"; then not_ok "$name-found"; fi
	status "$name" 0 "$M" repair cost.img
	same "$name-kept" '0 names, 0 bytes' "$("$LOST" "$image" cost.img)"
	status "$name-clean" 0 "$M" check cost.img
	# this machine's xfs_repair may not know parent pointers
	[ "$image" = parent.img ] || check "$name-judge" ./judge cost.img
}
LOST=${MENDFS_BUILD:-$TOP/build}/tests/lost
loses_nothing link-checksum parent.img 'block 0:32 as symlink crc add'
loses_nothing link-place parent.img 'block 0:32 as symlink blkno add --no-fix-crc'
loses_nothing link-length parent.img 'block 0:32 as symlink bytes sub'
loses_nothing link-longer parent.img 'block 0:32 as symlink bytes add'
loses_nothing map-checksum pieces.img 'block 0:227 as bmbt crc add'
loses_nothing map-lsn pieces.img 'block 0:31 as bmbt lsn lastbit;block 0:31 as bmbt lsn firstbit'
loses_nothing map-pad pieces.img 'block 0:87 as bmbt pad add'
loses_nothing owner-of-nobody quota.img '/w0/26a uid ones;/w0/26a gid ones'
loses_nothing value-checksum parent.img 'block 0:85 as attrremote crc add'
loses_nothing value-place parent.img 'block 0:85 as attrremote offset ones'
loses_nothing value-length parent.img 'block 0:152 as attrremote bytes add'
loses_nothing value-end parent.img 'block 0:163 as attrremote offset zeroes'
loses_nothing shares-attributes parent.img 'inode 81687 extents[0].startblock add'
loses_nothing shares-metadata parent.img 'inode 81695 extents[0].startblock sub'
# The record is as sound as before; what the fork maps is told by the reverse map alone. Without reference counts, and with.
mkdir own
for i in $(seq 40); do seq "$i" 3000 >own/$i; done
{
	printf '%s\n0 0\nd--755 0 0\n' /dev/null
	for i in $(seq 40); do printf 'file-%d ---644 0 0 own/%d\n' "$i" "$i"; done
	printf '$\n'
} >own-proto
for reflink in 0 1; do
	SIZE=300M image elsewhere-$reflink.img -d agcount=2 -m rmapbt=1,reflink=$reflink -p own-proto
	loses_nothing elsewhere-$reflink elsewhere-$reflink.img '/file-7 extents[0].startblock sub'
	loses_nothing elsewhere-free-$reflink elsewhere-$reflink.img '/file-9 extents[0].startblock firstbit;/file-11 extents[0].startblock add'
done
loses_nothing shared-elsewhere aged-1k.img 'rmapbt 0 block 1054 recs[2].startblock sub'

# Without a reverse map.
loses_nothing extent-longer quota.img 'inode 2177 extents[0].blockcount add'
loses_nothing extent-empty quota.img 'inode 2177 extents[0].blockcount zeroes'
loses_nothing extent-endless quota.img 'inode 2177 extents[0].blockcount ones'
loses_nothing attributes-elsewhere quota.img 'inode 145 aextents[1].startblock zeroes'
loses_nothing attributes-of-another quota.img 'inode 145 aextents[1].startblock lastbit'
loses_nothing attributes-later quota.img 'inode 136 aextents[0].startoff ones'
loses_nothing blocks-counted-wrong quota.img 'inode 2188 nblocks add'
loses_nothing share-flag aged-1k.img 'inode 76544 flags2 zeroes'

# An AG of which the free space is in many pieces is rebuilt, too.
status pieces-rebuilt 0 "$M" repair --force=bnobt pieces.img
check pieces-says-so grep -q '^AG 1: rebuilt' "$SCRATCH/out"
status pieces-clean 0 "$M" check pieces.img
check pieces-judge xfs_repair -n -f pieces.img
