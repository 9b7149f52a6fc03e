#!/usr/bin/env python3
"""Attributes and names of one file, through a mount: attrs.py work DIR SEED MODEL | compare DIR MODEL

work makes, replaces and removes attributes of DIR/file at random, and gives it thousands of names
(with parent pointers: as many attributes more), of which a third goes again.  What is left is
written to MODEL, with what compare then holds another mount of the same filesystem against.
"""
import errno, hashlib, json, os, random, sys

LINKS, STEPS, NAMES = 3000, 3000, 300


def state(dir):
    path = f"{dir}/file"
    attrs = {n: hashlib.sha256(os.getxattr(path, n)).hexdigest() for n in os.listxattr(path)}
    names = sorted(os.path.relpath(os.path.join(at, n), dir) for at, _, files in os.walk(dir) for n in files)
    return {"attrs": attrs, "names": names, "links": os.stat(path).st_nlink}


def work(dir, seed):
    rng = random.Random(seed)
    path = f"{dir}/file"
    model = {}
    open(path, "x").close()
    for d in range(3):
        os.mkdir(f"{dir}/d{d}")
    for i in range(LINKS):
        os.link(path, f"{dir}/d{i % 3}/{'name' * (i % 20)}{i}")
    for step in range(STEPS):
        n = rng.randrange(NAMES)
        name = f"{rng.choice(['user', 'trusted'])}.{n}{'x' * (n % 150)}"
        if rng.random() < (0.3 if step < STEPS / 2 else 0.6):
            try:
                os.removexattr(path, name)
            except OSError as e:
                assert e.errno == errno.ENODATA and name not in model, (name, e)
            model.pop(name, None)
        else:
            size = rng.choice([rng.randrange(100), rng.randrange(100), rng.randrange(3000), rng.randrange(60000)])
            model[name] = rng.randbytes(size)
            os.setxattr(path, name, model[name])
        if step % 500 == 0:
            assert sorted(os.listxattr(path)) == sorted(model), step
    for i in range(0, LINKS, 3):
        os.unlink(f"{dir}/d{i % 3}/{'name' * (i % 20)}{i}")
    found = state(dir)
    assert found["attrs"] == {n: hashlib.sha256(v).hexdigest() for n, v in model.items()}
    assert found["links"] == 1 + LINKS - LINKS // 3 == len(found["names"])
    return found


if sys.argv[1] == "work":
    with open(sys.argv[4], "w") as out:
        json.dump(work(sys.argv[2], int(sys.argv[3])), out)
else:
    with open(sys.argv[3]) as wanted:
        if json.load(wanted) != state(sys.argv[2]):
            sys.exit("attributes or names differ")
