#!/bin/bash
# Makes filesystems that were cut off in the middle of work, each with the tree that
# the kernel shows after its own recovery.  What to make: tests/corpus/dirty.
#
#   make-dirty.sh [-s SEED] [-o NAME] [-t TABLE] [-r] OUTDIR
#
#   -s SEED   (default 1); the moment of the cut is a matter of time, so a second run
#             makes other images
#   -o NAME   only this line
#   -r        keep no copy of the recovered image (NAME-SEED.recovered.img)
#
# OUTDIR gets NAME-SEED.img (.log, .rt), NAME-SEED.tree (fswork sum after recovery) and
# manifest.jsonl.  Each is proven to be dirty (xfs_logprint) and xfs_repair -n has to be
# content with the copy that the kernel recovered; where the kernel itself fails to recover,
# or the judge complains, the image is counted as failed, printed and not kept, and the
# status is 1.  One complaint is the kernel's way: a crash amid the setting of a large
# attribute leaves an INCOMPLETE entry, which nobody sees and xfs_repair would clear; such
# images are kept, with "judge":"attr-incomplete" in the manifest instead of "clean".
# What this machine cannot do is skipped, counted and printed.
set -euo pipefail
# shellcheck source=tests/judges/lib.sh
. "$(dirname "$0")/../judges/lib.sh"
# shellcheck source=tests/corpus/lib.sh
. "$(dirname "$0")/lib.sh"

seed=1 only='' table='' keep_copy=1
while getopts s:o:rt: c; do
	case $c in
	s) seed=$OPTARG ;;
	o) only=$OPTARG ;;
	t) table=$OPTARG ;;
	r) keep_copy='' ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# = 1 ] || { say "usage: make-dirty.sh [-s SEED] [-o NAME] [-t TABLE] [-r] OUTDIR"; exit 2; }
table=${table:-$CORPUS_DIR/dirty}
need_root
mkdir -p "$1"
out=$(realpath "$1")
need_fswork
work_begin
share=$WORK/share
mkdir "$share"

# Work by this kernel, then the filesystem is shut down under it.
cut_by_kernel() {
	local img=$1 flag='' pid status=0
	if [ "$METHOD" = flush ]; then flag=-f; fi
	xfs_mount "$img" "${MOUNT:-defaults}" "$LOG" || { cat "$WORK/mount.err" >&2; return 1; }
	# shellcheck disable=SC2086
	"$FSWORK" age --seed "$seed" --ops 0 --seconds 120 $AGE "$WORK/mnt" >"$WORK/age.out" 2>&1 &
	pid=$!
	sleep "$TIME"
	xfs_io -x -c "shutdown $flag" "$WORK/mnt" || return 1
	wait "$pid" || status=$?
	xfs_umount || return 1
	[ "$status" = 3 ] || { say "fswork ended with $status"; cat "$WORK/age.out" >&2; return 1; }
}

# shellcheck disable=SC2016
uml_limits() {
	if [ "$EXTRA" = limits ]; then
		printf 'xfs_quota -x -c "limit -u bsoft=900k bhard=1400k isoft=60 ihard=90 7" -c "limit -u bsoft=10g bhard=20g 3" "$MNT"\n'
		printf 'xfs_quota -x -c "limit -g bsoft=500k bhard=9m 8" -c "limit -p isoft=10 ihard=200 5" "$MNT"\n'
	fi
}

# shellcheck disable=SC2016
cut_by_uml() {
	local img=$1 cut=()
	{
		uml_mount_line
		uml_limits
		case $TIME in *ops)
			printf '$FSWORK age --seed %d %s --ops %d "$MNT"\n' "$((seed + 1000))" "$AGE" "${TIME%ops}"
			TIME=0.1
			;;
		esac
		if [ "$METHOD" = kill ] || [ "$METHOD" = torn ]; then
			cut=(-k "$TIME")
			printf ': >"$SHARE/cut-ready"\n$FSWORK age --seed %d %s --ops 0 --seconds 200 "$MNT"\n' "$seed" "$AGE"
		else
			printf '$FSWORK age --seed %d %s --ops 0 --seconds 60 "$MNT" &\nsleep %s\n' "$seed" "$AGE" "$TIME"
			if [ "$METHOD" = larp ]; then printf 'echo 1 >/sys/fs/xfs/debug/larp\n'; fi
			printf 'echo 1 >/sys/fs/xfs/ubda/errortag/%s\ns=0\nwait $! || s=$?\numount "$MNT"\n[ $s = 3 ]\n' "$ARGUMENT"
		fi
	} >"$WORK/script"
	if ! "$UML_RUN" -t 120 "${cut[@]}" -s "$share" "$WORK/script" "$img" ${RT:+"$RT"} ${LOG:+"$LOG"} >"$WORK/age.out" 2>&1; then
		tail -20 "$WORK/age.out" >&2
		return 1
	fi
}

