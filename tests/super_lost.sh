#!/bin/bash
# The primary superblock lost or wrong: check says so, and finds nothing else, since a copy is believed.
# What is no filesystem at all, or cut short, has one clear error.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1
proto proto files
image good.img -d agcount=4 -p proto || { not_ok mkfs; exit 1; }

lost() {
	local name=$1 expected=$2
	shift 2
	cp --sparse=always good.img bad.img
	"$@"
	"$M" check bad.img >found 2>&1
	same "$name" "$expected" "$(grep -o '\[[A-Z_]*\]' found | sort -u | tr '\n' ' ')"
}
zero_first_sector() { dd if=/dev/zero of=bad.img bs=512 count=1 conv=notrunc status=none; }
lost zeroed '[BLOCK_MAGIC] ' zero_first_sector
lost agcount '[SB_GEOMETRY] ' "$M" damage bad.img superblock 0 agcount add
lost dirblklog '[SB_PRIMARY] ' "$M" damage bad.img superblock 0 dirblklog add

one_error() {
	local name=$1 pattern=$2
	"$M" check bad.img >found 2>err
	check "$name" test "$(wc -l <err)" = 1 -a "$(grep -c -E "$pattern" err)" = 1
}
: >bad.img
one_error empty 'too few'
head -c 1000000 /dev/urandom >bad.img
one_error noise 'magic'
cp --sparse=always good.img bad.img
truncate -s 200M bad.img
one_error truncated 'truncated'

# The others go by the copy as well, and say so.
cp --sparse=always good.img bad.img
zero_first_sector
"$M" info good.img | sed 's/good.img/bad.img /' >good.info
status info-lost 1 "$M" info bad.img
check info-the-same diff good.info out
check info-tells grep -q 'primary superblock is lost.*copy at sector [1-9]' err
check info-names-it grep -q '\[BLOCK_MAGIC\]' err
status inspect-lost 0 "$M" inspect bad.img /dir
check inspect-tells grep -q 'primary superblock is lost' err
check inspect-the-same diff <("$M" inspect good.img /dir) out
"$M" inspect good.img log >good.log
status inspect-log-lost 0 "$M" inspect bad.img log
check inspect-log-the-same diff good.log out
status inspect-superblock-lost 1 "$M" inspect bad.img superblock 0
status damage-lost 0 "$M" damage bad.img agi 1 count add
check damage-tells grep -q 'primary superblock is lost' err
check damage-done test "$("$M" inspect --field=count bad.img agi 1 2>/dev/null)" = "$(($("$M" inspect --field=count good.img agi 1) + 1))"
status damage-list-lost 0 "$M" damage --list bad.img
check damage-list-the-same diff <("$M" damage --list good.img) out
status damage-superblock-lost 0 "$M" damage bad.img superblock 0 agcount add
cp --sparse=always good.img bad.img
"$M" damage bad.img superblock 0 agcount add >/dev/null
status info-agcount 1 "$M" info bad.img
check info-agcount-the-same diff good.info out
cp --sparse=always good.img bad.img
printf x | dd of=bad.img bs=1 seek=108 conv=notrunc status=none
status info-crc 1 "$M" info bad.img
check info-crc-tells grep -q '\[BLOCK_CRC\]' err
same info-crc-primary 0 "$(grep -c lost err)"
