#!/bin/bash
# Scrub of a mounted filesystem: every item of every object by the ioctl, sound, damaged and made anew by force; and `mendfs scrub`
# with the options and the exit status of xfs_scrub.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
SCRUB=$SOURCE_TOP/tests/mount/scrub.py
image=$SCRATCH/scrub.img dir=$SCRATCH/dir
skip_all_if "$(fuse_missing)" scrub
if [ "$(id -u)" != 0 ]; then skip_all_if "needs root (it fills in devices and owners)" scrub; fi

# hurt WORDS...: the image is damaged while it is mounted: a copy by `mendfs damage`, in each of these ways ("OBJECT... FIELD VERB"),
# and then the image at the places that it tells
hurt() {
	local words
	cp --sparse=always "$image" "$SCRATCH/copy" || return 1
	for words in "$@"; do
		# shellcheck disable=SC2086
		"$MENDFS" damage "$SCRATCH/copy" $words >"$SCRATCH/damage" || return 1
		python3 - "$SCRATCH/copy" "$image" "$SCRATCH/damage" <<-'END' || return 1
			import re, sys
			with open(sys.argv[1], "rb") as copy, open(sys.argv[2], "r+b") as image:
			    for old, at in re.findall(r"--undo=([0-9a-f]+)@([0-9]+)", open(sys.argv[3]).read()):
			        copy.seek(int(at))
			        image.seek(int(at))
			        image.write(copy.read(len(old) // 2))
		END
	done
}
judged() { xfs_repair -n -f "$image" >"$SCRATCH/judge" 2>&1 || { cat "$SCRATCH/judge"; return 1; }; }
# status NAME EXPECTED COMMAND...
status() {
	local name=$1 expected=$2 found
	shift 2
	"$@" >"$SCRATCH/out" 2>"$SCRATCH/err"
	found=$?
	[ "$found" = "$expected" ] || head -20 "$SCRATCH/out" "$SCRATCH/err"
	check "$name" test "$found" = "$expected"
}
# answer NAME EXPECTED TYPE [KEY=VALUE...]
answer() {
	local found
	found=$("$SCRUB" one "$dir" "${@:3}")
	if [ "$found" = "$2" ]; then ok "$1"; else not_ok "$1" "$found instead of $2"; fi
}
# clean_all NAME [repair|force]: all items of all objects; by force, of some files alone without FULL=1
clean_all() {
	"$SCRUB" all "$dir" "$ags" "${@:2}" >"$SCRATCH/items"
	head "$SCRATCH/items"
	check "$1" test ! -s "$SCRATCH/items"
}
# as_before NAME
as_before() {
	"$SCRUB" content "$dir" >"$SCRATCH/after"
	check "$1" diff "$SCRATCH/before" "$SCRATCH/after"
}
done_with() {
	check "$1-unmount" quit "$dir"
	check "$1-check" "$MENDFS" check "$image"
	check "$1-judge" judged
}

errors() {
	local ino gen
	answer "$1-probe" 0x0 0
	answer "$1-unknown-type" ENOENT 77
	answer "$1-no-such-ag" ENOENT 5 ag="$ags"
	answer "$1-reserved" EINVAL 5 reserved=1
	answer "$1-unknown-flag" EINVAL 5 flags=0x400
	answer "$1-force-alone" EINVAL 5 flags=0x100
	answer "$1-inode-of-ag" EINVAL 5 ino=128
	answer "$1-ag-of-inode" EINVAL 11 ag=1
	answer "$1-ag-of-fs" EINVAL 24 ag=1
	answer "$1-old-answer" 0x0 5 flags=0xfe
	ino=$(stat -c %i "$dir")
	gen=$("$MENDFS" inspect "$dir" inode "$ino" | awk '$1 == "gen" { print $2; exit }')
	answer "$1-by-number" 0x0 11 ino="$ino" gen="$gen"
	answer "$1-other-generation" ENOENT 11 ino="$ino" gen=$((gen ^ 1))
	answer "$1-no-inode" ENOENT 11 ino=$((ino + 63)) gen=7
	answer "$1-no-link" ENOENT 17
	answer "$1-no-staging" ENOENT 14
	answer "$1-all" 0x0 27
	answer "$1-not-all" ENOTSUP 27 flags=0x101
	answer "$1-others" EPERM 0 uid=65534
}
# The programs of xfsprogs ask statfs whether it is an XFS; with that answer replaced they drive items here.
xfs_io_drives() {
	if ! command -v cc >/dev/null; then skip "$1" "no compiler"; return; fi
	if [ -n "${MENDFS_ASAN:-}" ]; then skip "$1" "the sanitizers want to be loaded first"; return; fi
	cat >"$SCRATCH/statfs.c" <<-'END'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <sys/vfs.h>
		int fstatfs(int fd, struct statfs *to)
		{
			int (*real)(int, struct statfs *) = (int (*)(int, struct statfs *))dlsym(RTLD_NEXT, "fstatfs");
			int err = real(fd, to);
			to->f_type = 0x58465342;
			return err;
		}
		int fstatfs64(int fd, struct statfs64 *to) { return fstatfs(fd, (struct statfs *)to); }
	END
	cc -shared -fPIC -o "$SCRATCH/statfs.so" "$SCRATCH/statfs.c" -ldl || { not_ok "$1" "no library"; return; }
	LD_PRELOAD=$SCRATCH/statfs.so xfs_io -x -c 'scrub probe' -c 'scrub bnobt 0' -c 'scrub inode' "$dir" >"$SCRATCH/out" 2>&1
	check "$1-clean" test ! -s "$SCRATCH/out"
	LD_PRELOAD=$SCRATCH/statfs.so xfs_io -x -c 'repair cntbt 1' "$dir" >"$SCRATCH/out" 2>&1
	check "$1-repair" grep -q 'did not need repair' "$SCRATCH/out"
	LD_PRELOAD=$SCRATCH/statfs.so xfs_io -x -c "scrub bnobt 99" "$dir" >"$SCRATCH/out" 2>&1
	check "$1-none" grep -q 'No such file' "$SCRATCH/out"
}

# one NAME MKFS-OPTION...
one() {
	local name=$1 ags=2
	make_image "$image" 320M -d agcount=$ags "${@:2}" || { not_ok "$name-mkfs" "$*"; return; }
	serve "$image" "$dir" rw,allow_other || { not_ok "$name-first-mount" "no mount"; return; }
	check "$name-fill" "$FILL" "$dir" 300
	find "$dir" -name $'*[\001-\037\177]*' -delete
	check "$name-filled" quit "$dir"
	serve "$image" "$dir" rw,allow_other || { not_ok "$name-second-mount" "no mount"; return; }
	"$SCRUB" content "$dir" >"$SCRATCH/before"

	# sound
	clean_all "$name-clean-items"
	clean_all "$name-nothing-to-repair" repair
	status "$name-scrub-n" 0 "$MENDFS" scrub -n "$dir"
	status "$name-scrub" 0 "$MENDFS" scrub "$dir"
	errors "$name"

	# made anew, one by one and all at once
	STEP=${FULL:+1}
	export STEP=${STEP:-25}
	clean_all "$name-force-items" force
	unset STEP
	as_before "$name-force-items-content"
	status "$name-force-scrub" 0 env XFS_SCRUB_FORCE_REPAIR=1 "$MENDFS" scrub -v "$dir"
	check "$name-force-scrub-says" grep -q 'Repaired: .*AG 1: rebuilt all trees' "$SCRATCH/out"
	as_before "$name-force-scrub-content"
	xfs_io_drives "$name-xfs-io"
	done_with "$name-forced"

	# damaged: an item alone, and all
	serve "$image" "$dir" rw || { not_ok "$name-mount" "no mount"; return; }
	check "$name-hurt-tree" hurt "cntbt 1 magic zeroes"
	answer "$name-tree-is-damaged" 0x12 6 ag=1
	answer "$name-others-are-not" 0x0 6 ag=0
	answer "$name-tree-repaired" 0x1 6 ag=1 flags=1
	answer "$name-tree-is-sound" 0x0 6 ag=1
	check "$name-hurt-all" hurt "bnobt 1 magic zeroes" "inobt 0 magic zeroes" "/dirs/300 data 0 magic zeroes" "superblock 0 icount add"
	status "$name-found" 1 "$MENDFS" scrub -n "$dir"
	check "$name-found-tree" grep -q 'AG 1 bnobt: is damaged' "$SCRATCH/err"
	status "$name-found-again" 1 "$MENDFS" scrub -n "$dir"
	status "$name-enough" 5 "$MENDFS" scrub -a 1 "$dir"
	status "$name-only-optimize" 1 "$MENDFS" scrub -p "$dir"
	status "$name-repaired" 0 "$MENDFS" scrub -T -C 9 "$dir" 9>"$SCRATCH/progress"
	check "$name-progress" grep -qx "2 1 1 $dir" "$SCRATCH/progress"
	check "$name-times" grep -q '^Phase 4: [0-9.]* s$' "$SCRATCH/out"
	status "$name-nothing-left" 0 "$MENDFS" scrub -n "$dir"
	as_before "$name-repaired-content"
	done_with "$name-repaired"
}
one rmap-1k -b size=1024 -m rmapbt=1,reflink=1
[ -n "${FULL:-}" ] && one plain-4k -m rmapbt=0,reflink=0 && one inodes -s size=4096 -i size=1024 -m rmapbt=1

# not mounted, warnings, and what is refused
make_image "$image" 320M
status image-clean 0 "$MENDFS" scrub "$image"
"$MENDFS" damage "$image" agf 1 freeblks add >/dev/null
status image-found 1 "$MENDFS" scrub -n "$image"
status image-repaired 0 "$MENDFS" scrub "$image"
status image-sound 0 "$MENDFS" check "$image"
status no-media-scan 8 "$MENDFS" scrub -x "$image"
check no-media-scan-says grep -q -- '-x: the data of files' "$SCRATCH/err"
status no-number 8 "$MENDFS" scrub -a none "$image"
status no-action 8 "$MENDFS" scrub -e explode "$image"
status no-mount 4 "$MENDFS" scrub "$SCRATCH"
serve "$image" "$dir" rw || not_ok shutdown-mount "no mount"
touch "$dir/$(printf 'bell\007')"
status odd-name 2 "$MENDFS" scrub -n "$dir"
rm -f "$dir"/bell*
sync
hurt "agf 1 freeblks add"
status stops 1 "$MENDFS" scrub -n -e shutdown "$dir"
if (touch "$dir/file" && sync -f "$dir/file") 2>/dev/null; then not_ok stopped "it can still be written to"; else ok stopped; fi
down "$dir"
wait "$server"
serve "$image" "$dir" ro || not_ok read-only-mount "no mount"
status read-only 4 "$MENDFS" scrub "$dir"
ags=4
answer read-only-repair EROFS 5 flags=1
check read-only-quit quit "$dir"
