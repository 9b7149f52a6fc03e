#!/bin/bash
# The writing mount beside a null server, passthrough_ll over a kernel XFS, and fuse2fs.
#
#   write.sh [-l] [-r ROUNDS] [-s "SERVER..."] [-k]
#
#   -l   the long form: ten times as much work (the short one takes a few minutes)
#   -r   rounds (5); every round makes all filesystems anew, the servers take turns
#   -s   these servers alone: mendfs null passthrough fuse2fs
#   -k   keep the status 0 where a goal is missed
#
# The servers: mendfs with its defaults; bench-null, the same loop without a filesystem; passthrough_ll of libfuse's examples (its
# defaults) over an XFS that the kernel has mounted; fuse2fs with ext4.  All on images in $TMPDIR.  stat follows a fresh mount, so
# that the kernel asks the server; so does read, where the image has left the page cache, too.  One program at a time works on
# each (bench/work.c).  Prints medians, and for each other server the median of the ratios of the rounds; then what the library does
# without FUSE.  Needs root, loop devices, fuse2fs, mkfs.ext4 and libfuse3-dev.
set -euo pipefail
# shellcheck source=tests/judges/lib.sh
. "$(dirname "$0")/../tests/judges/lib.sh"

rounds=5 scale=1 servers="mendfs null passthrough fuse2fs" lenient=
while getopts lr:s:k c; do
	case $c in
	l) scale=10 ;;
	r) rounds=$OPTARG ;;
	s) servers=$OPTARG ;;
	k) lenient=1 ;;
	*) exit 8 ;;
	esac
done
BUILD=${BUILD:-$SOURCE_TOP/build}
files=$((10000 * scale)) mib=$((128 * scale)) writes=$((10000 * scale)) syncs=$((1000 * scale))
need_root
for tool in fuse2fs mkfs.ext4 mkfs.xfs gcc pkg-config; do command -v $tool >/dev/null || die "$tool is missing"; done
work_begin
ulimit -n 1048576 2>/dev/null || ulimit -n "$(ulimit -Hn)"
img=$WORK/image lower=$WORK/lower dir=$WORK/mnt
mkdir "$lower"
end() {
	if mountpoint -q "$dir"; then umount "$dir" || umount -l "$dir"; fi
	if mountpoint -q "$lower"; then umount "$lower" || umount -l "$lower"; fi
	work_end
}
trap end EXIT

example=/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c
if [[ $servers == *passthrough* ]]; then
	[ -e $example ] || die "$example is missing (libfuse3-dev)"
	# shellcheck disable=SC2046
	gcc -O2 -o "$WORK/passthrough_ll" $example $(pkg-config fuse3 --cflags --libs) 2>/dev/null
fi

# What a server works on.
make_mendfs() { truncate -s $((mib * 2 + 1024))M "$img" && mkfs.xfs -q "$img"; }
make_null() { :; }
make_passthrough() { make_mendfs; }
make_fuse2fs() { truncate -s $((mib * 2 + 1024))M "$img" && mkfs.ext4 -q -F -N $((files * 5 / 4 + 5000)) "$img"; }

up_mendfs() { "$BUILD/src/cli/mendfs" mount -f -o rw "$img" "$dir"; }
up_null() { exec "$BUILD/bench/bench-null" "$img" "$dir"; }
up_passthrough() { exec "$WORK/passthrough_ll" -f -o "source=$lower" "$dir"; }
up_fuse2fs() { exec fuse2fs -f "$img" "$dir"; }
start() {
	local n
	if [ "$1" = passthrough ]; then mount -o loop "$img" "$lower"; fi
	"up_$1" >"$WORK/server" 2>&1 &
	pid=$!
	for n in {1..200}; do
		mountpoint -q "$dir" && return
		sleep 0.05
	done
	cat "$WORK/server" >&2
	die "$1 did not come up"
}
# Waits until the server has written all that it has.
stop() {
	local n
	for n in {1..50}; do
		umount "$dir" 2>/dev/null && break
		sleep 0.1
	done
	wait "$pid" || { cat "$WORK/server" >&2; die "$1 ended badly"; }
	if [ "$1" = passthrough ]; then umount "$lower"; fi
}
work() { "$BUILD/bench/bench-work" "$dir" "$@" >>"$WORK/figures"; }
# The image leaves the page cache.
cool() { dd of="$img" oflag=nocache conv=notrunc,fdatasync count=0 status=none; }

round() {
	rm -f "$img"
	: >"$WORK/figures"
	"make_$1"
	start "$1"
	work create=$files
	stop "$1"
	start "$1"
	work stat=$files rename=$files unlink=$files stream=$mib
	stop "$1"
	cool
	start "$1"
	work read=$mib random=$writes fsync=$syncs
	stop "$1"
	sed "s/^/$1 $2 /" "$WORK/figures" >>"$WORK/all"
}

say "$rounds rounds of $files files, $mib MiB, $writes writes, $syncs fsyncs"
for ((n = 1; n <= rounds; n++)); do
	for server in $servers; do round "$server" "$n"; done
done
for ((n = 1; n <= rounds; n++)); do
	rm -f "$img"
	make_mendfs
	"$BUILD/bench/bench-create" "$img" $((files * 10)) | sed "s/^/library $n /" >>"$WORK/all"
done

status=0
python3 - "$WORK/all" <<'EOS' || status=$?
import statistics, sys
goals = {  # work: what each other server's rate is multiplied with to be the least
    **{work: {"null": 0.7, "passthrough": 1, "fuse2fs": 1} for work in ("create", "stat", "rename", "unlink")},
    "stream": {"passthrough": 0.9, "fuse2fs": 2},
    "read": {"passthrough": 0.9, "fuse2fs": 2},
    "random": {"passthrough": 1},
    "fsync": {"fuse2fs": 1},
}
figures, library = {}, {}
for line in open(sys.argv[1]):
    server, number, work, *rates = line.split()
    if server != "library":
        figures.setdefault(work, {}).setdefault(server, {})[number] = float(rates[0])
    elif work in ("create", "remove"):
        library.setdefault(work, []).append(float(rates[1]))
missed = False
servers = ["mendfs", "null", "passthrough", "fuse2fs"]
print(f"{'':8}" + "".join(f"{s:>13}" for s in servers) + "   mendfs / each (goal)")
for work, by in figures.items():
    row = f"{work:8}" + "".join(f"{statistics.median(by[s].values()):13.0f}" if s in by else f"{'-':>13}" for s in servers)
    for other in servers[1:]:
        if other not in by or "mendfs" not in by:
            continue
        ratio = statistics.median(by["mendfs"][n] / by[other][n] for n in by[other])
        goal = goals[work].get(other)
        row += f"   {other} {ratio:.2f}"
        if goal:
            row += f" ({goal}{'' if ratio >= goal else ' missed'})"
            missed |= ratio < goal
    print(row)
for work, rates in library.items():
    rate = statistics.median(rates)
    goal = 60000 if work == "create" else 0
    print(f"library {work}: {rate:.0f} a second" + (f" (goal {goal}{'' if rate >= goal else ' missed'})" if goal else ""))
    missed |= rate < goal
sys.exit(missed)
EOS
if [ -n "$lenient" ]; then status=0; fi
exit $status
