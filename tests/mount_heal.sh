#!/bin/bash
# Damage under a mounted filesystem: with -o heal programs that read and create through it see no error, and `mendfs repair DIR`
# mends what nobody has met; afterwards check and xfs_repair -n find nothing, and all files are what they were.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
image=$SCRATCH/heal.img dir=$SCRATCH/dir
skip_all_if "$(fuse_missing)" mount-heal

# hurt OBJECT... FIELD VERB: the image is damaged while it is mounted, by the bytes in which a damaged copy differs
hurt() {
	cp "$image" "$SCRATCH/copy" && "$MENDFS" damage "$SCRATCH/copy" "$@" >/dev/null || return 1
	cmp -l "$image" "$SCRATCH/copy" | python3 -c '
import sys
with open(sys.argv[1], "r+b") as image:
    for line in sys.stdin:
        at, _, new = line.split()
        image.seek(int(at) - 1)
        image.write(bytes([int(new, 8)]))' "$image"
}
fill() {
	local i
	mkdir "$dir/d" "$dir/e" && for i in $(seq 300); do echo "$i" >"$dir/d/a-name-that-is-$i" || return 1; done
	head -c 3000000 /dev/urandom >"$dir/large" && sync
}
content() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }
create() {
	local i
	for i in $(seq 200); do echo "$i" >"$dir/$1-$i" || return 1; done
}
quiet_repair() { xfs_repair -n -f "$image" >"$SCRATCH/judge" 2>&1 || { cat "$SCRATCH/judge"; return 1; }; }
# done_with NAME: unmounted, sound, and as it was
done_with() {
	check "$1-unmount" quit "$dir"
	check "$1-check" "$MENDFS" check "$image"
	check "$1-xfs-repair" quiet_repair
}

# What cannot be mended (no tree fits beside the old one in an AG that the log fills) makes a repair dare more, but only step by step: a
# directory whose names are all in parent pointers gets them back before files without a name go to /lost+found.
stuck() {
	rm -f "$image"
	"$MENDFS" mkfs -q -d file,size=1g,agcount=64 -n parent=1 "$image" 2>/dev/null && serve "$image" "$dir" rw || { not_ok stuck-mount "no mount"; return; }
	mkdir "$dir/d"
	for i in $(seq 40); do echo "$i" >"$dir/d/a-name-that-is-$i"; done
	content "$dir" >"$SCRATCH/before"
	check stuck-filled quit "$dir"
	block=$("$MENDFS" inspect "$image" /d data 0 | sed -n '1s/.*sector \([0-9]*\),.*/\1/p')
	check stuck-hurt-directory dd if=/dev/zero of="$image" bs=512 seek="$block" count=8 conv=notrunc status=none
	check stuck-hurt "$MENDFS" damage "$image" rmapbt 32 magic zeroes
	if "$MENDFS" repair "$image" >"$SCRATCH/said"; then not_ok stuck-left "nothing, so this tests nothing"; else ok stuck-left; fi
	serve "$image" "$dir" ro || { not_ok stuck-mount-again "no mount"; return; }
	content "$dir" >"$SCRATCH/after"
	check stuck-content cmp "$SCRATCH/before" "$SCRATCH/after"
	check stuck-unmount quit "$dir"
}

# A name whose parent pointer is missing (it says another parent), and one that only a parent pointer has: whoever removes or makes them meets that.
pointers() {
	rm -f "$image"
	"$MENDFS" mkfs -q -d file,size=320m -n parent=1 "$image" 2>/dev/null && serve "$image" "$dir" rw || { not_ok pointers-mount "no mount"; return; }
	mkdir "$dir/d"
	for i in $(seq 5); do echo "$i" >"$dir/d/name-$i"; done
	check pointers-filled quit "$dir"
	check pointers-hurt "$MENDFS" damage "$image" /d/name-1 'attr_parent[0].gen' ones
	check pointers-hurt-too "$MENDFS" damage "$image" /d/name-2 'attr_name[0].name' lastbit
	serve "$image" "$dir" rw || { not_ok pointers-mount-none "no mount"; return; }
	if rm "$dir/d/name-1" 2>"$SCRATCH/said"; then not_ok pointers-none "no error"; else ok pointers-none; fi
	check pointers-uncleaned grep -qi 'clean' "$SCRATCH/said"
	check pointers-unmount quit "$dir"
	serve "$image" "$dir" rw,heal=repair || { not_ok pointers-mount-heal "no mount"; return; }
	check pointers-removed rm "$dir/d/name-1"
	check pointers-renamed mv "$dir/d/name-2" "$dir/name-2"
	check pointers-content cmp "$dir/name-2" <(echo 2)
	check pointers-unmount-again quit "$dir"
	check pointers-check "$MENDFS" check "$image"
}

