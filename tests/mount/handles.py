#!/usr/bin/env python3
"""File handles that outlive a mount: handles.py take DIR FILE    notes a handle of everything in the tree
                                    handles.py open DIR FILE    opens them all, and compares what stat says
"""
import ctypes
import os
import pickle
import stat
import sys

AT_FDCWD, O_PATH_FLAGS = -100, os.O_RDONLY | os.O_NOFOLLOW
libc = ctypes.CDLL(None, use_errno=True)


class Handle(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * 128)]


def take(path):
    handle, mount = Handle(bytes=128), ctypes.c_int()
    if libc.name_to_handle_at(AT_FDCWD, os.fsencode(path), ctypes.byref(handle), ctypes.byref(mount), 0):
        raise OSError(ctypes.get_errno(), "name_to_handle_at " + path)
    return handle.bytes, handle.type, bytes(handle.data[:handle.bytes])


def reopen(top, saved):
    handle = Handle(bytes=saved[0], type=saved[1])
    ctypes.memmove(handle.data, saved[2], saved[0])
    fd = libc.open_by_handle_at(top, ctypes.byref(handle), O_PATH_FLAGS)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "open_by_handle_at")
    return fd


def facts(st):
    return st.st_ino, st.st_mode, st.st_size, st.st_mtime_ns, st.st_ctime_ns


def main():
    command, directory, file = sys.argv[1:]
    if command == "take":
        saved = []
        for top, _, names in os.walk(directory):
            for path in [top] + [os.path.join(top, name) for name in names]:
                st = os.lstat(path)
                if stat.S_ISREG(st.st_mode) or stat.S_ISDIR(st.st_mode):
                    saved.append((take(path), facts(st)))
        with open(file, "wb") as out:
            pickle.dump(saved, out)
        return 0
    with open(file, "rb") as source:
        saved = pickle.load(source)
    top, bad = os.open(directory, os.O_RDONLY), 0
    for handle, expected in reversed(saved):
        fd = reopen(top, handle)
        bad += facts(os.fstat(fd)) != expected
        if stat.S_ISDIR(expected[1]):  # the way up, of a directory that has no name yet
            bad += os.stat("..", dir_fd=fd).st_ino == 0
        os.close(fd)
    print(f"{len(saved)} handles, {bad} bad")
    return bad != 0


sys.exit(main())
