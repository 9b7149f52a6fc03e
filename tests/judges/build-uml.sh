#!/bin/bash
# Builds a user-mode Linux with the parts of XFS that a usual kernel lacks: quota,
# realtime, online scrub and repair, and the debug build with its error tags
# (assertions warn, they do not kill).  Source: Debian's package linux-source-6.12.
# The result is $MENDFS_JUDGES/uml/linux; a second call finds it and does nothing.
# Fails with status 1 and the log's last lines when the source is absent or the
# build breaks; 77 when this is not an x86-64 Linux.
set -euo pipefail
# shellcheck source=tests/judges/lib.sh
. "$(dirname "$0")/lib.sh"

UML=$JUDGES/uml
TARBALL=${MENDFS_LINUX_SOURCE:-/usr/src/linux-source-6.12.tar.xz}
LIMIT=${MENDFS_BUILD_LIMIT:-3600}

[ "$(uname -sm)" = "Linux x86_64" ] || { say "user-mode Linux is built on x86-64 Linux only"; exit 77; }

mkdir -p "$UML"
exec 9>"$UML/lock"
flock 9

config() {
	printf 'CONFIG_%s=y\n' 64BIT EXPERT MULTIUSER BLOCK BLK_DEV BLK_DEV_UBD BLK_DEV_LOOP HOSTFS TMPFS TMPFS_XATTR \
		SHMEM PROC_FS PROC_SYSCTL SYSFS DEVTMPFS BINFMT_ELF BINFMT_SCRIPT PRINTK TTY STDERR_CONSOLE SSL NULL_CHAN \
		FILE_LOCKING EPOLL FUTEX SIGNALFD TIMERFD EVENTFD AIO POSIX_TIMERS HIGH_RES_TIMERS FHANDLE ADVISE_SYSCALLS \
		MEMBARRIER BUG KALLSYMS DEBUG_FS XFS_FS XFS_QUOTA XFS_POSIX_ACL XFS_RT XFS_ONLINE_SCRUB \
		XFS_ONLINE_SCRUB_STATS XFS_ONLINE_REPAIR XFS_DEBUG
	printf 'CONFIG_%s=n\n' XFS_ASSERT_FATAL XFS_SUPPORT_V4 DEBUG_INFO NET MODULES
	printf 'CONFIG_%s="null"\n' CON_CHAN SSL_CHAN
}

stamp=$( (sha256sum <"$TARBALL"; config) 2>/dev/null | sha256sum | cut -d' ' -f1) || true
if [ -x "$UML/linux" ] && { [ ! -e "$TARBALL" ] || [ "$(cat "$UML/stamp" 2>/dev/null)" = "$stamp" ]; }; then
	say "$UML/linux is there already"
	exit 0
fi
[ -e "$TARBALL" ] || die "no $TARBALL: apt-get install linux-source-6.12 flex bison bc make gcc"
for tool in flex bison bc make gcc; do
	command -v "$tool" >/dev/null || die "no $tool: apt-get install flex bison bc make gcc"
done

say "unpacking and building in $UML (4 minutes on two cores; log: $UML/build.log)"
rm -rf "$UML/source" "$UML/build"
mkdir "$UML/source" "$UML/build"
trap 'rm -rf "$UML/source" "$UML/build"' EXIT
config >"$UML/config"
build() {
	tar -xf "$TARBALL" -C "$UML/source" --strip-components=1
	make -C "$UML/source" ARCH=um O="$UML/build" KCONFIG_ALLCONFIG="$UML/config" allnoconfig
	local want
	while read -r want; do
		case $want in
		*=n) ! grep -qx "${want%=n}=y" "$UML/build/.config" || { echo "still set: ${want%=n}"; return 1; } ;;
		*) grep -qx "$want" "$UML/build/.config" || { echo "not set: $want"; return 1; } ;;
		esac
	done <"$UML/config"
	timeout "$LIMIT" nice make -C "$UML/source" ARCH=um O="$UML/build" -j"$(nproc)" linux
}
if ! (set -e; build) >"$UML/build.log" 2>&1; then
	tail -15 "$UML/build.log" >&2
	die "the build failed"
fi
cp "$UML/build/linux" "$UML/linux.new"
mv "$UML/linux.new" "$UML/linux"
echo "$stamp" >"$UML/stamp"
say "built $UML/linux"
