#!/usr/bin/env python3
"""Checks that code below src/host touches the world through struct env alone: no allocation, threads, clock, random numbers,
files or output of its own.  src/device/file.c is the one door to a file; unit tests are free."""
import glob
import re
import sys

FREE_LAYERS = {"host", "fuse", "cli"}
FREE_FILES = {"src/device/file.c"}
WORLD = """
malloc calloc realloc reallocarray free aligned_alloc posix_memalign strdup strndup asprintf vasprintf alloca mmap munmap
pthread_\\w+ thrd_\\w+ mtx_\\w+ fork vfork execve? execvp? system popen
time clock clock_gettime gettimeofday nanosleep sleep usleep rand random srand srandom getrandom drand48
open openat creat close read write pread pwrite preadv pwritev lseek fsync fdatasync ftruncate stat fstat lstat ioctl unlink
fopen fclose fread fwrite fseek fgets fputs puts putchar printf fprintf vprintf vfprintf perror
tmpfile mkstemp mkostemp opendir readdir getenv setenv exit abort signal sigaction
""".split()
CALL = re.compile(r"(?<![\w.>*])(" + "|".join(WORLD) + r")\s*\(")


def code_of(text):
    """The text with comments and strings blanked out, line numbers kept."""
    token = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return token.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


bad = 0
for path in sorted(glob.glob("src/**/*.[ch]", recursive=True)):
    if path.split("/")[1] in FREE_LAYERS or path in FREE_FILES or path.endswith(("_test.c", "_test.h")) or path == "src/base/test.h":
        continue
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(code_of(file.read()).splitlines(), 1):
            for match in CALL.finditer(line):
                print(f"{path}:{number}: {match.group(1)}() is for src/host; go through struct env")
                bad += 1
sys.exit(1 if bad else 0)
