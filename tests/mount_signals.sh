#!/bin/bash
# A mount that is written to, ended by a signal while programs have its files open: what they wrote before is on the image. It ends
# in bounded time, whatever the programs, the kernel or further signals do.  FULL=1: also with a kernel that does not answer, and
# the patience with it.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
HELD=$SOURCE_TOP/tests/mount/held.py
python=(env "PATH=/usr/bin:/bin:$PATH" python3) # not one of a home that others may not read
image=$SCRATCH/image dir=$SCRATCH/dir expected=$SCRATCH/expected
skip_all_if "$(fuse_missing)" mount-signals
export SCRATCH
if [ -z "${1:-}" ]; then
	chmod 755 "$SCRATCH"
	mkdir -p "$expected" "$dir"
	make_image "$SCRATCH/fresh" 300M
fi

# mounted: not by stat(2), which root may not do to another user's, nor anybody when the server is gone
mounted() { grep -qF " $dir fuse.mendfs " /proc/mounts; }
# hold WHAT DIR ARGUMENT [COMMAND WORD...]: a program that is at work, as $holder
hold() {
	: >"$SCRATCH/ready"
	"${@:4}" "${python[@]}" "$HELD" "$1" "$2" "$3" >"$SCRATCH/ready" &
	holder=$!
	SERVERS+=("$holder")
	wait_until grep -q ready "$SCRATCH/ready"
}
let_go() {
	kill "$holder" 2>/dev/null
	wait "$holder" 2>/dev/null
	return 0
}
# start: the server, of a new filesystem, as $server
start() {
	cp --sparse=always "$SCRATCH/fresh" "$image"
	MOUNTED+=("$dir")
	env --default-signal=INT "$MENDFS" mount -f "$image" "$dir" 2>"$SCRATCH/log" & # bash makes jobs deaf to INT
	server=$!
	SERVERS+=("$server")
	wait_until mounted
}
# ended: with what status the server has ended; it must, and nothing is mounted then
ended() {
	if ! wait_until gone "$server" || ! wait "$server"; then
		sed 's/^/server: /' "$SCRATCH/log" | head -40
		return 1
	fi
	no_trace
}
# no_trace: nothing is mounted, nor has been left in the mount table
no_trace() { ! mounted; }
# has COMMAND...: true of what is mounted of the image now
has() {
	"$MENDFS" mount -o ro "$image" "$dir" || return 1
	"$@"
	local status=$?
	"$MENDFS" unmount "$dir" # and wait for the server
	return $status
}
clean() { xfs_repair -n "$image" >"$SCRATCH/repair.out" 2>&1; }

# In a mount namespace: an ordinary user, by fusermount3; and one who may not open the root directory, but what is below.
user_tests() {
	local at=$SCRATCH/user owner=nobody mode=755 name
	local as_user=(setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups --)
	MOUNTED=("$at")
	image=$SCRATCH/user.img dir=$at expected=$SCRATCH/user-expected
	if ! "${as_user[@]}" test -w /dev/fuse; then
		mknod -m 666 "$SCRATCH/fuse" c 10 229 && mount --bind "$SCRATCH/fuse" /dev/fuse
	fi
	for name in user user-shut-out; do
		rm -rf "$expected" "$image"
		mkdir -p "$expected"
		cp --sparse=always "$SCRATCH/fresh" "$image"
		chown nobody "$expected" "$image"
		"$MENDFS" mount "$image" "$at" && mkdir "$at/sub" && chown nobody "$at/sub" && chown $owner "$at" && chmod $mode "$at"
		"$MENDFS" unmount "$at"
		"${as_user[@]}" "$MENDFS" mount -f "$image" "$at" 2>"$SCRATCH/log" &
		server=$!
		wait_until mounted
		check "$name-holds" hold hold "$at/sub" "$expected" "${as_user[@]}"
		kill "$server"
		check "$name-ends" ended
		check "$name-keeps" has "${python[@]}" "$HELD" compare "$at/sub" "$expected"
		let_go
		owner=root mode=711
	done
}
if [ "${1:-}" = user ]; then
	user_tests
	exit 0
