/*
 * Self-healing: a request that meets damage waits for a repair, and is tried once more.
 *
 * The repair is that of `mendfs repair` on the mounted filesystem; whoever comes while one is on
 * its way waits for that one.  A filesystem that a repair has left with findings is not repaired
 * again before HEAL_REST seconds have passed: damage that cannot be mended must not stop all else.
 *
 * Where nothing is to be healed, a request that meets damage costs one branch.
 */
#ifndef MENDFS_FUSE_HEAL_H
#define MENDFS_FUSE_HEAL_H

#include "fs/vol.h"

struct heal;

int heal_open(struct vol *vol, struct heal **out);
void heal_close(struct heal *heal); /* NULL: nothing */

/* For a change: true when err tells of damage and the filesystem has been repaired since, so that
 * it should be tried again. *tried is false at first; holds nothing that a repair needs. heal NULL:
 * false. */
bool heal_changed(struct heal *heal, int err, bool *tried);

/* For a request that reads and answers by itself, on this thread: armed at first, then heal_takes()
 * is asked before a failure is answered, and when it says true heal_again() repairs and says true,
 * once. */
void heal_arm(struct heal *heal);
bool heal_takes(int err);
bool heal_again(struct heal *heal);

#endif
