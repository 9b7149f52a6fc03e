#!/bin/bash
# Damage under a filesystem in use: programs compile and read on, see no error, and what was damaged is mended meanwhile.
#
# A worker unpacks C sources and compiles them, over and over, each time in new directories; a reader compares a library of real files
# with the same files outside.  New directories go to the AGs in turn, so it is known where the worker will come to next, and two
# directories of the library are left for later: what is damaged is what the server has not read yet, as a disk's decay would be met.
# What nobody meets in time is found and mended by `mendfs repair`.  An error of a program, anything that is left, or a difference to
# the same work on the host makes the exit status 1.
#
# Everything ends: loops by a file, a number of rounds and a time, commands by timeout.  Needs FUSE, no root; less than a minute.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin:/sbin
MENDFS=${MENDFS:-$PWD/build/src/cli/mendfs}
if [ ! -e /dev/fuse ] || ! command -v fusermount3 >/dev/null; then
	echo "skipped: no FUSE mount here"
	exit 0
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/mendfs-live.XXXXXX")
image=$work/image mnt=$work/mnt log=$work/log stop=$work/stop
ags=32 shelves=30 deadline=$((SECONDS + 150))
server='' programs=()
mkdir "$mnt" "$work/tmp"
bold='' plain=''
if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; fi
step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
fail() {
	echo "FAILED: $*"
	exit 1
}
# within SECONDS COMMAND...: true as soon as the command is
within() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}
gone() { ! kill -0 "$1" 2>/dev/null; }
up() { mountpoint -q "$mnt" || gone "$server"; }
let_go() { mountpoint -q "$mnt" || return 0; timeout -k 5 40 "$MENDFS" unmount "$mnt"; }

