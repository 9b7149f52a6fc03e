#!/usr/bin/env python3
"""Checks the text of all files of the project: plain ASCII, no trailing space, no absolute path of somebody's workplace."""
import re
import subprocess
import sys

# Written so that this file does not match itself.
PLACES = re.compile(r"(?<![\w./-])/" + r"(?:work|home/\w+|root)/[\w.-]+")
files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                       capture_output=True, check=True).stdout.decode().split("\0")
bad = 0
for path in filter(None, files):
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        continue
    if b"\0" in data or path.startswith("tests/cases/"):
        continue  # an image
    for number, line in enumerate(data.split(b"\n"), 1):
        problems = []
        if any(byte > 126 or (byte < 32 and byte != 9) for byte in line):
            problems.append("not plain ASCII")
        if line.endswith((b" ", b"\t")):
            problems.append("trailing space")
        if PLACES.search(line.decode("ascii", "replace")):
            problems.append("an absolute path of a workplace")
        for problem in problems:
            print(f"{path}:{number}: {problem}")
            bad += 1
sys.exit(1 if bad else 0)
