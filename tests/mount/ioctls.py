#!/usr/bin/env python3
"""The ioctls of XFS on a mount: what they tell (to be compared with the kernel's mount of the same image), what they set,
and what the flags then forbid.   ioctls.py tell|flags|label|down DIR [...]"""
import ctypes, errno, fcntl, os, struct, subprocess, sys

def ior(direction, kind, number, size):
    return direction << 30 | size << 16 | ord(kind) << 8 | number
READ, WRITE = 2, 1
GETFLAGS, SETFLAGS = ior(READ, 'f', 1, 8), ior(WRITE, 'f', 2, 8)
FSGETXATTR, FSSETXATTR = ior(READ, 'X', 31, 28), ior(WRITE, 'X', 32, 28)
GEOMETRY = {1: ior(READ, 'X', 100, 112), 4: ior(READ, 'X', 124, 112), 5: ior(READ, 'X', 126, 256)}
AG_GEOMETRY = ior(READ | WRITE, 'X', 61, 128)
COUNTS, GOINGDOWN = ior(READ, 'X', 113, 32), ior(READ, 'X', 125, 4)
GETLABEL, SETLABEL = ior(READ, '\x94', 49, 256), ior(WRITE, '\x94', 50, 256)
FITRIM = ior(READ | WRITE, 'X', 121, 24)
IMMUTABLE, APPEND, NOATIME, NODUMP, SYNC = 8, 0x10, 0x40, 0x80, 0x20
X_PROJINHERIT, X_EXTSIZE, X_EXTSZINHERIT, X_COWEXTSIZE = 0x200, 0x800, 0x1000, 0x10000
FL_IMMUTABLE, FL_APPEND, FL_NODUMP, FL_NOATIME, FL_SYNC = 0x10, 0x20, 0x40, 0x80, 8

def call(path, number, data):
    fd = os.open(path, os.O_RDONLY)
    try:
        return fcntl.ioctl(fd, number, data)
    finally:
        os.close(fd)
def fsx(path):
    return list(struct.unpack('5I8x', call(path, FSGETXATTR, bytes(28))))
def set_fsx(path, xflags=None, extsize=None, projid=None, cowextsize=None):
    now = fsx(path)
    for i, v in ((0, xflags), (1, extsize), (3, projid), (4, cowextsize)):
        if v is not None:
            now[i] = v
    call(path, FSSETXATTR, struct.pack('5I8x', *now))
def flags(path):
    return struct.unpack('q', call(path, GETFLAGS, bytes(8)))[0] & 0xffffffff
def set_flags(path, value):
    call(path, SETFLAGS, struct.pack('q', value))

failures = 0
def fails(code, what, fn, *args):
    global failures
    try:
        fn(*args)
    except OSError as e:
        if e.errno == code:
            return
        print(f'{what}: {e}, expected {errno.errorcode[code]}')
    else:
        print(f'{what}: succeeds, expected {errno.errorcode[code]}')
    failures += 1
def works(what, fn, *args):
    global failures
    try:
        return fn(*args)
    except OSError as e:
        print(f'{what}: {e}')
        failures += 1
def same(what, expected, found):
    global failures
    if expected != found:
        print(f'{what}: {found}, expected {expected}')
        failures += 1

def tell(root):
    """All that can be asked; the same for the same image."""
    for version, number in GEOMETRY.items():
        print('geometry', version, call(root, number, bytes(number >> 16 & 0x3fff)).hex())
    print('counts', struct.unpack('4Q', call(root, COUNTS, bytes(32))))
    for ag in range(struct.unpack('I', call(root, GEOMETRY[5], bytes(256))[12:16])[0]):
        told = list(struct.unpack('8I', call(root, AG_GEOMETRY, struct.pack('I', ag) + bytes(124))[:32]))
        told[2] = 0    # free blocks, less what the kernel reserves
        print('AG', told)
    print('label', call(root, GETLABEL, bytes(256)).rstrip(b'\0'))
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files) + ['.']:
            path = os.path.join(folder, name)
            if os.path.isfile(path) or name == '.':
                x = fsx(path)
                if name == '.':
                    x[2] = 0    # the kernel counts 16 bytes of a directory in the inode as an extent
                print(os.path.relpath(path, root), hex(flags(path)), [hex(v) for v in x])

def opened(path, how):
    os.close(os.open(path, how))
def append(path, text=b'x'):
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.write(fd, text)
    os.close(fd)
