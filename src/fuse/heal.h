/*
 * Self-healing: what is done when a request meets damage, by the policy of the mount.
 *
 *	none      what it has met is marked (fs/health.h), and that is all
 *	check     besides, the background checks everything soon, so that the marks are complete
 *	optimize  the same, and what is sound and could be better is made so
 *	repair    the request waits for a repair, and is tried once more
 *
 * Whatever the policy is, a change that has met an AG which is damaged is done again where that
 * fences it: it takes its space elsewhere.
 *
 * The repair is that of `mendfs repair` on the mounted filesystem, where what was met is of a kind
 * that can be rebuilt while others write; else the writers are stopped at once, which is over
 * sooner.  Whoever comes while one is on its way waits for that one.  A filesystem that a repair
 * has left with findings is not repaired again before HEAL_REST seconds have passed: damage that
 * cannot be mended must not stop all else.  So it is with checks by the background.
 *
 * A request that meets no damage pays one branch.  With heal NULL (the mount is read-only, or there
 * is none) nothing is marked or healed.
 */
#ifndef MENDFS_FUSE_HEAL_H
#define MENDFS_FUSE_HEAL_H

#include "fs/vol.h"

enum heal_policy {
	HEAL_UNSET, /* that of the filesystem's property autofsck, or none */
	HEAL_NONE,
	HEAL_CHECK,
	HEAL_OPTIMIZE,
	HEAL_REPAIR,
};
/* By its name; HEAL_UNSET: there is none such. */
enum heal_policy heal_policy_named(const char *name, size_t length);

struct heal;

struct heal_options {
	enum heal_policy policy;
	void (*wake)(void *arg); /* there is something for heal_work() */
	void *arg;
};
int heal_open(struct vol *vol, const struct heal_options *options, struct heal **out);
void heal_close(struct heal *heal); /* NULL: nothing */

/* For a change: true when err tells of damage and it should be tried again, since the filesystem
 * has been repaired, or the AG fenced. *tried is false at first; holds nothing that a repair needs.
 */
bool heal_changed(struct heal *heal, int err, bool *tried);

/* For a request that reads and answers by itself, on this thread: armed at first, then heal_takes()
 * is asked before a failure is answered, and when it says true heal_again() repairs and says true,
 * once. */
void heal_arm(struct heal *heal);
bool heal_takes(struct heal *heal, int err);
bool heal_again(struct heal *heal);

/* The checks that the policy asks for, if there is a reason; from the background. */
void heal_work(struct heal *heal);

#endif
