#!/usr/bin/env python3
"""What new files take from their directory, and what becomes of ACLs, setid bits and projects:  acls.py DIR
does the same things whatever is mounted on DIR, as root and as nobody, and tells what has come of them, so that two mounts can be compared."""
import errno, fcntl, os, stat, struct, sys

USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32
ACCESS, DEFAULT = 'system.posix_acl_access', 'system.posix_acl_default'
NOBODY = 65534

def acl(*entries):
    return struct.pack('<I', 2) + b''.join(struct.pack('<HHI', t, p, i) for t, p, i in entries)
def obj(tag, perm):
    return (tag, perm, 0xffffffff)
PLAIN = acl(obj(USER_OBJ, 7), obj(GROUP_OBJ, 5), obj(OTHER, 0))
RICH = acl(obj(USER_OBJ, 7), (USER, 6, 1000), (USER, 7, 1001), obj(GROUP_OBJ, 5), (GROUP, 3, 2000), obj(MASK, 7), obj(OTHER, 1))
NARROW = acl(obj(USER_OBJ, 6), (USER, 7, 1000), obj(GROUP_OBJ, 7), obj(MASK, 4), obj(OTHER, 0))

def tell(path):
    st = os.lstat(path)
    print(os.path.relpath(path, root), oct(st.st_mode), st.st_uid, st.st_gid, end='')
    for name in ACCESS, DEFAULT:
        try:
            value = os.getxattr(path, name, follow_symlinks=False)
            print('', name[17:], [e for e in struct.iter_unpack('<HHI', value[4:])], end='')
        except OSError as e:
            if e.errno not in (errno.ENODATA, errno.EOPNOTSUPP):
                print('', name, errno.errorcode[e.errno], end='')
    print()
def attempt(what, fn, *args):
    try:
        fn(*args)
        print(what, 'done')
    except OSError as e:
        print(what, errno.errorcode[e.errno])

def make_all(folder, mask):
    os.umask(mask)
    for mode in 0o777, 0o666, 0o640, 0o400, 0:
        os.close(os.open(f'{folder}/file-{mask:o}-{mode:o}', os.O_CREAT | os.O_WRONLY, mode))
        os.mkdir(f'{folder}/dir-{mask:o}-{mode:o}', mode)
        os.mknod(f'{folder}/fifo-{mask:o}-{mode:o}', stat.S_IFIFO | mode)
    os.symlink('x', f'{folder}/link-{mask:o}')
def as_nobody(fn, *args):
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        fn(*args)
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(pid, 0)

def inheriting():
    for name, default in ('none', None), ('plain', PLAIN), ('rich', RICH), ('narrow', NARROW):
        folder = f'{root}/{name}'
        os.mkdir(folder)
        os.chmod(folder, 0o777)
        if default:
            os.setxattr(folder, DEFAULT, default)
        for mask in 0, 0o22, 0o77:
            make_all(folder, mask)
        os.umask(0)
        os.mkdir(f'{folder}/deep')
        os.mkdir(f'{folder}/deep/deeper')
        os.close(os.open(f'{folder}/deep/deeper/file', os.O_CREAT | os.O_WRONLY, 0o666))
def changing():
    os.umask(0o22)
    folder = root + '/changed'
    os.mkdir(folder)
    for name, value in ('plain', PLAIN), ('rich', RICH), ('narrow', NARROW):
        for mode in 0o777, 0o640, 0o604, 0:
            path = f'{folder}/{name}-{mode:o}'
            open(path, 'w').close()
            os.setxattr(path, ACCESS, value)
            tell(path)
            os.chmod(path, mode)
            tell(path)
    os.setxattr(path, ACCESS, PLAIN)    # which takes the rich one away
    tell(path)
    os.setxattr(path, ACCESS, RICH)
    os.removexattr(path, ACCESS)
    attempt('default ACL of a file', os.setxattr, path, DEFAULT, RICH)
    attempt('no ACL', os.setxattr, path, ACCESS, acl(obj(USER_OBJ, 7)))
    attempt('unsorted', os.setxattr, path, ACCESS, acl(obj(OTHER, 7), obj(USER_OBJ, 7), obj(GROUP_OBJ, 7)))
    os.setxattr(folder, DEFAULT, RICH)
    os.chmod(folder, 0o700)             # the default stays
    tell(folder)
    os.removexattr(folder, DEFAULT)
