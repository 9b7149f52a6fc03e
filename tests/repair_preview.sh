#!/bin/bash
# mendfs repair --preview: the image stays as it is; what it would do and what would be lost is told by path and in bytes; and its
# result can be mounted to be looked at: the tree is that of a repair of a copy.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
# shellcheck source=tests/damage/lib.sh
TOP=$SOURCE_TOP
. "$SOURCE_TOP/tests/damage/lib.sh"
# image FILE MKFS-OPTION...: as tests/lib.sh has it
image() { make_image "$1" "${SIZE:-320M}" "${@:2}"; }
cd "$SCRATCH" || exit 1
at=$SCRATCH/at
mkdir "$at"
plain_base

hurt() { "$MENDFS" damage "$@" >>damage.out 2>&1 || { cat damage.out; not_ok "damage" "$*"; }; }
# wipe IMAGE OBJECT BYTES: `block AG:BNO` of filesystems with one AG, or of AG 0
wipe() { dd if=/dev/zero of="$1" bs="$3" seek="${2#block 0:}" count=1 conv=notrunc status=none; }
# blocks IMAGE TYPE: the blocks of that type
blocks() { "$MENDFS" damage "$1" --list | cut -f1 | grep " as $2\$" | sort -u | sed "s/ as $2//"; }
# hurt_directories IMAGE N: its Nth block of names
hurt_directories() {
	local block
	block=$(blocks "$1" dirdata | sed -n "$2p")
	hurt "$1" block "${block#block }" as dirdata magic zeroes
}
same_bytes() { [ "$(cksum <"$1")" = "$2" ]; }
preview() { "$MENDFS" repair --preview "$@" >out 2>err; }

# A directory of which a block is gone, an inode, and trees of both AGs.
ino() { "$MENDFS" inspect plain.img "$1" | grep -m 1 -o 'inode [0-9]*' | tail -c +7; }
victim=$(ino /dir/a-file-of-number-7)
hurt_directories plain.img 2
hurt plain.img inode "$victim" nlink ones
hurt plain.img bnobt 0 magic zeroes
hurt plain.img agi 1 root ones
sum=$(cksum <plain.img)
preview plain.img
same() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "expected $2, found $3"; fi; }
same status 0 $?
check says-path grep -q "^inode $victim (/dir/a-file-of-number-7): " out
check says-preview grep -q 'nothing was written, this was a preview$' out
check untouched same_bytes plain.img "$sum"

# What is lost: a leaf of the map of a file, where there is no reverse map; and attributes.
lossy() {
	make_image lossy.img 300M -b size=1024 -m rmapbt=0 || return 1
	serve lossy.img "$at" rw || return 1
	python3 - "$at" <<-'EOF'
		import os, sys
		os.mkdir(sys.argv[1] + "/d")
		fd = os.open(sys.argv[1] + "/d/holes", os.O_CREAT | os.O_RDWR)
		for i in range(0, 600, 2):
		    os.pwrite(fd, b"full" * 1024, i * 4096)
		for i in range(30):
		    os.setxattr(fd, "user.a%d" % i, b"v" * 50)
	EOF
	quit "$at" || return 1
	cp --sparse=always lossy.img whole.img
	wipe lossy.img "$(blocks whole.img bmbt | sed -n 2p)" 1024
	wipe lossy.img "$(blocks whole.img attrleaf | sed -n 2p)" 1024
}
# The bytes that are told and those that are lost, but for a block of the map, the values of attributes, and a block of theirs, which the
# inode counts with its data: a few blocks more or less.
told_rightly() {
	local told lost
	told=$(sed -n 's,.*(/d/holes): [0-9]* extents are lost\, about \([0-9]*\) bytes$,\1,p' out)
	lost=$("${CAMPAIGN%campaign}lost" whole.img repaired.img | sed 's/.* names, \([0-9]*\) bytes/\1/')
	echo "told: $told, lost: $lost"
	[ "$told" -gt 100000 ] && [ "$((lost - told))" -gt -4096 ] && [ "$((lost - told))" -lt 4096 ]
}
reason=$(fuse_missing)
if [ -n "$reason" ]; then
	for name in lossy mount; do skip "$name" "$reason"; done
	exit 0
fi
if lossy; then
	preview lossy.img
	cp --sparse=always lossy.img repaired.img
	"$MENDFS" repair repaired.img >real
	check tells-bytes told_rightly
	check tells-attributes grep -q '(/d/holes): 1 blocks of its attributes make no sense: what was in them is lost' out
	check sums-up grep -q '^would be lost: .* bytes of files$' out
	check repair-sums-up grep -q '^lost: .* bytes of files$' real
	check repair-does-the-same cmp <(sed 's/ ([^)]*)//g; s/^would be //; s/; nothing was written.*//' out) real
else
	not_ok lossy "no image"
fi

