#!/usr/bin/env python3
"""Fills a mounted XFS with one of everything: fill.py DIR [ENTRIES]

ENTRIES (default 3000) is the size of the largest directory.  Needs root: devices, owners, trusted attributes.
"""
import fcntl
import os
import random
import socket
import stat
import struct
import sys

FICLONE = 0x40049409
FS_IOC_FSGETXATTR = 0x801C581F
FS_IOC_FSSETXATTR = 0x401C5820
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16
XFLAG_NOATIME, XFLAG_NODUMP, XFLAG_EXTSIZE, XFLAG_PROJINHERIT = 0x40, 0x80, 0x800, 0x200

dice = random.Random(7)


def write(path, data, offset=0):
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o644)
    os.pwrite(fd, data, offset)
    os.close(fd)


def fallocate(path, mode, offset, length):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    if libc.fallocate(fd, mode, offset, length):
        raise OSError(ctypes.get_errno(), "fallocate " + path)
    os.close(fd)


def set_flags(path, flags, extsize=0, project=0):
    fd = os.open(path, os.O_RDONLY)
    old = bytearray(28)
    fcntl.ioctl(fd, FS_IOC_FSGETXATTR, old)
    xflags, _, nextents, _, cow = struct.unpack_from("<5I", old)
    fcntl.ioctl(fd, FS_IOC_FSSETXATTR, struct.pack("<5I8x", xflags | flags, extsize, nextents, project, cow))
    os.close(fd)


