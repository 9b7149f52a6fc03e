#!/usr/bin/env python3
"""Sums up by structure what repairs made of damaged images: mended without loss, with loss, or not.

matrix.py [--write-docs FILE --command TEXT] [--alone CAMPAIGN.jsonl] [--kernel FILE] CAMPAIGN.jsonl...

Not repaired: the repairer says that it could not, or the check or xfs_repair -n finds something afterwards. Findings that are warnings
stay, and count as repaired when xfs_repair -n is content. Exit status 1 when mendfs leaves something, or a structure is worse off than with xfs_repair.
"""
import argparse
import collections
import json
import sys

WARNINGS = {"SB_LABEL_CONTROL", "INODE_EXTSIZE_RT", "DIR_NAME_CONTROL", "ATTR_NAME_CONTROL"}
COLUMNS = [("mounted", "mendfs, mounted"), ("mendfs", "mendfs, offline"), ("xfs_repair", "xfs_repair, offline")]
START, END = "<!-- repair matrix -->", "<!-- end of the repair matrix -->"


class Cell:
    def __init__(self):
        self.images = self.whole = self.lossy = self.failed = self.names = self.bytes = 0

    def add(self, record):
        self.images += 1
        found = [i for i in record["ids"].split(",") if i and i not in WARNINGS]
        bad = record["error"] or found or record.get("judge")
        if record["by"] == "mendfs":
            bad = bad or record["refused"]
        if bad:
            self.failed += 1
        elif record["lost_names"] or record["lost_bytes"]:
            self.lossy += 1
        else:
            self.whole += 1
        self.names += record["lost_names"]
        self.bytes += record["lost_bytes"]
        return bad

    def text(self):
        if not self.images:
            return "-"
        loss = f" ({self.names} names, {self.bytes} bytes)" if self.lossy or self.names or self.bytes else ""
        return f"{self.whole} / {self.lossy}{loss} / {self.failed}"


class Matrix:
    def __init__(self):
        self.cells = collections.defaultdict(lambda: collections.defaultdict(Cell))
        self.bases, self.left, self.images, self.pairs = {}, [], 0, 0
        self.without_rmap = 0

    def add(self, record):
        if "objects" in record:
            self.bases[record["base"]] = record
            return
        types = [d["key"].split(".")[0].split(":")[0] for d in record["repair"]]
        row = types[0] if len(types) == 1 else "two damages"
        bad = self.cells[row][record["by"]].add(record)
        ours = record["by"] == "mendfs"
        self.images += ours
        self.pairs += ours and len(types) == 2
        self.without_rmap += ours and record["base"] in ("quota", "realtime", "norm")
        if bad and record["by"] != "xfs_repair":
            what = " and ".join(f"{d['key']} {d['verb']} {d['old']} -> {d['new']} at {d['at']}" for d in record["repair"])
            where = "" if ours else " (mounted)"
            self.left.append(f"{record['base']}{where}: {what}: {record['refused'] or record['error'] or record['ids'] or 'the judge'}")

    def rows(self):
        return sorted(r for r in self.cells if r != "two damages") + (["two damages"] if "two damages" in self.cells else [])

    def total(self, by):
        sum_ = Cell()
        for row in self.cells.values():
            for key in vars(sum_):
                setattr(sum_, key, getattr(sum_, key) + getattr(row[by], key))
        return sum_

    def worse(self):
        for row in self.rows():
            ours, theirs = self.cells[row]["mendfs"], self.cells[row]["xfs_repair"]
            if theirs.images and (ours.failed > theirs.failed or ours.names > theirs.names or ours.bytes > theirs.bytes):
                yield row

    def table(self):
        out = ["| structure | images | " + " | ".join(title for _, title in COLUMNS) + " |", "|---|---|---|---|---|"]
        for row in self.rows():
            cells = self.cells[row]
            out.append(f"| {row} | {cells['mendfs'].images} | " + " | ".join(cells[by].text() for by, _ in COLUMNS) + " |")
        out.append(f"| all | {self.images} | " + " | ".join(self.total(by).text() for by, _ in COLUMNS) + " |")
        return out


def alone_lines(alone):
    cell = alone.total("mendfs")
    return ["", f"Beside that, {alone.images} images by mendfs offline alone, {alone.pairs} of them with two damages, {alone.without_rmap} without a reverse map,",
            f"of the bases {', '.join(alone.bases)}; not judged by xfs_repair: {cell.text()}."]


def kernel_lines(path):
    """Of each image that the kernel mounted, its status and name."""
    if not path:
        return []
    with open(path, encoding="utf-8") as file:
        status = [line.split()[0] for line in file]
    if not status:
        return []
    return ["", f"Of what xfs_repair -n was content with, whoever repaired it, {len(status)} images were mounted by the kernel, too, and read from end to",
            f"end: {status.count('0')} without an error. The others count as not repaired."]


def write_docs(matrix, path, command, alone, kernel):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    out = [START, "", "## What a repair makes of it", "",
           f"Generated by `DOCS=docs/DAMAGE.md {command}`; do not edit. {matrix.images} damaged images, {matrix.pairs} of them with two",
           f"damages, {matrix.without_rmap} without a reverse map, of the bases {', '.join(matrix.bases)}; the same for all three. Each",
           "cell: repaired without loss / with loss (how many names and bytes that could be reached before, and cannot be or are others",
           "now) / not repaired: `mendfs check` or `xfs_repair -n` finds something afterwards.",
           "What is damaged in a name or a target itself, where nothing else tells it, is a loss for everybody.", ""]
    out += matrix.table() + kernel_lines(kernel)
    if matrix.left:
        out += ["", "Not repaired by mendfs:", ""] + [f"* {line}" for line in matrix.left[:40]]
    worse = list(matrix.worse())
    if alone.images:
        out += alone_lines(alone) + ([""] + [f"* not repaired: {line}" for line in alone.left[:20]] if alone.left else [])
    if worse:
        out += ["", f"Behind xfs_repair in names, bytes or images that are left: {', '.join(worse)}."]
    out += ["", END]
    if START in text:
        text = text[:text.index(START)].rstrip() + "\n\n" + text[text.index(END) + len(END):].lstrip()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.rstrip() + "\n\n" + "\n".join(out) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write-docs")
    parser.add_argument("--command", default="tests/damage/matrix.sh")
    parser.add_argument("--alone", action="append", default=[], help="a campaign without other repairers")
    parser.add_argument("--kernel", help="what the kernel said of a sample")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    matrix, alone = Matrix(), Matrix()
    for into, paths in ((matrix, args.files), (alone, args.alone)):
        for path in paths:
            with open(path, encoding="utf-8") as file:
                for line in file:
                    into.add(json.loads(line))
    print("\n".join(matrix.table()))
    print("\n".join(matrix.left[:40]))
    for row in matrix.worse():
        print(f"worse than xfs_repair: {row}")
    if args.write_docs:
        write_docs(matrix, args.write_docs, args.command, alone, args.kernel)
    return 1 if matrix.left or any(matrix.worse()) or not matrix.images else 0


sys.exit(main())