fi

for signal in TERM INT HUP; do
	start && hold hold "$dir" "$expected"
	kill -$signal "$server"
	check "$signal-ends" ended
	check "$signal-keeps" has "${python[@]}" "$HELD" compare "$dir" "$expected"
	check "$signal-clean" clean
	let_go
done

# One thread serves, and is the one that is signalled.
cp --sparse=always "$SCRATCH/fresh" "$image"
"$MENDFS" mount -f -s "$image" "$dir" 2>"$SCRATCH/log" &
server=$!
SERVERS+=("$server")
wait_until mounted
hold hold "$dir" "$expected"
kill "$server"
check one-thread-ends ended
check one-thread-keeps has "${python[@]}" "$HELD" compare "$dir" "$expected"
let_go

# Who goes on writing loses nothing of what was written before; signals that follow change nothing.
start && hold stream "$dir" "$SCRATCH/count"
sleep 0.2
before=$(cat "$SCRATCH/count")
kill "$server"
for _ in {1..20}; do
	kill "$server" 2>/dev/null
	kill -INT "$server" 2>/dev/null
	sleep 0.01
done
check stream-ends ended
check stream-keeps has "${python[@]}" "$HELD" records "$dir/stream" "$((10#$before))"
check stream-clean clean
let_go

# A signal before there is anything to do, and one to who is told to ignore it.
start
kill "$server"
check idle-ends ended
check idle-clean clean
cp --sparse=always "$SCRATCH/fresh" "$image"
(trap '' HUP && exec "$MENDFS" mount -f "$image" "$dir") 2>"$SCRATCH/log" &
server=$!
SERVERS+=("$server")
wait_until mounted
hold hold "$dir" "$expected"
kill -HUP "$server"
sleep 0.3
check ignored mounted
kill "$server"
check ignored-ends ended
check ignored-keeps has "${python[@]}" "$HELD" compare "$dir" "$expected"
let_go

# The process that flushes has been killed: that is told, and it ends all the same.
flusher_of() { pgrep -P "$1" | head -1; }
start && hold hold "$dir" "$expected"
kill -KILL "$(flusher_of "$server")"
kill "$server"
check no-flusher-ends ended
check no-flusher-told grep -q 'not synced, may be lost' "$SCRATCH/log"
check no-flusher-clean clean
let_go

# In the background, mounted by a relative path.
cp --sparse=always "$SCRATCH/fresh" "$image"
(cd "$SCRATCH" && "$MENDFS" mount image dir)
hold hold "$dir" "$expected"
server=$(pgrep -f "^$MENDFS mount image dir" | head -1)
kill "$server"
check daemon-ends wait_until gone "$server"
check daemon-unmounts no_trace
check daemon-keeps has "${python[@]}" "$HELD" compare "$dir" "$expected"
let_go

# An ordinary user.
if [ "$(id -u)" != 0 ]; then
	skip user "needs root to become another user"
elif [ ! -u "$(command -v fusermount3)" ]; then
	skip user "fusermount3 is not setuid"
elif ! setpriv --reuid nobody test -x "$MENDFS"; then
	skip user "nobody may not run the program here"
elif ! unshare -m true 2>/dev/null; then
	skip user "no mount namespaces"
else
	mkdir "$SCRATCH/user"
	chown nobody "$SCRATCH/user"
	unshare -m "$0" user
fi

# A kernel that does not get on: there the process that waits for it is stopped.
if [ -n "${FULL:-}" ]; then
	start && hold hold "$dir" "$expected"
	flusher=$(flusher_of "$server")
	kill -STOP "$flusher"
	kill "$server"
	sleep 8
	check stuck-waits mounted
	check stuck-ends ended
	check stuck-told grep -q 'not synced, may be lost' "$SCRATCH/log"
	let_go
fi
