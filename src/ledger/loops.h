/*
 * Directories that lie below themselves.
 *
 * Names, link counts and `..` of a circle of directories agree with each other, so no account can
 * tell that no way leads from it to the root.  Here the pairs (directory, its ..) are collected
 * and followed: in each round, a pair is joined with that of its parent, so it leads twice as far
 * up; one that has reached the root has no partner and is dropped.  What is left after so many
 * rounds that no way up can be longer leads into a circle.  All joins are of sorted files: memory
 * does not grow with the number of directories, and rounds with the logarithm of the depth.
 */
#ifndef MENDFS_LEDGER_LOOPS_H
#define MENDFS_LEDGER_LOOPS_H

#include "base/env.h"

struct loops;

int loops_open(struct env *env, struct loops **out);
void loops_close(struct loops *loops);
/* From any thread. Directories right below the root need not be told, nor those that no
 * directory is below. */
int loops_add(struct loops *loops, u64 dir, u64 parent);
/* After all are added, once: calls found() for each directory that is part of a circle, in order of
 * their numbers. */
int loops_find(struct loops *loops, void (*found)(void *arg, u64 dir), void *arg);

#endif
