#!/bin/bash
# Quotas on a mount: what owners use is right after random work, on images that a kernel with quotas has made and on new ones; also after
# a crash. Turned on and off by mount options.
# ROUNDS and SEEDS in the environment make it longer.
set -uo pipefail
# Commands on a mount run in its server, so who asks need not be the build with the sanitizers.
CLIENT=${MENDFS:-$PWD/build/src/cli/mendfs}
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
QUOTA=$SOURCE_TOP/tests/mount/quota.py
image=$SCRATCH/image dir=$SCRATCH/dir
skip_all_if "$(fuse_missing)" quota
if [ "$(id -u)" != 0 ]; then skip_all_if "needs root (it gives files away)" quota; fi
chmod 755 "$SCRATCH"

# Both compare the usage of every owner.
clean() {
	xfs_repair -n "$image" >"$SCRATCH/repair.out" 2>&1 && "$CLIENT" check "$image" >"$SCRATCH/check.out" 2>&1 && return
	grep -vE 'agno|Phase|^        -' "$SCRATCH/repair.out" "$SCRATCH/check.out" | head -20
	return 1
}
shows_none() { $Q report -u -N "$dir" | grep -qF '[-none-]'; }
live() { sound "$dir"; }
sound() {
	"$CLIENT" check "$1" >"$SCRATCH/check.out" 2>&1 && return
	head -20 "$SCRATCH/check.out"
	return 1
}
fixture() { xz -dc "$SOURCE_TOP/tests/fixtures/$1.img.xz" >"$image"; }

for name in quota quota-dirty; do
	for seed in ${SEEDS:-1}; do
		fixture $name
		serve "$image" "$dir" "rw,uquota,gquota,pquota" || { not_ok "$name-mount" "no mount"; continue; }
		check "$name-work-$seed" "$QUOTA" work "$dir" "$seed" "${ROUNDS:-60}"
		check "$name-live-$seed" live
		check "$name-quit-$seed" quit "$dir"
		check "$name-clean-$seed" clean
	done
done

qflags() { xfs_db -r -c 'sb 0' -c 'p qflags' "$image" | sed 's/.* = //'; }
# is NAME EXPECTED FOUND
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "expected $2, found $3"; fi; }
# options NAME QFLAGS OPTIONS: a mount with them, some work, and what the superblock says afterwards
options() {
	serve "$image" "$dir" "rw,$3" || { not_ok "$1" "no mount"; return; }
	"$QUOTA" work "$dir" "$1" 20
	check "$1-live" live
	check "$1-quit" quit "$dir"
	is "$1-flags" "$2" "$(qflags)"
	check "$1-clean" clean
}

# Of an image that has never had quotas: they are counted, forgotten by a mount without them, and counted again.
rm -f "$image"
truncate -s 300M "$image"
"$MENDFS" mkfs -q "$image"
options user-and-project 0x40d "uquota,uqnoenforce,pqnoenforce"
options off 0 "uquota,noquota"
options all 0x7cf "usrquota,gquota,prjquota"
sum=$(cksum <"$image")
check read-only mount_up "$image" "$dir" ro,noquota
down "$dir"
is read-only-untouched "$sum" "$(cksum <"$image")"

# Limits at every operation, and what is told of the usage, against a count of the tree. (Of id 0 the tree does not show all.)
Q="$CLIENT quota"
serve "$image" "$dir" "rw,uquota,gquota,pquota,allow_other"
check limits "$QUOTA" limits "$CLIENT" "$dir"
for kind in user group; do
	"$QUOTA" usage "$dir" $kind | grep -v '^0 ' >"$SCRATCH/counted"
	"$QUOTA" report "$CLIENT" "$dir" $kind | grep -v '^0 ' >"$SCRATCH/told"
	check report-$kind diff "$SCRATCH/counted" "$SCRATCH/told"
	check report-$kind-some test -s "$SCRATCH/told"
done

