#!/bin/bash
# The xfsprogs of Debian 13 beside those of the machine: parent pointers, exchange-range
# and whatever else this machine's mkfs.xfs is too old for.
#
#   xfsprogs-new.sh install              debootstrap into $MENDFS_JUDGES/trixie (once)
#   xfsprogs-new.sh COMMAND [ARGUMENT..] mkfs.xfs, xfs_repair, xfs_db, xfs_io, xfs_scrub,
#                                        xfs_admin, xfs_mdrestore ... on this machine's files
#
# The programs that judge run with their own libraries and see the machine as it is, which takes a
# tenth of what the chroot takes.  All others run in a private mount namespace by chroot, with the
# machine's /dev, /proc, /sys and files (at the same paths, for everything outside the system's own
# directories), so no mount is left whatever happens.  Ends with the status of the
# command; 1 with a reason when it is not installed or debootstrap fails.
set -euo pipefail
# shellcheck source=tests/judges/lib.sh
. "$(dirname "$0")/lib.sh"
need_root

ROOT=$JUDGES/trixie

install_it() {
	mkdir -p "$JUDGES"
	exec 9>"$JUDGES/trixie.lock"
	flock 9
	if [ -e "$ROOT/.complete" ]; then
		say "$ROOT is there already"
		return
	fi
	command -v debootstrap >/dev/null || die "no debootstrap: apt-get install debootstrap"
	say "debootstrap of Debian 13 into $ROOT (log: $JUDGES/trixie.log)"
	rm -rf --one-file-system "$ROOT"
	if ! timeout 1800 nice debootstrap --variant=minbase --include=xfsprogs trixie "$ROOT" ${MENDFS_MIRROR:+"$MENDFS_MIRROR"} \
		>"$JUDGES/trixie.log" 2>&1; then
		# debootstrap leaves its proc and sys mounted when it fails.
		umount "$ROOT/proc" "$ROOT/sys" 2>/dev/null || true
		tail -5 "$JUDGES/trixie.log" >&2
		die "debootstrap failed"
	fi
	rm -rf "$ROOT"/var/cache/apt/archives/*.deb
	: >"$ROOT/.complete"
	say "installed: $(chroot "$ROOT" mkfs.xfs -V)"
}

# Inside the namespace: the machine's directories that the new root does not have itself.
enter() {
	local d
	mount --make-rprivate /
	for d in /*; do
		case $d in
		/bin | /sbin | /lib | /lib32 | /lib64 | /libx32 | /usr | /etc | /var | /boot | /lost+found) continue ;;
		esac
		if [ ! -d "$d" ] || [ -L "$d" ]; then continue; fi
		mkdir -p "$ROOT$d"
		mount --rbind "$d" "$ROOT$d"
	done
	# shellcheck disable=SC2016
	exec chroot "$ROOT" /bin/sh -c 'cd "$0" 2>/dev/null || cd /; exec "$@"' "$PWD" "$@"
}

case ${1:-} in
'')
	say "usage: xfsprogs-new.sh install | COMMAND [ARGUMENT...]"
	exit 2
	;;
install) install_it ;;
--inside)
	shift
	enter "$@"
	;;
*)
	[ -e "$ROOT/.complete" ] || die "not installed: run xfsprogs-new.sh install"
	loader=("$ROOT"/lib64/ld-*.so.*) libraries=("$ROOT"/usr/lib/*-linux-gnu*)
	case $1 in
	xfs_repair | xfs_db)
		if [ -x "${loader[0]}" ]; then exec "${loader[0]}" --library-path "${libraries[0]}" "$ROOT/usr/sbin/$1" "${@:2}"; fi
		;;
	esac
	exec unshare --mount --propagation private "$0" --inside "$@"
	;;
esac