# log_state IMAGE: prints start sector, tail, head, state, and the kinds of items.
log_state() {
	local args=(-t)
	if [ -n "$LOG" ]; then args+=(-l "$LOG"); fi
	timeout 60 "${PROGS[@]}" xfs_logprint "${args[@]}" "$1" >"$WORK/log.out" 2>/dev/null || true
	START=$(sed -n 's/.*daddr: \([0-9]*\) length.*/\1/p' "$WORK/log.out")
	TAIL=$(sed -n 's/.*log tail: \([0-9]*\) .*/\1/p' "$WORK/log.out")
	HEAD=$(sed -n 's/.*head: \([0-9]*\) .*/\1/p' "$WORK/log.out")
	STATE=$(sed -n 's/.*state: <\(.*\)>.*/\1/p' "$WORK/log.out")
	ITEMS=$(grep -aoE '^(INO|BUF|DQ|EFI|EFD|RUI|RUD|CUI|CUD|BUI|BUD|ATTRI|ATTRD|XMI|XMD|ICR|QOFF) ?: ?cnt' "$WORK/log.out" |
		tr -d ' :cnt' | sort | uniq -c | awk '{ printf "%s\"%s\":%d", (NR > 1 ? "," : ""), $2, $1 }') || true
}

# The last sectors before the head never reached the disk.
tear() {
	local img=$1 file=$1 i at length
	log_state "$img"
	length=$(sed -n 's/.*length: \([0-9]*\).*/\1/p' "$WORK/log.out")
	if [ -n "$LOG" ]; then file=$LOG; fi
	for ((i = 1; i <= ARGUMENT; i++)); do
		at=$((START + (HEAD - i + length) % length))
		dd if=/dev/zero of="$file" bs=512 seek=$at count=1 conv=notrunc status=none
	done
}

copy() { cp --sparse=always "$1" "$2"; }

# recover IMAGE TREE: by the kernel that knows all of it, in place.
# shellcheck disable=SC2016
recover() {
	if [ -n "$RT" ] || [[ $MOUNT = *quota* ]]; then
		RECOVERED_BY="user-mode Linux 6.12"
		{
			uml_mount_line
			printf 'umount "$MNT"\n'
			uml_mount_line
			printf '$FSWORK sum "$MNT" >$SHARE/tree\numount "$MNT"\n'
		} >"$WORK/script"
		"$UML_RUN" -t 200 -s "$share" "$WORK/script" "$1" ${RT:+"$RT"} >"$WORK/age.out" 2>&1 ||
			{ tail -20 "$WORK/age.out" >&2; return 1; }
		mv "$share/tree" "$2"
		return
	fi
	RECOVERED_BY=$KERNEL
	xfs_mount "$1" defaults "$LOG" || { cat "$WORK/mount.err" >&2; dmesg | tail -5 >&2; return 1; }
	xfs_umount || return 1
	xfs_mount "$1" ro,norecovery "$LOG" || return 1
	"$FSWORK" sum "$WORK/mnt" >"$2" || return 1
	xfs_umount
}

