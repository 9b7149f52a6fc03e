#!/usr/bin/env python3
"""copy_file_range between two files against a model, at random: copy.py DIR SEED ROUNDS; and how many blocks a copy of a large file takes:
copy.py shares DIR."""
import os, random, sys

def read(path):
    with open(path, 'rb') as f:
        return f.read()
def at_random(root, seed, rounds):
    rng = random.Random(seed)
    block = os.statvfs(root).f_bsize
    names = [f'{root}/a', f'{root}/b', f'{root}/c']
    model = {}
    for name in names:
        model[name] = bytearray(rng.randbytes(rng.choice([0, 100, 5 * block, 40 * block + 17])))
        with open(name, 'wb') as f:
            f.write(model[name])
    for i in range(rounds):
        source, target = rng.choice(names), rng.choice(names)
        a, b = model[source], model[target]
        what = rng.random()
        if what < .15:
            off, data = rng.randrange(50 * block), rng.randbytes(rng.randrange(1, 3 * block))
            with open(target, 'r+b') as f:
                f.seek(off)
                f.write(data)
            if len(b) < off:
                b.extend(bytes(off - len(b)))
            b[off:off + len(data)] = data
            continue
        if what < .25:
            size = rng.randrange(60 * block)
            os.truncate(target, size)
            del b[size:]
            b.extend(bytes(size - len(b)))
            continue
        if what < .3:
            fd = os.open(source, os.O_RDONLY)
            os.fsync(fd)
            os.close(fd)
        whole = rng.random() < .8
        off = rng.randrange(40) * block if whole else rng.randrange(40 * block)
        to = rng.randrange(40) * block if whole else rng.randrange(40 * block)
        if rng.random() < .3:
            skew = rng.randrange(block)
            off, to = off // block * block + skew, to // block * block + skew
        length = rng.choice([len(a), rng.randrange(1, 30 * block), rng.randrange(1, 30) * block])
        length = min(length, max(0, len(a) - off))
        if not length or (source == target and off < to + length and to < off + length):
            continue
        fd, out = os.open(source, os.O_RDONLY), os.open(target, os.O_WRONLY)
        done = 0
        while done < length:
            n = os.copy_file_range(fd, out, length - done, off + done, to + done)
            assert n, f'seed {seed}, round {i}: copied {done} of {length}'
            done += n
        os.close(fd)
        os.close(out)
        piece = bytes(a[off:off + length])
        if len(b) < to:
            b.extend(bytes(to - len(b)))
        b[to:to + length] = piece
        for name in names:
            found = read(name)
            if found != model[name]:
                at = next((j for j in range(min(len(found), len(model[name]))) if found[j] != model[name][j]), -1)
                sys.exit(f'seed {seed}, round {i}: {name} differs at {at} of {len(found)}, {len(model[name])} expected '
                         f'({source}+{off} -> {target}+{to}, {length})')
def shares(root):
    size = 32 << 20
    with open(f'{root}/large', 'wb') as f:
        f.write(os.urandom(size - 100))
        f.flush()
        os.fsync(f.fileno())
    before = os.statvfs(root).f_bfree
    fd, out = os.open(f'{root}/large', os.O_RDONLY), os.open(f'{root}/copy', os.O_CREAT | os.O_WRONLY)
    done = 0
    while done < size - 100:
        done += os.copy_file_range(fd, out, size, done, done)
    os.fsync(out)
    taken = (before - os.statvfs(root).f_bfree) * os.statvfs(root).f_bsize
    assert read(f'{root}/large') == read(f'{root}/copy')
    assert taken < size / 10, f'{taken} bytes taken'
    with open(f'{root}/copy', 'r+b') as f:
        f.write(b'other')
    assert read(f'{root}/large')[5:] == read(f'{root}/copy')[5:] and read(f'{root}/copy')[:5] == b'other'
if sys.argv[1] == 'shares':
    shares(sys.argv[2])
else:
    at_random(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
