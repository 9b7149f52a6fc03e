"""Random work on one file against a model: fsx.py DIR SEED OPERATIONS MODEL [PID].
Reads, writes, truncations, holes, zeroed ranges, allocations, copies, writes through a mapping, and opening
it anew; each read must show what the model has.  In the end the file is synced and the model written; with
PID that process is then killed at once.  fsx.py compare DIR MODEL looks whether the file is the model."""
import ctypes
import ctypes.util
import mmap
import os
import random
import signal
import sys

SIZE_MAX = 600_000
KEEP_SIZE, PUNCH, ZERO = 1, 2, 16
libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)


def fallocate(fd, mode, off, length):
    if libc.fallocate(fd, mode, ctypes.c_long(off), ctypes.c_long(length)):
        raise OSError(ctypes.get_errno(), "fallocate")


class File:
    def __init__(self, path):
        self.path, self.model = path, bytearray()
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)

    def place(self, most=70_000):
        off = random.randrange(SIZE_MAX) if random.random() < 0.3 else random.randrange(len(self.model) + 1)
        length = random.choice([1, 10, 511, 4096, 1 + random.randrange(most)])
        return off, min(length, SIZE_MAX - off)

    def put(self, off, data):
        if off + len(data) > len(self.model):
            self.model.extend(bytes(off + len(data) - len(self.model)))
        self.model[off : off + len(data)] = data

    def write(self):
        off, length = self.place()
        data = os.urandom(length)
        assert os.pwrite(self.fd, data, off) == length
        self.put(off, data)

    def read(self):
        off, length = self.place()
        self.same(off, os.pread(self.fd, length, off), self.model[off : off + length])

    def same(self, off, found, wanted):
        if found != bytes(wanted):
            at = next((i for i, (a, b) in enumerate(zip(found, wanted)) if a != b), min(len(found), len(wanted)))
            sys.exit(f"{self.path}: differs at {off + at} ({len(found)} bytes, {len(wanted)} wanted)")

    def truncate(self):
        size = random.randrange(SIZE_MAX) if random.random() < 0.3 else random.randrange(len(self.model) + 1)
        os.ftruncate(self.fd, size)
        if size < len(self.model):
            del self.model[size:]
        else:
            self.model.extend(bytes(size - len(self.model)))

    def punch(self):
        off, length = self.place()
        fallocate(self.fd, PUNCH | KEEP_SIZE, off, length)
        self.model[off : off + length] = bytes(max(0, min(len(self.model), off + length) - off))

    def zero(self):
        off, length = self.place()
        keep = random.random() < 0.5
        fallocate(self.fd, ZERO | (KEEP_SIZE if keep else 0), off, length)
        if keep:
            length = max(0, min(len(self.model), off + length) - off)
        if length:
            self.put(off, bytes(length))

    def allocate(self):
        off, length = self.place()
        keep = random.random() < 0.5
        fallocate(self.fd, KEEP_SIZE if keep else 0, off, length)
        if not keep and off + length > len(self.model):
            self.model.extend(bytes(off + length - len(self.model)))

    def copy(self):
        if len(self.model) < 2:
            return
        half = len(self.model) // 2
        off = random.randrange(half)
        length = random.randrange(half - off) + 1
        to = half + random.randrange(SIZE_MAX - half)
        length = min(length, SIZE_MAX - to)
        if random.random() < 0.6:  # whole blocks can be shared
            off, to, length = off & ~4095, to & ~4095, length & ~4095
            if to < off + length:
                return
        done = os.copy_file_range(self.fd, self.fd, length, off, to) if length else 0
        if done:
            self.put(to, self.model[off : off + done])

    def mapped(self):
        if len(self.model) < 1:
            return
        off = random.randrange(len(self.model))
        data = os.urandom(min(1 + random.randrange(20_000), len(self.model) - off))
        with mmap.mmap(self.fd, len(self.model)) as m:
            self.same(0, m[:], self.model)
            m[off : off + len(data)] = data
            if random.random() < 0.5:
                m.flush()
        self.put(off, data)

    def reopen(self):
        if random.random() < 0.5:
            os.fsync(self.fd)
        os.close(self.fd)
        self.fd = os.open(self.path, os.O_RDWR)
        if random.random() < 0.3:
            os.posix_fadvise(self.fd, 0, 0, os.POSIX_FADV_DONTNEED)
        self.all()

    def all(self):
        size = os.fstat(self.fd).st_size
        if size != len(self.model):
            sys.exit(f"{self.path}: {size} bytes, {len(self.model)} wanted")
        self.same(0, os.pread(self.fd, size + 1, 0), self.model)


def work(path, seed, operations, model, pid):
    random.seed(seed)
    f = File(path)
    if os.path.exists(model):
        with open(model, "rb") as m:
            f.model = bytearray(m.read())
        f.all()
    what = [f.write] * 6 + [f.read] * 4 + [f.truncate] * 2 + [f.punch, f.zero, f.allocate, f.copy, f.mapped, f.mapped, f.reopen]
    for i in range(operations):
        step = random.choice(what)
        try:
            step()
        except OSError as e:
            sys.exit(f"operation {i}, {step.__name__}: {e}")
    f.all()
    os.fsync(f.fd)
    with open(model, "wb") as m:
        m.write(f.model)
    if pid:
        os.kill(pid, signal.SIGKILL)


if sys.argv[1] == "compare":
    with open(sys.argv[3], "rb") as wanted, open(sys.argv[2] + "/fsx", "rb") as found:
        sys.exit("the file is not what was synced" if wanted.read() != found.read() else 0)
work(sys.argv[1] + "/fsx", int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5]) if len(sys.argv) > 5 else 0)
