#!/bin/bash
# What mendfs does, on a real filesystem: check it, damage it, say what is wrong, read what is left.
#
#   demo.sh [FILES [HOW]]       (default 20000)
#
# mendfs makes the filesystem.  Programs fill it, on a mount by the kernel where root and loop devices allow, else on mendfs' own; where
# there is no FUSE either, Debian's mkfs.xfs makes it from a prototype, which knows no hard links, attributes and reflinks.  HOW is one
# of kernel, fuse, proto; else it is the first that works.  Takes less than two minutes, leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin:/sbin
MENDFS=${MENDFS:-$PWD/build/src/cli/mendfs}
files=${1:-20000} ways=${2:-kernel fuse proto}
work=$(mktemp -d "${TMPDIR:-/tmp}/mendfs-demo.XXXXXX")
image=$work/image mnt=$work/mnt
mkdir "$mnt"

leave() {
	local status=$?
	cd /
	if mountpoint -q "$mnt"; then umount "$mnt" 2>/dev/null || fusermount3 -u -z "$mnt" 2>/dev/null || umount -l "$mnt"; fi
	rm -rf --one-file-system "$work"
	exit $status
}
trap leave EXIT
trap 'exit 130' INT TERM HUP

bold='' plain=''
if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; fi
step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
# run COMMAND...: shows it, too
run() {
	printf '$ mendfs %s\n' "${*//$work\//}"
	"$MENDFS" "$@"
}
# lines N: the first N, and how many there are more
lines() { awk -v n="$1" '{ if (NR <= n) print "  " (length($0) > 168 ? substr($0, 1, 165) "..." : $0) } END { if (NR > n) printf "  ... and %d more\n", NR - n }'; }

# names WHICH: these of the files, with NULs between them
names() { sed -zn "$1p" "$work/list"; }
# A real tree; a tenth of its files gets a second name, a tenth a clone, which shares the data, and some an attribute.
fill() (
	tar -C / --null -T "$work/list" -cf - 2>/dev/null | tar -C "$mnt" -xf - || true
	cd "$mnt"
	mkdir linked cloned
	names '1~10' | xargs -0 cp -al --parents -t linked
	names '6~10' | xargs -0 cp -a --reflink=auto --parents -t cloned
	names '3~40' | find -files0-from - -type f -print0 | xargs -0 setfattr -n user.origin -v "a real tree"
)
# Each makes a mount to fill, and says by what it is let go; or the whole filesystem.
by_kernel() {
	[ "$(id -u)" = 0 ] && mount -t xfs -o loop "$image" "$mnt" 2>/dev/null || return 1
	how="on a mount by the kernel" let_go=(umount)
}
by_fuse() {
	"$MENDFS" mount -o rw,no_default_permissions "$image" "$mnt" 2>/dev/null || return 1
	how="on a mount by mendfs" let_go=("$MENDFS" unmount)
}
by_proto() {
	demo/tree.py proto "$files" >"$work/proto"
	mkfs.xfs -q -f -p "$work/proto" "$image" || return 1
	how="by mkfs.xfs from a prototype: no hard links, attributes and reflinks"
}
# shares AG [block N]: how many blocks more the files of this AG would take, did they not share them; from its reference counts
shares() {
	local node
	"$MENDFS" inspect "$image" refcountbt "$@" >"$work/node"
	awk '/^recs\[/ && $2 == "0x0" { n += $4 * ($5 - 1) } END { print n + 0 }' "$work/node"
	for node in $(awk '/^ptrs\[/ { print $2 }' "$work/node"); do shares "$1" block "$node"; done
}

demo/tree.py list "$files" >"$work/list"
step "1. A new filesystem, with a real tree of this machine"
run mkfs -q -d "file,name=$image,size=2g"
how='' let_go=()
for way in $ways; do
	if "by_$way"; then break; fi
done
[ -n "$how" ] || { echo "FAILED: it cannot be filled by any of: $ways"; exit 1; }
if [ ${#let_go[@]} -gt 0 ]; then
	fill
	"${let_go[@]}" "$mnt"
fi
echo "filled $how"
"$MENDFS" info "$image" | head -3

step "2. Is it sound?"
run check "$image"

reason=
if ! "$MENDFS" mount -o ro "$image" "$mnt" 2>"$work/err"; then
	reason="no FUSE mount here ($(head -1 "$work/err"))"
else
	demo/read.py "$mnt" "$work/before"
	"$MENDFS" unmount "$mnt"
fi
agcount=$("$MENDFS" inspect --field=agcount "$image" superblock)
echo "shared: $(for ((ag = 0; ag < agcount; ag++)); do shares $ag; done | awk '{ n += $1 } END { print n }') blocks that clones do not take again"

step "3. Five structures are damaged"
# A directory that has blocks of its own and nothing below it, and two files of other directories that have data.
dir=
while read -r -d '' count candidate; do
	if [ -z "$dir" ] && [ "$count" -ge 40 ] && [ "$count" -le 150 ] && [ -z "$(find "/$candidate" -mindepth 1 -type d)" ]; then dir=$candidate; fi
done < <(sed -z 's,/[^/]*$,,' "$work/list" | sort -z | uniq -zc)
victims=()
while read -r -d '' file; do
	if [ -s "/$file" ] && [ ! -L "/$file" ] && [ "${file%/*}" != "$dir" ]; then victims+=("$file"); fi
done < <(sed -zn '0~301p' "$work/list")
undo=()
# damage WHAT ARGUMENT...
damage() {
	local what=$1
	shift
	"$MENDFS" damage --seed=1 "$@" >"$work/damaged"
	printf '  %-36s %s\n' "$what" "$(sed -n 1p "$work/damaged" | cut -c1-120)"
	undo+=("$(sed -n 's/^undo: mendfs //p' "$work/damaged")")
}
damage "free space of AG 1" "$image" bnobt 1 'recs[0].blockcount' sub
damage "inode counter of AG 2" "$image" agi 2 freecount add
damage "link count of a file" "$image" "/${victims[0]}" nlink add
damage "where a file's data is" "$image" "/${victims[1]}" 'extents[0].startblock' firstbit
damage "a directory block, and its checksum" --no-fix-crc "$image" "/$dir" data 0 'crc' middlebit

step "4. What is wrong, says mendfs"
run check "$image" >"$work/findings" || true
lines 14 <"$work/findings"

step "   What is wrong, says xfs_repair -n"
xfs_repair -n -f "$image" >"$work/judge" 2>&1 || true
grep -vE '^(Phase|No modify|Cannot get host|Repair may|the image and)|^ +- ' "$work/judge" | lines 14

step "5. What can still be read, from a read-only mount"
if [ -n "$reason" ]; then
	echo "skipped: $reason"
else
	printf '$ mendfs mount -o ro image mnt\n'
	"$MENDFS" mount -f -o ro "$image" "$mnt" 2>"$work/log" &
	server=$!
	for _ in {1..50}; do
		mountpoint -q "$mnt" && break
		sleep 0.1
	done
	demo/read.py "$mnt" "$work/before" --compare
	"$MENDFS" unmount "$mnt"
	wait $server
	echo "the log of the mount:"
	lines 5 <"$work/log"
fi

step "6. The damage is undone: sound again"
for ((n = ${#undo[@]} - 1; n >= 0; n--)); do eval "\"\$MENDFS\" ${undo[n]}" >/dev/null; done
run check "$image"
