#!/usr/bin/env python3
"""Makes types.h (enum meta_id) or types.c (the table of descriptors) from the build file's list of type names.

usage: gen-types.py h|c OUTPUT NAME...
"""
import sys

kind, output, names = sys.argv[1], sys.argv[2], sys.argv[3:]
if kind == "h":
    lines = ["/* Made by tools/gen-types.py from the list in src/meta/meson.build. */",
             "#ifndef MENDFS_FORMAT_TYPES_H", "#define MENDFS_FORMAT_TYPES_H", "", "enum meta_id {"]
    lines += [f"\tMETA_{n.upper()}," for n in names]
    lines += ["\tMETA_COUNT", "};", "_Static_assert(META_COUNT <= 64, \"needs masks are 64 bits\");", "", "#endif"]
else:
    lines = ["/* Made by tools/gen-types.py from the list in src/meta/meson.build. */",
             '#include "ledger/guard.h"', '#include "meta/types_table.h"', ""]
    lines += [f"extern const struct meta_type meta_{n};" for n in names]
    lines += ["", "const struct meta_types meta_types = {{"]
    lines += [f"\t[META_{n.upper()}] = &meta_{n}," for n in names]
    lines += ["}, .guard = &commit_guard};"]
with open(output, "w") as f:
    f.write("\n".join(lines) + "\n")