one() {
	local name=$NAME-$seed img rec line verdict=clean
	img=$out/$name.img rec=$out/$name.recovered.img
	rm -f "$out/$name".*
	config_make "$img" || return 1
	AGE="--orphans 20 --fsync-every 40 $AGE"
	if [ "$VIA" = uml ]; then cut_by_uml "$img" || return 1; else cut_by_kernel "$img" || return 1; fi
	if [ "$METHOD" = torn ]; then tear "$img"; fi
	log_state "$img"
	[ "$STATE" = DIRTY ] || { say "$name: the log is ${STATE:-unreadable}, not dirty"; return 1; }
	# The recovered copy bears its files' own names, so that the pristine ones stay as they are.
	local dirty_log=$LOG dirty_rt=$RT
	copy "$img" "$rec"
	if [ -n "$LOG" ]; then copy "$LOG" "${rec%.img}.log"; LOG=${rec%.img}.log; fi
	if [ -n "$RT" ]; then copy "$RT" "${rec%.img}.rt"; RT=${rec%.img}.rt; fi
	recover "$rec" "$out/$name.tree" || return 1
	if ! judge "$rec" "$LOG" "$RT" "$WORK/judge.out"; then
		say "$name: recovered, but the judge is not content:"
		grep -v '^Phase\|^ *- \|geometry\|Repair may fail\|the image and the host' "$WORK/judge.out" | head -10 >&2
		grep -q 'is INCOMPLETE' "$WORK/judge.out" || return 1
		verdict=attr-incomplete incomplete=$((incomplete + 1))
	fi
	LOG=$dirty_log RT=$dirty_rt
	line=$(printf '{"name":%s,"image":%s,"mkfs":%s,"mkfs_version":%s,"mount":%s,"age":%s,"seed":%d,"cut":%s,"kernel":%s,"clean":false,"log":%s,"rt":%s,"tree":%s,"recovered":%s,"recovered_by":%s,"judge":"%s","quota":%s,"log_tail":%d,"log_head":%d,"wrapped":%s,"items":{%s},"names":%d}' \
		"$(json_string "$name")" "$(json_string "$name.img")" "$(json_string "$MKFS")" \
		"$(json_string "$("${PROGS[@]}" mkfs.xfs -V | sed 's/.* //')")" "$(json_string "$MOUNT")" "$(json_string "$AGE")" "$seed" \
		"$(json_string "$CUT")" "$(json_string "$([ "$VIA" = uml ] && echo "user-mode Linux 6.12" || echo "$KERNEL")")" \
		"$([ -n "$LOG" ] && json_string "${LOG##*/}" || echo null)" "$([ -n "$RT" ] && json_string "${RT##*/}" || echo null)" \
		"$(json_string "$name.tree")" "$([ -n "$keep_copy" ] && json_string "$name.recovered.img" || echo null)" \
		"$(json_string "$RECOVERED_BY")" "$verdict" "$([[ $MOUNT = *quota* ]] && echo true || echo false)" "$TAIL" "$HEAD" \
		"$([ "$HEAD" -lt "$TAIL" ] && echo true || echo false)" "$ITEMS" "$(wc -l <"$out/$name.tree")")
	if [ -z "$keep_copy" ]; then rm -f "$out/$name.recovered".*; fi
	printf '%s\n' "$line" >>"$out/manifest.jsonl"
}

made=0 failed=0 skipped=0 incomplete=0 started=$SECONDS
declare -A reasons
skip() {
	skipped=$((skipped + 1))
	reasons[$1]=$((${reasons[$1]:-0} + 1))
	say "skipped $NAME: $1"
}
: >>"$out/manifest.jsonl"
mapfile -t lines < <(grep -v '^ *\(#\|$\)' "$table")
for line in "${lines[@]}"; do
	config_split "$line"
	CUT=$VIA
	read -r METHOD TIME ARGUMENT <<<"$CUT"
	case $METHOD in shut | flush) VIA=kernel ;; *) VIA=uml ;; esac
	if [ -n "$only" ] && [ "$only" != "$NAME" ]; then continue; fi
	if grep -q "\"name\":\"$NAME-$seed\"" "$out/manifest.jsonl"; then continue; fi
	if [ "$EXTRA" = new ] && ! have_new; then skip "no newer xfsprogs (xfsprogs-new.sh install)"; continue; fi
	if [ "$VIA" = uml ] && ! have_uml; then skip "no user-mode Linux (build-uml.sh)"; continue; fi
	if one; then
		made=$((made + 1))
	else
		failed=$((failed + 1))
		say "FAILED: $NAME ($CUT)"
		if mountpoint -q "$WORK/mnt"; then xfs_umount || true; fi
		rm -f "$out/$NAME-$seed".*
	fi
done
say "$made images made in $((SECONDS - started)) s, $skipped skipped, $failed failed; $(wc -l <"$out/manifest.jsonl") in $out/manifest.jsonl"
if [ "$incomplete" -gt 0 ]; then say "  $incomplete with an attribute that a crash left INCOMPLETE"; fi
for r in "${!reasons[@]}"; do say "  ${reasons[$r]} x $r"; done
[ "$failed" = 0 ]
