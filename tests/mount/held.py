"""Programs that hold what they have written: no fsync, no close, no munmap.

held.py hold DIR EXPECTED: writes files of several kinds in DIR, copies of them in EXPECTED, prints "ready", and then waits.
held.py stream DIR COUNT: writes numbered records to DIR/stream until it may not, the first ones before it prints "ready"; COUNT, a
file elsewhere, always has a number of records that were written before.
held.py compare DIR EXPECTED: what hold has written.
held.py records FILE NUMBER: FILE begins with so many records of stream."""
import mmap
import os
import struct
import sys
import time

RECORD = 4096
FIRST = 100


def record(number):
    return struct.pack("<Q", number) * (RECORD // 8)


def hold(directory, expected):
    kept = []
    for name, data, again in (("small", b"ten bytes\n", b""), ("large", os.urandom(5 << 20), b""),
                              ("grown", os.urandom(7001), os.urandom(70001)), ("empty", b"", b"")):
        fd = os.open(os.path.join(directory, name), os.O_CREAT | os.O_RDWR, 0o600)
        for part in (data, again):
            assert os.write(fd, part) == len(part)
        kept.append(fd)
        with open(os.path.join(expected, name), "wb") as copy:
            copy.write(data + again)
    data = os.urandom(300001)
    fd = os.open(os.path.join(directory, "mapped"), os.O_CREAT | os.O_RDWR, 0o600)
    os.ftruncate(fd, len(data))
    memory = mmap.mmap(fd, len(data))
    memory[:] = data
    with open(os.path.join(expected, "mapped"), "wb") as copy:
        copy.write(data)
    # what is written over what is on the disk already
    fd = os.open(os.path.join(directory, "over"), os.O_CREAT | os.O_RDWR, 0o600)
    os.write(fd, b"old" * 50000)
    os.fsync(fd)
    os.pwrite(fd, b"new" * 1000, 60000)
    with open(os.path.join(expected, "over"), "wb") as copy:
        copy.write(b"old" * 20000 + b"new" * 1000 + b"old" * 29000)
    print("ready", flush=True)
    time.sleep(600)


def stream(directory, count):
    number = 0
    fd = os.open(os.path.join(directory, "stream"), os.O_CREAT | os.O_RDWR, 0o600)
    with open(count, "wb", buffering=0) as counter:
        try:
            while True:
                if os.write(fd, record(number)) != RECORD:
                    break
                number += 1
                os.pwrite(counter.fileno(), b"%019d\n" % number, 0)
                if number == FIRST:
                    print("ready", flush=True)
                elif number > FIRST:
                    time.sleep(0.0005)
        except OSError as error:
            print(error)
    time.sleep(600)


def content(*path):
    with open(os.path.join(*path), "rb") as f:
        return f.read()


def compare(directory, expected):
    bad = 0
    for name in sorted(os.listdir(expected)):
        wanted, found = content(expected, name), content(directory, name)
        if wanted != found:
            same = next((i for i, (a, b) in enumerate(zip(wanted, found)) if a != b), min(len(wanted), len(found)))
            print(f"{name}: {len(found)} bytes of {len(wanted)}, the first {same} of them right")
            bad += 1
    return bad


def records(path, number):
    data = content(path)
    for i in range(number):
        if data[i * RECORD:(i + 1) * RECORD] != record(i):
            print(f"record {i} of {number} is lost, the file has {len(data)} bytes")
            return 1
    return number < FIRST


sys.exit({"hold": hold, "stream": stream, "compare": compare,
          "records": lambda path, number: records(path, int(number))}[sys.argv[1]](*sys.argv[2:]))
