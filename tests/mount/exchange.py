#!/usr/bin/env python3
"""The exchange of file contents on a mount, by the ioctls of XFS.
   exchange.py DIR         all of it
   exchange.py DIR loop    until it fails, while files are written to
   exchange.py DIR two     what `loop` has left: one content here and the other there"""
import ctypes, errno, fcntl, mmap, os, struct, sys, threading

def iow(number, size, direction=1):
    return direction << 30 | size << 16 | ord('X') << 8 | number
EXCHANGE, START, COMMIT = iow(129, 40), iow(130, 88, 2), iow(131, 88)
TO_EOF, DSYNC, DRY_RUN, WRITTEN = 1, 2, 4, 8
K = 1 << 16  # a multiple of any block

failures = 0
def check(what, good):
    global failures
    if not good:
        print('wrong:', what)
        failures += 1
def fails(code, what, fn, *args):
    try:
        fn(*args)
    except OSError as e:
        check(f'{what}: {e}, expected {errno.errorcode[code]}', e.errno == code)
    else:
        check(f'{what}: succeeds', False)

def exchange(second, first, at1=0, at2=0, length=0, flags=0, pad=0):
    fcntl.ioctl(second, EXCHANGE, struct.pack('iI4Q', first, pad, at1, at2, length, flags))
def start(second):
    return fcntl.ioctl(second, START, bytes(88))[40:]
def commit(second, first, fresh, flags=TO_EOF):
    fcntl.ioctl(second, COMMIT, struct.pack('iI4Q', first, 0, 0, 0, 0, flags) + fresh)

def make(name, content, mode=os.O_RDWR):
    fd = os.open(name, mode | os.O_CREAT | os.O_TRUNC, 0o644)
    os.write(fd, content)
    return fd
def content(fd):
    return os.pread(fd, 1 << 22, 0)

os.chdir(sys.argv[1])
X, Y = b'x' * 40 * K, b'y' * 40 * K
if sys.argv[2:] == ['two']:
    found = [open(n, 'rb').read() for n in ('one', 'other')]
    sys.exit(found != [X, Y] and found != [Y, X])
if sys.argv[2:] == ['loop']:
    a, b, c = make('one', X), make('other', Y), make('third', b'')
    for fd in a, b, os.open('.', os.O_RDONLY):
        os.fsync(fd)
    print('begun', flush=True)
    try:
        while True:
            for at in range(0, 20 * K, K):  # is being written when it is asked to go
                os.pwrite(c, b'c' * K, at)
            exchange(b, a, flags=TO_EOF)
            exchange(c, c, 0, 10 * K, K)
    except OSError as e:
        sys.exit(e.errno not in (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO, errno.ENODEV))
A, B = os.urandom(5 * K + 100), os.urandom(5 * K + 100)
a, b = make('a', A), make('b', B)
# what has been written just now is not even on its way: it is exchanged all the same
exchange(b, a, flags=TO_EOF)
check('all of it', content(a) == B and content(b) == A)
os.fsync(a)
exchange(b, a, K, 3 * K, K, DSYNC)
check('a range', content(a) == B[:K] + A[3 * K:4 * K] + B[2 * K:] and content(b) == A[:3 * K] + B[K:2 * K] + A[4 * K:])
exchange(b, a, K, 3 * K, K)
exchange(b, a, flags=TO_EOF | DRY_RUN)
check('only tried', content(a) == B and content(b) == A)
exchange(b, b, 0, 4 * K, K)
check('within one', content(b) == A[4 * K:5 * K] + A[K:4 * K] + A[:K] + A[5 * K:])
exchange(b, b, 0, 4 * K, K)

# mapped memory shows what is there now
with mmap.mmap(a, 5 * K) as m:
    check('mapped before', m[:K] == B[:K])
    m[10:14] = b'abcd'
    exchange(b, a, flags=TO_EOF)
    check('mapped after', m[:K] == A[:K])
check('what was mapped has gone over', content(b)[:14] == B[:10] + b'abcd')
os.pwrite(b, B[:14], 0)
exchange(b, a, flags=TO_EOF)

# only what is written in the first
t = make('t', b'')
os.ftruncate(t, 5 * K + 100)
os.pwrite(t, b'x' * K, 2 * K)
exchange(b, t, flags=WRITTEN | TO_EOF)
check('scattered', content(b) == A[:2 * K] + b'x' * K + A[3 * K:])
check('what it had', content(t)[2 * K:3 * K] == A[2 * K:3 * K])

# a commit, unless somebody has changed it
fresh = start(b)
os.pwrite(t, b'y' * K, 0)
commit(b, t, fresh)
check('committed', content(b)[:K] == b'y' * K)
fails(errno.EBUSY, 'a stamp of before', commit, b, t, fresh)
fresh = start(b)
os.pwrite(b, b'z', 7)
fails(errno.EBUSY, 'written meanwhile', commit, b, t, fresh)
fails(errno.EBUSY, 'no stamp', commit, b, t, bytes(48))
fails(errno.EBUSY, 'of another file', commit, b, t, start(a))
os.chmod('b', 0o600)
fresh = start(b)
os.chmod('b', 0o640)
os.utime('b', (1, 2))
commit(b, t, fresh)

# who may
reader = os.open('a', os.O_RDONLY)
fails(errno.EBADF, 'the first only read', exchange, b, reader, 0, 0, K)
appender = os.open('a', os.O_RDWR | os.O_APPEND)
fails(errno.EBADF, 'the first for appending', exchange, b, appender, 0, 0, K)
fails(errno.EBADF, 'no such descriptor', exchange, b, 999, 0, 0, K)
fails(errno.EXDEV, 'another filesystem', exchange, b, os.open('/proc/self/comm', os.O_RDWR), 0, 0, K)
fails(errno.EISDIR, 'a directory', exchange, b, os.open('.', os.O_RDONLY), 0, 0, K)
os.close(a)
other = os.open('a', os.O_RDONLY)
fails(errno.EBADF, 'the second only read', exchange, other, b, 0, 0, K)
a = os.open('a', os.O_RDWR)
fails(errno.EINVAL, 'not at a block', exchange, b, a, 1, 0, K)
fails(errno.EINVAL, 'beyond the end', exchange, b, a, 0, 0, 6 * K)
fails(errno.EINVAL, 'flags', exchange, b, a, 0, 0, K, 64)
fails(errno.EINVAL, 'pad', exchange, b, a, 0, 0, K, 0, 1)
fails(errno.EOPNOTSUPP, 'another size', exchange, b, make('small', b'123'), 0, 0, 0, TO_EOF)

# somebody reads all the time: always one content, or the other; page by page, since the cache is not asked as a whole
seen, stop = set(), False
def look():
    fd = os.open('a', os.O_RDONLY)
    while not stop:
        seen.add(os.pread(fd, 1024, 0))
def write():
    fd = os.open('busy', os.O_RDWR | os.O_CREAT)
    while not stop:
        os.pwrite(fd, b'q' * 3 * K, 0)
before = content(a)[:1024], content(b)[:1024]
threads = [threading.Thread(target=look) for _ in range(2)] + [threading.Thread(target=write)]
for t in threads:
    t.start()
for _ in range(40):
    exchange(b, a, flags=TO_EOF)
stop = True
for t in threads:
    t.join()
check('one or the other', seen <= set(before))
check('after an even number', (content(a)[:1024], content(b)[:1024]) == before)
sys.exit(failures != 0)
