#!/bin/bash
# Makes a corpus of clean, aged XFS images from the table tests/corpus/configs.
#
#   make-images.sh [-n COUNT] [-s SEED] [-o NAME] [-t TABLE] OUTDIR
#
#   -n COUNT  images (default: each configuration once; more go round again with other seeds)
#   -s SEED   of the first (default 1); the same seed asks for the same work
#   -o NAME   only this configuration
#
# OUTDIR gets NAME-SEED.img (with .log and .rt where external), NAME-SEED.tree (the
# listing of fswork sum) and manifest.jsonl, one object per image.  What this machine
# cannot do is skipped, counted and printed with its reason.  Status 1 if an image could
# not be made or the judge, xfs_repair -n, is not content with it: then the corpus is
# not to be trusted.
set -euo pipefail
# shellcheck source=tests/judges/lib.sh
. "$(dirname "$0")/../judges/lib.sh"
# shellcheck source=tests/corpus/lib.sh
. "$(dirname "$0")/lib.sh"

count=0 seed=1 only='' table=''
while getopts n:s:o:t: c; do
	case $c in
	n) count=$OPTARG ;;
	s) seed=$OPTARG ;;
	o) only=$OPTARG ;;
	t) table=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# = 1 ] || { say "usage: make-images.sh [-n COUNT] [-s SEED] [-o NAME] [-t TABLE] OUTDIR"; exit 2; }
table=${table:-$CORPUS_DIR/configs}
need_root
mkdir -p "$1"
out=$(realpath "$1")
need_fswork
work_begin

made=0 failed=0 skipped=0
declare -A reasons block_ok

skip() {
	skipped=$((skipped + 1))
	reasons[$1]=$((${reasons[$1]:-0} + 1))
	say "skipped $NAME: $1"
}

block_size() {
	local b=${MKFS#*-b size=}
	case $MKFS in *"-b size="*) echo "${b%% *}" ;; *) echo 4096 ;; esac
}

mountable() {
	local b
	b=$(block_size)
	if [ "$b" -le 4096 ]; then return 0; fi
	if [ -z "${block_ok[$b]:-}" ]; then
		if (trap - EXIT; kernel_mounts_block "$b"); then block_ok[$b]=yes; else block_ok[$b]=no; fi
	fi
	[ "${block_ok[$b]}" = yes ]
}

age_by_kernel() {
	local img=$1
	xfs_mount "$img" "${MOUNT:-defaults}" "$LOG" || { cat "$WORK/mount.err" >&2; return 1; }
	# shellcheck disable=SC2086
	"$FSWORK" age --seed "$3" $AGE "$WORK/mnt" >"$WORK/age.out" || { cat "$WORK/age.out" >&2; return 1; }
	xfs_umount
	xfs_mount "$img" ro,norecovery "$LOG" || return 1
	"$FSWORK" sum "$WORK/mnt" >"$2" || return 1
	xfs_umount
}

age_by_uml() {
	local img=$1 share=$WORK/share
	mkdir -p "$share"
	{
		uml_mount_line
		if [ "$EXTRA" = limits ]; then
			echo "xfs_quota -x -c 'limit -u bsoft=900k bhard=1400k isoft=60 ihard=90 7' -c 'limit -u bsoft=10g bhard=20g 3' \"\$MNT\" || true"
			echo "xfs_quota -x -c 'limit -g bsoft=500k bhard=9m 8' -c 'limit -p isoft=10 ihard=200 5' \"\$MNT\" || true"
		fi
		# shellcheck disable=SC2016
		printf '$FSWORK age --seed %d %s "$MNT"\numount "$MNT"\n' "$3" "$AGE"
		uml_mount_line
		# shellcheck disable=SC2016
		printf '$FSWORK sum "$MNT" >$SHARE/tree\numount "$MNT"\n'
	} >"$WORK/script"
	"$UML_RUN" -t 300 -s "$share" "$WORK/script" "$img" ${RT:+"$RT"} >"$WORK/age.out" 2>&1 ||
		{ tail -20 "$WORK/age.out" >&2; return 1; }
	mv "$share/tree" "$2"
}

