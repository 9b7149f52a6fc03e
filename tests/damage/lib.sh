# shellcheck shell=bash
# Sourced by the scripts of the damage campaign after tests/lib.sh: the base images and the programs.

BASES=(aged-1k quota realtime parent pieces plain trees far)
# Their logs are damaged.
DIRTY=(log-efi log-rui log-cui log-bui log-attri-pptr log-xmi quota-dirty log-items log-unmount)
CAMPAIGN=$TOP/build/tests/campaign
# The program with the sanitizers, where it is built.
if [ -n "${MENDFS_ASAN:-}" ]; then
	CAMPAIGN=${MENDFS_ASAN%/src/cli/mendfs}/tests/campaign
fi
[ -x "$CAMPAIGN" ] || CAMPAIGN=${MENDFS_BUILD:-$TOP/build}/tests/campaign
# What makes the bases: it has nothing hostile to read.
MAKERS=${MENDFS_BUILD:-$TOP/build}/tests

# A directory in leaf form, files of every kind, as mkfs.xfs leaves them.
plain_base() {
	local i
	mkdir -p content
	head -c 3000 /dev/zero >content/file
	{
		printf '%s\n0 0\nd--755 0 0\n' /dev/null
		printf 'dir d--755 3 4\n'
		for i in $(seq 1 150); do printf 'a-file-of-number-%d ---644 %d %d content/file\n' "$i" "$i" "$i"; done
		printf '$\npipe p--600 1 2\nchr c--600 0 0 1 3\nblk b--600 0 0 7 1\nlink l--777 0 0 somewhere\n$\n'
	} >proto
	SIZE=300M image plain.img -d agcount=2 -m rmapbt=1 -p proto
}

# What only many blocks lead to: trees of inodes and of an attribute fork with more than a root, a second block of free
# index, made cheap by blocks of 1 KiB, also for directories, which mkfs would make of 4 KiB.
trees_base() {
	local ag
	"$MENDFS" mkfs -q -b size=1k -d file,name=trees.img,size=40m,agcount=2 -m rmapbt=1 -n parent=0 2>/dev/null || return 1
	for ag in 0 1; do "$MENDFS" damage trees.img superblock "$ag" dirblklog zeroes >/dev/null || return 1; done
	"$MAKERS/reach" trees trees.img
}

# Inode numbers above 2^32; nearly all of it is a hole.
far_base() {
	"$MENDFS" mkfs -q -d file,name=far.img,size=1400g,agcount=5 -l size=64m -m rmapbt=0,reflink=0 -n parent=0 &&
		"$MAKERS/reach" far far.img
}

# Puts the images whose log is damaged into the current folder: as kernels left them; with the items that they leave now
# and then; and with nothing but the record of an unmount.
dirty_bases() {
	local b
	for b in "${DIRTY[@]}"; do
		[[ $b = @(log-items|log-unmount) ]] || xz -dc "$TOP/tests/fixtures/$b.img.xz" >"$b.img" || return 1
	done
	[ -e plain.img ] || plain_base || return 1
	cp --sparse=always plain.img log-items.img
	# of logged attributes, without which a kernel takes no ATTRI
	"$MENDFS" damage log-items.img superblock 0 features_log_incompat lastbit >/dev/null || return 1
	"$MAKERS/reach-log" log-items.img || return 1
	"$MENDFS" mkfs -q -d file,name=log-unmount.img,size=40m,agcount=2 2>/dev/null || return 1
	"$MAKERS/reach" far log-unmount.img
}

# Puts the base images into the current folder.
bases() {
	local b
	for b in "${BASES[@]}"; do
		[[ $b = @(plain|trees|far) ]] || xz -dc "$TOP/tests/fixtures/$b.img.xz" >"$b.img" || return 1
	done
	xz -dc "$TOP/tests/fixtures/realtime.rt.xz" >realtime.rt || return 1
	plain_base && trees_base && far_base
}

# campaign BASE OPTION...: appends to BASE.jsonl
campaign() {
	local b=$1 more=()
	shift
	case $b in
	realtime) more=(--rt=realtime.rt) ;;
	far) more=(--types=inode) ;; # with a superblock lost, a search for another would read all of it
	esac
	"$CAMPAIGN" --name="$b" "${more[@]}" "$@" "$b.img" >>"$b.jsonl"
}
