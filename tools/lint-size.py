#!/usr/bin/env python3
"""Keeps files and functions small: files of at most 800 lines, 90th percentile of functions at most 50 lines, and no function
longer than the ratchet in tools/size-ratchet, which only goes down.

--tighten lowers the ratchet to what is needed now.  Lines `file PATH N` of the ratchet allow a longer file, up to N lines.
"""
import glob
import subprocess
import sys

FILE_LINES, PERCENTILE_LINES = 800, 50
RATCHET = "tools/size-ratchet"


def parse_ratchet(text):
    function, files = 0, {}
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["function"]:
            function = int(words[1])
        elif words[:1] == ["file"]:
            files[words[1]] = int(words[2])
    return function, files


def functions(path):
    """(name, lines) of each function: kernel style has its braces alone in column 0."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    start = None
    for number, line in enumerate(lines):
        if line == "{" and start is None:
            start = number
        elif line.rstrip(";") == "}" and start is not None:
            name = start - 1
            while name > 0 and lines[name][:1] in ("\t", " "):
                name -= 1
            yield f"{path}:{name + 1}: {lines[name]}", number - start + 1
            start = None


def main():
    with open(RATCHET, encoding="utf-8") as file:
        limit, allowed = parse_ratchet(file.read())
    bad = 0
    paths = sorted(p for pattern in ("src/**/*.[ch]", "include/*.h", "tests/**/*.[ch]", "fuzz/**/*.[ch]", "bench/*.[ch]")
                   for p in glob.glob(pattern, recursive=True))
    lengths, sizes = [], {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            sizes[path] = len(file.read().splitlines())
        if sizes[path] > allowed.get(path, FILE_LINES):
            print(f"{path}: {sizes[path]} lines, at most {allowed.get(path, FILE_LINES)} are allowed")
            bad += 1
        if path.startswith("src/"):
            lengths += functions(path)
    lengths.sort(key=lambda f: f[1])
    longest = lengths[-1][1]
    percentile = lengths[len(lengths) * 9 // 10][1]
    for name, count in lengths:
        if count > limit:
            print(f"{name}: {count} lines, the ratchet is at {limit}")
            bad += 1
    if percentile > PERCENTILE_LINES:
        print(f"the 90th percentile of functions is {percentile} lines, at most {PERCENTILE_LINES} are allowed")
        bad += 1
    old = subprocess.run(["git", "show", f"HEAD:{RATCHET}"], capture_output=True, text=True, check=False)
    if old.returncode == 0:
        old_limit, old_allowed = parse_ratchet(old.stdout)
        if limit > old_limit:
            print(f"the ratchet went up from {old_limit} to {limit}")
            bad += 1
        for path, count in allowed.items():
            if path in old_allowed and count > old_allowed[path]:
                print(f"the ratchet of {path} went up from {old_allowed[path]} to {count}")
                bad += 1
    if "--tighten" in sys.argv:
        with open(RATCHET, "w", encoding="utf-8") as file:
            file.write(f"function {min(limit, longest)}\n")
            for path, count in sorted(allowed.items()):
                if sizes.get(path, 0) > FILE_LINES:
                    file.write(f"file {path} {min(count, sizes[path])}\n")
    print(f"{len(lengths)} functions, 90th percentile {percentile} lines, longest {longest}")
    return 1 if bad else 0


sys.exit(main())
