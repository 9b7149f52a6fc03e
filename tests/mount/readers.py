#!/usr/bin/env python3
"""Several readers of one tree at the same time, each in an order of its own: readers.py DIR [READERS]

All must see the same names, data, link targets and attributes; prints one line with the number of names and a hash of it all, and
fails when two readers disagree or an error is met.
"""
import concurrent.futures
import errno
import hashlib
import os
import random
import stat
import sys


def one(path, dice):
    st = os.lstat(path)
    seen = [path, st.st_mode, st.st_size, st.st_ino, st.st_mtime_ns]
    if stat.S_ISLNK(st.st_mode):
        seen.append(os.readlink(path))
    if stat.S_ISREG(st.st_mode) and st.st_size < 1 << 26:
        parts = {}
        with open(path, "rb", buffering=0) as file:
            starts = list(range(0, st.st_size, 100000))
            dice.shuffle(starts)
            for start in starts:
                parts[start] = os.pread(file.fileno(), 100000, start)
        seen.append(hashlib.sha256(b"".join(parts[start] for start in sorted(parts))).hexdigest())
    try:
        names = sorted(os.listxattr(path, follow_symlinks=False))
    except OSError as error:
        if error.errno != errno.E2BIG:
            raise
        return repr(seen + ["too many"]).encode("utf-8", "surrogateescape")
    for name in names:
        seen += [name, os.getxattr(path, name, follow_symlinks=False)]
    return repr(seen).encode("utf-8", "surrogateescape")


def hammer(paths, dice):
    """Attributes are not cached by the kernel: many requests for the same few inodes at the same time."""
    for _ in range(3000):
        path = dice.choice(paths)
        try:
            os.getxattr(path, "user.a", follow_symlinks=False)
        except OSError as error:
            if error.errno != errno.ENODATA:
                raise


def reader(top, seed):
    dice, found, pending = random.Random(seed), {}, [top]
    while pending:
        directory = pending.pop(dice.randrange(len(pending)))
        entries = list(os.scandir(directory))
        dice.shuffle(entries)
        for entry in entries:
            found[entry.path] = hashlib.sha256(one(entry.path, dice)).digest()
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
    hammer(sorted(found)[:8], dice)
    return len(found), hashlib.sha256(b"".join(found[path] for path in sorted(found))).hexdigest()


def main():
    readers = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    with concurrent.futures.ProcessPoolExecutor(readers) as pool:
        results = set(pool.map(reader, [os.fsencode(sys.argv[1])] * readers, range(readers)))
    print(*(f"{count} names {digest}" for count, digest in results), sep="\n")
    return len(results) != 1


sys.exit(main())