def groups():
    os.umask(0)
    folder = root + '/setgid'
    os.mkdir(folder)
    os.chown(folder, 0, 4711)
    os.chmod(folder, 0o2777)
    def as_other():
        os.umask(0o22)
        os.mkdir(folder + '/dir')
        os.close(os.open(folder + '/file', os.O_CREAT | os.O_WRONLY, 0o2775))
        os.close(os.open(folder + '/script', os.O_CREAT | os.O_WRONLY, 0o4755))
        os.mknod(folder + '/fifo', stat.S_IFIFO | 0o666)
        os.symlink('x', folder + '/link')
        os.mkdir(folder + '/dir/below')
        tell(folder + '/script')
        os.chmod(folder + '/file', 0o2755)
    as_nobody(as_other)
    make_all(folder, 0o22)
def setid():
    os.umask(0)
    folder = root + '/setid'
    os.mkdir(folder, 0o777)
    def prepare(name):
        path = f'{folder}/{name}'
        with open(path, 'w') as f:
            f.write('0123456789')
        os.chmod(path, 0o6777)
        return path
    def write(path):
        with open(path, 'r+') as f:
            f.write('x')
    def rooted(path):
        with open(path, 'r+') as f:
            f.write('x')
    for name, fn, other in (('write', write, True), ('truncate', lambda p: os.truncate(p, 3), True), ('chown', lambda p: os.chown(p, 1, 1), False),
                            ('root-write', rooted, False), ('root-truncate', lambda p: os.truncate(p, 3), False), ('fallocate', lambda p: None, True)):
        path = prepare(name)
        (as_nobody if other else lambda f, *a: f(*a))(fn, path)
        tell(path)
def projects():
    os.umask(0)
    def call(path, number, data):
        fd = os.open(path, os.O_RDONLY)
        try:
            return fcntl.ioctl(fd, number, data)
        finally:
            os.close(fd)
    def project(path, flags, number):
        now = list(struct.unpack('5I8x', call(path, 0x801c581f, bytes(28))))
        now[0], now[3] = flags, number
        call(path, 0x401c5820, struct.pack('5I8x', *now))
    def of(path):
        return struct.unpack('5I8x', call(path, 0x801c581f, bytes(28)))[3]
    for name, flags, number in ('a', 0x200, 11), ('b', 0x200, 22), ('loose', 0, 11):
        os.mkdir(f'{root}/{name}')
        project(f'{root}/{name}', flags, number)
        open(f'{root}/{name}/file', 'w').close()
        os.mkdir(f'{root}/{name}/dir')
        open(f'{root}/{name}/dir/below', 'w').close()
        print(name, of(f'{root}/{name}/file'), of(f'{root}/{name}/dir'), of(f'{root}/{name}/dir/below'))
    attempt('link across', os.link, root + '/a/file', root + '/b/link')
    attempt('link within', os.link, root + '/a/file', root + '/a/dir/link')
    attempt('link out', os.link, root + '/a/file', root + '/loose/link')
    attempt('rename across', os.rename, root + '/a/file', root + '/b/other')
    attempt('rename dir across', os.rename, root + '/a/dir', root + '/b/other')
    attempt('rename over', os.rename, root + '/a/file', root + '/b/file')
    attempt('rename out', os.rename, root + '/b/dir', root + '/loose/other')
    attempt('rename of none', os.rename, root + '/loose/file', root + '/a/other')

root = sys.argv[1]
inheriting()
changing()
groups()
setid()
projects()
os.umask(0o22)
for folder, folders, files in os.walk(root):
    folders.sort()
    for name in sorted(folders + files):
        tell(os.path.join(folder, name))