manifest_line() {
	local rel_log=null rel_rt=null tree=null
	if [ -n "$LOG" ]; then rel_log=$(json_string "${LOG##*/}"); fi
	if [ -n "$RT" ]; then rel_rt=$(json_string "${RT##*/}"); fi
	if [ -n "$4" ]; then tree=$(json_string "${4##*/}"); fi
	printf '{"name":%s,"image":%s,"config":%s,"mkfs":%s,"mkfs_version":%s,"mount":%s,"seed":%d,"kernel":%s,"aged":%s,"clean":true,"log":%s,"rt":%s,"tree":%s,"quota":%s,"names":%d}\n' \
		"$(json_string "$1")" "$(json_string "$1.img")" "$(json_string "$NAME")" "$(json_string "$MKFS")" \
		"$(json_string "$("${PROGS[@]}" mkfs.xfs -V | sed 's/.* //')")" "$(json_string "$MOUNT")" "$2" "$(json_string "$3")" \
		"$([ "$VIA" = proto ] && echo false || echo true)" "$rel_log" "$rel_rt" "$tree" \
		"$(case $MOUNT in *quota* | *qnoenforce*) echo true ;; *) echo false ;; esac)" \
		"$([ -n "$4" ] && wc -l <"$4" || echo 0)"
}

make_one() {
	local s=$1 name=$NAME-$1 img kernel=$KERNEL tree
	img=$out/$name.img tree=$out/$name.tree
	AGE="--ops 4000 $AGE"
	case $VIA in
	proto)
		proto_make "$WORK/proto"
		config_make "$img" -p "$WORK/proto" || return 1
		kernel=none tree=''
		if mountable && xfs_mount "$img" ro,norecovery "$LOG"; then
			tree=$out/$name.tree
			"$FSWORK" sum "$WORK/mnt" >"$tree" || return 1
			xfs_umount
		fi
		;;
	kernel)
		config_make "$img" || return 1
		age_by_kernel "$img" "$tree" "$s" || return 1
		;;
	uml)
		config_make "$img" || return 1
		kernel="user-mode Linux 6.12"
		age_by_uml "$img" "$tree" "$s" || return 1
		;;
	esac
	if ! judge "$img" "$LOG" "$RT" "$WORK/judge.out"; then
		say "$name: the judge is not content:"
		head -20 "$WORK/judge.out" >&2
		return 1
	fi
	manifest_line "$name" "$s" "$kernel" "$tree" >>"$out/manifest.jsonl"
}

mapfile -t lines < <(grep -v '^ *\(#\|$\)' "$table")
[ "$count" -gt 0 ] || count=${#lines[@]}
: >>"$out/manifest.jsonl"
started=$SECONDS
for ((i = 0; i < count; i++)); do
	config_split "${lines[i % ${#lines[@]}]}"
	if [ -n "$only" ] && [ "$only" != "$NAME" ]; then continue; fi
	s=$((seed + i / ${#lines[@]}))
	if grep -q "\"name\":\"$NAME-$s\"" "$out/manifest.jsonl"; then continue; fi
	if [ "$EXTRA" = new ] && ! have_new; then skip "no newer xfsprogs (xfsprogs-new.sh install)"; continue; fi
	if [ "$VIA" = uml ] && ! have_uml; then skip "no user-mode Linux (build-uml.sh)"; continue; fi
	if [ "$VIA" = kernel ] && ! mountable; then
		say "$NAME: this kernel does not mount blocks of $(block_size): populated by mkfs.xfs instead"
		reasons["block size not mounted here: populated, not aged"]=$((${reasons["block size not mounted here: populated, not aged"]:-0} + 1))
		VIA=proto
	fi
	if make_one "$s"; then
		made=$((made + 1))
	else
		failed=$((failed + 1))
		say "FAILED: $NAME with seed $s (mkfs.xfs $MKFS)"
		if mountpoint -q "$WORK/mnt"; then xfs_umount || true; fi
		rm -f "$out/$NAME-$s".{img,log,rt,tree}
	fi
done
say "$made images made in $((SECONDS - started)) s, $skipped skipped, $failed failed; $(wc -l <"$out/manifest.jsonl") in $out/manifest.jsonl"
for r in "${!reasons[@]}"; do say "  ${reasons[$r]} x $r"; done
[ "$failed" = 0 ]
