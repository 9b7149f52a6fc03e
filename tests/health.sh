#!/bin/bash
# Health of a mounted filesystem: marks, events, quarantine and the policies of -o heal. What is damaged is fenced off, the rest goes on
# read-write; under -o heal programs wait and see no error; after a repair check and xfs_repair -n find nothing.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
IOCTLS=$SOURCE_TOP/tests/mount/ioctls.py
image=$SCRATCH/health.img dir=$SCRATCH/dir
skip_all_if "$(fuse_missing)" health

# hurt OBJECT... FIELD VERB: the image is damaged while it is mounted, where a copy differs after `mendfs damage`
hurt() {
	cp --sparse=always "$image" "$SCRATCH/copy" && "$MENDFS" damage "$SCRATCH/copy" "$@" >"$SCRATCH/damage" || return 1
	python3 - "$SCRATCH/copy" "$image" "$SCRATCH/damage" <<-'END'
		import re, sys
		with open(sys.argv[1], "rb") as copy, open(sys.argv[2], "r+b") as image:
		    for old, at in re.findall(r"--undo=([0-9a-f]+)@([0-9]+)", open(sys.argv[3]).read()):
		        copy.seek(int(at))
		        image.seek(int(at))
		        image.write(copy.read(len(old) // 2))
	END
}
# status NAME EXPECTED COMMAND...: exit status; what it says is in $SCRATCH/out and err
status() {
	local name=$1 expected=$2 found
	shift 2
	"$@" >"$SCRATCH/out" 2>"$SCRATCH/err"
	found=$?
	[ $found = "$expected" ] || head -20 "$SCRATCH/out" "$SCRATCH/err"
	check "$name" test $found = "$expected"
}
# says NAME LINE: what has been said has exactly this line, or one that ends so (of events, which begin with a time)
says() { if grep -qE "^([^ ]*Z )?$2\$" "$SCRATCH/out"; then ok "$1"; else not_ok "$1" "no \"$2\" in: $(head -20 "$SCRATCH/out")"; fi; }
says_not() { if grep -qE "$2" "$SCRATCH/out"; then not_ok "$1" "$(grep -E "$2" "$SCRATCH/out" | head -3)"; else ok "$1"; fi; }
fails_with() {
	local text=$1 printed
	shift
	printed=$("$@" 2>&1) && { echo "no error: $*"; return 1; }
	[[ $printed == *"$text"* ]] || { echo "$printed"; return 1; }
}
# an error, but no lack of space (what the kernel writes back late fails with EIO)
fails_otherwise() {
	local printed
	printed=$("$@" 2>&1) && { echo "no error: $*"; return 1; }
	[[ $printed != *"No space"* ]] || { echo "$printed"; return 1; }
}
judged() { xfs_repair -n -f "$image" >"$SCRATCH/judge" 2>&1 || { cat "$SCRATCH/judge"; return 1; }; }
done_with() {
	check "$1-unmount" quit "$dir"
	status "$1-check" 0 "$MENDFS" check "$image"
	check "$1-judge" judged
}
write_some() {
	head -c 200000 /dev/urandom | split -b 5000 --numeric-suffixes=1 - "$dir/$1-" || return 1 # 40 files
	mkdir "$dir/$1-dir" && cp "$dir/$1-01" "$dir/$1-dir/copy" && sync
}
content() { (cd "$dir" && sha256sum d/* large); }
# ags_of NAME...: the AGs that the inodes lie in, AGs of 2^SHIFT inodes
ags_of() { for file in "$@"; do echo $(($(stat -c %i "$file") >> shift)); done | sort -un | tr '\n' ' '; }
fresh() {
	local i
	rm -f "$image"
	"$MENDFS" mkfs -q -d file,size=96m,agcount=3 "$@" "$image" 2>/dev/null && serve "$image" "$dir" rw && mkdir "$dir/d" || return 1
	for i in $(seq 200); do echo "$i" >"$dir/d/a-name-that-is-$i" || return 1; done
	head -c 2000000 /dev/urandom >"$dir/large" && sync && content >"$SCRATCH/before" && quit "$dir"
}
again() { serve "$image" "$dir" "$1" || not_ok "$2" "no mount"; }

# ---- marks: nothing is known, everything is well, something is not
check fresh fresh -m rmapbt=1,reflink=1
shift=$(("$("$MENDFS" inspect --field=inopblog "$image" superblock)" + "$("$MENDFS" inspect --field=agblklog "$image" superblock)"))
again rw mount
status nothing-known 0 "$MENDFS" health "$dir"
check nothing-known-says grep -q 'Nothing of that has been checked' "$SCRATCH/err"
status checked 0 "$MENDFS" check "$dir"
status all-well 0 "$MENDFS" health -c "$dir"
says all-well-fs "filesystem fscounters: ok"
says all-well-ag "AG 2 cntbt: ok"
says all-well-inodes "all other inodes: ok"
says_not all-well-only unhealthy
status quiet 0 "$MENDFS" health -q "$dir"
check quiet-says cmp "$SCRATCH/out" /dev/null
status no-ag 4 "$MENDFS" health -a 3 "$dir"
status no-path 4 "$MENDFS" health "$dir" /nothing
status not-mounted 4 "$MENDFS" health "$image"
status no-events-offline 4 "$MENDFS" events "$image"

# ---- quarantine: AG 0, where all files are, is fenced; nobody sees an error
status no-events 0 "$MENDFS" events "$dir"
check no-events-says cmp "$SCRATCH/out" /dev/null
check hurt-space hurt cntbt 0 magic zeroes
check write-on write_some new
check elsewhere test "$(ags_of "$dir"/new-0[2-9] "$dir"/new-dir)" != "0 "
status known 1 "$MENDFS" health -a 0 "$dir"
says known-tree "AG 0 cntbt: unhealthy"
says known-others "AG 0 bnobt: ok"
check known-by-ioctl test "$("$IOCTLS" tell "$dir" | awk '/^AG \[0,/ { print $7 }')" = 32,
status events 0 "$MENDFS" events "$dir"
says events-sick "sick AG 0 cntbt"
says events-quarantined "quarantined AG 0 cntbt"
rm "$dir/d/a-name-that-is-7" "$dir/d/a-name-that-is-8"
check truncate-refused fails_with 'needs cleaning' truncate -s 0 "$dir/large"
check still-readable cmp "$dir/d/a-name-that-is-9" <(echo 9)
free_before=$(stat -f -c %f "$dir")
status repaired 0 "$MENDFS" repair "$dir"
status well-again 0 "$MENDFS" health -q "$dir"
status events-after 0 "$MENDFS" events --json "$dir"
check events-json python3 -c '
import json, sys
events = [json.loads(line) for line in sys.stdin]
kinds = [e["event"] for e in events]
assert kinds == ["sick", "quarantined", "repaired", "released"], kinds
assert events[2]["items"] == ["cntbt"] and events[2]["ag"] == 0, events
assert [e["number"] for e in events] == [0, 1, 2, 3]' <"$SCRATCH/out"
status json 0 "$MENDFS" health --json "$dir"
check json-says python3 -c '
import json, sys
h = json.load(sys.stdin)
assert len(h["ags"]) == 3 and not any(a["sick"] or a["quarantined"] for a in h["ags"]) and "cntbt" in h["ags"][0]["checked"]' <"$SCRATCH/out"
freed() { [ "$(stat -f -c %f "$dir")" -gt "$free_before" ]; }
check deferred-frees wait_until freed
check truncate-again truncate -s 0 "$dir/large"
rm -r "$dir"/new-*
done_with fenced

# without any AG that is sound it is an error, and not "no space"
again rw mount-all
for ag in 0 1 2; do hurt bnobt $ag magic zeroes; done
check none-left fails_otherwise write_some none
status none-left-health 1 "$MENDFS" health -a 2 "$dir"
status all-repaired 0 "$MENDFS" repair "$dir"
check all-repaired-write write_some all
rm -r "$dir"/all-* "$dir"/none-* 2>/dev/null
done_with all

# ---- an inode: what can be read is read, nothing is changed
again rw mount-inode
check hurt-directory hurt /d data 0 magic zeroes
check list-fails fails_with 'needs cleaning' ls "$dir/d"
status inode-known 1 "$MENDFS" health -i "$(stat -c %i "$dir/d")" "$dir"
says inode-known-says "inode $(stat -c %i "$dir/d") directory: unhealthy"
status inode-by-path 1 "$MENDFS" health "$dir" /d
says inode-by-path-says "/d directory: unhealthy"
check no-change fails_with 'needs cleaning' touch "$dir/d/new"
check no-chmod fails_with 'needs cleaning' chmod 700 "$dir/d"
check others-change write_some beside
status inode-repaired 0 "$MENDFS" repair "$dir"
check change-again touch "$dir/d/new"
rm -r "$dir/d/new" "$dir"/beside-*
done_with inode

# ---- self-healing: a directory, the space trees, the inode tree
check fresh-heal fresh -m rmapbt=0,reflink=0
# healed NAME WHAT: reading and creating go well, and it is told what they have waited for
healed() {
	content >"$SCRATCH/after"
	check "$1-read" cmp "$SCRATCH/before" "$SCRATCH/after"
	check "$1-create" write_some new
	grep 'has waited' "$SCRATCH/log"
	check "$1-log" grep -qE 'heal: a request has waited [0-9]+\.[0-9]{3} ms: ' "$SCRATCH/log"
	status "$1-events" 0 "$MENDFS" events "$dir"
	says "$1-event" "healed $2 waited [0-9]+\.[0-9]{3} ms"
	status "$1-well" 0 "$MENDFS" health -q "$dir"
	rm -r "$dir"/new-*
	done_with "$1"
}
again rw,heal mount-heal-directory
check heal-hurt-directory hurt /d data 0 magic zeroes
healed heal-directory "inode [0-9]+ directory"
again rw,heal mount-heal-space
check heal-hurt-space hurt bnobt 0 magic zeroes
check heal-hurt-space-by-size hurt cntbt 0 magic zeroes
healed heal-space "AG 0 (bnobt|cntbt)"
again rw,heal mount-heal-inodes
check heal-hurt-inodes hurt inobt 0 magic zeroes
healed heal-inodes "AG 0 inobt"

# ---- what can be rebuilt while others write is
check fresh-beside fresh -m rmapbt=1,reflink=1
again rw,heal mount-heal-rmap
leaves=$("$MENDFS" inspect "$image" rmapbt 0 | sed -n 's/^ptrs\[[0-9]*\] *//p')
for leaf in $leaves; do check "heal-hurt-rmap-$leaf" hurt rmapbt 0 block "$leaf" magic zeroes; done
healed heal-rmap "AG 0 rmapbt"
check heal-rmap-beside grep -q 'heal: AG 0: rebuilt its space trees while others wrote' "$SCRATCH/log"
check fresh-heal-again fresh -m rmapbt=0,reflink=0

# ---- policies, and the property of the filesystem
again rw,heal=check mount-check
check check-hurt hurt /d data 0 magic zeroes
check check-hurt-tree hurt inobt 1 magic zeroes
check check-fails fails_with 'needs cleaning' ls "$dir/d"
background_checked() { grep -q 'heal: checked' "$SCRATCH/log"; }
check check-by-background wait_until background_checked
status check-health 1 "$MENDFS" health "$dir"
says check-found-more "AG 1 inobt: unhealthy"
says check-checked "AG 2 inobt: ok"
check check-no-repair fails_with 'needs cleaning' ls "$dir/d"
check check-quit quit "$dir"
status check-repaired 0 "$MENDFS" repair "$image"
again rw,heal=optimize mount-optimize
check optimize-hurt hurt /d data 0 magic zeroes
check optimize-fails fails_with 'needs cleaning' ls "$dir/d"
check optimize-by-background wait_until background_checked
check optimize-no-repair fails_with 'needs cleaning' ls "$dir/d"
check optimize-quit quit "$dir"
status optimize-repaired 0 "$MENDFS" repair "$image"
status no-policy 8 "$MENDFS" mount -o heal=well "$image" "$dir"
if [ "$(id -u)" = 0 ]; then
	again rw mount-property
	check set-property setfattr -n trusted.xfs:autofsck -v repair "$dir"
	check set-quit quit "$dir"
	again rw,heal=none mount-none
	check none-hurt hurt /d data 0 magic zeroes
	check none-fails fails_with 'needs cleaning' ls "$dir/d"
	check none-quit quit "$dir"
	again rw mount-by-property
	check property-says grep -q 'heal: repair, as the .* property autofsck says' "$SCRATCH/log"
	check property-heals test "$(find "$dir/d" -type f | wc -l)" = 200
	done_with property
else
	skip property "needs root (attributes of the trusted namespace)"
fi

# ---- readers of events: those who follow, who do not read, who die, who are too many, who come too late
again rw mount-readers
"$MENDFS" events --follow "$dir" >"$SCRATCH/followed" &
follower=$!
SERVERS+=("$follower")
check late-damage python3 - "$image" <<'END'
import sys
with open(sys.argv[1], "r+b") as f: # the inodes of files in use, but for the first ones
    image, at, hurt = f.read(), 0, 0
    while (at := image.find(b"IN\x81", at + 1)) > 0:
        if at % 1024 == 0 and image[at + 4] == 3 and at > 512 * 300:
            f.seek(at)
            f.write(b"\0\0")
            hurt += 1
assert hurt > 50, hurt
END
status readers-check 1 "$MENDFS" check "$dir"
follows() { [ "$(grep -c ' sick inode ' "$SCRATCH/followed")" -gt 50 ]; }
check follows wait_until follows
mkfifo "$SCRATCH/deaf"
exec 8<>"$SCRATCH/deaf"
refused() { grep -q 'follow its events already' "$SCRATCH/refused"; }
: >"$SCRATCH/refused"
for n in 1 2 3 4 5; do # more than there is room for: whoever comes too late is refused, whichever of them it is
	"$MENDFS" events --follow --json "$dir" >"$SCRATCH/deaf" 2>>"$SCRATCH/refused" &
	SERVERS+=($!)
done
check too-many wait_until refused
status commands-go-on 0 "$MENDFS" info "$dir"
kill -9 "$follower"
lets_in() { "$MENDFS" check --only=agf "$dir" >/dev/null 2>&1; }
check died-lets-in wait_until lets_in
check mount-goes-on cmp "$dir/d/a-name-that-is-1" <(echo 1)
start=$SECONDS
check readers-quit quit "$dir"
check readers-quit-soon test $((SECONDS - start)) -lt 20
