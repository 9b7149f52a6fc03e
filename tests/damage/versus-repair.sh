#!/bin/bash
# What xfs_repair -n finds on a damaged image, check finds as well.
#
#	versus-repair.sh [COUNT] [SEED] [ONLY]
#
# COUNT images of each base (default 300), drawn by SEED; ONLY: of this base alone. xfs_repair's status 1 counts as
# found. What this machine's does not know (parent pointers) goes to a newer one, where xfsprogs-new.sh has one.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/damage/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1
mkdir judged && cd judged || exit 1
bases || exit 1
cat >judge <<END
#!/bin/bash
rt=() new=()
case \$1 in
realtime.img) rt=(-r realtime.rt) ;;
parent.img) [ ! -e "${MENDFS_JUDGES:-$HOME/.cache/mendfs-judges}/trixie/.complete" ] || new=("$TOP/tests/judges/xfsprogs-new.sh") ;;
esac
timeout 120 "\${new[@]}" xfs_repair -n -f "\${rt[@]}" "\$PWD/\$1" >judge.out 2>&1
END
chmod +x judge
for b in "${BASES[@]}"; do
	[ "${3:-$b}" = "$b" ] || continue
	if ! ./judge "$b.img"; then
		skip "versus-repair-$b" "this xfs_repair is not content with the base: $(tail -1 judge.out)"
		continue
	fi
	campaign "$b" --per=4 --count="${1:-300}" --seed="${2:-1}" --judge=./judge || { not_ok "versus-repair-$b"; continue; }
	check "versus-repair-$b" "$TOP/tests/damage/summary.py" "$b.jsonl"
done
