#!/usr/bin/env python3
"""Prints all that programs can see of a tree, one line a name, sorted: to compare two mounts of one filesystem.

list.py DIR [--plain]   --plain leaves out what only the superuser sees (trusted attributes)

Each line has the path and then key=value: every field of stat but st_dev, the type and inode number that readdir gave, link
target, attributes, XFS flags, the map of data and holes (looked up before the data is read, since a kernel counts unwritten
blocks in its page cache as data), and a hash of the data.  What cannot be read has the name of the error instead.
"""
import errno
import fcntl
import hashlib
import os
import stat
import struct
import sys

FS_IOC_GETFLAGS = 0x80086601
FS_IOC_FSGETXATTR = 0x801C581F
XFS_IOC_FSGEOMETRY = 0x8100587E
FS_IOC_GETFSLABEL = 0x81009431
LARGE, LARGE_PART = 1 << 30, 1 << 20
STAT = "ino mode nlink uid gid rdev size blksize blocks atime_ns mtime_ns ctime_ns".split()


def attempt(function, *args):
    try:
        return function(*args)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))


def attributes(path, plain):
    names = attempt(lambda: os.listxattr(path, follow_symlinks=False))
    if isinstance(names, str):
        return names
    found = []
    for name in sorted(names):
        if plain and name.startswith("trusted."):
            continue
        value = attempt(lambda: os.getxattr(path, name, follow_symlinks=False))
        if isinstance(value, bytes):
            value = f"{len(value)}:{hashlib.sha256(value).hexdigest()[:16]}"
        found.append(f"{os.fsencode(name)!r}={value}")
    return found


def holes(fd, size):
    """Where data begins and ends, up to the size."""
    edges, at = [], 0
    while at < size:
        start = attempt(os.lseek, fd, at, os.SEEK_DATA)
        if isinstance(start, str):
            edges.append(start)
            break
        end = attempt(os.lseek, fd, start, os.SEEK_HOLE)
        edges.append(f"{start}-{end}")
        if isinstance(end, str):
            break
        at = end
    return hashlib.sha256(",".join(edges).encode()).hexdigest()[:16] + f"({len(edges)})"


def data(fd):
    digest = hashlib.sha256()
    os.lseek(fd, 0, os.SEEK_SET)
    while chunk := os.read(fd, 1 << 20):
        digest.update(chunk)
    return digest.hexdigest()[:32]


def ends(fd, size):
    """Of a file that nobody can read whole."""
    return hashlib.sha256(os.pread(fd, LARGE_PART, 0) + os.pread(fd, LARGE_PART, size - LARGE_PART)).hexdigest()[:32]


def flags(fd, is_file):
    """The number of extents of a file only: the kernel has no use for it where the fork is inline, and leaves something else."""
    out = bytearray(28)
    fcntl.ioctl(fd, FS_IOC_FSGETXATTR, out)
    xflags, extsize, extents, project, cow = struct.unpack_from("<5I", out)
    simple = bytearray(8)
    fcntl.ioctl(fd, FS_IOC_GETFLAGS, simple)
    if not is_file:
        extents = "-"
    return f"{xflags:#x},{extsize},{extents},{project},{cow},{struct.unpack_from('<I', simple)[0]:#x}"


def describe(path, st, plain):
    words = [f"{name}={getattr(st, 'st_' + name)}" for name in STAT]
    words.append(f"xattr={attributes(path, plain)}")
    if stat.S_ISLNK(st.st_mode):
        words.append(f"target={attempt(os.readlink, os.fsencode(path))!r}")
    if stat.S_ISREG(st.st_mode) or stat.S_ISDIR(st.st_mode):
        fd = attempt(os.open, path, os.O_RDONLY)
        if isinstance(fd, str):
            return words + [f"open={fd}"]
        words.append(f"flags={attempt(flags, fd, stat.S_ISREG(st.st_mode))}")
        if stat.S_ISREG(st.st_mode):
            words.append(f"map={holes(fd, st.st_size)}")
            words.append(f"data={attempt(data, fd) if st.st_size < LARGE else attempt(ends, fd, st.st_size)}")
        os.close(fd)
    return words


def walk(top, plain):
    """(path, words) of everything, in any order; a directory that cannot be read is one of them."""
    pending = [b"."]
    yield b".", describe(top, os.lstat(top), plain)
    while pending:
        directory = pending.pop()
        entries = attempt(lambda: list(os.scandir(os.path.join(top, directory))))
        if isinstance(entries, str):
            yield directory + b"/", [f"readdir={entries}"]
            continue
        for entry in entries:
            path = os.path.join(directory, entry.name)
            st = attempt(os.lstat, entry.path)
            words = [f"d_ino={entry.inode()}"]
            if isinstance(st, str):
                yield path, words + [f"stat={st}"]
                continue
            kind = (entry.is_file(follow_symlinks=False), entry.is_dir(follow_symlinks=False), entry.is_symlink())
            yield path, words + [f"d_type={kind}"] + describe(entry.path, st, plain)
            if stat.S_ISDIR(st.st_mode):
                pending.append(path)


def filesystem(top):
    st = os.statvfs(top)
    fd = os.open(top, os.O_RDONLY)
    geometry, label = bytearray(256), bytearray(256)
    fcntl.ioctl(fd, XFS_IOC_FSGEOMETRY, geometry)
    fcntl.ioctl(fd, FS_IOC_GETFSLABEL, label)
    os.close(fd)
    # The health words at 112 tell what the kernel has checked, which is not ours to know.
    geometry[112:120] = bytes(8)
    names = "bsize frsize blocks bfree bavail files ffree favail namemax".split()
    values = " ".join(f"{name}={getattr(st, 'f_' + name)}" for name in names)
    return f"{values} geometry={bytes(geometry).hex()} label={bytes(label).rstrip(bytes(1))!r}"


def main():
    top = os.fsencode(sys.argv[1])
    plain = "--plain" in sys.argv[2:]
    print("filesystem", filesystem(top))
    for path, words in sorted(walk(top, plain)):
        print(repr(path), *words)


main()
