/*
 * Space that has been freed, and may not be overwritten yet: the commit that freed it is not
 * durable, so after a crash it may have its old owner again; or a snapshot still shows what lay
 * there.
 *
 * Runs are kept by address, so that looking at a place costs no more where much was freed.  Without
 * memory for one more, everything counts as busy until that commit is settled.
 *
 * Locked by itself: commits add, the journal settles, allocation asks.
 */
#ifndef MENDFS_LOG_BUSY_H
#define MENDFS_LOG_BUSY_H

#include "base/env.h"
#include "base/types.h"

struct busy;

int busy_open(struct env *env, struct busy **out);
void busy_close(struct busy *b);
void busy_add(struct busy *b, u64 at, u64 size, u64 number);
/* Commits up to `number` are no longer in anybody's way. fn, when there is one, is called for what
 * they have freed, under the lock. */
void busy_settle(struct busy *b, u64 number, void (*fn)(void *arg, u64 at, u64 size), void *arg);
/* The first busy run that touches [at, at + size). */
bool busy_find(struct busy *b, u64 at, u64 size, u64 *from, u64 *end);
bool busy_any(struct busy *b);

#endif
