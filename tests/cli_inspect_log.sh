#!/bin/bash
# `mendfs inspect IMAGE log`: one line a record, one record whole, all of them; and the findings that check has.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1

for name in log-efi log-bad-crc; do xz -dc "$TOP/tests/fixtures/$name.img.xz" >$name.img; done
cp --sparse=always log-efi.img middle.img
spoil_log middle.img 346
findings() { sed -n 's/^[a-z]*: \(.*\[LOG_[A-Z_]*\]\)$/\1/p' "$1" | sort; }

status dirty 0 "$M" inspect log-efi.img log
check dirty-state grep -q '^log: dirty, 1368 blocks' out
check dirty-pending grep -q '^ *2 operations are announced and not done$' out
same dirty-records 50 "$(grep -c '^ *[0-9]* .*1:' out)"
check dirty-last grep -q '^ *49  *1806  *1:1806 .* 1 bui, 1 efi$' out
same dirty-findings 'no findings' "$(tail -1 out)"
check short test "$(wc -l <out)" -lt 60

status record 0 "$M" inspect log-efi.img log record 13
cp out by-number
status record-lsn 0 "$M" inspect log-efi.img log record 1:346
check record-the-same diff by-number out
check record-one test "$(grep -c '^record ' out)" = 1
check record-array grep -q 'cycle_data  *\[0\] 0x9f576763 .* \[33-63\] 0x0$' out
check record-type grep -q 'type  *0x123c (buf)$' out
check record-time grep -q 'mtime  *[0-9]* (20[0-9-]* [0-9:.]* UTC)$' out
check record-flags grep -q '^  op\[0\]: operation at byte 0, transaction 0x9f576763, 0 bytes, start$' out
check record-data grep -q '^ *0000  41423343 ' out # a block of the cntbt, "AB3C"
status record-beyond 4 "$M" inspect log-efi.img log record 50
check record-beyond-why grep -q 'no record 50, of 50$' err
status record-no-lsn 4 "$M" inspect log-efi.img log record 1:347
for wrong in 'record x' 'record 1:' 'record' 'nonsense' 'all all'; do
	# shellcheck disable=SC2086
	status "wrong-${wrong// /-}" 8 "$M" inspect log-efi.img log $wrong
	same "wrong-${wrong// /-}-one-line" 1 "$(wc -l <err)"
done
status all 0 "$M" inspect log-efi.img log all
same all-records 50 "$(grep -c '^record [0-9]* at block' out)"
check all-has-the-one diff <(grep -v '^      \([0-9a-f]\{4\} \|\*$\)' by-number) <(sed -n '/^record 13 /,/^record 14 /p' out | sed '$d')

# What is wrong with it is what check says.
status torn 0 "$M" inspect log-bad-crc.img log
findings out >ours
"$M" check log-bad-crc.img >out
check torn-as-check diff ours <(findings out)
check torn-some grep -q LOG_TORN ours
status damaged 1 "$M" inspect middle.img log
findings out >ours
check damaged-state grep -q '^log: damaged' out
check damaged-up-to grep -q '^ *12  *322 ' out
"$M" check --log=accept-loss middle.img >out
check damaged-as-check diff ours <(findings out)
check damaged-some grep -q LOG_RECORD_CRC ours

image clean.img
status clean 0 "$M" inspect clean.img log
check clean-unmount grep -q '^ *0 .* unmount$' out