def acl(*entries):
    """Linux's form: version 2, then tag, permissions, id."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NOBODY = 0xFFFFFFFF


def types():
    os.mkdir("types")
    os.chdir("types")
    write("empty", b"")
    write("small", b"hello\n")
    write("odd-size", dice.randbytes(12345))
    os.mkfifo("fifo")
    socket.socket(socket.AF_UNIX).bind("socket")
    for number, (major, minor) in enumerate([(1, 3), (0, 255), (255, 256), (511, 70000)]):
        os.mknod(f"char{number}", stat.S_IFCHR | 0o600, os.makedev(major, minor))
        os.mknod(f"block{number}", stat.S_IFBLK | 0o640, os.makedev(major, minor))
    for length in (1, 30, 300, 400, 600, 1000, 1023):
        os.symlink("t" * length, f"link{length}")
    os.symlink("small", "good-link")
    for number in range(5):
        os.link("small", f"hard{number}")
    for mode in (0, 0o4755, 0o2755, 0o1777, 0o7777):
        write(f"mode{mode:o}", b"x")
        os.chown(f"mode{mode:o}", mode, 4294967294 if mode else 0)
        os.chmod(f"mode{mode:o}", mode)
    for number, second in enumerate([0, -1, -2147483647, 2147483647, 1, 1234567890]):
        write(f"time{number}", b"t")
        os.utime(f"time{number}", ns=(second * 10**9 + 999999999, second * 10**9 + 1))
    os.chdir("..")


def directories(largest):
    os.mkdir("dirs")
    for count in (0, 1, 3, 20, 60, 200, largest):
        os.mkdir(f"dirs/{count}")
        for number in range(count):
            name = f"dirs/{count}/" + "n" * (number * 7 % 200) + str(number)
            if number % 50 == 0:
                os.mkdir(name)
            elif number % 7 == 0:
                os.symlink("x" * (number % 90 + 1), name)
            else:
                write(name, str(number).encode())
    os.mkdir("dirs/thinned")
    for number in range(largest // 2):
        write(f"dirs/thinned/file-with-a-rather-long-name-{number}", b"")
    for number in range(largest // 2):
        if number % 9:
            os.unlink(f"dirs/thinned/file-with-a-rather-long-name-{number}")
    os.mkdir("dirs/names")
    for name in (b"\xff\xfe", b" ", b"-", b"a\nb", b"\\", "\u00e4\u00df\u4e2d".encode(), b"." * 3, b"x" * 255, b"\x01"):
        write(b"dirs/names/" + name, name)
    deep = "dirs/deep"
    for number in range(40):
        os.mkdir(deep)
        deep += f"/{number}"


def attributes():
    os.mkdir("attrs")
    os.chdir("attrs")
    for name in ("short", "leaf", "node", "too-many", "remote", "spaces", "removed"):
        write(name, name.encode())
    os.setxattr("short", "user.a", b"1")
    os.setxattr("short", "user.empty", b"")
    for number in range(40):
        os.setxattr("leaf", f"user.number{number}", dice.randbytes(number))
    for number in range(1200):  # more names than a program can be told
        os.setxattr("too-many", "user." + "n" * (number % 190) + str(number), b"")
    for number in range(500):
        os.setxattr("node", "user." + "n" * (number % 190) + str(number), dice.randbytes(number % 70))
    for length in (3000, 4096, 20000, 65535, 65536):
        os.setxattr("remote", f"user.{length}", dice.randbytes(length))
        os.setxattr("node", f"user.big{length}", dice.randbytes(length))
    for space in ("user", "trusted", "security"):
        os.setxattr("spaces", space + ".same", space.encode())
    for number in range(100):
        os.setxattr("removed", f"user.{number}", b"v" * 50)
    for number in range(100):
        os.removexattr("removed", f"user.{number}")
    os.symlink("nowhere", "link")
    os.setxattr("link", "trusted.on-link", b"yes", follow_symlinks=False)
    write("acl", b"for user 1234 only")
    os.chown("acl", 0, 0)
    os.setxattr("acl", "system.posix_acl_access", acl((1, 6, NOBODY), (2, 4, 1234), (4, 0, NOBODY), (0x10, 4, NOBODY), (0x20, 0, NOBODY)))
    os.mkdir("acl-dir")
    os.setxattr("acl-dir", "system.posix_acl_default", acl((1, 7, NOBODY), (2, 5, 77), (4, 5, NOBODY), (8, 7, 88), (0x10, 7, NOBODY), (0x20, 1, NOBODY)))
    write("acl-dir/inherits", b"")
    os.mkdir("acl-dir/sub")
    os.chdir("..")


def files():
    os.mkdir("files")
    os.chdir("files")
    write("sparse", b"begin")
    write("sparse", b"middle", 3 << 20)
    os.truncate("sparse", 9 << 20)
    write("far", b"end", (1 << 32) - 3)
    write("too-far-to-read", b"end", (1 << 50) - 3)
    fallocate("unwritten", 0, 0, 1 << 20)
    write("unwritten", dice.randbytes(70000), 200000)
    fallocate("preallocated", KEEP_SIZE, 0, 1 << 20)
    write("preallocated", b"short")
    write("punched", dice.randbytes(1 << 20))
    fallocate("punched", KEEP_SIZE | PUNCH_HOLE, 70000, 300000)
    fallocate("punched", KEEP_SIZE | ZERO_RANGE, 500000, 300000)
    os.truncate("all-hole", 0) if os.path.exists("all-hole") else write("all-hole", b"")
    os.truncate("all-hole", 5000001)
    write("large", dice.randbytes(5 << 20))
    fd = os.open("fragmented", os.O_CREAT | os.O_WRONLY, 0o644)
    for number in range(1500):
        os.pwrite(fd, dice.randbytes(3000), number * 9000)
    os.close(fd)
    write("shared", dice.randbytes(1 << 20))
    for number in range(3):
        source, target = os.open("shared", os.O_RDONLY), os.open(f"clone{number}", os.O_CREAT | os.O_WRONLY, 0o644)
        try:
            fcntl.ioctl(target, FICLONE, source)
        except OSError:
            pass  # made without reflink
        os.close(source)
        os.close(target)
        write(f"clone{number}", b"changed", 100000 * number)
    write("flags", b"f")
    set_flags("flags", XFLAG_NOATIME | XFLAG_NODUMP, project=4711)
    write("extsize", b"")
    set_flags("extsize", XFLAG_EXTSIZE, extsize=1 << 20)
    write("extsize", dice.randbytes(100000))
    os.mkdir("project")
    set_flags("project", XFLAG_PROJINHERIT, project=70000)
    write("project/member", b"m")
    os.chdir("..")


def main():
    os.umask(0o022)
    os.chdir(sys.argv[1])
    types()
    directories(int(sys.argv[2]) if len(sys.argv) > 2 else 3000)
    attributes()
    files()
    os.sync()


main()