# as_user COMMAND: in the mount, as one with limits
as_user() { (cd "$dir/user" && setpriv --reuid 1000 --regid 2000 --clear-groups sh -c "$1" 2>&1); }
# shows NAME TEXT WORD...: what the report must have
shows() {
	local found
	found=$($Q report -n -N "${@:3}" "$dir" | tr -s ' ')
	case $found in *"$2"*) ok "$1" ;; *) not_ok "$1" "no \"$2\" in: $found" ;; esac
}
# Soft limits, and their time of grace; the default is that of id 0.
as_user 'head -c 40k /dev/zero >soft'
used=$("$QUOTA" report "$CLIENT" "$dir" user | sed -n 's/^1000 \([0-9]*\) .*/\1/p')
check timer $Q timer -u 228h "$dir"
check soft-limit $Q limit -u bsoft=4k bhard=100m 1000 "$dir"
shows grace "#1000 $used 4 102400 00 [9 days]" -u
check soft-goes-on as_user 'head -c 4k /dev/zero >>soft'
check grace-of-one $Q timer -u 0 1000 "$dir"
wait_until shows_none
shows grace-over "[-none-]" -u
case $(as_user 'head -c 4k /dev/zero >>soft') in *"quota exceeded"*) ok soft-holds ;; *) not_ok soft-holds "it could be written" ;; esac
check disable $Q disable -u "$dir"
check disabled as_user 'head -c 4k /dev/zero >>soft'
check enable $Q enable -u "$dir"
check below $Q limit -u bsoft=50m 1000 "$dir"
shows no-grace " 51200 102400 00 [--------]" -u
check default-limit $Q limit -u -d ihard=3 "$dir"
chown 1001 "$dir/user"
shows default-taken "#1001 1 0 3 " -ui
check warn $Q warn -u 7 1000 "$dir"
shows warned "102400 07 [" -u
# Wrong words, and what cannot be.
for words in "limit -u bsoft=5 $dir" "limit -u bsoft=x 5 $dir" "limit -ug bsoft=5 5 $dir" "timer -u 5x $dir" "report" "nothing $dir" "on 5 $dir"; do
	# shellcheck disable=SC2086
	$Q $words >"$SCRATCH/out" 2>&1
	is "usage-${words%% *}-${#words}" 8 $?
done
$Q limit -u bsoft=10k bhard=5k 5 "$dir" 2>"$SCRATCH/err"
is soft-above-hard 4 $?

# A project's tree, and the filesystem as its files see it.
mkdir -p "$dir/tree/sub"
touch "$dir/tree/file"
check project $Q project -s 99 "$dir/tree"
check project-is $Q project -c 99 "$dir/tree"
touch "$dir/tree/sub/inherits"
shows project-usage "#99 4 " -pi
check project-limit $Q limit -p bhard=1m ihard=10 99 "$dir"
is statfs "1024 6" "$(df --output=size "$dir/tree" | tail -1 | tr -d ' ') $(df --output=iavail "$dir/tree/sub" | tail -1 | tr -d ' ')"
check project-clear $Q project -C 99 "$dir/tree"
$Q project -c 99 "$dir/tree" >"$SCRATCH/out"
is project-is-not 2 $?
check off $Q off -g "$dir"
is state "ON ON OFF OFF ON ON" "$($Q state "$dir" | sed -n 's/.*\(Accounting\|Enforcement\): //p' | xargs)"
check on $Q on "$dir"
check commands-live live
check commands-quit quit "$dir"
check commands-clean clean
check offline $Q limit -g bhard=3m 5 "$image"
check offline-clean clean
dir=$image shows offline-shows "#5 0 0 3072 " -g

# A crash, and a log with quota records in it.
$Q limit -u -d ihard=0 "$image"
serve "$image" "$dir" "rw,uquota,gquota,pquota"
"$QUOTA" work "$dir" 2 40
sync -f "$dir"
"$QUOTA" work "$dir" 3 40
kill -9 "$server"
wait "$server" 2>/dev/null
umount -l "$dir"
check crash-check sound "$image"
serve "$image" "$dir" "rw,uquota,gquota,pquota"
check crash-live live
check crash-quit quit "$dir"
check crash-clean clean
