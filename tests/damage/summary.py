#!/usr/bin/env python3
"""Sums up what tests/damage/campaign found: which damage is detected, which cannot be, and which should have been.

summary.py [--write-docs FILE] [--undetectable FILE] [--kinds FILE] [--unreached FILE] CAMPAIGN.jsonl...

With what `campaign --kinds` prints, all that there is to damage, it is listed too what no image had; that is excused by
the list of the unreached alone. --listed FILE: nothing but that, of what `campaign --list` says the images have.

Exit status 1 when a damage went unnoticed that the list of undetectable fields does not cover, when two damages hid each other,
when a judge found what the check did not, when an undamaged image was not clean, or when a field was nowhere to be damaged.
"""
import argparse
import collections
import fnmatch
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


class Rule:
    def __init__(self, line):
        self.pattern, bases, verbs, self.reason = (part.strip() for part in line.split("|", 3))
        self.bases, self.verbs = bases.split(), verbs.split()

    def covers(self, key, base, verb):
        return (fnmatch.fnmatchcase(key, self.pattern) and any(fnmatch.fnmatchcase(base, b) for b in self.bases)
                and any(fnmatch.fnmatchcase(verb, v) for v in self.verbs))


def without_kind(key):
    """inode:file.core.mode -> inode.core.mode; log:inode:free.core.mode -> log:inode.core.mode"""
    name, dot, rest = key.partition(".")
    words = name.split(":")
    return ":".join(words[:2] if words[0] == "log" else words[:1]) + dot + rest


class Unreached:
    """What --kinds lists and no damage has met."""

    def __init__(self, kinds, excuses, fields):
        keys = set(fields) | {without_kind(f) for f in fields} | {f.partition(".")[0] for f in fields}
        with open(excuses, encoding="utf-8") as file:
            rules = [[part.strip() for part in line.split("|", 1)] for line in file if line.strip() and not line.startswith("#")]
        self.problems, self.excused, used = [], [], set()
        with open(kinds, encoding="utf-8") as file:
            for key in dict.fromkeys(line.strip() for line in file):
                if key in keys:
                    continue
                rule = next((r for r in rules if fnmatch.fnmatchcase(key, r[0])), None)
                if rule:
                    used.add(rule[0])
                    self.excused.append((key, rule[1]))
                else:
                    self.problems.append(f"no image has {key}: nothing was damaged there")
        self.problems += [f"the list of the unreached has {r[0]}, which the images have" for r in rules if r[0] not in used]


WITHOUT_EFFECT = Rule("*|*|*|Without effect: the replay comes to the same filesystem, byte by byte.")


class Field:
    def __init__(self):
        self.images = self.found = 0
        self.missed = collections.Counter()  # by verb
        self.reasons = []
        self.ids = collections.Counter()


def read_rules(path):
    with open(path, encoding="utf-8") as file:
        return [Rule(line) for line in file if line.strip() and not line.startswith("#")]


def found(record):
    return bool(record["ids"] or record["error"])


class Summary:
    def __init__(self, rules):
        self.rules, self.fields, self.bases = rules, {}, []
        self.singles = self.single_found = self.pairs = self.pairs_found = self.judged = self.judge_found = 0
        self.excused = 0
        self.problems = []

    def rule_of(self, key, base, verb):
        return next((r for r in self.rules if r.covers(key, base, verb)), None)

    def base(self, record):
        self.bases.append(record)
        if found(record):
            self.problems.append(f"{record['base']}: the undamaged image is not clean: {record['ids']} {record['error']}")
        if record.get("judge"):
            self.problems.append(f"{record['base']}: the judge says {record['judge']} of the undamaged image")

    def single(self, record):
        damage = record["damage"][0]
        key = damage["key"]
        field = self.fields.setdefault(key, Field())
        self.singles += 1
        field.images += 1
        if found(record):
            self.single_found += 1
            field.found += 1
            field.ids.update(set(record["ids"].split(",")) if record["ids"] else {"cannot be opened"})
            return
        field.missed[damage["verb"]] += 1
        if record.get("effect") is False:
            rule = WITHOUT_EFFECT
        else:
            rule = self.rule_of(key, record["base"], damage["verb"])
            if rule and not damage["crc"] and "crc-left" not in rule.verbs:
                rule = None
        if not rule:
            self.problems.append(f"{record['base']}: unnoticed: {describe(damage)}")
        else:
            self.excused += 1
            if rule.reason not in field.reasons:
                field.reasons.append(rule.reason)

    def pair(self, record):
        self.pairs += 1
        self.pairs_found += found(record)
        if not found(record) and not all(self.rule_of(d["key"], record["base"], d["verb"]) for d in record["damage"]):
            self.problems.append(f"{record['base']}: unnoticed pair: {' and '.join(describe(d) for d in record['damage'])}")

    def judge(self, record):
        self.judged += 1
        if record["judge"] == 1:
            self.judge_found += 1
            if not found(record):
                self.problems.append(f"{record['base']}: the judge found it, the check did not: {describe(record['damage'][0])}")

    def add(self, record):
        if "cancelled" in record:
            self.problems.append(f"{record['base']}: two damages hid each other: {record['cancelled']}")
        elif "damage" not in record:
            self.base(record)
        elif len(record["damage"]) == 2:
            self.pair(record)
        else:
            self.single(record)
            if "judge" in record:
                self.judge(record)


