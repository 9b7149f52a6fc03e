#!/bin/bash
# The ways to mount and unmount: as an ordinary user, through mount(8), by signals, twice, with bad options; and who may read what.
set -uo pipefail
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"

skip_all_if "$(fuse_missing)" daemon user signals helper options
image=$SCRATCH/image ours=$SCRATCH/ours
chmod 755 "$SCRATCH"
cat >"$SCRATCH/proto" <<'PROTO'
x
0 0
d--755 0 0
public ---644 0 0 /etc/hostname
secret ---600 0 0 /etc/hostname
links d--755 0 0
to l--777 0 0 ../public
$
$
PROTO
make_image "$image" 300M -p "$SCRATCH/proto"
chmod 644 "$image"

# The exit status means that the mount is up; the mount table shows image and type; nothing is printed.
printed=$(mount_up "$image" "$ours" ro 2>&1) && [ -f "$ours/public" ] && [ -z "$printed" ] || printed="failed: $printed"
if [ -z "$printed" ]; then ok daemon; else not_ok daemon "$printed"; fi
MOUNTED+=("$ours")
entry=$(findmnt -n -o SOURCE,FSTYPE,OPTIONS "$ours")
case $entry in
"$image fuse.mendfs ro,"*) ok mount-table ;;
*) not_ok mount-table "$entry" ;;
esac
check same-content cmp -s "$ours/links/to" /etc/hostname
if touch "$ours/new" 2>"$SCRATCH/err" || ! grep -q 'Read-only' "$SCRATCH/err"; then
	not_ok read-only "$(cat "$SCRATCH/err")"
else
	ok read-only
fi
# Two readers of one image.
check twice mount_up "$image" "$SCRATCH/second" ro
down "$SCRATCH/second" || true
# Who may write holds the image alone.
check unmount "$MENDFS" unmount "$ours"
check unmounted unmounted "$ours"
if "$MENDFS" unmount "$ours" 2>/dev/null; then not_ok unmount-nothing "it says it has unmounted"; else ok unmount-nothing; fi
if printed=$(flock -x "$image" "$MENDFS" mount -o ro "$image" "$ours" 2>&1); then
	not_ok locked "mounted although a writer has it"
else
	case $printed in *"in use"*) ok locked ;; *) not_ok locked "$printed" ;; esac
fi

# refuses NAME STATUS TEXT ARGUMENT...
refuses() {
	local name=$1 status=$2 text=$3 printed got
	shift 3
	printed=$("$MENDFS" mount "$@" 2>&1)
	got=$?
	if [ $got = "$status" ] && [[ $printed == *"$text"* ]]; then ok "$name"; else not_ok "$name" "status $got: $printed"; fi
	mountpoint -q "$ours" && umount "$ours"
}
mount_up "$image" "$SCRATCH/second" ro
refuses refuses-writer 4 "in use" -o rw "$image" "$ours"
refuses refuses-silence 4 "in use" "$image" "$ours"
down "$SCRATCH/second" || true
refuses refuses-option 8 '"nonsense"' -o ro,nonsense "$image" "$ours"
refuses refuses-missing 4 "No such file" -o ro "$SCRATCH/none" "$ours"
refuses refuses-no-directory 4 "" -o ro "$image" "$SCRATCH/none"
head -c 1M /dev/zero >"$SCRATCH/zeroes"
refuses refuses-zeroes 4 "superblock" -o ro "$SCRATCH/zeroes" "$ours"
refuses refuses-norecovery 8 'norecovery goes with ro' -o norecovery "$image" "$ours"
check ro-quota mount_up "$image" "$ours" ro,uquota,norecovery
down "$ours"
check swallows mount_up "$image" "$ours" ro,relatime,lazytime,nouuid,noquota,nodev,nosuid,noatime,x-anything=1,logbufs=8
down "$ours"

# -o sync: what is done is durable when it is answered. -o grpid: new files have the group of their directory.
wait_until flock -n "$image" true # the last server may just be going
if serve "$image" "$ours" rw,sync,grpid; then
	mkdir "$ours/group"
	chgrp 4711 "$ours/group"
	echo durable >"$ours/group/file"
	mkdir "$ours/group/last"
	check grpid test "$(stat -c %g "$ours/group/file" "$ours/group/last" | sort -u)" = 4711
	kill -9 "$server"
	wait "$server" 2>/dev/null
	umount -l "$ours"
	serve "$image" "$ours" rw
	check sync test "$(cat "$ours/group/file")" = durable -a -d "$ours/group/last"
	rm -r "$ours/group"
	check sync-quit quit "$ours"
else
	not_ok sync "no mount"
fi

# Signals end it, and unmount.
for signal in TERM INT HUP; do
	env --default-signal=INT "$MENDFS" mount -f -o ro "$image" "$ours" & # bash makes jobs deaf to INT
	server=$!
	SERVERS+=("$server")
	if ! wait_until mountpoint -q "$ours"; then
		not_ok "signal-$signal" "never mounted"
		continue
	fi
	ls "$ours" >/dev/null
	kill -$signal "$server"
	if wait_until gone "$server" && unmounted "$ours"; then ok "signal-$signal"; else not_ok "signal-$signal" "still there"; fi