# tree DIR: all but when things were changed, and how much is free, which is by the image, too
tree() { "$LIST" "$1" | sed -E 's/ [cm]time_ns=[0-9]+//g'; }
server_of() { pgrep -f "^$MENDFS repair --preview .*--mount=$at $1\$" | head -1; }
# Each descriptor of the server for the image is read-only.
only_reads() {
	local fd n=0
	for fd in /proc/"$1"/fd/*; do
		[ "$(readlink "$fd")" = "$2" ] || continue
		n=$((n + 1))
		grep -q '^flags:.*0$' "/proc/$1/fdinfo/${fd##*/}" || { echo "$fd can be written to"; return 1; }
	done
	[ $n -gt 0 ]
}
looked_at() {
	local name=$1 image=$PWD/$2
	MOUNTED+=("$at")
	local sum status server
	sum=$(cksum <"$image")
	preview --mount="$at" "$image"
	status=$?
	same "$name-status" 0 $status
	tree "$at" >"$name.preview"
	server=$(server_of "$image")
	check "$name-only-reads" only_reads "$server" "$image"
	check "$name-shown" test "$(findmnt -n -o SOURCE,FSTYPE "$at")" = "$image fuse.mendfs"
	if "$MENDFS" repair "$image" >out 2>err || ! grep -q 'in use' err; then not_ok "$name-locked" "repaired meanwhile"; else ok "$name-locked"; fi
	if "$MENDFS" repair "$at" >out 2>err || ! grep -q 'read-only' err; then not_ok "$name-refuses" "$(cat err)"; else ok "$name-refuses"; fi
	if touch "$at/new" 2>/dev/null; then not_ok "$name-read-only" "written to"; else ok "$name-read-only"; fi
	check "$name-checked" "$MENDFS" check "$at" >check.out
	if [ "${3:-unmount}" = unmount ]; then "$MENDFS" unmount "$at"; else kill -"$3" "$server"; fi
	check "$name-ends" wait_until gone "$server"
	check "$name-unmounted" unmounted "$at"
	check "$name-untouched" same_bytes "$image" "$sum"
	cp --sparse=always "$image" copy.img
	"$MENDFS" repair copy.img >out || { cat out; not_ok "$name-repair" "of a copy"; }
	"$MENDFS" mount -o ro copy.img "$at"
	tree "$at" >"$name.real"
	"$MENDFS" unmount "$at"
	check "$name-same" cmp "$name.preview" "$name.real"
	check "$name-has-all" test "$(wc -l <"$name.preview")" -gt "$4"
}
looked_at plain plain.img unmount 150
looked_at lossy lossy.img TERM 2
xz -dc "$SOURCE_TOP/tests/fixtures/aged-1k.img.xz" >aged.img
hurt_directories aged.img 1
hurt aged.img agf 0 length ones
looked_at aged aged.img INT 20

# In the foreground.
"$MENDFS" repair --preview -f --mount="$at" plain.img >out 2>err &
server=$!
SERVERS+=("$server")
check foreground wait_until mountpoint -q "$at"
check foreground-stays kill -0 "$server"
"$MENDFS" unmount "$at"
wait "$server"
same foreground-status 0 $?

# refuses NAME STATUS TEXT WORD...
refuses() {
	"$MENDFS" repair "${@:4}" >out 2>err
	local status=$?
	if [ $status = "$2" ] && grep -q "$3" err; then ok "$1"; else not_ok "$1" "status $status: $(cat err)"; fi
}
refuses mount-alone 8 'go with --preview' --mount="$at" plain.img
refuses foreground-alone 8 'goes with --mount' --preview -f plain.img
refuses no-directory 4 'No such file' --preview --mount="$SCRATCH/none" plain.img
check no-directory-early test ! -s out

# Of what is mounted: the same is told as the repair then does, programs write on, and the mount keeps its damage.
writing() {
	local n=0
	while [ ! -e stop ]; do echo $((n++)) >"$at/written-$n" || return 1; done
	[ $n -gt 1 ]
}
actions() { grep -E '^(AG|inode|directory|[a-z]* [0-9]*: )' "$1" | sed 's/ ([^)]*)//g' | sort; }
of_a_mount() {
	local damaged=$1 status writer
	xz -dc "$SOURCE_TOP/tests/fixtures/aged-1k.img.xz" >mounted.img
	serve mounted.img "$at" rw && echo x >"$at/new" && quit "$at" || return 1
	hurt_directories mounted.img 1
	hurt mounted.img inobt 0 magic zeroes
	hurt mounted.img inode "$("$MENDFS" inspect mounted.img /new | grep -m 1 -o 'inode [0-9]*' | tail -c +7)" size firstbit
	serve mounted.img "$at" "$damaged" || return 1
	rm -f stop
	writing &
	writer=$!
	preview "$at"
	status=$?
	: >stop
	if [ "$damaged" = rw ]; then wait $writer || return 1; else wait $writer; fi
	same "of-a-mount-$damaged-status" 0 $status
	check "of-a-mount-$damaged-path" grep -q "^inode [0-9]* (/new): size" out
	check "of-a-mount-$damaged-says" grep -q ' 0 left after .*nothing was written, this was a preview$' out
	refuses "of-a-mount-$damaged-mount" 4 'mount is for what is not mounted' --preview --mount="$SCRATCH/none" "$at"
	if "$MENDFS" check "$at" >check.out; then not_ok "of-a-mount-$damaged-keeps" "$(cat check.out)"; else ok "of-a-mount-$damaged-keeps"; fi
}
if of_a_mount rw; then
	actions out >told
	preview "$at"
	actions out >told.again
	"$MENDFS" repair "$at" >out 2>err
	same of-a-mount-repair 0 $?
	check of-a-mount-same cmp told.again <(actions out)
	"$MENDFS" check "$at" >check.out || not_ok of-a-mount-repaired "$(cat check.out)"
	quit "$at" || not_ok of-a-mount-server "ended badly"
	check of-a-mount-sound "$MENDFS" check mounted.img >check.out
else
	not_ok of-a-mount "it cannot be written to"
fi
sum=
if of_a_mount ro; then
	sum=$(cksum <mounted.img)
	quit "$at" || not_ok of-a-mount-ro-server "ended badly"
	check of-a-mount-ro-untouched same_bytes mounted.img "$sum"
fi