def fallocate(path, mode, off, size, how=os.O_WRONLY | os.O_APPEND):
    fd = os.open(path, how)
    try:
        if ctypes.CDLL(None, use_errno=True).fallocate(fd, mode, ctypes.c_long(off), ctypes.c_long(size)):
            raise OSError(ctypes.get_errno(), 'fallocate')
    finally:
        os.close(fd)

def forbidden_to_both(f, d, what):
    """What neither immutable nor append-only things allow."""
    fails(errno.EPERM, f'{what} chmod', os.chmod, f, 0o600)
    fails(errno.EPERM, f'{what} chown', os.chown, f, 1, 1)
    fails(errno.EPERM, f'{what} utime', os.utime, f, (1, 1))
    fails(errno.EPERM, f'{what} setxattr', os.setxattr, f, 'user.a', b'b')
    fails(errno.EPERM, f'{what} removexattr', os.removexattr, f, 'user.there')
    fails(errno.EPERM, f'{what} truncate', os.truncate, f, 0)
    fails(errno.EPERM, f'{what} O_TRUNC', opened, f, os.O_WRONLY | os.O_TRUNC)
    fails(errno.EPERM, f'{what} write', opened, f, os.O_WRONLY)
    fails(errno.EPERM, f'{what} read and write', opened, f, os.O_RDWR)
    fails(errno.EPERM, f'{what} link', os.link, f, f + '.link')
    fails(errno.EPERM, f'{what} unlink', os.unlink, f)
    fails(errno.EPERM, f'{what} rename', os.rename, f, f + '.other')
    open(f + '.victim', 'w').close()
    fails(errno.EPERM, f'{what} rename over', os.rename, f + '.victim', f)
    os.unlink(f + '.victim')
    fails(errno.EPERM, f'{what} unlink in', os.unlink, d + '/in')
    fails(errno.EPERM, f'{what} rename from', os.rename, d + '/in', d + '/.out')
    fails(errno.EPERM, f'{what} rmdir', os.rmdir, d)
    fails(errno.EPERM, f'{what} chmod dir', os.chmod, d, 0o700)
    works(f'{what} read', lambda: open(f).read())
    works(f'{what} list', os.listdir, d)

