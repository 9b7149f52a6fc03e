#!/bin/bash
# Everything is made anew, over and over, while programs work and the image is damaged under them (mount/forced.py): no error to a
# program, no difference from what it wrote. Then the server is killed in the middle of that. FULL=1: a million rebuilds.
#
# SEED=N REBUILDS=N choose others.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
SEED=${SEED:-1}
echo "seed $SEED"
image=$SCRATCH/forced.img
dir=$SCRATCH/dir
skip_all_if "$(fuse_missing)" mount-forced
files=200 rebuilds=2500 processes=2 operations=200 kills=2
if [ -n "${FULL:-}" ]; then
	# the program as it is used: it is to come round often
	files=20000 rebuilds=1000000 processes=8 operations=1500 kills=10 MENDFS=$SOURCE_TOP/build/src/cli/mendfs
fi
rebuilds=${REBUILDS:-$rebuilds}

# Files that nobody changes: short and long, with attributes, links of both kinds.
still() {
	python3 - "$dir/still" "$files" <<-'EOF'
		import os, sys
		where, count = sys.argv[1], int(sys.argv[2])
		os.mkdir(where)
		for i in range(count):
		    name = "%s/file-%d" % (where, i)
		    with open(name, "w") as f:
		        f.write("%d\n" % i * (i % 97))
		    if i % 10 == 0:
		        os.setxattr(name, "user.number", b"%d" % i * (1 + i % 300))
		    if i % 13 == 0:
		        os.symlink("file-%d" % i + "/" * (i % 200), "%s/link-%d" % (where, i))
		    if i % 17 == 0:
		        os.link(name, "%s/name-%d" % (where, i))
	EOF
}
# but the filesystem's own line, times, and the blocks of the directory, whose index may lie closer than before
tree() { "$LIST" "$dir/still" | sed -E "/^filesystem/d; s/ [cma]time_ns=[0-9]+//g; /^b'\.' /s/ blocks=[0-9]+//"; }
unchanged() { tree >"$SCRATCH/now"; diff "$SCRATCH/before" "$SCRATCH/now"; }
"$MENDFS" mkfs -q -d file,size=1g,agcount=4 "$image" || { not_ok mkfs "$image"; exit 1; }
serve "$image" "$dir" rw,heal || { not_ok mount "no mount"; exit 1; }
check still still
tree >"$SCRATCH/before"
# work NAME REBUILDS FINDINGS
work() {
	python3 "$SOURCE_TOP/tests/mount/forced.py" "$1" "$MENDFS" "$image" "$dir" "$SCRATCH" "$SEED" "$2" "$3" "$processes" "$operations"
	# what has been struck since the last pass
	check "$1-mended" mended
	check "$1-unchanged" unchanged
	check "$1-quit" quit "$dir"
	check "$1-judged" clean
}
mended() { "$MENDFS" repair "$dir" >"$SCRATCH/repair" 2>&1 || { cat "$SCRATCH/repair"; return 1; }; }
work sound $((rebuilds / 2)) 0

# What is damaged is in nobody's memory, and is met by programs and rebuilds at a time.
while read -r damage; do
	# shellcheck disable=SC2086
	"$MENDFS" damage "$image" $damage >"$SCRATCH/damage" || not_ok damage "$damage"
done <<-'EOF'
	agf 1 freeblks add
	agi 2 count lastbit
	superblock 3 magicnum zeroes
	bnobt 0 magic zeroes
	rmapbt 3 recs[2].owner lastbit
	/still/file-7 nlink add
	/still/file-9 nblocks add
	/still data 1 hdr.magic zeroes
EOF
serve "$image" "$dir" rw,heal || { not_ok damaged-mount "no mount"; exit 1; }
work damaged $((rebuilds / 2)) 8

# Killed between rebuilds and work: what was synced is there, and nothing is wrong.
rebuilding() { while "$MENDFS" repair --force=all "$dir"; do :; done >/dev/null 2>&1; }
for ((round = 0; round < kills; round++)); do
	serve "$image" "$dir" rw || { not_ok "killed-$round-mount" "no mount"; break; }
	rebuilding &
	rebuilder=$!
	python3 "$SOURCE_TOP/tests/mount/work.py" until-killed "$dir" "$((SEED + round))" "$server" "$SCRATCH/synced"
	wait "$server" 2>/dev/null
	umount -l "$dir"
	wait $rebuilder
	serve "$image" "$dir" rw || { not_ok "killed-$round-again" "no mount"; break; }
	check "killed-$round-synced" all_there "$dir"
	check "killed-$round-unchanged" unchanged
	check "killed-$round-quit" quit "$dir"
	check "killed-$round-judged" clean
done
