#!/bin/bash
# Damage to directories, attributes and links, each repaired: afterwards check and xfs_repair -n find nothing. A seeded sample;
# SEED and COUNT choose another. The power is cut during each, too, and the rest repaired. Then by hand what must not be lost.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/damage/lib.sh
. "$(dirname "$0")/damage/lib.sh"
cd "$SCRATCH" || exit 1
SEED=${SEED:-1} COUNT=${COUNT:-15}
TYPES=dirblock,dirdata,dirleaf,dirleafn,dirnode,dirfree,attrleaf,attrnode,attrremote,symlink
bases || { not_ok bases; exit 1; }
cat >judge <<'S'
#!/bin/bash
xfs_repair -n -f "$1" >judged 2>&1 || { cat judged >>unhappy; exit 1; }
S
# knows parent pointers
cat >judge-parent <<S
#!/bin/bash
"$TOP/tests/judges/xfsprogs-new.sh" xfs_repair -n -f "\$(realpath "\$1")" >judged 2>&1 || { cat judged >>unhappy; exit 1; }
S
cat >judge-realtime <<'S'
#!/bin/bash
xfs_repair -n -f -r realtime.rt "$1" >judged 2>&1 || { cat judged >>unhappy; exit 1; }
S
chmod +x judge judge-parent judge-realtime
have_new() { [ -e "${MENDFS_JUDGES:-$HOME/.cache/mendfs-judges}/trixie/.complete" ] && [ "$(id -u)" = 0 ]; }

for b in aged-1k plain realtime parent; do
	judge=(--judge=./judge)
	[ ! -e "judge-$b" ] || judge=("--judge=./judge-$b")
	[ "$b" != parent ] || have_new || judge=()
	: >"$b.jsonl"
	: >unhappy
	campaign "$b" --repair --cuts=4 --types=$TYPES --count="$COUNT" --seed="$SEED" "${judge[@]}" || { not_ok "campaign-$b"; continue; }
	campaign "$b" --repair --types=$TYPES --pairs="$COUNT" --seed="$SEED" "${judge[@]}" || { not_ok "pairs-$b"; continue; }
	# a warning asks for no repair
	jq -c 'select(.repair and (.left != 0 or .error or .refused != "" or (.judge // 0) != 0 or (.bad_cuts // 0) != 0))' "$b.jsonl" >bad
	jq -c 'select(.repair)' "$b.jsonl" >repaired
	echo "$b: $(wc -l <repaired) damaged images repaired, $(wc -l <bad) of them not to everybody's content (seed $SEED)"
	head -3 bad unhappy
	check "repaired-$b" test -s repaired -a ! -s bad
done

names() { "$MENDFS" inspect "$1" dir "$2" | sort; }
sector() { "$MENDFS" inspect "$@" | sed -n '1s/.*sector \([0-9]*\),.*/\1/p'; }
damage() { "$MENDFS" damage "$@" >/dev/null || not_ok "damage $*"; }
# repaired NAME IMAGE: repairs it; afterwards check is silent, and xfs_repair -n where it knows all features.
repaired() {
	status "$1" 0 "$M" repair "$2"
	mv "$SCRATCH/out" said
	status "$1-clean" 0 "$M" check "$2"
	[ "$2" = parent.img ] || check "$1-judged" ./judge "$2"
}

# One bad entry length in the root costs nothing, and many in one block cost nothing either.
names plain.img / >root
names plain.img /dir >dir
damage plain.img / entry 2 namelen add
damage plain.img /dir data 0 entry 20 namelen add
damage plain.img /dir data 0 entry 10 namelen zeroes
repaired lengths plain.img
check lengths-said grep -q "name 'a-file-of-number-19' restored: its length was wrong" said
names plain.img / | check root-whole cmp - root
names plain.img /dir | check directory-whole cmp - dir
# A name that leads to no inode, and the inode that has lost its name.
damage plain.img /dir data 0 entry 25 inumber ones
repaired number plain.img
names plain.img /dir | check number-back cmp - dir
# A file type tells whose a name was.
damage plain.img / inumber 0 i4 lastbit
repaired wrong-inode plain.img
names plain.img / | check wrong-inode-back cmp - root
# A block of names is gone: the files are in lost+found, under their numbers.
dd if=/dev/zero of=plain.img bs=512 seek="$(sector plain.img /dir data 0)" count=8 conv=notrunc status=none
repaired lost-block plain.img
{ names plain.img /dir; names plain.img /lost+found; } | awk '$2 == "file" {print $1}' | sort >found
awk '$2 == "file" {print $1}' dir | sort | check lost-block-files cmp - found
# With parent pointers nothing is lost.
names parent.img 131 >dir
dd if=/dev/zero of=parent.img bs=512 seek="$(sector parent.img inode 131 data 0)" count=8 conv=notrunc status=none
repaired parent parent.img
names parent.img 131 | check parent-exact cmp - dir
# Attributes of which the tree lies, but the leaves do not.
ino=$(for i in $(seq 64 400); do "$MENDFS" inspect --field=magic aged-1k.img inode "$i" attr 0 2>/dev/null | grep -q 0x3ebe && echo "$i"; done | head -1)
"$MENDFS" inspect aged-1k.img attr "$ino" | sort >attributes
check attributes-any test "$(wc -l <attributes)" -gt 10
damage aged-1k.img inode "$ino" attr 0 magic zeroes
repaired attributes aged-1k.img
"$MENDFS" inspect aged-1k.img attr "$ino" | sort | check attributes-whole cmp - attributes
