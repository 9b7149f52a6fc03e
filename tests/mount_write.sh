#!/bin/bash
# A mount that is written to: random work against a model, which the mount, the judges and the kernel's
# own mount of the image agree with; a server that is killed, after which the kernel recovers the log
# and all that was synced is there; what is refused. FULL=1: more seeds and configurations.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
WORK=$SOURCE_TOP/tests/mount/work.py
SEED=${SEED:-1}
OPS=${OPS:-1500}
echo "seed $SEED"
image=$SCRATCH/write.img
dir=$SCRATCH/dir
other=$SCRATCH/other
skip_all_if "$(fuse_missing)" mount-write

# The server has ended, and so the image is as it is going to be.
released() { flock -n "$image" true; }
kernel_agrees() {
	local status
	kernel_up "$image" "$other" ro || return 1
	python3 "$WORK" compare "$other" "$SCRATCH/model"
	status=$?
	umount "$other"
	return $status
}

# one NAME MKFS-OPTION...
one() {
	local name=$1
	SEED=$((SEED + 1))
	make_image "$image" "${SIZE:-400M}" "${@:2}" || { not_ok "$name-mkfs" "$*"; return; }
	serve "$image" "$dir" rw || { not_ok "$name-mount" "no mount"; return; }
	check "$name-work" python3 "$WORK" work "$dir" "$SEED" "$OPS" "$SCRATCH/model"
	check "$name-quit" quit "$dir"
	check "$name-clean" clean
	if [ -n "$(kernel_missing)" ]; then
		skip "$name-kernel" "$(kernel_missing)"
	else
		check "$name-kernel" kernel_agrees
	fi
	# it goes on from there
	serve "$image" "$dir" rw || { not_ok "$name-again" "no mount"; return; }
	check "$name-same" python3 "$WORK" compare "$dir" "$SCRATCH/model"
	rm -rf "${dir:?}"/*
	check "$name-empty" quit "$dir"
	check "$name-empty-clean" clean
}

one 1k-rmap -b size=1024 -m rmapbt=1
one plain -d agcount=3
one dir-blocks -b size=2048 -n size=16384 -m reflink=0,finobt=0,inobtcount=0
if [ -n "${FULL:-}" ]; then
	for round in 1 2 3 4 5; do
		one "512-inode-$round" -b size=1024 -i size=512
		one "2k-inode-$round" -b size=4096 -i size=2048 -m rmapbt=1
		one "64k-dir-$round" -b size=1024 -n size=65536 -m rmapbt=1
		SIZE=900M one "64k-$round" -b size=65536 -m rmapbt=1
	done
fi

# Killed in the middle of work, three times on the same filesystem.
killed() {
	kernel_up "$image.copy" "$other" || return 1
	all_there "$other"
	local status=$?
	umount "$other"
	xfs_repair -n "$image.copy" >"$SCRATCH/repair.out" 2>&1 || { head -20 "$SCRATCH/repair.out"; return 1; }
	return $status
}
if [ -n "$(kernel_missing)" ]; then
	skip killed "$(kernel_missing)"
else
	make_image "$image" 400M
	for round in 1 2 3; do
		serve "$image" "$dir" rw || { not_ok "killed-$round" "no mount"; break; }
		python3 "$WORK" until-killed "$dir" "$((SEED + round))" "$server" "$SCRATCH/synced"
		wait "$server" 2>/dev/null
		umount -l "$dir"
		cp --sparse=always "$image" "$image.copy"
		check "killed-$round-kernel" killed
		check "killed-$round-check" "$MENDFS" check "$image"
		serve "$image" "$dir" rw || { not_ok "killed-$round-mount" "no mount"; break; }
		check "killed-$round-mendfs" all_there "$dir"
		check "killed-$round-quit" quit "$dir"
		check "killed-$round-clean" clean
	done
fi

# What is open outlives its name, whatever goes with it; inodes come free soon after the last close.
unlinked() {
	python3 - "$1" <<-'EOF'
		import os, sys, time
		dir = sys.argv[1]
		def used():
		    st = os.statvfs(dir)
		    return st.f_files - st.f_ffree
		def settles(wanted):
		    for _ in range(100):
		        if used() == wanted: return True
		        time.sleep(0.05)
		    print(f"{used()} inodes are in use, not {wanted}")
		    return False
		before = used()
		kept = {}
		for i in range(300):
		    fd = os.open(f"{dir}/u{i}", os.O_CREAT | os.O_RDWR)
		    os.write(fd, b"%d" % i * (100000 if i % 50 == 0 else 5))
		    if i % 3 == 0: kept[i] = fd
		    else: os.close(fd)
		for i in range(300): os.unlink(f"{dir}/u{i}")
		if not settles(before + len(kept)): sys.exit(1)
		for i, fd in kept.items():
		    if not os.pread(fd, 1000000, 0) == b"%d" % i * (100000 if i % 50 == 0 else 5): sys.exit(f"u{i} has changed")
		    os.close(fd)
		sys.exit(not settles(before))
	EOF
}
serve "$image" "$dir" rw
check unlinked unlinked "$dir"
check unlinked-quit quit "$dir"
check unlinked-clean clean

# One image, one writer.
serve "$image" "$dir" rw
mkdir -p "$other"
"$MENDFS" mount -o rw "$image" "$other" 2>"$SCRATCH/err"
check second-writer-refused test $? -ne 0
check second-writer-told grep -q 'in use' "$SCRATCH/err"
echo durable >"$dir/last"
sync -f "$dir/last" 2>/dev/null
quit "$dir"
serve "$image" "$dir" ro
check read-only-after test "$(cat "$dir/last")" = durable
touch "$dir/no" 2>/dev/null
check read-only-refuses test $? -ne 0
quit "$dir"

# What would be wrong afterwards is refused by name, and the image stays as it was.
xz -dc "$SOURCE_TOP/tests/fixtures/realtime.img.xz" >"$image"
sum=$(cksum <"$image")
"$MENDFS" mount "$image" "$dir" 2>"$SCRATCH/err"
check refuses-realtime test $? -ne 0
check refuses-realtime-by-name grep -q "cannot be written to: .*realtime" "$SCRATCH/err"
check refuses-realtime-untouched test "$(cksum <"$image")" = "$sum"
if mountpoint -q "$dir"; then umount "$dir"; fi
