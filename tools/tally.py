#!/usr/bin/env python3
"""Adds up result files of run-tests.sh: shows failures and skips, then `N passed, N failed, N skipped` as the last line.

usage: tally.py SECONDS FILE...
A test that appears more than once (two builds) counts once, as the worst of its results.
"""
import sys

WEIGHT = {"ok": 0, "skip": 1, "not ok": 2}
tests = {}
for path in sys.argv[2:]:
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            line = line.rstrip("\n")
            result = next((r for r in WEIGHT if line.startswith(r + " ")), None)
            if not result:
                continue
            name = line[len(result) + 1:]
            reason = ""
            if result == "skip":
                name, _, reason = name.partition(": ")
            old = tests.get(name)
            if old is None or WEIGHT[result] > WEIGHT[old[0]]:
                tests[name] = (result, reason)

for name, (result, reason) in sorted(tests.items()):
    if result == "skip":
        print(f"skipped {name}: {reason}")
for name, (result, reason) in sorted(tests.items()):
    if result == "not ok":
        print(f"FAILED {name}")
count = {r: sum(1 for t in tests.values() if t[0] == r) for r in WEIGHT}
print(f"all tests took {sys.argv[1]} s")
print(f"{count['ok']} passed, {count['not ok']} failed, {count['skip']} skipped")
sys.exit(1 if count["not ok"] or not count["ok"] else 0)
