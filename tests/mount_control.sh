#!/bin/bash
# Commands on a mounted filesystem, done by its server: check finds nothing under load and what is there
# in damage, says what it says offline, and is for the owner and root alone; clients that go away, say
# nothing or do not read hurt nobody, and an unmount ends what runs.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
WORK=$SOURCE_TOP/tests/mount/work.py
SEED=${SEED:-1}
echo "seed $SEED"
image=$SCRATCH/control.img dir=$SCRATCH/dir
skip_all_if "$(fuse_missing)" mount-control
chmod 755 "$SCRATCH"

# says NAME STATUS TEXT COMMAND...: exit status, and what is printed has the text
says() {
	local name=$1 status=$2 text=$3 printed got
	shift 3
	printed=$("$@" 2>&1)
	got=$?
	if [ $got = "$status" ] && [[ $printed == *"$text"* ]]; then ok "$name"; else not_ok "$name" "status $got: $printed"; fi
}
# checks_while PID: how many checks of the mount found nothing; false as soon as one does
checks_while() {
	local count=0
	while kill -0 "$1" 2>/dev/null; do
		"$MENDFS" check "$dir" >"$SCRATCH/check.out" 2>&1 || { head -20 "$SCRATCH/check.out"; return 1; }
		count=$((count + 1))
	done
	echo "$count checks under load"
	[ $count -gt 2 ]
}

# one NAME MKFS-OPTION...
one() {
	local work
	make_image "$image" 400M "${@:2}" || { not_ok "$1-mkfs" "$*"; return; }
	serve "$image" "$dir" rw || { not_ok "$1-mount" "no mount"; return; }
	python3 "$WORK" work "$dir" "$SEED" "${OPS:-1500}" "$SCRATCH/model" >"$SCRATCH/work.out" 2>&1 &
	work=$!
	check "$1-under-load" checks_while $work
	check "$1-work" wait $work
	check "$1-quit" quit "$dir"
	check "$1-after" "$MENDFS" check "$image"
}
one rmap-1k -b size=1024 -m rmapbt=1
one plain -d agcount=3

# The same as offline.
make_image "$image" 300M
serve "$image" "$dir" rw
mkdir "$dir/sub"
for i in {1..20}; do echo "$i" >"$dir/sub/a-name-of-some-length-$i"; done
says check-clean 0 "$dir: clean" "$MENDFS" check "$dir"
says check-below 0 "$dir/sub: clean" "$MENDFS" check "$dir/sub"
says check-json 0 '"state": "mounted"' "$MENDFS" check --json "$dir"
check json-parses python3 -c 'import json, sys; json.load(sys.stdin)' < <("$MENDFS" check --json --memory=1M "$dir")
says check-only 0 clean "$MENDFS" check --only=agf -v "$dir"
says bad-option 8 '"nonsense"' "$MENDFS" check --only=nonsense "$dir"
says inspect-log 4 "in use" "$MENDFS" inspect "$dir" log
says not-ours 4 "nothing of mendfs is mounted" "$MENDFS" check "$SCRATCH"
"$MENDFS" info "$dir" | sed "s,$dir ,image ," >"$SCRATCH/info.live"
"$MENDFS" inspect "$dir" /sub >"$SCRATCH/inspect.live"
"$MENDFS" inspect "$dir" dir /sub >"$SCRATCH/names.live"
"$MENDFS" inspect --field=nlink "$dir" /sub >"$SCRATCH/field.live"
check quit quit "$dir"
"$MENDFS" inspect "$image" /sub >"$SCRATCH/inspect.off"
"$MENDFS" inspect "$image" dir /sub >"$SCRATCH/names.off"
"$MENDFS" inspect --field=nlink "$image" /sub >"$SCRATCH/field.off"
"$MENDFS" info "$image" | sed "s,$image ,image ," >"$SCRATCH/info.off"
for name in inspect names field info; do
	check "$name-same" diff -b "$SCRATCH/$name.off" "$SCRATCH/$name.live"
done

# What is damaged is found while it is mounted, to read or to write.
"$MENDFS" damage "$image" agf 1 freeblks add >/dev/null
offline=$("$MENDFS" check "$image" | grep agf.freeblks)
for mode in ro rw; do
	serve "$image" "$dir" $mode
	says "damage-$mode" 1 "$offline" "$MENDFS" check "$dir"
	check "damage-$mode-quit" quit "$dir"
done