done

# So does a daemon, whose place is /, also where it was given a relative name.
MOUNTED+=("$ours")
if (cd "$SCRATCH" && "$MENDFS" mount -o ro image ours) && mountpoint -q "$ours"; then
	server=$(pgrep -f "^$MENDFS mount -o ro image ours$")
	kill "$server"
	if wait_until gone "$server" && unmounted "$ours" && ls "$ours" >"$SCRATCH/err" 2>&1; then
		ok signal-relative
	else
		not_ok signal-relative "$(cat "$SCRATCH/err")"
	fi
else
	not_ok signal-relative "never mounted"
fi

if [ "$(id -u)" != 0 ]; then
	for name in user helper allow-other; do skip "$name" "needs root to become another user"; done
	exit 0
fi

# An ordinary user, through fusermount3.  Where no udev has opened /dev/fuse to users, a mount namespace gets one that is open.
as_user=(runuser -u nobody --)
mkdir "$SCRATCH/user"
chown nobody "$SCRATCH/user"
cp --sparse=always "$image" "$SCRATCH/user.img"
chown nobody "$SCRATCH/user.img"
user_tests() {
	local at=$SCRATCH/user
	MOUNTED=("$at")
	if ! "${as_user[@]}" test -w /dev/fuse; then
		mknod -m 666 "$SCRATCH/fuse" c 10 229 && mount --bind "$SCRATCH/fuse" /dev/fuse
	fi
	if ! "${as_user[@]}" "$MENDFS" mount -o ro "$SCRATCH/user.img" "$at" 2>"$SCRATCH/err"; then
		not_ok user "$(cat "$SCRATCH/err")"
		return
	fi
	check user-reads "${as_user[@]}" cmp -s "$at/public" /etc/hostname
	if "${as_user[@]}" cat "$at/secret" >/dev/null 2>&1; then
		not_ok user-permissions "reads a file of mode 600 of root"
	else
		ok user-permissions
	fi
	if ls "$at" >/dev/null 2>&1; then not_ok user-alone "root gets in"; else ok user-alone; fi
	check user-unmount "${as_user[@]}" "$MENDFS" unmount "$at"
	check user-no-permissions "${as_user[@]}" "$MENDFS" mount -o ro,no_default_permissions "$SCRATCH/user.img" "$at"
	check user-reads-all "${as_user[@]}" cmp -s "$at/secret" /etc/hostname
	"${as_user[@]}" "$MENDFS" unmount "$at"
}
export -f user_tests check ok not_ok
export MENDFS SCRATCH
if [ ! -u "$(command -v fusermount3)" ]; then
	skip user "fusermount3 is not setuid"
elif ! "${as_user[@]}" test -x "$MENDFS"; then
	skip user "nobody may not run the program here"
elif ! unshare -m true 2>/dev/null; then
	skip user "no mount namespaces"
else
	unshare -m bash -c 'as_user=(runuser -u nobody --); user_tests'
fi

# Others get in with allow_other alone, and under the file's own mode.
mount_up "$image" "$ours" ro
if "${as_user[@]}" ls "$ours" >/dev/null 2>&1; then not_ok not-allow-other "nobody gets in"; else ok not-allow-other; fi
down "$ours"
mount_up "$image" "$ours" ro,allow_other
check allow-other "${as_user[@]}" cmp -s "$ours/public" /etc/hostname
if "${as_user[@]}" cat "$ours/secret" >/dev/null 2>&1; then not_ok mode "nobody reads a secret file"; else ok mode; fi
down "$ours"

# mount(8) and the helper, in a mount namespace with an /sbin of our own.
helper=$(dirname "$MENDFS")/mount.fuse.mendfs
sed "s,^exec [^ ]*,exec $MENDFS," "$helper" >"$SCRATCH/mount.fuse.mendfs"
chmod 755 "$SCRATCH/mount.fuse.mendfs"
cat >"$SCRATCH/inner" <<'INNER'
set -e
mkdir "$SCRATCH/upper" "$SCRATCH/sbin-work"
cp "$SCRATCH/mount.fuse.mendfs" "$SCRATCH/upper/"
sbin=$(realpath /sbin)
mkdir "$SCRATCH/sbin"
mount -t tmpfs none "$SCRATCH/sbin"
cp -a "$SCRATCH/mount.fuse.mendfs" "$SCRATCH/sbin/"
cp -a "$sbin"/mount* "$SCRATCH/sbin/" 2>/dev/null || true
PATH=/bin:/usr/bin:/usr/sbin
mount --bind "$SCRATCH/sbin" /sbin 2>/dev/null || mount --bind "$SCRATCH/sbin" "$sbin"
mount -t fuse.mendfs "$1" "$2" -o ro,allow_other,noexec
findmnt -n -o FSTYPE "$2"
cmp "$2/public" /etc/hostname
umount "$2"
INNER
if ! unshare -m true 2>/dev/null; then
	skip helper "no mount namespaces"
elif printed=$(unshare -m bash "$SCRATCH/inner" "$image" "$ours" 2>&1) && [ "$printed" = fuse.mendfs ]; then
	ok helper
else
	not_ok helper "$printed"
fi
