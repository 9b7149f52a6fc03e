#!/usr/bin/env python3
"""A mount whose image cannot grow any more:  full.py fill DIR MODEL writes and syncs files until the disk says no, and fails if it never does or says
something else than EIO and ENOSPC;  full.py more DIR MODEL adds some, which must work;  full.py look DIR MODEL: whatever was synced is there."""
import errno, hashlib, json, os, random, sys

what, root, model_path = sys.argv[1:4]
model = json.load(open(model_path)) if os.path.exists(model_path) else {}
rng = random.Random(len(model))

def one(name, size):
    """True when it has been synced; nothing is promised of it otherwise."""
    data = rng.randbytes(size)
    try:
        fd = os.open(f'{root}/{name}', os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except OSError as e:
        return e.errno
    err = 0
    try:
        os.write(fd, data)
        os.fsync(fd)
        model[name] = hashlib.sha256(data).hexdigest()
    except OSError as e:
        err = e.errno
    try:
        os.close(fd)
    except OSError as e:
        err = err or e.errno
    return err

if what == 'fill':
    refused = 0
    for i in range(8):
        os.makedirs(f'{root}/dir-{i}', exist_ok=True)       # each in an AG of its own, as far as they go
    for i in range(400):
        err = one(f'dir-{i % 8}/file-{len(model)}-{i}', rng.choice([10, 5000, 300000, 1500000]))
        if err and err not in (errno.EIO, errno.ENOSPC):
            sys.exit(f'{os.strerror(err)}')
        refused += bool(err)
        if refused > 30:
            break
    print(len(model), 'files synced,', refused, 'refused')
    if not refused:
        sys.exit('nothing was refused')
elif what == 'more':
    for i in range(20):
        err = one(f'dir-{i % 8}/more-{len(model)}-{i}', 200000)
        if err:
            sys.exit(f'{os.strerror(err)}')
json.dump(model, open(model_path, 'w'))
bad = 0
for name, digest in model.items():
    try:
        with open(f'{root}/{name}', 'rb') as f:
            found = hashlib.sha256(f.read()).hexdigest()
    except OSError as e:
        found = str(e)
    if found != digest:
        print(name, found)
        bad += 1
sys.exit(1 if bad else 0)
