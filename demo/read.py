#!/usr/bin/env python3
"""Reads a whole tree: read.py DIR REMEMBER     notes a hash of each file in the file REMEMBER, and says what it has met
                        read.py DIR REMEMBER --compare   says what is as it was, and what cannot be read
"""
import errno
import hashlib
import json
import os
import sys


def read_tree(top):
    found, failed, met = {}, [], {"linked": 0, "attributes": 0}
    pending = [top]
    while pending:
        directory = pending.pop()
        try:
            for entry in os.scandir(directory):
                path = os.path.relpath(entry.path, top)
                try:
                    if entry.is_symlink():
                        found[path] = os.readlink(entry.path)
                    elif entry.is_dir():
                        pending.append(entry.path)
                    else:
                        met["linked"] += entry.stat().st_nlink > 1
                        met["attributes"] += "user.origin" in os.listxattr(entry.path)
                        with open(entry.path, "rb", buffering=0) as file:
                            found[path] = hashlib.sha1(file.read()).hexdigest()
                except OSError as error:
                    failed.append((path, error.errno))
        except OSError as error:
            failed.append((os.path.relpath(directory, top) + "/", error.errno))
    return found, failed, met


def main():
    found, failed, met = read_tree(sys.argv[1])
    if "--compare" not in sys.argv:
        with open(sys.argv[2], "w", encoding="utf-8", errors="surrogateescape") as file:
            json.dump(found, file)
        print(f"in it: {len(found)} files; {met['linked']} with a further name, {met['attributes']} with an attribute")
        return
    with open(sys.argv[2], encoding="utf-8", errors="surrogateescape") as file:
        before = json.load(file)
    same = sum(found[path] == before.get(path) for path in found)
    print(f"read: {same} of {len(before)} files, byte for byte what they were; {len(found) - same} differ")
    for path, number in sorted(failed):
        print(f"  {os.strerror(number)} ({errno.errorcode[number]}): {path}")
    beyond = len(before) - len(found) - sum(not path.endswith("/") for path, _ in failed)
    if beyond:
        print(f"  {beyond} files are behind a directory that cannot be listed")


main()
