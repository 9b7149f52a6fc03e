#!/usr/bin/env python3
"""Drives scrub items of a mounted filesystem by XFS_IOC_SCRUB_METADATA.

scrub.py all DIR AGS [repair|force]   every item of every object (with STEP=n of each n-th file); prints those of which the answer is not "clean"
scrub.py one DIR TYPE [key=value...]  one item (flags, ino, gen, ag, reserved; uid: as that user); prints the error or the flags
scrub.py content DIR                  what programs see of the tree, but for the shape of maps
"""
import errno
import fcntl
import hashlib
import os
import stat
import struct
import sys

SCRUB = 0xC040583C
FORMAT = "=IIQII5Q"
REPAIR, UNTOUCHED, FORCE = 1, 1 << 7, 1 << 8
AG, INODE = range(1, 11), (11, 12, 13, 14, 15, 16, 17, 18, 28)
FS = (0, 19, 20, 21, 22, 23, 24, 25, 26, 27)


def scrub(fd, kind, flags=0, ino=0, gen=0, ag=0, reserved=0):
    buffer = bytearray(struct.pack(FORMAT, kind, flags, ino, gen, ag, reserved, 0, 0, 0, 0))
    fcntl.ioctl(fd, SCRUB, buffer)
    return struct.unpack(FORMAT, buffer)[1]


def attempt(*args, **keys):
    try:
        return f"{scrub(*args, **keys):#x}"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))


def usual(answer, flags):
    if answer == "ENOENT":
        return True
    if flags == REPAIR:
        return int(answer, 16) == REPAIR | UNTOUCHED if answer.startswith("0x") else False
    return answer == f"{flags:#x}"


def walk(top):
    yield top
    for folder, folders, files in os.walk(top):
        folders.sort()
        for name in sorted(folders + files):
            yield os.path.join(folder, name)


def every(top, ags, flags):
    root = os.open(top, os.O_RDONLY)
    count = 0
    for kind in FS:
        # everything together has nothing that could be rebuilt
        if kind == 27 and flags:
            continue
        answer = attempt(root, kind, flags)
        wanted = f"{flags:#x}" if kind == 0 else None
        count += 1
        if answer != wanted and not usual(answer, flags):
            print(kind, answer)
    for ag in range(ags):
        for kind in AG:
            answer = attempt(root, kind, flags, ag=ag)
            count += 1
            if not usual(answer, flags):
                print(kind, "ag", ag, answer)
    for path in list(walk(top))[:: int(os.environ.get("STEP", "1"))]:
        st = os.lstat(path)
        if not (stat.S_ISREG(st.st_mode) or stat.S_ISDIR(st.st_mode)):
            continue
        fd = os.open(path, os.O_RDONLY)
        for kind in INODE:
            answer = attempt(fd, kind, flags)
            count += answer != "ENOENT"
            if not usual(answer, flags):
                print(kind, path, answer)
        os.close(fd)
    print(count, "items", file=sys.stderr)


def content(top):
    for path in walk(top):
        st = os.lstat(path)
        line = [os.path.relpath(path, top), st.st_ino, oct(st.st_mode), st.st_nlink, st.st_uid, st.st_gid, st.st_rdev, st.st_mtime_ns]
        if not stat.S_ISDIR(st.st_mode):
            line.append(st.st_size)
        if stat.S_ISLNK(st.st_mode):
            line.append(os.readlink(path))
        if stat.S_ISREG(st.st_mode):
            digest = hashlib.sha256()
            with open(path, "rb") as file:
                size = 0
                while size < min(st.st_size, 64 << 20):
                    piece = file.read(1 << 20)
                    size += len(piece)
                    digest.update(piece)
            line.append(digest.hexdigest())
        try:
            names = sorted(os.listxattr(path, follow_symlinks=False))
        except OSError as error:  # more than a program can be told
            names = []
            line.append(error.errno)
        for name in names:
            line.append((name, hashlib.sha256(os.getxattr(path, name, follow_symlinks=False)).hexdigest()))
        print(*line)


def main():
    if sys.argv[1] == "all":
        flags = {"repair": REPAIR, "force": REPAIR | FORCE}[sys.argv[4]] if len(sys.argv) > 4 else 0
        every(sys.argv[2], int(sys.argv[3]), flags)
    elif sys.argv[1] == "one":
        keys = {key: int(value, 0) for key, value in (word.split("=") for word in sys.argv[4:])}
        fd = os.open(sys.argv[2], os.O_RDONLY)
        os.setuid(keys.pop("uid", 0))
        print(attempt(fd, int(sys.argv[3]), **keys))
    else:
        content(sys.argv[2])


main()
