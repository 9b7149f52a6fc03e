#!/bin/bash
# `mendfs check`: exit statuses, one line a finding with a path, the JSON of docs/JSON.md, and that nothing is written.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1

proto proto files
image image -p proto -m rmapbt=1
cp --sparse=always image pristine

status clean 0 "$M" check image
check clean-says-so grep -q '^image: clean$' out
same clean-quiet 0 "$(wc -l <err)"
check clean-log grep -q '^log: clean' out
status clean-json 0 "$M" check --json image
same clean-json-empty '[]' "$(jq -c .findings out)"
for type in agf inode bnobt dirblock; do status "only-$type" 0 "$M" check --only=$type image; done
status only-nonsense 8 "$M" check --only=nonsense image
status memory 0 "$M" check --memory=8M image
status memory-nonsense 8 "$M" check --memory=lots image
for size in 0 1 1023K; do
	status memory-$size 8 "$M" check --memory=$size image
	check memory-$size-why grep -q 'too little: 1M is the least' err
done
status memory-least 0 "$M" check --memory=1M image
status log-nonsense 8 "$M" check --log=maybe image
status log-ignore 0 "$M" check --log=ignore image
status two-images 8 "$M" check image image
status no-such-image 4 "$M" check none
same no-such-image-one-line 1 "$(wc -l <err)"

damage() { "$M" damage --seed=3 image "$@" >>damage.out; }
damage agf 1 freeblks add
damage agi 0 versionnum add
damage /dir/file-number-7 size firstbit
damage /dir data 0 'entry[5].inumber' lastbit
cp --sparse=always image damaged
status damaged 1 "$M" check image
cp out first
check finding-with-id grep -qE '^corrupt: agi 0 .*\[AGI_[A-Z_]+\]$' out
check finding-with-path grep -qE '^corrupt: inode [0-9]+ /dir/file-number-7 ' out
check finding-disagrees grep -q '^disagrees: ' out
check summary grep -qE '^image: [0-9]+ findings: [0-9]+ corrupt, [0-9]+ disagrees' out
"$M" check image >out
check same-twice diff <(grep '\]$' first) <(grep '\]$' out)
check writes-nothing same_bytes image damaged
status verbose 1 "$M" check -v image
same verbose-live "$(grep -c '\]$' out)" "$(grep -c '\]$' err)"

status json 1 "$M" check --json image
check json-one-object test "$(jq -s length out)" = 1
check json-members jq -e '
	.schema == 1 and .exit == 1 and .error == null and (.version | type) == "string" and .image == "image" and
	(.findings | length) == .total and (.counts | add) == .total and
	(.counts | keys) == ["corrupt", "disagrees", "incomplete", "preen", "warning"] and
	.log.state == "clean" and .log.replayed == false and
	(.stats | .blocks > 0 and .bytes > 0 and .inodes > 0 and .directories > 0 and .names > 0 and .seconds >= 0)' out
check json-findings jq -e 'all(.findings[];
	(.id | test("^[A-Z][A-Z0-9_]+$")) and (.type | type) == "string" and (.id as $id | .text | endswith("[" + $id + "]")) and
	([.severity] | inside(["corrupt", "disagrees", "preen", "warning", "incomplete"])) and
	all((.ag, .ino, .block, .sector); type == "number" or type == "null") and
	all((.path, .field, .found, .expected); type == "string" or type == "null"))' out
check json-path jq -e 'any(.findings[]; .path == "/dir/file-number-7" and .ino > 0)' out
check json-documented diff <(jq -r 'paths | map(select(type == "string")) | last' out | sort -u |
	while read -r member; do grep -q "\`$member\`" "$TOP/docs/JSON.md" || echo "$member"; done) /dev/null
check json-ids-in-CHECKS diff <(jq -r '.findings[].id' out | while read -r id; do
	grep -q "^| $id " "$TOP/docs/CHECKS.md" || echo "$id"; done) /dev/null

