#!/bin/bash
# Damaged objects answer EUCLEAN with the reason in the log; everything else stays readable.
set -uo pipefail
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"

skip_all_if "$(fuse_missing)" directory index inode symlink attribute
image=$SCRATCH/image ours=$SCRATCH/ours
mkdir "$ours"
echo content >"$SCRATCH/content"
{
	printf 'x\n0 0\nd--755 0 0\n'
	for dir in good bad index; do
		printf '%s d--755 0 0\n' $dir
		for n in {1..100}; do printf 'a-file-with-a-long-enough-name-%d ---644 0 0 %s\n' "$n" "$SCRATCH/content"; done
		printf '$\n'
	done
	printf 'first ---644 0 0 %s\nbadfile ---644 0 0 %s\nlast ---644 0 0 %s\n' "$SCRATCH/content" "$SCRATCH/content" "$SCRATCH/content"
	printf '$\n'
} >"$SCRATCH/proto"
make_image "$image" 320M -p "$SCRATCH/proto"
# The links need a kernel: those that mkfs.xfs makes of a prototype lack the header of their blocks.
by_kernel=
if [ -z "$(kernel_missing)" ] && kernel_up "$image" "$SCRATCH/kernel"; then
	for n in {1..60}; do setfattr -n "user.$n" -v "$(printf 'v%.0s' {1..60})" "$SCRATCH/kernel/last"; done
	ln -s "$(printf 'x%.0s' {1..900})" "$SCRATCH/kernel/badlink"
	ln -s "$(printf 'y%.0s' {1..900})" "$SCRATCH/kernel/goodlink"
	down "$SCRATCH/kernel"
	by_kernel=1
else
	for name in symlink attribute; do skip $name "needs a kernel mount"; done
fi

# inode_of NAME; block_of INODE FORK: byte address of the fork's first block; inode_at INODE
inode_of() { stat -c %i "$ours/$1"; }
db() { xfs_db -r "${@:2}" "$image" | sed -n "$1"; }
byte_of() { db 's/^0x[0-9a-f]* (\([0-9]*\))$/\1/p' -c "convert $1 $2 byte"; }
block_of() { byte_of fsblock "$(db 's/.*offset 0 startblock \([0-9]*\) .*/\1/p' -c "inode $1" -c "bmap $2")"; }
# leaf_of INODE: byte address of the index of a directory that has one block of it
leaf_of() { byte_of fsblock "$(db "s/.*offset $((32 << 30 >> 12)) startblock \([0-9]*\) .*/\1/p" -c "inode $1" -c bmap)"; }
# spoil OFFSET: turns a few bytes round
spoil() {
	python3 - "$image" "$1" <<'PYTHON'
import sys
with open(sys.argv[1], "r+b") as image:
    image.seek(int(sys.argv[2]))
    old = image.read(4)
    image.seek(int(sys.argv[2]))
    image.write(bytes(255 - byte for byte in old))
PYTHON
}
serve "$image" "$ours"
bad_dir=$(inode_of bad) bad_file=$(inode_of badfile) bad_index=$(inode_of index)
if [ $by_kernel ]; then bad_link=$(inode_of badlink) last=$(inode_of last); fi
quit "$ours"
spoil $(($(block_of "$bad_dir" -d) + 200))
spoil $(($(leaf_of "$bad_index") + 100))
spoil $(($(byte_of inode "$bad_file") + 90))
if [ $by_kernel ]; then
	spoil $(($(block_of "$bad_link" -d) + 100))
	spoil $(($(block_of "$last" -a) + 300))
fi
serve "$image" "$ours"

# unclean NAME INODE COMMAND...: fails with EUCLEAN, and the log names the inode
unclean() {
	local name=$1 inode=$2 printed
	shift 2
	if printed=$("$@" 2>&1 >/dev/null); then
		not_ok "$name" "it succeeded"
	elif [[ $printed != *"Structure needs cleaning"* ]]; then
		not_ok "$name" "$printed"
	elif ! grep -q "\\b$inode\\b" "$SCRATCH/log"; then
		cat "$SCRATCH/log"
		not_ok "$name" "nothing about inode $inode in the log"
	else
		ok "$name"
	fi
}
unclean directory "$bad_dir" ls "$ours/bad"
unclean directory-lookup "$bad_dir" cat "$ours/bad/a-file-with-a-long-enough-name-7"
# An index can be done without: the names are in the blocks of data.
check index-found cmp -s "$ours/index/a-file-with-a-long-enough-name-77" "$SCRATCH/content"
if printed=$(cat "$ours/index/not-there" 2>&1); then
	not_ok index-not-found "found"
else
	case $printed in *"No such file"*) ok index-not-found ;; *) not_ok index-not-found "$printed" ;; esac
fi
check index-told grep -q "lookup: .*\b$bad_index\b" "$SCRATCH/log"
unclean inode "$bad_file" cat "$ours/badfile"
if [ $by_kernel ]; then
	unclean symlink "$bad_link" readlink -v "$ours/badlink"
	unclean attribute "$last" getfattr -n user.1 --only-values "$ours/last"
fi
# names are listed, the damaged file's too
listing=$(find "$ours" -maxdepth 1 -mindepth 1 -printf '%f ' 2>/dev/null)
check listing test "$(wc -w <<<"$listing")" = $((6 + 2 * ${by_kernel:-0}))
readable() {
	local file
	cmp -s "$ours/first" "$SCRATCH/content" && cmp -s "$ours/last" "$SCRATCH/content" || return 1
	[ -z "$by_kernel" ] || [ "$(readlink "$ours/goodlink")" = "$(printf 'y%.0s' {1..900})" ] || return 1
	for file in "$ours"/good/*; do cmp -s "$file" "$SCRATCH/content" || return 1; done
	[ "$(find "$ours/good" -type f | wc -l)" = 100 ]
}
check rest-readable readable
ls "$ours/bad" >/dev/null 2>&1
check told-once test "$(grep -c "readdir: .*\\b$bad_dir\\b" "$SCRATCH/log")" = 1
check server-ends quit "$ours"
sed 's/^/log: /' "$SCRATCH/log"
