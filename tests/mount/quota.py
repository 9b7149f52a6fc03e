#!/usr/bin/env python3
"""Work that moves what owners are charged for: quota.py work DIR SEED ROUNDS. And what each owner uses, counted from the tree:
quota.py usage DIR TYPE prints `id KiB inodes`, of ids that use anything, and quota.py report MENDFS DIR TYPE what `mendfs quota` says of it.
quota.py limits MENDFS DIR: every operation that takes something, at a limit and with room below it, for users, groups and projects."""
import errno, fcntl, os, random, struct, subprocess, sys

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

# ---- limits ----

KINDS = {'user': '-u', 'group': '-g', 'project': '-p'}
def report(mendfs, root, kind):
    """id: [KiB, soft, hard, inodes, soft, hard]"""
    os.statvfs(root) # what has no name any more goes now
    out = subprocess.run([mendfs, 'quota', 'report', KINDS[kind], '-b', '-i', '-n', '-N', root], check=True, capture_output=True, text=True)
    found = {}
    for line in out.stdout.splitlines():
        w = [x for x in line.replace('[', ' [').split() if x[0] in '#0123456789']
        w = [x for x in w if x != '00' or x == w[0]]
        found[int(w[0][1:])] = [int(x) for x in w[1:4] + w[4:7]]
    return found
def limit(mendfs, root, kind, owner, **limits):
    subprocess.run([mendfs, 'quota', 'limit', KINDS[kind]] + [f'{k}={v}' for k, v in limits.items()] + [str(owner), root], check=True)

OWNER, GROUP, OTHER = 1000, 2000, 3000
def as_owner(fn):
    """What the owner's program gets: 0 or an errno."""
    child = os.fork()
    if not child:
        os.setgroups([GROUP, OTHER])
        os.setgid(GROUP)
        os.setuid(OWNER)
        try:
            fn()
        except OSError as e:
            os._exit(e.errno)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def append(path, count):
    with open(path, 'ab', buffering=0) as f:
        if f.write(bytes(count)) != count:
            raise OSError(errno.EDQUOT, 'less was written')
def with_fd(path, fn):
    fd = os.open(path, os.O_RDWR)
    try:
        fn(fd)
    finally:
        os.close(fd)
def copy(source, target):
    def whole(fd):
        with open(source, 'rb') as f:
            size = os.path.getsize(source)
            if os.copy_file_range(f.fileno(), fd, size) != size:
                raise OSError(errno.EIO, 'less was copied')
    with_fd(target, whole)
def operations(d, block):
    """name: (what it takes, the operation)"""
    return {
        'create': ('i', lambda: os.close(os.open(f'{d}/new', os.O_CREAT | os.O_EXCL, 0o644))),
        'mkdir': ('i', lambda: os.mkdir(f'{d}/newdir')),
        'symlink': ('i', lambda: os.symlink('x', f'{d}/newlink')),
        'long-symlink': ('b', lambda: os.symlink('x' * 900, f'{d}/longlink')),
        'fifo': ('i', lambda: os.mkfifo(f'{d}/newfifo')),
        'append': ('b', lambda: append(f'{d}/file', 4 * block)),
        'hole': ('b', lambda: with_fd(f'{d}/sparse', lambda fd: os.pwrite(fd, bytes(block), 8 * block))),
        'fallocate': ('b', lambda: with_fd(f'{d}/file', lambda fd: os.posix_fallocate(fd, 64 * block, 4 * block))),
        'attribute': ('b', lambda: os.setxattr(f'{d}/file', 'user.x', bytes(9000))),
        'share': ('b', lambda: copy(f'{d}/file', f'{d}/empty')),
        'names': ('b', lambda: [os.link(f'{d}/file', f'{d}/many/{"n" * 200}{i}') for i in range(60)]),
    }
def state(d):
    found = []
    for folder, _, names in sorted(os.walk(d)):
        for name in sorted(names):
            st = os.lstat(f'{folder}/{name}')
            found.append((folder, name, st.st_size, st.st_blocks, st.st_uid, st.st_gid, os.listxattr(f'{folder}/{name}', follow_symlinks=False)))
    return found
def scene(root, kind, project):
    d = f'{root}/{kind}'
    os.mkdir(d)
    set_project(d, project, True)
    os.chown(d, OWNER, GROUP)
    def make():
        os.mkdir(f'{d}/many')
        for name in ['file', 'sparse', 'empty']:
            os.close(os.open(f'{d}/{name}', os.O_CREAT))
        append(f'{d}/file', 8 * 4096)
        os.truncate(f'{d}/sparse', 64 * 4096)
    assert not as_owner(make)
    return d
def limits(mendfs, root):
    block, bad = os.statvfs(root).f_bsize, 0
    def expect(what, expected, found):
        nonlocal bad
        if expected != found:
            print(f'{what}: expected {expected}, found {found}')
            bad += 1
    for kind, owner in [('user', OWNER), ('group', GROUP), ('project', 77)]:
        d = scene(root, kind, 77)
        no = errno.ENOSPC if kind == 'project' else errno.EDQUOT
        for name, (takes, operation) in operations(d, block).items():
            if kind != 'user' and name not in ['create', 'append', 'attribute', 'share']:
                continue
            used = report(mendfs, root, kind)[owner]
            before = state(d)
            limit(mendfs, root, kind, owner, bhard=f'{used[0]}k' if takes == 'b' else 0, ihard=used[3] if takes == 'i' else 0)
            expect(f'{kind} {name} at the limit', no, as_owner(operation))
            if name not in ['names']: # each name by itself
                expect(f'{kind} {name}: what is left', before, state(d))
            limit(mendfs, root, kind, owner, bhard=0, ihard=0)
            if name == 'names':
                subprocess.run(f'rm {d}/many/*', shell=True)
            expect(f'{kind} {name} below it', 0, as_owner(operation))
        limit(mendfs, root, kind, owner, bhard='1k', ihard=1)
        expect(f'{kind}: less, far above the limit', 0, as_owner(lambda: (os.truncate(f'{d}/file', block), os.unlink(f'{d}/new'))))
        limit(mendfs, root, kind, owner, bhard=0, ihard=0)
    # gifts: the owner may give to a group and a project that he is in, unless they have too much already; the superuser may
    os.mkdir(f'{root}/gifts')
    os.chown(f'{root}/gifts', OWNER, GROUP)
    gift = f'{root}/gifts/gift'
    as_owner(lambda: append(gift, 3 * block))
    limit(mendfs, root, 'group', OTHER, bhard=f'{2 * block}')
    limit(mendfs, root, 'project', 78, bhard=f'{2 * block}')
    expect('chgrp', errno.EDQUOT, as_owner(lambda: os.chown(gift, -1, OTHER)))
    expect('set project', errno.ENOSPC, as_owner(lambda: set_project(gift, 78)))
    expect('the group stays', GROUP, os.stat(gift).st_gid)
    os.chown(gift, -1, OTHER)
    set_project(gift, 78)
    expect('a gift of the superuser', [3 * block // 1024] * 2, [report(mendfs, root, 'group')[OTHER][0], report(mendfs, root, 'project')[78][0]])
    return bad

if sys.argv[1] == 'work':
    work(sys.argv[2], sys.argv[3], int(sys.argv[4]))
elif sys.argv[1] == 'usage':
    usage(sys.argv[2], sys.argv[3])
elif sys.argv[1] == 'report':
    for owner, r in sorted(report(*sys.argv[2:]).items()):
        if r[0] or r[3]:
            print(owner, r[0], r[3])
else:
    sys.exit(bool(limits(*sys.argv[2:])))
