#!/usr/bin/env python3
"""Work that moves what owners are charged for: quota.py work DIR SEED ROUNDS. And what each owner uses, counted from the tree:
quota.py usage DIR TYPE prints `id KiB inodes`, of ids that use anything, as `mendfs quota report` has it."""
import fcntl, os, random, struct, sys

FSGETXATTR, FSSETXATTR, PROJINHERIT = 0x801c581f, 0x401c5820, 0x200
IDS = [0, 1, 7, 29, 30, 31, 1000, 65534, 100000, 4000000000]

def fsxattr(path):
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        return list(struct.unpack('5I8x', fcntl.ioctl(fd, FSGETXATTR, bytes(28))))
    finally:
        os.close(fd)
def set_project(path, project, inherit=False):
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        x = list(struct.unpack('5I8x', fcntl.ioctl(fd, FSGETXATTR, bytes(28))))
        x[0] = x[0] | PROJINHERIT if inherit else x[0]
        x[3] = project
        fcntl.ioctl(fd, FSSETXATTR, struct.pack('5I8x', *x))
    finally:
        os.close(fd)

def work(root, seed, rounds):
    rng = random.Random(seed)
    block = os.statvfs(root).f_bsize
    dirs, files, made = [root], [], 0
    for i in range(rounds):
        what, path = rng.random(), rng.choice(files) if files else None
        name = f'{rng.choice(dirs)}/{seed}-{i}'
        try:
            if what < .25 or not path:
                with open(name, 'wb') as f:
                    f.write(bytes(rng.choice([0, 10, block, rng.randrange(40 * block)])))
                files.append(name)
            elif what < .33:
                os.mkdir(name)
                os.chown(name, rng.choice(IDS), rng.choice(IDS))
                if rng.random() < .5:
                    set_project(name, rng.choice(IDS), True)
                if rng.random() < .3:
                    os.chmod(name, 0o2755)
                dirs.append(name)
            elif what < .43:
                os.chown(path, rng.choice(IDS), rng.choice(IDS))
            elif what < .51:
                set_project(path, rng.choice(IDS))
            elif what < .59:
                size = os.stat(path).st_size
                fd = os.open(name, os.O_RDWR | os.O_CREAT)
                source = os.open(path, os.O_RDONLY)
                os.copy_file_range(source, fd, size or 1)
                os.close(fd)
                os.close(source)
                files.append(name)
            elif what < .67:
                os.truncate(path, rng.randrange(60 * block))
            elif what < .76:
                with open(path, 'r+b') as f:
                    f.seek(rng.randrange(80 * block))
                    f.write(bytes(rng.randrange(1, 8 * block)))
            elif what < .8:
                fd = os.open(path, os.O_RDWR)
                os.posix_fallocate(fd, rng.randrange(20 * block), rng.randrange(1, 30 * block))
                os.close(fd)
            elif what < .85:
                os.setxattr(path, 'user.x', bytes(rng.randrange(1, 3 * block)))
            elif what < .88:
                os.rename(path, name)
                files[files.index(path)] = name
            elif what < .91:
                os.symlink('x' * rng.randrange(1, 900), name)
                os.lchown(name, rng.choice(IDS), rng.choice(IDS))
            else:
                os.unlink(path)
                files.remove(path)
        except OSError as e:
            if e.errno not in (18, 95): # a rename into another project; sharing of nothing
                raise
def usage(root, kind):
    used = {}
    seen = set()
    for folder, _, names in os.walk(root):
        for path in [folder] + [f'{folder}/{n}' for n in names] + [
                f'{folder}/{n}' for n in os.listdir(folder) if os.path.islink(f'{folder}/{n}')]:
            st = os.lstat(path)
            if st.st_ino in seen:
                continue
            seen.add(st.st_ino)
            owner = {'user': st.st_uid, 'group': st.st_gid}.get(kind)
            if kind == 'project': # of what cannot be opened nobody tells it
                owner = fsxattr(path)[3] if os.path.isdir(path) or os.path.isfile(path) and not os.path.islink(path) else 0
            u = used.setdefault(owner, [0, 0])
            u[0] += st.st_blocks // 2
            u[1] += 1
    for owner in sorted(used):
        print(owner, *used[owner])

if sys.argv[1] == 'work':
    work(sys.argv[2], sys.argv[3], int(sys.argv[4]))
else:
    usage(sys.argv[2], sys.argv[3])
