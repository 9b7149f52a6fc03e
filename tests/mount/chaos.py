"""Random work in a directory that others work in, too: chaos.py DIR SEED, until it is killed.  Errors that
come from the others are as good as success; any other ends it."""
import errno
import os
import random
import sys

FINE = {errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.ENOSPC, errno.ELOOP,
        errno.ESTALE, errno.EBUSY, errno.ENODATA, errno.EPERM, errno.EMLINK}
NAMES = 12


def name():
    return "/".join(f"n{random.randrange(NAMES)}" for _ in range(random.choice([1, 1, 2, 3])))


def write():
    with open(name(), random.choice(["wb", "ab", "r+b"])) as f:
        f.seek(random.randrange(100_000))
        f.write(os.urandom(random.randrange(50_000)))


def read():
    with open(name(), "rb") as f:
        f.read()


def resize():
    os.truncate(name(), random.randrange(200_000))


def remove():
    if random.random() < 0.7:
        os.unlink(name())
    else:
        os.rmdir(name())


def attribute():
    os.setxattr(name(), f"user.{random.randrange(5)}", os.urandom(random.choice([5, 300, 5000])))


def look():
    where = name()
    for entry in os.listdir(where):
        os.lstat(where + "/" + entry)


def hold():
    """A file without a name is read and written to."""
    path = name()
    with open(path, "w+b") as f:
        os.unlink(path)
        f.write(bytes(30_000))
        f.flush()


WHAT = [write, write, read, resize, remove, remove, attribute, look, hold, lambda: os.mkdir(name()), lambda: os.mkdir(name()),
        lambda: os.rename(name(), name()), lambda: os.rename(name(), name()), lambda: os.link(name(), name()),
        lambda: os.symlink(name(), name()), lambda: os.chmod(name(), random.randrange(0o1000))]

os.chdir(sys.argv[1])
random.seed(int(sys.argv[2]))
while True:
    try:
        random.choice(WHAT)()
    except OSError as e:
        if e.errno not in FINE:
            sys.exit(f"chaos: {e}")
