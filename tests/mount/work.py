"""Random work in a mounted directory against a model: work.py work DIR SEED OPERATIONS MODEL
compares at the end and writes the model; work.py compare DIR MODEL looks whether all of it is there,
and nothing else.  work.py until-killed DIR SEED PID SYNCED works until it kills PID, and writes the
names of what it had made durable."""
import json
import os
import random
import signal
import sys


def make_name():
    length = random.choice([3, 8, 30, 120])
    return "".join(random.choice("abcdefghij") for _ in range(length)) + str(random.randrange(10**6))


def content():
    if random.random() < 0.1:
        return os.urandom(random.choice([0, 10, 5000, 70000]))
    return os.urandom(20)


class Work:
    def __init__(self):
        self.dirs = ["."]
        self.inode = {}  # content by a number of its own
        self.files = {}  # number by name
        self.attrs = {}  # by number

    def pick(self):
        return random.choice(list(self.files))

    def place(self):
        return random.choice(self.dirs[:4]) + "/" + make_name()

    def mkdir(self):
        if len(self.dirs) < 30:
            name = random.choice(self.dirs) + "/" + make_name()
            os.mkdir(name)
            self.dirs.append(name)

    def create(self):
        name, data = self.place(), content()
        with open(name, "wb") as f:
            f.write(data)
        number = len(self.inode)
        self.inode[number], self.files[name], self.attrs[number] = data, number, {}

    def unlink(self):
        name = self.pick()
        os.unlink(name)
        del self.files[name]

    def rename(self):
        name, to = self.pick(), random.choice([self.place(), self.pick()])
        os.rename(name, to)
        if self.files[name] != self.files.get(to):
            self.files[to] = self.files.pop(name)

    def link(self):
        name, to = self.pick(), self.place()
        os.link(name, to)
        self.files[to] = self.files[name]

    def truncate(self):
        name, size = self.pick(), random.randrange(100000)
        os.truncate(name, size)
        number = self.files[name]
        self.inode[number] = (self.inode[number] + bytes(size))[:size]

    def write(self):
        name, at, data = self.pick(), random.randrange(60000), content()
        with open(name, "r+b") as f:
            f.seek(at)
            f.write(data)
        number = self.files[name]
        old = self.inode[number]
        if data:
            old = old + bytes(max(0, at - len(old)))
            self.inode[number] = old[:at] + data + old[at + len(data):]

    def punch(self):
        name = self.pick()
        number = self.files[name]
        old = self.inode[number]
        if len(old) < 3:
            return
        at = random.randrange(len(old) - 1)
        size = random.randrange(1, len(old) - at)
        with open(name, "r+b") as f:
            libc_fallocate(f.fileno(), 3, at, size)
        self.inode[number] = old[:at] + bytes(size) + old[at + size:]

    def setxattr(self):
        name = self.pick()
        key, value = "user." + make_name()[:50], os.urandom(random.choice([5, 200, 3000]))
        os.setxattr(name, key, value)
        self.attrs[self.files[name]][key] = value

    def removexattr(self):
        name = self.pick()
        have = self.attrs[self.files[name]]
        if have:
            key = random.choice(list(have))
            os.removexattr(name, key)
            del have[key]

    def rmdir(self):
        if len(self.dirs) > 5:
            try:
                os.rmdir(self.dirs[-1])
                self.dirs.pop()
            except OSError:
                pass

    def step(self):
        table = [(self.mkdir, 2), (self.create, 55), (self.unlink, 14), (self.rename, 8),
                 (self.link, 4), (self.truncate, 3), (self.write, 6), (self.punch, 3),
                 (self.setxattr, 3), (self.removexattr, 1), (self.rmdir, 1)]
        choice = random.choices([t[0] for t in table], [t[1] for t in table])[0]
        if self.files or choice in (self.mkdir, self.create):
            choice()

    def model(self):
        return {
            "dirs": sorted(os.path.normpath(d) for d in self.dirs),
            "files": {os.path.normpath(f): [
                self.inode[n].hex(), sorted((k, v.hex()) for k, v in self.attrs[n].items())]
                for f, n in self.files.items()},
        }


def libc_fallocate(fd, mode, off, size):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fallocate(fd, mode, ctypes.c_long(off), ctypes.c_long(size)):
        raise OSError(ctypes.get_errno(), "fallocate")


def found():
    dirs, files = ["."], {}
    for where, names, leaves in os.walk("."):
        dirs += [os.path.normpath(os.path.join(where, n)) for n in names]
        for leaf in leaves:
            name = os.path.normpath(os.path.join(where, leaf))
            with open(name, "rb") as f:
                data = f.read().hex()
            attrs = sorted((k, os.getxattr(name, k).hex()) for k in os.listxattr(name))
            files[name] = [data, [a for a in attrs if a[0].startswith("user.")]]
    return {"dirs": sorted(dirs), "files": files}


def compare(model):
    there = found()
    bad = 0
    if there["dirs"] != model["dirs"]:
        print("directories differ")
        bad += 1
    for name in sorted(set(there["files"]) | set(model["files"])):
        mine, theirs = model["files"].get(name), there["files"].get(name)
        if mine is None or theirs is None:
            print("only in", "the mount" if mine is None else "the model", name)
            bad += 1
        elif [mine[0], [list(a) for a in mine[1]]] != [theirs[0], [list(a) for a in theirs[1]]]:
            print("differs:", name, len(mine[0]) // 2, len(theirs[0]) // 2)
            bad += 1
    return bad


def until_killed(seed, pid, synced_file):
    random.seed(seed)
    synced, where = [], "r%d" % seed
    os.mkdir(where)
    try:
        for i in range(3000):
            name = "%s/f%d" % (where, i)
            with open(name, "wb") as f:
                f.write(os.urandom(random.choice([10, 5000])))
                if i % 50 == 0:
                    f.flush()
                    os.fsync(f.fileno())
                    synced.append(name)
            old = "%s/f%d" % (where, i - 20)
            if i % 3 == 0 and i > 30 and old not in synced:
                os.unlink(old)
            if i == 700 + random.randrange(500):
                break
        os.kill(pid, signal.SIGKILL)
    except OSError as error:
        print(error)
    with open(synced_file, "w") as f:
        f.write("\n".join(synced) + "\n")


def main():
    what, directory = sys.argv[1:3]
    paths = [os.path.abspath(p) for p in sys.argv[3:]]
    os.chdir(directory)
    if what == "compare":
        with open(paths[0]) as f:
            sys.exit(compare(json.load(f)) != 0)
    if what == "until-killed":
        until_killed(int(sys.argv[3]), int(sys.argv[4]), paths[2])
        return
    random.seed(int(sys.argv[3]))
    work = Work()
    for _ in range(int(sys.argv[4])):
        work.step()
    with open(paths[2], "w") as f:
        json.dump(work.model(), f)
    sys.exit(compare(json.loads(json.dumps(work.model()))) != 0)


main()
