#!/usr/bin/env python3
"""Damages an image that is in use: strike.py MENDFS IMAGE SCRATCH STRIKE...

A mounted image is locked against `mendfs damage`, so that works on a copy, and the places that it names are written to in the image
itself.  STRIKE is what `mendfs damage` takes after the image, in one word:

  "inode /a/file core.mode zeroes"   this field, and the checksum made right again
  "bnobt 3 magic wipe 4096"          so many bytes are zeroes, from this field on
"""
import os
import re
import subprocess
import sys

mendfs, image, scratch = sys.argv[1:4]
copy = os.path.join(scratch, "copy")
subprocess.run(["cp", "--sparse=always", image, copy], check=True, timeout=30)
try:
    for strike in sys.argv[4:]:
        words = strike.split()
        wipe = int(words.pop()) if words[-2] == "wipe" else 0
        if wipe:
            words[-1] = "zeroes"
        said = subprocess.run([mendfs, "damage", copy, *words], check=True, timeout=30, stdout=subprocess.PIPE, text=True).stdout
        places = [(int(at), len(old) // 2) for old, at in re.findall(r"--undo=([0-9a-f]+)@([0-9]+)", said)]
        with open(copy, "rb") as damaged, open(image, "r+b") as file:
            for at, size in [(places[0][0], wipe)] if wipe else places:
                damaged.seek(at)
                file.seek(at)
                file.write(bytes(wipe) if wipe else damaged.read(size))
        print(f"{places[0][0]}: {wipe} bytes are zeroes now" if wipe else said.splitlines()[0])
finally:
    os.unlink(copy)
