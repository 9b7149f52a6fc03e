# shellcheck shell=bash disable=SC2154 # who sources this sets them
# Shared by benchmarks that start whole programs by turns; sourced by them. They set
#
#	work    a folder of their own
#	first   what comes before each command: (), or (chrt -f 10)

# median COLUMN FILE: of the numbers in a column
median() {
	sort -g -k "$1,$1" "$2" | awk -v c="$1" '{v[NR] = $c} END {print v[int((NR + 1) / 2)]}'
}

# measure NAME COMMAND...: one more line "seconds kilobytes" into $work/NAME. /usr/bin/time knows hundredths only.
measure() {
	local name=$1 start end
	shift
	start=$EPOCHREALTIME
	"${first[@]}" /usr/bin/time -o "$work/time" -f '%M' "$@" >"$work/output" 2>&1 ||
		{ echo "$*: status $?" >&2; tail -5 "$work/output" >&2; return 1; }
	end=$EPOCHREALTIME
	echo "$(((${end/./} - ${start/./}) / 1000))e-3 $(cat "$work/time")" >>"$work/$name"
}
