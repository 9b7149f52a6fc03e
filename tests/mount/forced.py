#!/usr/bin/env python3
"""Programs work in a mount while everything in it is made anew, again and again, and its image is damaged.

forced.py NAME MENDFS IMAGE DIR SCRATCH SEED REBUILDS FINDINGS PROCESSES OPERATIONS

Until REBUILDS structures have been rebuilt: `mendfs repair --force=all DIR` in a loop; PROCESSES at a time of work.py, each in a tree
and with a model of its own, one after the other; a strike now and then at a place that keeps its meaning, whoever writes meanwhile: fields of the
headers of an AG, and of inodes of files in DIR/still that nobody changes. A program of one file tells how long anybody had to wait.
Fails also when the repairs had fewer findings than FINDINGS, of damage that was there before.
Prints `ok NAME-...` or `not ok NAME-...: why`, and what it saw.  Status 1 when anything is not ok.
"""
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time

test, mendfs, image, directory, scratch = sys.argv[1:6]
seed, wanted, findings, processes, operations = map(int, sys.argv[6:11])
here = os.path.dirname(os.path.abspath(__file__))
STALL = 30  # seconds without progress
strike_program = os.path.join(here, "../../demo/strike.py")
stop = threading.Event()
failures, rebuilt, put_off, passes, trees, strikes, seen, longest = [], 0, 0, 0, 0, 0, 0, 0.0


def fail(why):
    failures.append(why)
    stop.set()


def work(number):
    """Tree after tree; each run compares what it finds at its end with its model."""
    global trees
    turn = 0
    while not stop.is_set():
        tree = os.path.join(directory, f"tree-{number}-{turn}")
        os.mkdir(tree)
        run = subprocess.run([sys.executable, os.path.join(here, "work.py"), "work", tree, str(seed + number * 1000003 + turn), str(operations),
                              os.path.join(scratch, f"model-{number}")], capture_output=True, text=True)
        if run.returncode:
            fail(f"work in tree-{number}-{turn}: {run.stdout[-500:]}{run.stderr[-500:]}")
            return
        shutil.rmtree(tree)
        turn += 1
        trees += 1


def probe():
    """What a program has to wait for at most."""
    global longest
    path = os.path.join(directory, "probe")
    while not stop.is_set():
        began = time.monotonic()
        try:
            with open(path, "wb") as file:
                file.write(b"x" * 5000)
            os.unlink(path)
        except OSError as error:
            fail(f"the probe: {error}")
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.01)


def rebuild():
    """What a strike has met in the middle of a pass cannot be rebuilt by that one, but nothing may be left by its end."""
    global rebuilt, put_off, passes, seen
    while not stop.is_set() and rebuilt < wanted:
        run = subprocess.run([mendfs, "repair", "--force=all", directory], capture_output=True, text=True)
        said = re.search(r"(\d+) findings at first, (\d+) left after \d+ rounds; rebuilt: (\d+), failed: (\d+)", run.stdout)
        if run.returncode or not said or said[2] != "0" or (said[4] != "0" and not strikes):
            fail(f"repair: status {run.returncode}: {run.stdout[-1500:]}{run.stderr[-500:]}")
            return
        rebuilt += int(said[3])
        seen += int(said[1])
        put_off += int(said[4])
        passes += 1
    stop.set()


def strike():
    """Places that nobody moves; what is written there is the same whatever else has been written to the image."""
    global strikes
    dice = random.Random(seed)
    files = os.listdir(os.path.join(directory, "still"))
    while not stop.wait(dice.uniform(0.3, 1.5)):
        target = dice.choice([
            f"agf {dice.randrange(4)} {dice.choice(['freeblks', 'longest', 'btreeblks'])} {dice.choice(['add', 'zeroes', 'lastbit'])}",
            f"agi {dice.randrange(4)} {dice.choice(['count', 'freecount', 'newino'])} {dice.choice(['add', 'ones', 'lastbit'])}",
            f"superblock {dice.randrange(1, 4)} magicnum zeroes",
            f"/still/{dice.choice(files)} {dice.choice(['nlink', 'nblocks', 'nextents'])} {dice.choice(['add', 'lastbit'])}",
        ])
        run = subprocess.run([sys.executable, strike_program, mendfs, image, scratch, target], capture_output=True, text=True)
        # a copy of an image that others write to need not be readable
        strikes += not run.returncode


def check(name, good, why=""):
    print(f"ok {test}-{name}" if good else f"not ok {test}-{name}: {why}")
    return good


threads = [threading.Thread(target=f, args=a) for f, a in
           [(work, (i,)) for i in range(processes)] + [(probe, ()), (rebuild, ()), (strike, ())]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"{rebuilt} rebuilds in {passes} passes, {put_off} put off, {trees} trees with models, {strikes} strikes, {seen} findings; longest wait {longest:.1f} s")
good = check("work-and-rebuilds", not failures, " | ".join(failures))
good &= check("enough-rebuilds", rebuilt >= wanted, f"{rebuilt}")
good &= check("findings", seen >= findings, f"{seen}")
good &= check("trees", trees >= processes, f"{trees}")
good &= check("no-stall", longest < STALL, f"{longest:.1f} s")
sys.exit(not good)
