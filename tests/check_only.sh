#!/bin/bash
# `mendfs check --only=TYPE`: what concerns the type is shown, also where an account has found it: each account that the
# sweep has, by the types that its findings concern.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1

proto proto files
image plain.img -p proto -m rmapbt=1,finobt=1
for name in aged-1k quota parent realtime; do xz -dc "$TOP/tests/fixtures/$name.img.xz" >$name.img; done
xz -dc "$TOP/tests/fixtures/realtime.rt.xz" >realtime.rt

# concerns ID IMAGE "TYPE..." OBJECT... FIELD VERB: damaged so, the finding is shown for each of the types, and for no other.
concerns() {
	local id=$1 img=$2 types=$3 device=() type other=symlink
	shift 3
	[ "$img" != realtime.img ] || device=(--rt-device realtime.rt)
	"$M" damage --seed=5 "$img" "$@" >undo || { cat undo; not_ok "$id-damaged"; return; }
	for type in $types; do
		status "$id-$type" 1 "$M" check "${device[@]}" --only="$type" "$img"
		check "$id-$type-shown" grep -q "\[$id\]\$" out
	done
	status "$id-$other" 0 "$M" check "${device[@]}" --only=$other "$img"
	eval "$(sed -n 's/^undo: mendfs/"$M"/p' undo)" >/dev/null
}
concerns SPACE_LEAKED plain.img bnobt bnobt 0 'recs[0].blockcount' sub
concerns FREE_NOT_IN_CNTBT plain.img cntbt cntbt 0 'recs[0].blockcount' sub
concerns OWNER_NOT_IN_RMAPBT plain.img rmapbt rmapbt 0 'recs[4].blockcount' sub
concerns RMAP_WITHOUT_OWNER plain.img rmapbt rmapbt 0 'recs[4].owner' add
leaf=$("$M" inspect --field='ptrs[0].ptr' aged-1k.img refcountbt 0)
concerns SHARE_COUNTED_TOO_OFTEN aged-1k.img refcountbt refcountbt 0 block "$leaf" 'recs[0].refcount' add
concerns INODE_NOT_SEEN plain.img 'inobt inodes' /small mode zeroes
concerns CHUNK_NOT_IN_FINOBT plain.img finobt finobt 0 'recs[0].free' lastbit
concerns LINKS_FEWER_NAMES plain.img 'names inode' /small nlink add
concerns DOTDOT_WRONG plain.img 'names inode' /dir data 0 'entry[1].inumber' add
concerns PARENT_WITHOUT_NAME parent.img 'names inode' /w0 'attr_parent[0].gen' add
concerns UNLINKED_NOT_LISTED plain.img 'agi inode' /small nlink zeroes
concerns QUOTA_TOO_HIGH quota.img dquot inode 131 data 0 'dquot[0].bcount' add
concerns COUNTER_TOO_HIGH plain.img agf agf 1 freeblks add
concerns COUNTER_TOO_HIGH plain.img agi agi 0 freecount add
concerns COUNTER_TOO_HIGH plain.img superblock superblock 0 icount add
concerns RT_LEAKED realtime.img rtbitmap inode 129 data 0 'words[3].free' lastbit
concerns RT_SUMMARY_TOO_HIGH realtime.img rtsummary inode 130 data 0 'words[0].count' add

# Nobody takes such a check for one of everything.
status of-all 0 "$M" check --only=agf plain.img
same says-so 'plain.img: clean; only what concerns agf was asked for' "$(tail -1 out)"
status json 0 "$M" check --json --only=agf plain.img
check json-says-so jq -e '.only == "agf"' out
"$M" check --json plain.img >out
check json-all jq -e 'has("only") and .only == null' out
