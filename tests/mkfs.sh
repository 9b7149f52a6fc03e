#!/bin/bash
# Filesystems of `mendfs mkfs`, before the judges: mendfs check, xfs_repair -n (the machine's and a newer one), the same
# headers as mkfs.xfs makes with the same options, the kernel that mounts and fills them, and the judges again.
# A few of tests/mkfs/configs (SEED; NAMES for some by name; all of them with FULL=1).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/judges/lib.sh
. "$TOP/tests/judges/lib.sh"
work_begin
cd "$WORK" || exit 1
export TEST_DIR=1 TEST_DEV=1 QA_CHECK_FS=1
NEW=$TOP/tests/judges/xfsprogs-new.sh
UUID=0d1f2e3c-4b5a-4697-8877-665544332211
have_new=
[ "$(id -u)" = 0 ] && [ -e "$JUDGES/trixie/.complete" ] && have_new=1
without_new=0 without_mount=0

# judge TOOL...: xfs_repair -n says nothing but its phases.
repair_clean() {
	local args=(-n -f) out
	case $options in *agcount=1 | *agcount=1,* | *agcount=1\ *) args+=(-o force_geometry) ;; esac
	case $size in 16M | 31M) args+=(-o force_geometry) ;; esac
	[ -z "$log" ] || args+=(-l "$log")
	[ -z "$rt" ] || args+=(-r "$rt")
	out=$("$@" xfs_repair "${args[@]}" img 2>&1) || { echo "$out"; return 1; }
	! grep -vE '^Phase|^        - |^No modify|^Cannot get host|^Repair may fail|^the image and' <<<"$out"
}
judge() {
	local args=()
	[ -z "$log" ] || args+=("--log-device=$log")
	[ -z "$rt" ] || args+=("--rt-device=$rt")
	"$M" check "${args[@]}" img >check.out 2>&1 || { cat check.out; return 1; }
	case $extra in *new*) ;; *) repair_clean || return 1 ;; esac
	if [ -n "$have_new" ]; then repair_clean "$NEW" || return 1; else without_new=$((without_new + 1)); fi
}
# headers IMAGE: what a superblock and three AGs say, but for checksums.
headers() {
	local commands=(-c 'sb 0' -c p) ag
	local count
	count=$(xfs_db -r -c 'sb 0' -c 'p agcount' "$1" 2>/dev/null | awk '{print $3}')
	for ag in 0 $((count / 2)) $((count - 1)); do commands+=(-c "agf $ag" -c p -c "agi $ag" -c p -c "agfl $ag" -c p -c "agf $ag" -c 'addr bnoroot' -c p); done
	"$NEW" xfs_db -r "${commands[@]}" "$1" 2>&1 | sed -E '/^crc = /d; s/ [0-9]+:null//g'
}
# What mkfs.xfs makes of it.
same_as_mkfs_xfs() {
	case $extra in *own*) return 0 ;; esac
	[ -n "$have_new" ] || return 0
	rm -f theirs
	truncate -s "$size" theirs
	# shellcheck disable=SC2086
	"$NEW" mkfs.xfs -q -f -m uuid=$UUID $options theirs >mkfs.out 2>&1 || { cat mkfs.out; return 1; }
	diff -u <("$M" info theirs 2>&1 | sed 's/=theirs /=img    /') <("$M" info img 2>&1) &&
		diff -u <(headers theirs) <(headers img)
}
# fill REFLINK: a little of everything.
fill() {
	REFLINK=$1 bash -e -c '
		cd "$1"
		mkdir -p a/b/c d
		for i in {1..300}; do echo "content of $i" >"d/file-number-$i"; done
		head -c 500000 /dev/urandom >large
		cp --reflink="$REFLINK" large a/clone
		ln -s ../large a/link
		ln d/file-number-7 a/hard
		rm d/file-number-{100..200}
		mv d/file-number-1 a/b/
	' fill "$WORK/mnt"
}
# The kernel mounts it and works in it.
fill_by_kernel() {
	local reflink=always
	case $extra in *nomount*) return 0 ;; esac
	if [ "$(id -u)" != 0 ]; then without_mount=$((without_mount + 1)); return 0; fi
	if ! xfs_mount img nouuid "$log"; then
		cat mount.err
		dmesg 2>/dev/null | tail -5
		return 1
	fi
	case $options in *reflink=0*) reflink=never ;; esac
	fill "$reflink"
	local status=$?
	xfs_umount || return 1
	return $status
}
# The first of the judges that objects is what the test fails with.
one() {
	local made
	rm -f img log rt
	log='' rt=''
	case $options in *@LOG@*) log=$WORK/log ;; esac
	case $options in *@RT@*) rt=$WORK/rt ;; esac
	[ -z "$log" ] || truncate -s 200M "$log"
	[ -z "$rt" ] || truncate -s 200M "$rt"
	options=${options//@LOG@/$log}
	options=${options//@RT@/$rt}
	# shellcheck disable=SC2086
	"$M" mkfs -q -m uuid=$UUID -d "file,size=$(numfmt --from=iec "$size")" $options img >mkfs.out 2>&1
	made=$?
	if [ $made != 0 ]; then cat mkfs.out; return 1; fi
	judge && same_as_mkfs_xfs && fill_by_kernel && judge
}

mapfile -t lines < <(grep -vE '^#|^$' "$TOP/tests/mkfs/configs")
seed=${SEED:-$((RANDOM + 1))}
echo "seed $seed"
if [ -z "${FULL:-}${NAMES:-}" ]; then
	mapfile -t lines < <(printf '%s\n' "${lines[@]}" | shuf -n 12 --random-source=<(yes "$seed"))
fi
trim() { sed -E 's/^ +| +$//g' <<<"$1"; }
for line in "${lines[@]}"; do
	IFS='|' read -r name size options extra <<<"$line|"
	name=$(trim "$name") options=$(trim "$options") extra=${extra%|}
	if [ -n "${NAMES:-}" ]; then case " $NAMES " in *" $name "*) ;; *) continue ;; esac; fi
	check "$name" one
done
[ $without_new = 0 ] || skip newer-xfsprogs "not installed: $without_new times not asked"
[ $without_mount = 0 ] || skip kernel "needs root to mount: $without_mount times not asked"
