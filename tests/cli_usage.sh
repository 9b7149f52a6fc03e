#!/bin/bash
# Usage errors, --help, --version, and hopeless images: exit statuses, and one clear line.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

status no-command 8 "$M"
status unknown-command 8 "$M" nonsense
status version 0 "$M" --version
check version-text grep -q '^mendfs [0-9]' "$SCRATCH/out"
status help 0 "$M" --help
status help-of-command 0 "$M" help info
for command in $("$M" --help | awk '/^  [a-z]+ /{print $1}'); do
	usage=8
	[ "$command" = mkfs ] && usage=1 # as mkfs.xfs
	status "$command-help" 0 "$M" "$command" --help
	status "$command-nothing" $usage "$M" "$command"
	status "$command-bad-option" $usage "$M" "$command" --no-such-option image
done

status missing-image 4 "$M" info "$SCRATCH/none"
check missing-image-says-so grep -q 'No such file' "$SCRATCH/err"
: >"$SCRATCH/empty"
status empty-image 4 "$M" info "$SCRATCH/empty"
same empty-image-one-line 1 "$(wc -l <"$SCRATCH/err")"
head -c 65536 /dev/zero >"$SCRATCH/zeroes"
status zeroes 4 "$M" info "$SCRATCH/zeroes"
check zeroes-says-magic grep -q magic "$SCRATCH/err"
image "$SCRATCH/cut.img" && truncate -s 100M "$SCRATCH/cut.img"
status truncated 4 "$M" info "$SCRATCH/cut.img"
check truncated-says-so grep -q truncated "$SCRATCH/err"
status folder 4 "$M" info "$SCRATCH"