# A log that was not replayed is told, also where what is checked is sound without it.
xz -dc "$TOP/tests/fixtures/log-efi.img.xz" >dirty.img
status log-ignored 2 "$M" check --log=ignore dirty.img
check log-ignored-finding grep -q '^warning: log.*: is dirty, and was not replayed: .*\[LOG_NOT_REPLAYED\]$' out
check log-ignored-line grep -qx 'log: dirty; not replayed: what follows is the disk as it is' out
same log-ignored-total 'dirty.img: 1 finding: 1 warning' "$(tail -1 out)"
status log-ignored-json 2 "$M" check --json --log=ignore dirty.img
check log-ignored-json-state jq -e '.log.state == "dirty" and .log.replayed == false and .exit == 2' out
status log-replayed 0 "$M" check dirty.img
check log-replayed-line grep -q '^log: dirty; replayed in memory: ' out
# Damage in the middle of it, where no torn write can have been.
cp --sparse=always dirty.img damaged-log.img
spoil_log damaged-log.img 346
status log-damaged-ignored 3 "$M" check --log=ignore damaged-log.img
check log-damaged-line grep -qx 'log: damaged; not replayed: what follows is the disk as it is' out
check log-damaged-what grep -q '^corrupt: log .*\[LOG_RECORD_CRC\]$' out
status log-damaged-json 3 "$M" check --json --log=ignore damaged-log.img
check log-damaged-json-state jq -e '.log.state == "damaged"' out

# Names that are not text: the JSON stays JSON.
printf '/dev/null\n0 0\nd--755 0 0\nb\377d ---644 0 0 %s\n$\n' files/small >odd
image odd.img -p odd
"$M" damage odd.img "$(printf '/b\377d')" size firstbit >/dev/null
status odd-name 1 "$M" check --json odd.img
check odd-name-escaped jq -e 'any(.findings[]; .path == "/b\\xffd")' out

# What cannot be opened is an error in words, and in JSON too.
head -c 1M /dev/urandom >noise
status noise 5 "$M" check noise
status noise-json 5 "$M" check --json noise
check noise-json-error jq -e '(.error | type) == "string" and .exit == 5 and .log == null' out
: >empty
"$M" check empty >out 2>err
check empty-fails test $? -ge 4
"$M" damage pristine superblock 0 blocksize random >/dev/null
"$M" check pristine >out 2>err
check broken-superblock-found test $(($? & 1)) = 1

# Files marked as sharing that share nothing, as an aged filesystem has them: nothing to say, unless asked; and then
# those whose flag xfs_repair takes away.
xz -dc "$TOP/tests/fixtures/aged-1k.img.xz" >aged.img
status preen-unasked 0 "$M" check aged.img
status preen 2 "$M" check --preen aged.img
sed -n 's/^preen: inode \([0-9]*\) .*\[INODE_REFLINK_UNUSED\]$/\1/p' out | sort >unused
check preen-some test -s unused
xfs_repair -v -f aged.img 2>&1 | sed -n 's/^clearing reflink flag on inode \([0-9]*\)$/\1/p' | sort >cleared
check preen-as-xfs_repair diff cleared unused
"$M" check --preen aged.img >out
check preen-nothing-left test "$(grep -c INODE_REFLINK_UNUSED out)" = 0

# Realtime files have whole realtime extents, cut as they may be into written and unwritten mappings: a start or a length
# that leaves this grid claims what is free or another's, and leaves behind what nobody has.
xz -dc "$TOP/tests/fixtures/realtime.img.xz" >rt.img
xz -dc "$TOP/tests/fixtures/realtime.rt.xz" >rt.rt
status rt-clean 0 "$M" check --rt-device rt.rt rt.img
rt_damage() {
	"$M" damage rt.img inode 153 "$2" "$3" >undo
	status "rt-$1" 1 "$M" check --rt-device rt.rt rt.img
	shift 3
	for id in "$@"; do check "rt-finds-$id" grep -q "\[$id\]\$" out; done
	sh -c "PATH=$(dirname "$M"):\$PATH; $(sed -n 's/^undo: //p' undo)" >/dev/null
}
rt_damage start 'extents[0].startblock' add RT_CLAIMED_TWICE RT_LEAKED
rt_damage length 'extents[0].blockcount' sub RT_LEAKED
status rt-undone 0 "$M" check --rt-device rt.rt rt.img
