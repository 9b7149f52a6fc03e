#!/bin/bash
# A damaged log: what check, mount and repair say can be done about it, each choice, and how much is given up.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
fixtures=$TOP/tests/fixtures
missing=$(bash -c '. "$1/tests/mount/lib.sh" && fuse_missing' bash "$TOP")
cd "$SCRATCH" || exit 1

# The one record that begins at block 346 of 50 is spoiled, in the middle of the log.
xz -dc "$fixtures/log-efi.img.xz" >dirty.img
cp --sparse=always dirty.img middle.img
spoil_log middle.img 346
# The first block is of a cycle that does not go with the last one: nobody knows where that ends.
cp --sparse=always dirty.img ends.img
spoil_log ends.img -1 0
for name in middle ends; do cp --sparse=always $name.img $name.orig; done

# An operation that the log announced and that was finished is not none: here it is one EFI, and one BUI.
status efi-check 0 "$M" check dirty.img
check efi-two grep -q ', 2 unfinished operations$' out
status efi-json 0 "$M" check --json dirty.img
check efi-json-two jq -e '.log.intents == 2 and .log.intents_left == 0 and .log.loss.lost_records == 0' out

status check-refuse 5 "$M" check --log=refuse middle.img
check check-refuse-why grep -q '\[LOG_RECORD_CRC\]; --log=accept-loss replays .*, --log=ignore looks' err
status check-refuse-json 5 "$M" check --json middle.img
check check-refuse-json-why jq -e '.error | test("--log=accept-loss")' out
"$M" check --log=accept-loss middle.img >out 2>err
check check-accept-status test $(($? & 1)) = 1
check check-accept-line grep -q '^log: damaged; replayed in memory: 13 records, .*; 37 records (776192 bytes) given up$' out
"$M" check --json --log=accept-loss middle.img >out
check check-accept-json jq -e '.log.state == "damaged" and .log.replayed and .log.records == 13 and .log.loss ==
	{"all": false, "lost_records": 37, "lost_bytes": 776192, "lost_items": 0}' out
status ends-refuse 5 "$M" check ends.img
"$M" check --log=accept-loss ends.img >out
check ends-accept grep -qx 'log: damaged; none of it could be replayed: what follows is the disk as it is' out
"$M" check --json --log=accept-loss ends.img >out
check ends-json jq -e '.log.loss.all and (.log.replayed | not)' out

# repair: refuses; or empties, and then there is nothing left of it.
status repair-refuse 4 "$M" repair middle.img
check repair-refuse-why grep -q -- '--log=accept-loss replays .*, --log=discard empties it$' err
check repair-refuse-wrote-nothing same_bytes middle.img middle.orig
cp --sparse=always middle.img mended.img
status repair-accept 0 "$M" repair --log=accept-loss mended.img
check repair-accept-says grep -qx 'log: emptied, 37 records (776192 bytes) given up' out
status repair-accept-clean 0 "$M" check mended.img
cp --sparse=always ends.img mended.img
status repair-ends 0 "$M" repair --log=accept-loss mended.img
check repair-ends-says grep -qx 'log: emptied, all of it given up' out
status repair-ends-clean 0 "$M" check mended.img
cp --sparse=always middle.img mended.img
status repair-discard 0 "$M" repair --log=discard mended.img
check repair-discard-says grep -q '^log: emptied, ' out
status repair-discard-clean 0 "$M" check mended.img

# mount
status mount-accept-rw 8 "$M" mount -o log=accept-loss middle.img dir
status mount-ignore-rw 8 "$M" mount -o log=ignore middle.img dir
status mount-log-nonsense 8 "$M" mount -o ro,log=maybe middle.img dir
if [ -n "$missing" ]; then
	for name in mount-refuse mount-refuse-rw mount-accept mount-ignore mount-ends; do skip $name "$missing"; done
	exit 0
fi
mkdir dir
undo() { ! mountpoint -q "$SCRATCH/dir" || umount "$SCRATCH/dir" || fusermount3 -u -z "$SCRATCH/dir"; }
trap 'undo; cd /; rm -rf --one-file-system "$SCRATCH"' EXIT
for options in ro rw ro,log=refuse; do
	status "mount-$options" 4 "$M" mount -o $options middle.img dir
	check "mount-$options-why" grep -q -- '-o ro,log=accept-loss replays .*, -o ro,norecovery .*repair --log=accept-loss' err
done
# mounted NAME IMAGE OPTIONS SAYS
mounted() {
	status "$1" 0 "$M" mount -o "$3" "$2.img" dir
	same "$1-says" "$4" "$(cat err)"
	check "$1-mounted" mountpoint -q dir
	check "$1-listed" ls dir
	check "$1-unmount" "$M" unmount dir
	check "$1-wrote-nothing" same_bytes "$2.img" "$2.orig"
}
mounted mount-accept middle ro,log=accept-loss \
	'mendfs: middle.img: the log is damaged: 13 records were replayed in memory, 37 records (776192 bytes) given up'
mounted mount-ends ends ro,log=accept-loss \
	'mendfs: ends.img: the log is damaged: 0 records were replayed in memory, all of it given up'
mounted mount-ignore middle ro,log=ignore ''
mounted mount-norecovery middle ro,norecovery ''