# However it ends: programs first, then the mount. A server that is killed lets go of all who wait for it.
leave() {
	local status=$? pid
	trap - EXIT
	trap '' INT TERM HUP
	set +e
	cd /
	touch "$stop"
	for pid in "${programs[@]}"; do kill "$pid" 2>/dev/null; done
	if [ -n "$server" ] && ! gone "$server"; then
		kill "$server" 2>/dev/null
		within 15 gone "$server" || kill -9 "$server"
	fi
	if grep -q " $mnt " /proc/self/mounts; then timeout 10 fusermount3 -u -z "$mnt" 2>/dev/null || umount -l "$mnt"; fi
	wait
	rm -rf --one-file-system "$work"
	exit $status
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ---- the programs

# build DIR: a round of work, here and on the host
build() { mkdir "$1" && timeout -k 5 30 tar -C "$1" --no-same-owner -xf "$work/sources.tar" && cd "$1" && compile; }
compile() { TMPDIR=$work/tmp timeout -k 5 60 cc -w -O0 -I. -c base/*.c && timeout -k 5 30 ar rcD libbase.a ./*.o; }
note() { echo "$2" >"$work/$1.new" && mv "$work/$1.new" "$work/$1"; }
noted() { cat "$work/$1" 2>/dev/null || echo 0; }
going_on() { [ ! -e "$stop" ] && [ $SECONDS -lt $deadline ]; }
worker() {
	local round
	for ((round = 0; round < 200; round++)); do
		going_on || return 0
		(build "$mnt/build-$round") || return 1
		timeout -k 5 60 diff -r "$work/build" "$mnt/build-$round" || return 1
		if [ "$round" -ge 3 ]; then timeout -k 5 60 rm -r "$mnt/build-$((round - 3))" || return 1; fi
		note rounds $((round + 1))
		note ag $(($(stat -c %i "$mnt/build-$round/base") / inodes_of_ag))
	done
}
# Directories where the worker comes to late, or the one that the reader is sent to.
reader() {
	local visit shelf
	for ((visit = 0; visit < 1000; visit++)); do
		going_on || return 0
		shelf=$((shelves - 2 - visit % 8))
		if [ -e "$work/wanted" ]; then
			shelf=$(cat "$work/wanted")
			rm "$work/wanted"
		fi
		timeout -k 5 60 diff -r "$work/library/$shelf" "$mnt/library/$shelf" || return 1
		note visits $((visit + 1))
		sleep 0.5
	done
}

# ---- damage, and what becomes of it

said() { tail -n "+$((before + 1))" "$log" | sed 's/^mendfs: heal: //'; }
mended() { said | grep -q ' has waited '; }
idle() { for pid in "${programs[@]}"; do gone "$pid" && return 0; done; return 1; }
mended_or_idle() { mended || idle; }
healthy() { timeout -k 5 20 "$MENDFS" health -q "$mnt" >"$work/health" || { head "$work/health"; fail "not healthy"; }; }
strikes=0 met=0 longest=0
# strike WHAT WHO STRIKE...; WHO comes to it next, a number: the reader to that directory
strike() {
	local what=$1 who=$2 before waited
	shift 2
	strikes=$((strikes + 1)) before=$(wc -l <"$log")
	printf '\n%s\n' "$what"
	timeout -k 5 60 demo/strike.py "$MENDFS" "$image" "$work/tmp" "$@" >"$work/struck" || fail "no damage done"
	[ "$who" = worker ] || note wanted "$who"
	if within 15 mended_or_idle && mended; then
		met=$((met + 1))
		waited=$(said | sed -n 's/^a request has waited \([0-9]*\)\..*/\1/p' | sort -n | tail -1)
		[ "$waited" -le "$longest" ] || longest=$waited
		said | sed -n 's/^a request has waited [0-9.]* ms: /  met by a program: /p' | head -1
		said | grep -vE '^[0-9]+ findings| has waited ' | head -4 | sed 's/^/  mended: /'
		healthy
		said | sed -nE 's/^([0-9]+) findings, .* ([0-9]+) left, .*/  \1 findings, \2 left/p' | head -1 | tr '\n' ';'
		echo " the program has waited $waited ms; mendfs health: all well"
	else
		echo "  met by nobody so far: mendfs repair"
		timeout -k 5 60 "$MENDFS" repair "$mnt" | sed 's/^/  mended: /' || fail "not repaired"
		healthy
	fi
}
# Where the worker comes to in two rounds; the ends of the filesystem are left out.
ahead() { echo $((($(noted ag) + 5) % (ags - 8))); }
file_of() { find "$work/library/$1" -type f -size +8k -printf '%f\n' | sort | head -1; }

step "1. A new filesystem of $ags AGs, and a library of this machine's files in it"
files=()
while read -r -d '' file; do
	if [ -f "/$file" ] && [ ! -L "/$file" ]; then files+=("/$file"); fi
done < <(demo/tree.py list $((shelves * 20)))
each=$((${#files[@]} / shelves))
[ $each -ge 12 ] || fail "too few files on this machine"
for ((n = 1; n <= shelves; n++)); do
	mkdir -p "$work/library/$n"
	cp --backup=numbered -t "$work/library/$n" "${files[@]:(n - 1) * each:each}"
done
(cd src && tar -cf "$work/sources.tar" base/{hash,mutate,sorter,trail}.c base/mutations.def base/*.h)
(build "$work/build")
# Parent pointers bring lost names back; xfs_repair knows them from 6.10 on.
parent=0
if [ "$(printf '%s\n' 6.10 "$(xfs_repair -V | sed 's/.* //')" | sort -V | head -1)" = 6.10 ]; then parent=1; fi
timeout 30 "$MENDFS" mkfs -q -d "file,name=$image,size=1g,agcount=$ags" -n parent=$parent -l size=13m,agnum=$((ags - 1))
inodes_of_ag=$((1 << ($("$MENDFS" inspect --field=inopblog "$image" superblock) + $("$MENDFS" inspect --field=agblklog "$image" superblock))))
timeout -k 5 30 "$MENDFS" mount -o rw,no_default_permissions "$image" "$mnt"
mkdir "$mnt/library"
for ((n = 1; n <= shelves; n++)); do timeout -k 5 30 cp -r "$work/library/$n" "$mnt/library/"; done
let_go
echo "$shelves directories, $((shelves * each)) files, $(du -sh "$work/library" | cut -f1)"

step "2. mendfs mount -o heal=repair: a compiler and a reader work in it from now on"
"$MENDFS" mount -f -o rw,heal=repair,no_default_permissions "$image" "$mnt" 2>"$log" &
server=$!
within 20 up
mountpoint -q "$mnt" || fail "no mount: $(head -3 "$log")"
worker >"$work/worker.out" 2>&1 &
programs+=($!)
reader >"$work/reader.out" 2>&1 &
programs+=($!)
started() { [ "$(noted rounds)" -ge 1 ] || idle; }
within 60 started

step "3. Damage under them"
ag=$(ahead)
strike "The free-space trees of AG $ag: both blocks become zeroes" worker "bnobt $ag magic wipe 4096" "cntbt $ag magic wipe 4096"
if [ $parent = 1 ]; then
	strike "The directory /library/$shelves: its block with all names becomes zeroes" $shelves "inode /library/$shelves data 0 hdr.magic wipe 4096"
else
	strike "The directory /library/$shelves: the header of its block becomes zeroes" $shelves "inode /library/$shelves data 0 hdr.magic wipe 64"
fi
file=/library/$((shelves - 1))/$(file_of $((shelves - 1)))
strike "The inode of $file" $((shelves - 1)) "$file core.magic zeroes" "$file extents[0].startblock zeroes"
ag=$(ahead)
strike "The reverse map of AG $ag: its block becomes zeroes" worker "rmapbt $ag magic wipe 4096"
ag=$(ahead)
strike "The headers of AG $ag, AGF, AGI and AGFL: all three become zeroes" worker \
	"agf $ag magicnum wipe 512" "agi $ag magicnum wipe 512" "agfl $ag magicnum wipe 512"

step "4. What the programs have seen of it"
touch "$stop"
for pid in "${programs[@]}"; do
	within 60 gone "$pid" || fail "a program does not end"
	wait "$pid" || { cat "$work/worker.out" "$work/reader.out"; fail "a program has seen an error or a difference"; }
done
programs=()
echo "no error: $(noted rounds) rounds compiled, $(noted visits) directories read; $met of $strikes damages met by programs, which have waited $longest ms at most"
let_go
wait "$server" || fail "the server has ended badly"
server=

step "5. Is it sound, and as it should be?"
echo "\$ mendfs check image"
"$MENDFS" check "$image" >"$work/check" || { cat "$work/check"; fail "not sound"; }
tail -2 "$work/check" | sed "s,$work/,,"
echo "\$ xfs_repair -n image"
xfs_repair -n -f "$image" >"$work/judge" 2>&1 || { cat "$work/judge"; fail "xfs_repair finds something"; }
echo "finds nothing"
timeout -k 5 30 "$MENDFS" mount -o ro,no_default_permissions "$image" "$mnt"
diff -r "$work/library" "$mnt/library" || fail "the library differs"
for dir in "$mnt"/build-*; do diff -r "$work/build" "$dir" || fail "$dir differs"; done
[ ! -e "$mnt/lost+found" ] || fail "something is in lost+found"
let_go
echo "diff -r with the same files and the same work on the host: no difference"