def describe(damage):
    return (f"{damage['key']} ({damage['part']}[{damage['index']}], element {damage['element']}, at {damage['at']}) {damage['verb']}"
            f" {damage['old']} -> {damage['new']}{'' if damage['crc'] else ', checksum left'}")


def by_type(fields):
    types = {}
    for key, field in sorted(fields.items()):
        types.setdefault(key.split(".")[0], {})[key] = field
    return types


def print_table(summary):
    print(f"{'structure':18} {'fields':>6} {'images':>7} {'found':>7} {'cannot be':>9}")
    for name, fields in by_type(summary.fields).items():
        images = sum(f.images for f in fields.values())
        good = sum(f.found for f in fields.values())
        print(f"{name:18} {len(fields):6} {images:7} {good:7} {images - good:9}")
    print(f"{summary.singles} images with one damage: {summary.single_found} detected, {summary.excused} cannot be")
    if summary.pairs:
        print(f"{summary.pairs} images with two damages: {summary.pairs_found} detected")
    if summary.judged:
        print(f"{summary.judged} images judged: the judge finds {summary.judge_found}")


def unreached_docs(unreached):
    out = ["", "## What no image has", ""]
    if not unreached.excused:
        return out + ["Nothing: each field of each structure that a descriptor or an item of the log can have was damaged somewhere."]
    out += ["Of all fields of all structures that descriptors and items of the log can have, these were nowhere to be damaged.", "",
            "| field | why |", "|---|---|"]
    return out + [f"| {key} | {why} |" for key, why in unreached.excused]


def write_docs(summary, path, unreached):
    out = ["# Damage: what is detected, and what nobody can detect", "",
           "Generated by `tests/damage/full.sh`; do not edit. Each field of each structure that they have was damaged by each verb",
           "(zeroes, ones, firstbit, middlebit, lastbit, add, sub, random; verbs that change nothing are left out), with the",
           "checksum made right afterwards, on these images; of those with a dirty log (`log:` below), the log was:", ""]
    for base in {b["base"]: b for b in summary.bases}.values():
        out.append(f"* {base['base']}: {base['objects']} objects, {base['fields']} different fields")
    out += ["", f"{summary.singles} images with one damage: {summary.single_found} detected."]
    if summary.pairs:
        out.append(f"{summary.pairs} images with two damages at once: {summary.pairs_found} detected; none hid the other.")
    out += ["", "| structure | fields | images | detected | not detectable |", "|---|---|---|---|---|"]
    types = by_type(summary.fields)
    for name, fields in types.items():
        images, good = sum(f.images for f in fields.values()), sum(f.found for f in fields.values())
        out.append(f"| {name} | {len(fields)} | {images} | {good} | {images - good} |")
    out += ["", "## What nobody can detect", "",
            "Verbs in brackets: only these. A field of these images that is not listed is detected whatever happens to it.", "",
            "| field | images | undetected | why |", "|---|---|---|---|"]
    for fields in types.values():
        for key, field in fields.items():
            missed = field.images - field.found
            if missed:
                verbs = "" if field.found == 0 else f" ({', '.join(sorted(field.missed))})"
                out.append(f"| {key}{verbs} | {field.images} | {missed} | {' '.join(field.reasons)} |")
    if unreached:
        out += unreached_docs(unreached)
    # what tests/damage/matrix.sh has put there stays
    with open(path, encoding="utf-8") as file:
        _, mark, matrix = file.read().partition("<!-- repair matrix -->")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n" + (f"\n{mark}{matrix}" if mark else ""))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write-docs")
    parser.add_argument("--undetectable", default=os.path.join(HERE, "undetectable"))
    parser.add_argument("--kinds")
    parser.add_argument("--unreached", default=os.path.join(HERE, "unreached"))
    parser.add_argument("--listed")
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    if args.listed:
        with open(args.listed, encoding="utf-8") as file:
            problems = Unreached(args.kinds, args.unreached, [line.split("\t")[0] for line in file]).problems
        print("\n".join(problems))
        return 1 if problems else 0
    summary = Summary(read_rules(args.undetectable))
    for path in args.files:
        with open(path, encoding="utf-8") as file:
            for line in file:
                summary.add(json.loads(line))
    print_table(summary)
    unreached = Unreached(args.kinds, args.unreached, summary.fields) if args.kinds else None
    if unreached:
        summary.problems += unreached.problems
    for problem in summary.problems[:100]:
        print(problem)
    if len(summary.problems) > 100:
        print(f"... and {len(summary.problems) - 100} more")
    if args.write_docs and not summary.problems:
        write_docs(summary, args.write_docs, unreached)
    return 1 if summary.problems or not summary.singles + summary.pairs else 0


sys.exit(main())
