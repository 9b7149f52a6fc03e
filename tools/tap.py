#!/usr/bin/env python3
"""Turns meson's test log (JSON lines, cmocka in TAP mode) into `ok NAME`, `not ok NAME`, `skip NAME: reason` lines.

usage: tap.py BUILD/meson-logs/testlog.json
"""
import json
import re
import sys

LINE = re.compile(r"^(not ok|ok) \d+(?: - | # (SKIP) )(.*)$")


def cases(test):
    """The result lines of one executable."""
    name = re.sub(r"_test$", "", test["name"].split(" / ")[-1])
    plan, count, before, failed, out = None, 0, "", False, []
    for line in test.get("stdout", "").splitlines():
        match = LINE.match(line)
        if match:
            count += 1
            result, skip, case = match.groups()
            if skip:
                out.append(f"skip {name}/{case}: {before or 'no reason given'}")
            else:
                failed |= result == "not ok"
                out.append(f"{result} {name}/{case}")
        elif re.match(r"^1\.\.\d+$", line):
            plan = int(line[3:])
        elif line and not line.startswith("#"):
            before = line
    if test["result"] == "SKIP":
        return [f"skip {name}: {before or 'no reason given'}"]
    if plan is None:  # not cmocka: one test
        return [f"{'ok' if test['result'] == 'OK' else 'not ok'} {name}"]
    if count != plan:
        out.append(f"not ok {name}/ended-after-{count}-of-{plan} ({test['result'].lower()}, status {test.get('returncode')})")
    elif test["result"] != "OK" and not failed:
        out.append(f"not ok {name}/exit-status-{test.get('returncode')}")
    return out


try:
    with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
        tests = [json.loads(line) for line in log]
except FileNotFoundError:
    tests = []
if not tests:
    print("not ok unit/no-test-log")
for entry in tests:
    lines = cases(entry)
    print("\n".join(lines))
    if any(line.startswith("not ok") for line in lines):
        print(f"--- {entry['name']}", entry.get("stdout", "")[-4000:], entry.get("stderr", "")[-4000:], sep="\n", file=sys.stderr)
