#!/usr/bin/env python3
"""Picks a real tree of this machine for the demo: tree.py list|proto FILES

list   the paths, with NULs between them, for tar --null -T -
proto  a prototype for `mkfs.xfs -p`, which fills a filesystem without root.  Its format knows no blanks in names, no hard links and no
       attributes, and links that do not fit into their inode come out wrong, so these are left out.
"""
import os
import stat
import sys

PLACES = ["/usr/share/doc", "/usr/share/man", "/usr/share", "/usr/include", "/usr/lib", "/etc"]
LARGEST = 256 << 10
LONGEST_LINK = 200


def wanted(entry):
    if any(byte <= 32 for byte in os.fsencode(entry.name)) or entry.name.startswith("$"):
        return False
    if entry.is_symlink():
        target = os.readlink(entry.path)
        return len(target) <= LONGEST_LINK and not any(char.isspace() for char in target)
    return entry.is_dir() or (entry.is_file() and entry.stat().st_size <= LARGEST and os.access(entry.path, os.R_OK))


def collect(path, left, seen):
    """A tree of dicts; None is what is no directory.  left[0] files at most."""
    tree = {}
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError:
        return tree
    for entry in entries:
        if left[0] <= 0:
            break
        if entry.path in seen or not wanted(entry):
            continue
        if entry.is_dir(follow_symlinks=False):
            seen.add(entry.path)
            tree[entry.name] = collect(entry.path, left, seen)
        else:
            left[0] -= 1
            tree[entry.name] = None
    return tree


def proto_lines(path, tree):
    for name, below in tree.items():
        full = os.path.join(path, name)
        mode = os.lstat(full).st_mode
        bits = ("u" if mode & stat.S_ISUID else "-") + ("g" if mode & stat.S_ISGID else "-") + f"{mode & 0o777:03o}"
        if below is not None:
            yield f"{name} d{bits} 0 0"
            yield from proto_lines(full, below)
            yield "$"
        elif stat.S_ISLNK(mode):
            yield f"{name} l--777 0 0 {os.readlink(full)}"
        else:
            yield f"{name} -{bits} 0 0 {full}"


def paths(path, tree):
    for name, below in tree.items():
        full = os.path.join(path, name)
        if below is None:
            yield full
        else:
            yield from paths(full, below)


def main():
    left, seen, forest = [int(sys.argv[2])], set(), []
    for place in PLACES:
        if os.path.isdir(place) and not os.path.islink(place):
            forest.append((place, collect(place, left, seen)))
            seen.add(place)
    out = open(sys.stdout.fileno(), "w", encoding="utf-8", errors="surrogateescape")
    root = {}
    for place, tree in forest:
        below = root
        for name in place.strip("/").split("/"):
            below = below.setdefault(name, {})
        below.update(tree)
    if sys.argv[1] == "list":
        for path in paths("/", root):
            out.write(path.lstrip("/") + "\0")
    else:
        out.write("\n".join(["x", "0 0", "d--755 0 0", *proto_lines("/", root), "$"]) + "\n")


main()
