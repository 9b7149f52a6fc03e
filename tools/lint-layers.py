#!/usr/bin/env python3
"""Checks that no #include points upward in the order of layers (docs/DESIGN.md).

A file of src/LAYER includes headers of its own layer and of those before it.  Unit tests may include host as well, which is the
real world behind the env seam, the table of types, which lower layers are handed at run time, and headers of other tests.
"""
import glob
import os
import re
import sys

LAYERS = "base format device cache log btree fs ledger meta scrub host fuse cli".split()
TEST_EXTRA = {"host/host.h", "meta/types_table.h", "meta/findings.h"}
RANK = {layer: rank for rank, layer in enumerate(LAYERS)}
bad = 0
for path in sorted(glob.glob("src/**/*.[ch]", recursive=True)):
    layer = path.split("/")[1]
    if layer not in RANK:
        print(f"{path}: {layer} is no layer")
        bad += 1
        continue
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            match = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
            if not match:
                continue
            header = match.group(1)
            if header == "mendfs.h" and RANK[layer] >= RANK["host"]:
                continue
            target = header.split("/")[0]
            if target not in RANK or "/" not in header:
                print(f"{path}:{number}: \"{header}\" does not begin with a layer")
                bad += 1
            elif RANK[target] > RANK[layer] and not (path.endswith(("_test.c", "_test.h")) and (header in TEST_EXTRA or header.endswith("_test.h"))):
                print(f"{path}:{number}: {layer} includes {header}, which is above it")
                bad += 1
sys.exit(1 if bad else 0)
