#!/bin/bash
# `mendfs info` prints what `xfs_info` prints, on ten configurations.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$SCRATCH" || exit 1
compare() {
	local name=$1
	shift
	image "$name.img" "$@" || { not_ok "$name"; return; }
	xfs_db -c info "$name.img" >"$name.expected" 2>&1
	"$M" info "$name.img" >"$name.found" 2>&1
	check "$name" diff -u "$name.expected" "$name.found"
	rm -f "$name.img"
}
compare default
compare block-1k -b size=1024
compare block-64k -b size=65536
compare sector-4k -s size=4096
compare inode-2k -i size=2048
compare dirblock-16k -n size=16384
SIZE=2G compare ags-16 -d agcount=16
compare everything -m rmapbt=1,reflink=1,finobt=1,bigtime=1,inobtcount=1 -i sparse=1,nrext64=1
compare little -m finobt=0,reflink=0,bigtime=0,inobtcount=0 -i sparse=0,maxpct=5
SIZE=2G compare stripes -d su=64k,sw=4 -l su=64k,size=64m

truncate -s 400M rt.img log.img
truncate -s 320M parts.img
if mkfs.xfs -q -l logdev=log.img,size=70M -r rtdev=rt.img,extsize=64k -m reflink=0 -d name=parts.img >mkfs.log 2>&1; then
	xfs_db -l log.img -c info parts.img 2>&1 | sed 's/^log      =[^ ]* */log      =LOG /' >parts.expected
	"$M" info --log-device=log.img parts.img 2>&1 | sed 's/^log      =[^ ]* */log      =LOG /' >parts.found
	check external-log-and-realtime diff -u parts.expected parts.found
else
	cat mkfs.log
	not_ok external-log-and-realtime
fi