# A dirty log, replayed in memory: the server says so.
make_image "$image" 300M
serve "$image" "$dir" rw
touch "$dir/file"
sync "$dir/file"
kill -9 "$server"
wait "$server" 2>/dev/null
umount -l "$dir"
serve "$image" "$dir" ro
says replayed 0 "log: dirty; replayed in memory" "$MENDFS" check "$dir"
check replayed-quit quit "$dir"

# Clients that behave badly: the address is asked for as the program does it.
cat >"$SCRATCH/client.py" <<'PY'
import fcntl, os, socket, struct, sys, time
fd = os.open(sys.argv[2], os.O_RDONLY)
answer = fcntl.ioctl(fd, 2 << 30 | 64 << 16 | ord('m') << 8 | 0xfd, bytes(64))
os.close(fd)
assert struct.unpack('I', answer[:4])[0] == 1
name = b'\0' + answer[4:].rstrip(b'\0')
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.connect(name)
    return s
def request(s, *words):
    payload = bytes(4) + b''.join(w.encode() + b'\0' for w in words)
    s.sendall(struct.pack('<IB3x', len(payload), ord('r')) + payload)
def everything(s):
    out = b''
    while True:
        try:
            piece = s.recv(65536)
        except ConnectionResetError:  # a server that is busy says so, and does not read what was asked
            return out
        if not piece:
            return out
        out += piece
what = sys.argv[1]
if what == 'silent':          # says nothing, nine times; the ninth is told that the server is busy
    held = [connect() for _ in range(8)]
    time.sleep(.3)
    assert b'busy' in everything(connect())
elif what == 'garbage':
    for bytes_ in (b'\xff' * 8, struct.pack('<IB3x', 1 << 31, ord('r')), struct.pack('<IB3x', 5, ord('r')) + b'aaaaa',
                   struct.pack('<IB3x', 65536, ord('r')) + b'\0' * 65536, b''):
        s = connect()
        s.sendall(bytes_)
        s.shutdown(socket.SHUT_WR)
        everything(s)
    for words in (['nonsense', 'x'], ['mount', 'x', 'y'], ['check'], ['check', '--only=z', 'x'], ['inspect', 'x'], ['check'] * 1024,
                  ['inspect', 'x', '%s%n', '%n'], ['']):
        s = connect()
        request(s, *words)
        assert everything(s)[-9:-1] == struct.pack('<IB3x', 1, ord('x')), words
elif what == 'gone':          # hundreds that ask and leave at once
    for i in range(300):
        s = connect()
        request(s, 'check', sys.argv[2])
        if i % 3:
            s.recv(i)
        s.close()
elif what == 'deaf':          # asks for much and reads nothing, until it is cut off
    s = connect()
    request(s, 'inspect', sys.argv[2], 'dir', '/')
    print('asked', flush=True)
    time.sleep(60)
PY
serve "$image" "$dir" rw
python3 - "$dir" <<'PY'
import os, sys
for i in range(8000):
    os.close(os.open(f"{sys.argv[1]}/{i:0200d}", os.O_CREAT | os.O_WRONLY))
PY
for what in silent garbage gone; do
	check "client-$what" python3 "$SCRATCH/client.py" $what "$dir"
	wait_until "$MENDFS" check "$dir" >/dev/null 2>&1
	says "client-$what-after" 0 clean "$MENDFS" check "$dir"
done
descriptors() { find "/proc/$server/fd" | wc -l; }
before=$(descriptors)
python3 "$SCRATCH/client.py" gone "$dir"
settled() { [ "$(descriptors)" -le "$before" ]; }
check descriptors-closed wait_until settled
# An unmount ends a command whose client does not read.
python3 "$SCRATCH/client.py" deaf "$dir" >"$SCRATCH/deaf" &
client=$!
SERVERS+=("$client")
wait_until grep -q asked "$SCRATCH/deaf"
sleep 0.3
start=$SECONDS
check unmount-ends quit "$dir"
check unmount-soon test $((SECONDS - start)) -lt 20
kill $client

if [ "$(id -u)" != 0 ]; then
	skip others "needs root to become another user"
	exit 0
fi
mount_up "$image" "$dir" rw,allow_other
if ! runuser -u nobody -- test -x "$MENDFS"; then
	skip others "nobody may not run the program here"
else
	says others 4 "only who has mounted it" runuser -u nobody -- "$MENDFS" check "$dir"
fi
"$MENDFS" unmount "$dir"
