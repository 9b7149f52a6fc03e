#!/usr/bin/env python3
"""One file's data leave the kernel, another's fsync fails for both; then the first must be told, too:  lost.py DIR"""
import ctypes, errno, os, sys

def pages_out(fd):
    """Writes the pages of the file back, and makes nothing durable."""
    if ctypes.CDLL(None, use_errno=True).sync_file_range(fd, ctypes.c_long(0), ctypes.c_long(0), 7):
        raise OSError(ctypes.get_errno(), 'sync_file_range')
def told(fd):
    try:
        os.fsync(fd)
    except OSError as e:
        return e.errno in (errno.EIO, errno.ENOSPC)
    return False

a = os.open(sys.argv[1] + '/first', os.O_CREAT | os.O_RDWR)
b = os.open(sys.argv[1] + '/second', os.O_CREAT | os.O_RDWR)
for fd in a, b:
    os.write(fd, os.urandom(8 << 20))
    pages_out(fd)
if not told(b):
    sys.exit('the second is not told')
if not told(a):
    sys.exit('the first is not told, although its data are lost')
os.close(a)
c = os.open(sys.argv[1] + '/first', os.O_RDWR)
os.remove(sys.argv[2])
os.write(c, b'again')
os.fsync(c)
