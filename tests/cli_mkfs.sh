#!/bin/bash
# `mendfs mkfs` on the command line: what is refused by name, and that nothing is written then; what is there already.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1

# refused TEXT OPTION...: status 1, TEXT in the one line that says why, and the image as it was.
truncate -s 512M image
refused() {
	local text=$1
	shift
	"$M" mkfs "$@" image >out 2>err
	local found=$?
	if [ $found = 1 ] && head -1 err | grep -qF -- "$text" && [ "$(stat -c %b image)" = 0 ]; then
		ok "refused $*"
	else
		echo "status $found: $(head -1 err)"
		not_ok "refused $*"
	fi
}
refused '-m crc=0 is not supported' -m crc=0
refused '-m metadir is not supported' -m metadir=1
refused '-m metadir is not supported' -m metadir
refused '-m uquota is not supported' -m uquota
refused '-m autofsck is not supported' -m autofsck=1
refused '-n version=ci is not supported' -n version=ci
refused '-n ftype=0 is not supported' -n ftype=0
refused '-i attr=1 is not supported' -i attr=1
refused '-i projid32bit=0 is not supported' -i projid32bit=0
refused '-i align=0 is not supported' -i align=0
refused '-l version=1 is not supported' -l version=1
refused '-l lazy-count=0 is not supported' -l lazy-count=0
refused '-d rtinherit is not supported' -d rtinherit=1
refused '-r rgcount is not supported' -r rgcount=4
refused '-r zoned is not supported' -r zoned=1
refused '-p is not supported' -p proto
refused '-c is not supported' -c options=x
refused 'unknown option -d nonsense=1' -d nonsense=1
refused 'unknown option -b log=12' -b log=12
refused '-x' -x
refused '-C' -C
refused '-l file is not supported' -l file,name=log,size=64m
refused '-d size option requires a value' -d size
refused '-d agcount option respecified' -d agcount=2 -d agcount=3
refused 'Value is too small' -d agcount=0
refused 'Value is too large' -i maxpct=101
refused 'Value is too large' -m finobt=2
refused 'Not a number' -d agcount=many
refused 'Not a size' -b size=4q
refused 'Not a size' -b size=4kk
refused 'too large' -d size=99999999999999999999
refused 'too large' -d size=17179869184g
refused 'both -d agcount and -d agsize' -d agcount=4,agsize=64m
refused 'both -d noalign and -d su' -d noalign,su=64k,sw=2
refused 'both data su and data sw' -d su=64k
refused 'both data sunit and data swidth' -d sunit=128
refused 'size' -d size=1g
refused 'Invalid value nonsense for -m uuid' -m uuid=nonsense
refused 'Invalid value' -m uuid=0d1f2e3c-4b5a-4697-8877-66554433221
refused 'Invalid value' -m uuid=0d1f2e3c-4b5a-4697-8877-6655443322112
refused 'more than 12 bytes' -L thirteenbytes
refused 'inobtcount is not supported without finobt' -m finobt=0,inobtcount=1
refused 'extra arguments' other
refused 'block size 512' -b size=512
refused 'No such file' -l logdev=none
refused 'if -d file then -d size is required' -d file

status dry-run 0 "$M" mkfs -N -d agcount=8 image
check dry-run-says grep -q 'agcount=8' out
same dry-run-writes-nothing 0 "$(stat -c %b image)"
status suffixes 0 "$M" mkfs -N -s size=1024 -b size=2k -d agsize=32768b,size=524288s -l size=20000b image
check suffixes-mean-blocks-and-sectors grep -qzE 'agcount=8, agsize=32768 blks.*blocks=20000,' out
status version 0 "$M" mkfs -V
status makes 0 "$M" mkfs -L label -m uuid=0d1f2e3c-4b5a-4697-8877-665544332211 image
check prints-the-geometry grep -q 'agcount=4, agsize=32768 blks' out
status info 0 "$M" info image
check info-is-what-was-printed diff <("$M" info image) <("$M" mkfs -N image)
check quiet test -z "$("$M" mkfs -q -f image 2>&1)"
status again 1 "$M" mkfs image
check again-says-xfs grep -q 'xfs.*-f overwrites' err
status again-forced 0 "$M" mkfs -f image
truncate -s 400M other
mkfs.ext4 -q other 2>/dev/null || printf '\x53\xef' | dd of=other bs=1 seek=1080 conv=notrunc status=none
status other-content 1 "$M" mkfs other
check other-content-says-what grep -q ext4 err
status log-device 1 "$M" mkfs -l logdev=image,size=64m other

status file 0 "$M" mkfs -q -d file,name=new,size=320m
same file-size 335544320 "$(stat -c %s new)"
check file-is-sparse test "$(stat -c %b new)" -lt 2000
status file-sound 0 "$M" check new
status file-grows 0 "$M" mkfs -q -f -d file,size=400m new
same file-has-grown 419430400 "$(stat -c %s new)"
status file-too-small 1 "$M" mkfs -q -d file,name=tiny,size=8m
check nothing-is-left test ! -e tiny
truncate -s 100M small
status small-is-made 0 "$M" mkfs small
check small-is-warned-of grep -q 'below 300 MiB' err

# What was there before does not shine through, discarded or not.
head -c 33554432 /dev/urandom >full
status keep 0 "$M" mkfs -q -K full
status keep-sound 0 "$M" check full
mkdir folder
status folder 1 "$M" mkfs -f folder
if [ "$(id -u)" = 0 ] && loop=$(losetup -f --show new 2>/dev/null); then
	status block-device 0 "$M" mkfs -q -f "$loop"
	status block-device-sound 0 "$M" check "$loop"
	mkdir mnt
	if mount -t xfs "$loop" mnt 2>/dev/null; then
		status mounted 1 "$M" mkfs -q -f "$loop"
		check mounted-says-so grep -q 'in use' err
		umount mnt
	fi
	losetup -d "$loop"
else
	skip block-device "needs root and loop devices"
fi
