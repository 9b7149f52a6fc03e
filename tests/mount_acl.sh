#!/bin/bash
# New files take ACLs, group and project from their directory, chmod and ACLs follow each other, and setid bits go where they
# must: all as on the kernel's own mount.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/mount/lib.sh"
ACLS=$SOURCE_TOP/tests/mount/acls.py
image=$SCRATCH/acl.img dir=$SCRATCH/dir
skip_all_if "$(fuse_missing)$(kernel_missing)" mount-acl
chmod 755 "$SCRATCH"

# what comes of it on the kernel's mount
make_image "$image" 300M
kernel_up "$image" "$SCRATCH/kernel" || { not_ok kernel "no mount"; exit; }
mkdir "$SCRATCH/kernel/top"
"$ACLS" "$SCRATCH/kernel/top" >"$SCRATCH/expected"
down "$SCRATCH/kernel"

for options in "-m rmapbt=1" "-b size=1024" "-i size=2048 -n size=8192"; do
	# shellcheck disable=SC2086
	make_image "$image" 300M $options
	serve "$image" "$dir" rw,allow_other || { not_ok "mount $options" "no mount"; continue; }
	mkdir "$dir/top"
	chmod 755 "$dir"
	"$ACLS" "$dir/top" >"$SCRATCH/found"
	check "same ($options)" diff "$SCRATCH/expected" "$SCRATCH/found"
	check "quit ($options)" quit "$dir"
	check "clean ($options)" clean
done