def test_flags(root):
    f, d = root + '/file', root + '/dir'
    with open(f, 'w') as out:
        out.write('content')
    os.setxattr(f, 'user.there', b'')
    os.mkdir(d)
    open(d + '/in', 'w').close()

    for path in f, d:
        for fl in FL_NODUMP, FL_NOATIME, FL_SYNC:
            set_flags(path, fl)
            same(f'flags of {path}', fl, flags(path))
        fails(errno.EOPNOTSUPP, 'compressed', set_flags, path, 4)
        set_flags(path, 0)
        same('flags', 0, flags(path))
    with open(f, 'r+b') as out:
        set_flags(f, FL_SYNC)
        out.write(b'CONTENT')
    set_flags(f, 0)

    for path in f, d:
        set_flags(path, FL_IMMUTABLE)
    forbidden_to_both(f, d, 'immutable')
    fails(errno.EPERM, 'immutable append', append, f)
    fails(errno.EPERM, 'immutable touch', os.utime, f)
    fails(errno.EPERM, 'immutable create in', lambda: open(d + '/new', 'w'))
    fails(errno.EPERM, 'immutable mkdir in', os.mkdir, d + '/new')
    fails(errno.EPERM, 'immutable symlink in', os.symlink, 'x', d + '/new')
    open(root + '/plain', 'w').close()
    fails(errno.EPERM, 'immutable link in', os.link, root + '/plain', d + '/new')
    for path in f, d:
        set_flags(path, FL_APPEND)
    forbidden_to_both(f, d, 'append-only')
    works('append-only append', append, f)
    same('appended', 'CONTENTx', open(f).read())
    works('append-only touch', os.utime, f)
    works('append-only create in', lambda: open(d + '/new', 'w').close())
    works('append-only mkdir in', os.mkdir, d + '/newdir')
    works('append-only fallocate', fallocate, f, 0, 0, 100000)
    fails(errno.EPERM, 'append-only punch', fallocate, f, 3, 0, 4096)
    for path in f, d:
        set_flags(path, 0)

    # what was opened before may go on being written to, as in the kernel
    with open(root + '/open', 'wb') as out:
        set_flags(root + '/open', FL_IMMUTABLE)
        out.write(b'a' * 100000)
        out.flush()
        works('fsync of what became immutable', os.fsync, out.fileno())
    fails(errno.EPERM, 'now immutable', opened, root + '/open', os.O_WRONLY)
    set_flags(root + '/open', 0)
    same('size', 100000, os.stat(root + '/open').st_size)

    # hints
    new = root + '/hinted'
    open(new, 'w').close()
    block = os.statvfs(root).f_bsize
    set_fsx(new, X_EXTSIZE, 16 * block)
    same('extsize', [X_EXTSIZE, 16 * block, 0, 0, 0], fsx(new))
    fails(errno.EINVAL, 'extsize of half a block', set_fsx, new, X_EXTSIZE, block // 2)
    fails(errno.EINVAL, 'extsize without end', set_fsx, new, X_EXTSIZE, (1 << 32) - block)
    fails(errno.EINVAL, 'extsize of a directory', set_fsx, d, X_EXTSIZE, block)
    fails(errno.EINVAL, 'inherited by a file', set_fsx, new, X_EXTSZINHERIT, block)
    fails(errno.EINVAL, 'realtime', set_fsx, new, 1)
    set_fsx(new, 0, 0)
    same('no extsize', [0, 0, 0, 0, 0], fsx(new))
    fails(errno.EINVAL, 'hint of what has extents', set_fsx, f, X_EXTSIZE, 16 * block)
    set_fsx(new, X_EXTSIZE, 16 * block)
    with open(new, 'wb') as out:
        out.write(b'1')
    same('blocks as hinted', 16 * block // 512, os.stat(new).st_blocks)
    reflink = struct.unpack_from('I', call(root, GEOMETRY[5], bytes(256)), 92)[0] >> 20 & 1
    if reflink:
        set_fsx(f, X_COWEXTSIZE, cowextsize=32 * block)
        same('cowextsize', 32 * block, fsx(f)[4])
    else:
        fails(errno.EINVAL, 'cowextsize without reflink', set_fsx, f, X_COWEXTSIZE, None, None, 32 * block)
    set_fsx(d, X_EXTSZINHERIT | X_PROJINHERIT | NODUMP, 8 * block, 42)
    same('directory', [X_EXTSZINHERIT | X_PROJINHERIT | NODUMP, 8 * block, 42], [fsx(d)[i] for i in (0, 1, 3)])
    open(d + '/child', 'w').close()
    os.mkdir(d + '/childdir')
    same('inherited by file', [X_EXTSIZE | NODUMP, 8 * block, 42], [fsx(d + '/child')[i] for i in (0, 1, 3)])
    same('inherited by directory', [X_EXTSZINHERIT | X_PROJINHERIT | NODUMP, 8 * block, 42], [fsx(d + '/childdir')[i] for i in (0, 1, 3)])
    set_fsx(f, projid=0xfffffffe)
    same('large project', 0xfffffffe, fsx(f)[3])

    # left behind, for the kernel to compare
    open(root + '/locked', 'w').close()
    set_flags(root + '/locked', FL_IMMUTABLE | FL_NODUMP)
    os.mkdir(root + '/log')
    set_flags(root + '/log', FL_APPEND)

def label(root, text):
    call(root, SETLABEL, text.encode().ljust(256, b'\0'))
    same('label', text.encode(), call(root, GETLABEL, bytes(256)).rstrip(b'\0'))
    fails(errno.EINVAL, 'long label', lambda: call(root, SETLABEL, b'123456789abcd'.ljust(256, b'\0')))

def down(root, how):
    call(root, GOINGDOWN, struct.pack('I', int(how)))
    for what, fn in (('create', lambda: open(root + '/after', 'w')), ('stat', lambda: os.stat(root + '/never-seen')),
                     ('mkdir', lambda: os.mkdir(root + '/afterdir'))):
        fails(errno.EIO, what, fn)

def trim(root, start=0, length=(1 << 64) - 1, least=0):
    return struct.unpack('3Q', call(root, FITRIM, struct.pack('3Q', int(start), int(length), int(least))))[1]

what, root = sys.argv[1:3]
if what == 'tell':
    tell(root)
elif what == 'flags':
    test_flags(root)
elif what == 'label':
    label(root, sys.argv[3])
elif what == 'down':
    down(root, sys.argv[3])
elif what == 'trim':
    print(trim(root, *sys.argv[3:]))
sys.exit(1 if failures else 0)
