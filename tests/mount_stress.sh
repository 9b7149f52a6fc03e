#!/bin/bash
# A mount under stress. One file that everything is done to, against a model, killed after each sync, so that mendfs or the kernel
# recovers it; and several processes at a time, each with a tree and a model of its own (mount/work.py), and some in one tree
# that do not care what fails. Then the judges, and the kernel's mount with the same trees and bytes. FULL=1: more of it.
#
# SEED=N OPS=N choose others.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
WORK=$SOURCE_TOP/tests/mount/work.py
FSX=$SOURCE_TOP/tests/mount/fsx.py
CHAOS=$SOURCE_TOP/tests/mount/chaos.py
SEED=${SEED:-1}
OPS=${OPS:-400}
echo "seed $SEED"
image=$SCRATCH/stress.img
dir=$SCRATCH/dir
other=$SCRATCH/other
skip_all_if "$(fuse_missing)" mount-stress
rounds=2
processes=4
if [ -n "${FULL:-}" ]; then
	rounds=12
	OPS=4000
	processes=8
fi
kernel=$(kernel_missing)

# fsx NAME MKFS-OPTION...
fsx() {
	local name=$1 round server_pid
	make_image "$image" 400M "${@:2}" || { not_ok "$name-mkfs" "$*"; return; }
	rm -f "$SCRATCH/bytes"
	for ((round = 0; round < rounds; round++)); do
		SEED=$((SEED + 1))
		serve "$image" "$dir" rw || { not_ok "$name-mount" "no mount"; return; }
		server_pid=$server
		check "$name-fsx-$round" python3 "$FSX" "$dir" "$SEED" "$OPS" "$SCRATCH/bytes" "$server_pid"
		wait "$server_pid" 2>/dev/null
		umount -l "$dir"
		if [ -z "$kernel" ]; then
			cp --sparse=always "$image" "$image.copy"
			kernel_up "$image.copy" "$other" && check "$name-kernel-$round" python3 "$FSX" compare "$other" "$SCRATCH/bytes"
			umount "$other"
		fi
	done
	serve "$image" "$dir" rw || { not_ok "$name-mount" "no mount"; return; }
	check "$name-recovered" python3 "$FSX" compare "$dir" "$SCRATCH/bytes"
	check "$name-quit" quit "$dir"
	check "$name-clean" clean
}

# In the mount and in the kernel's: what each process has, in its own part.
compare_all() {
	local i
	for ((i = 0; i < processes; i++)); do
		python3 "$WORK" compare "$1/tree-$i" "$SCRATCH/model-$i" || return 1
	done
}
kernel_agrees() {
	local status
	kernel_up "$image" "$other" ro || return 1
	compare_all "$other"
	status=$?
	umount "$other"
	return $status
}
# together NAME MKFS-OPTION...
together() {
	local name=$1 i pids=() chaos=() status=0
	make_image "$image" 600M "${@:2}" || { not_ok "$name-mkfs" "$*"; return; }
	serve "$image" "$dir" rw || { not_ok "$name-mount" "no mount"; return; }
	mkdir "$dir/chaos"
	for ((i = 0; i < processes; i++)); do
		SEED=$((SEED + 1))
		mkdir "$dir/tree-$i"
		python3 "$WORK" work "$dir/tree-$i" "$SEED" "$OPS" "$SCRATCH/model-$i" &
		pids+=($!)
		if [ $((i % 2)) = 0 ]; then
			python3 "$CHAOS" "$dir/chaos" "$SEED" &
			chaos+=($!)
		fi
	done
	for i in "${pids[@]}"; do wait "$i" || status=1; done
	for i in "${chaos[@]}"; do
		kill "$i"
		wait "$i" 2>/dev/null
		[ $? = 143 ] || { echo "a process of the common tree has ended by itself"; status=1; }
	done
	check "$name-work" test $status = 0
	check "$name-compare" compare_all "$dir"
	check "$name-quit" quit "$dir"
	check "$name-clean" clean
	if [ -n "$kernel" ]; then
		skip "$name-kernel" "$kernel"
	else
		check "$name-kernel" kernel_agrees
	fi
}

# What is written in large pieces fills all there is, then nothing more can be written, and removing gives it back.
append() { dd if=/dev/zero of="$dir/fill" bs="$1" count="$2" oflag=append conv=notrunc status=none 2>/dev/null; }
free_kib() { df --output=avail -k "$dir" | tail -1; }
full() {
	local before
	rm -f "$image"
	"$MENDFS" mkfs -q -d "file,size=96m" -b size=1024 "$image" || { not_ok full-mkfs "mkfs"; return; }
	serve "$image" "$dir" rw || { not_ok full-mount "no mount"; return; }
	before=$(free_kib)
	: >"$dir/fill"
	append 1M 1000
	check full-to-the-end eval '! append 1k 1'
	cp --reflink=never "$dir/fill" "$dir/copy" 2>/dev/null
	check full-removes rm "$dir/fill" "$dir/copy"
	check full-gives-back wait_until eval "[ \$(free_kib) -ge $((before - 200)) ]"
	check full-quit quit "$dir"
	check full-clean clean
}

full
fsx fsx-1k -b size=1024 -m rmapbt=1
fsx fsx-4k
together together-1k -b size=1024 -m rmapbt=1 -d agcount=3
if [ -n "${FULL:-}" ]; then
	together together-4k
	together together-plain -m reflink=0,finobt=0,inobtcount=0 -b size=2048 -n size=16384
	fsx fsx-64k-dirs -b size=2048 -n size=65536
fi