# one NAME MKFS-OPTION...
one() {
	local name=$1
	make_image "$image" 320M "${@:2}" || { not_ok "$name-mkfs" "$*"; return; }
	serve "$image" "$dir" rw || { not_ok "$name-first-mount" "no mount"; return; }
	check "$name-fill" fill
	content "$dir" >"$SCRATCH/before"
	check "$name-filled" quit "$dir"

	# what an allocation meets
	serve "$image" "$dir" rw,heal || { not_ok "$name-mount" "no mount"; return; }
	check "$name-hurt-space" hurt bnobt 0 magic zeroes
	check "$name-hurt-space-by-size" hurt cntbt 0 magic zeroes
	check "$name-hurt-inodes" hurt inobt 0 magic zeroes
	check "$name-create" create new
	check "$name-says-so" grep -q 'heal: AG 0: rebuilt' "$SCRATCH/log"
	check "$name-says-how-long" grep -q 'heal: .* after [0-9]* ms' "$SCRATCH/log"
	rm -f "$dir"/new-*
	done_with "$name-space"

	# what a reader meets
	serve "$image" "$dir" rw,heal || { not_ok "$name-mount-again" "no mount"; return; }
	check "$name-hurt-directory" hurt /d data 0 magic zeroes
	check "$name-read" cmp "$dir/d/a-name-that-is-7" <(echo 7)
	content "$dir" >"$SCRATCH/after"
	check "$name-content" cmp "$SCRATCH/before" "$SCRATCH/after"
	done_with "$name-directory"

	# nobody meets it
	serve "$image" "$dir" rw || { not_ok "$name-mount-third" "no mount"; return; }
	check "$name-hurt-headers" hurt agf 1 magicnum zeroes
	check "$name-hurt-more-headers" hurt agi 1 magicnum zeroes
	if "$MENDFS" check "$dir" >"$SCRATCH/out"; then not_ok "$name-found" "nothing"; else ok "$name-found"; fi
	check "$name-repair" "$MENDFS" repair "$dir"
	check "$name-clean" "$MENDFS" check "$dir"
	check "$name-goes-on" create more
	rm -f "$dir"/more-*
	content "$dir" >"$SCRATCH/after"
	check "$name-content-again" cmp "$SCRATCH/before" "$SCRATCH/after"
	done_with "$name-headers"

	# what is in memory already is damaged on the device, where a repair looks: it goes by that alone, and mixes nothing
	serve "$image" "$dir" rw || { not_ok "$name-mount-known" "no mount"; return; }
	content "$dir" >/dev/null
	check "$name-hurt-known-directory" hurt /d data 0 magic zeroes
	check "$name-hurt-known-inode" hurt /e core.magic zeroes
	check "$name-repair-known" "$MENDFS" repair "$dir"
	check "$name-nothing-lost" test ! -e "$dir/lost+found"
	content "$dir" >"$SCRATCH/after"
	check "$name-content-known" cmp "$SCRATCH/before" "$SCRATCH/after"
	done_with "$name-known"

	# without heal, an error and no more
	serve "$image" "$dir" rw || { not_ok "$name-mount-fourth" "no mount"; return; }
	hurt inobt 0 magic zeroes && hurt inobt 1 magic zeroes
	if create none 2>/dev/null; then not_ok "$name-no-heal" "no error"; else ok "$name-no-heal"; fi
	check "$name-repaired" "$MENDFS" repair "$dir"
	rm -f "$dir"/none-*
	done_with "$name-none"
}
one rmap-1k -b size=1024 -m rmapbt=1,reflink=1 -d agcount=2
one plain-4k -m rmapbt=0,reflink=0 -d agcount=2
stuck
pointers
