# shellcheck shell=bash
# shellcheck disable=SC2034,SC2016
# Shared by make-images.sh and make-dirty.sh: reading the table of configurations,
# making the filesystem, asking the judge.  Sourced after tests/judges/lib.sh.

CORPUS_DIR=$SOURCE_TOP/tests/corpus
UML_RUN=$SOURCE_TOP/tests/judges/uml-run.sh
XFS_NEW=$SOURCE_TOP/tests/judges/xfsprogs-new.sh
# Small filesystems and small logs: mkfs.xfs makes them for test suites only.
export TEST_DIR=1 TEST_DEV=1 QA_CHECK_FS=1
KERNEL=$(uname -r)
KERNEL="Linux ${KERNEL%%-*}"

# config_split LINE: sets NAME VIA SIZE MKFS MOUNT AGE EXTRA
config_split() {
	local f=() i
	IFS='|' read -r -a f <<<"$1|"
	for i in 0 1 2 3 4 5 6; do # without a process for each
		f[i]=${f[i]-}
		f[i]=${f[i]#"${f[i]%%[![:space:]]*}"}
		f[i]=${f[i]%"${f[i]##*[![:space:]]}"}
	done
	NAME=${f[0]} VIA=${f[1]} SIZE=${f[2]} MKFS=${f[3]} MOUNT=${f[4]} AGE=${f[5]} EXTRA=${f[6]}
	PROGS=()
	if [ "$EXTRA" = new ]; then PROGS=("$XFS_NEW"); fi
}

have_new() { [ -e "$JUDGES/trixie/.complete" ]; }
have_uml() { [ -x "$JUDGES/uml/linux" ]; }

# config_make IMAGE: mkfs with $MKFS; sets LOG and RT to the files of their names, or to nothing.
config_make() {
	local img=$1 options=$MKFS
	LOG='' RT=''
	rm -f "$img" "${img%.img}.log" "${img%.img}.rt"
	truncate -s "$SIZE" "$img"
	case $MKFS in *@LOG@*)
		LOG=${img%.img}.log
		truncate -s 32M "$LOG"
		options=${options//@LOG@/$LOG}
		;;
	esac
	case $MKFS in *@RT@*)
		RT=${img%.img}.rt
		truncate -s "${RT_SIZE:-100M}" "$RT"
		options=${options//@RT@/$RT}
		;;
	esac
	# shellcheck disable=SC2086
	"${PROGS[@]}" mkfs.xfs -q -f $options "$@" >&2
	if [ "$EXTRA" = uuid ]; then xfs_admin -U generate "$img" >/dev/null; fi
}

# judge IMAGE LOG RT REPORT: xfs_repair -n; 0 when it finds nothing.
judge() {
	local args=(-n -f)
	case $MKFS in *agcount=1\ * | *agcount=1) args+=(-o force_geometry) ;; esac
	if [ -n "$2" ]; then args+=(-l "$2"); fi
	if [ -n "$3" ]; then args+=(-r "$3"); fi
	timeout 300 "${PROGS[@]}" xfs_repair "${args[@]}" "$1" >"$4" 2>&1
}

# A directory with a little of everything, as mkfs.xfs -p describes it.
proto_make() {
	local out=$1 i
	{
		printf '/\n0 0\nd--755 0 0\n'
		printf 'dir d--755 3 4\n'
		for i in $(seq 1 200); do printf 'file-of-number-%d ---644 %d %d %s\n' "$i" "$i" "$i" "$SOURCE_TOP/tests/corpus/configs"; done
		printf '$\n'
		printf 'pipe p--600 1 2\n'
		printf 'chr c--600 0 0 1 3\n'
		printf 'blk b--600 0 0 7 1\n'
		printf 'link l--777 0 0 some/where/else\n'
		printf 'setid -ug755 0 0 %s\n' "$SOURCE_TOP/tests/corpus/fswork.c"
		printf '$\n'
	} >"$out"
}

# The beginning of a script for uml-run.sh, whose disks are the image, $RT and $LOG in this order.
uml_mount_line() {
	local options=${MOUNT:-defaults} disk=b
	if [ -n "$RT" ]; then
		options+=",rtdev=/dev/ubd$disk"
		disk=c
	fi
	if [ -n "$LOG" ]; then options+=",logdev=/dev/ubd$disk"; fi
	printf 'set -e\nmount -t xfs -o %s /dev/ubda "$MNT"\n' "$options"
}
