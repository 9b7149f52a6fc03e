#!/bin/bash
# Runs a script as root inside user-mode Linux, with images as its disks.
#
#   uml-run.sh [-t SECONDS] [-k SECONDS] [-m SIZE] [-s DIR] SCRIPT [IMAGE...]
#
# SCRIPT runs with the host's files read-only, IMAGEs as /dev/ubda, /dev/ubdb ...
# and DIR (-s; the working directory of the script, on the host's disk) writable as
# $SHARE.  $MNT is an empty directory to mount on, $TMPDIR is in memory.  Its output
# comes out here; the kernel's goes to DIR/console.log.
#   -t  time limit (default 300 s); then the machine is killed, status 124
#   -k  cut off: kill -9 so long after the script has created $SHARE/cut-ready;
#       status 0 if it was cut off in the middle, 125 if the script ended before
#   -m  memory (default 512M)
# Ends with the script's own status; 126 when the machine did not come up or the
# script left no status.
set -euo pipefail
# shellcheck source=tests/judges/lib.sh
. "$(dirname "$0")/lib.sh"

limit=300 cut='' memory=512M share=
while getopts t:k:m:s: c; do
	case $c in
	t) limit=$OPTARG ;;
	k) cut=$OPTARG ;;
	m) memory=$OPTARG ;;
	s) share=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || { say "usage: uml-run.sh [-t S] [-k S] [-m SIZE] [-s DIR] SCRIPT [IMAGE...]"; exit 2; }
script=$(realpath "$1")
shift
[ -x "$JUDGES/uml/linux" ] || die "no user-mode Linux: run tests/judges/build-uml.sh"

dir=$(mktemp -d "${TMPDIR:-/tmp}/mendfs-uml.XXXXXX")
pid=
# shellcheck disable=SC2317
finish() {
	local status=$?
	# The machine is a group of processes of its own; end them all, by that group's id.
	if [ -n "$pid" ]; then kill -9 -- "-$pid" 2>/dev/null || true; fi
	wait 2>/dev/null || true
	rm -rf "$dir"
	return "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
[ -n "$share" ] || { mkdir "$dir/share"; share=$dir/share; }
share=$(realpath "$share")
rm -f "$share/status" "$share/cut-ready"

disks=() i=0
for image; do
	disks+=("ubd$i=$(realpath "$image")")
	i=$((i + 1))
done

cat >"$dir/init" <<EOF
#!/bin/bash
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t debugfs debug /sys/kernel/debug
mount -t tmpfs tmp /mnt
mkdir /mnt/share /mnt/fs
mount -t hostfs -o $share none /mnt/share
ln -sf /proc/self/fd /dev/fd
export SHARE=/mnt/share MNT=/mnt/fs HOME=/mnt TMPDIR=/mnt
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export FSWORK=$FSWORK
cd /mnt/share
bash $script >/mnt/share/output.log 2>&1 </dev/null
status=\$?
cd /
umount /mnt/fs 2>/dev/null
sync
echo \$status >/mnt/share/status
sync
poweroff -f -n >/dev/null 2>&1
EOF
chmod +x "$dir/init"
: >"$share/output.log"

# A session of its own: one id ends the kernel and its helper processes.
TMPDIR=$dir setsid "$JUDGES/uml/linux" mem="$memory" umid="mendfs.$$" uml_dir="$dir/" root=/dev/root rootfstype=hostfs \
	rootflags=/ ro "${disks[@]}" init="$dir/init" con=null con0=null,fd:1 ssl=null quiet loglevel=7 panic=1 \
	</dev/null >"$share/console.log" 2>&1 &
pid=$!
tail --pid=$pid -s 0.2 -n +1 -F "$share/output.log" 2>/dev/null &
tail_pid=$!

ticks=$((limit * 10)) outcome=ended
while kill -0 "$pid" 2>/dev/null; do
	if [ $((ticks--)) -le 0 ]; then
		outcome=limit
		break
	fi
	if [ -n "$cut" ] && [ -e "$share/cut-ready" ]; then
		sleep "$cut"
		if kill -0 "$pid" 2>/dev/null && [ ! -e "$share/status" ]; then outcome="cut"; fi
		break
	fi
	sleep 0.1
done
# Quiet: bash itself would tell of every process killed.
{
	if [ "$outcome" != ended ]; then kill -9 -- "-$pid" || true; fi
	wait "$pid" || true
	wait "$tail_pid" || true
	kill -9 -- "-$pid" || true
} 2>/dev/null
pid=
case $outcome in
cut) exit 0 ;;
limit)
	say "time limit of $limit s"
	tail -5 "$share/console.log" >&2
	exit 124
	;;
esac
if [ ! -s "$share/status" ]; then
	say "no status from the machine"
	tail -15 "$share/console.log" >&2
	exit 126
fi
if [ -n "$cut" ]; then
	say "the script ended before the cut"
	exit 125
fi
exit "$(cat "$share/status")"
