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
