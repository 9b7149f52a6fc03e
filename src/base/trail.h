/*
 * The trail of an error: a negative errno tells the machine, a trail tells the person.
 *
 * The origin says what is wrong, each caller that knows more puts its place in front, and the
 * border (cli, fuse) prints the whole: `lookup a/b: inode 133: block 5121: crc 9f01.. expected ..`.
 * The trail belongs to the thread, is overwritten by the next fail(), and is cut at TRAIL_MAX
 * bytes, never overrun.  EUCLEAN is a corrupt structure, EBADMSG a wrong checksum, EIO a failing
 * device.
 */
#ifndef MENDFS_BASE_TRAIL_H
#define MENDFS_BASE_TRAIL_H

#include <errno.h>
#include <stdbool.h>

#define TRAIL_MAX 1024

/* Start a trail; returns err, so that `return fail(-EUCLEAN, "...")` reads well. */
int fail(int err, const char *format, ...) __attribute__((format(printf, 2, 3), cold));
/* Put a place in front of the trail; returns err. */
int fail_in(int err, const char *format, ...) __attribute__((format(printf, 2, 3), cold));
#ifdef __clang_analyzer__
/* So that the analyzer knows that an error stays an error. */
#define fail(err, ...) (fail((err), __VA_ARGS__), (err))
#define fail_in(err, ...) (fail_in((err), __VA_ARGS__), (err))
#endif
/* The trail of the last failure of this thread; never NULL. */
const char *trail_text(void);
/* A structure that is not as it should be; not a device that fails. */
static inline bool err_is_damage(int err)
{
	return err == -EUCLEAN || err == -EBADMSG;
}
void trail_clear(void);

/* Which failure of this thread the trail tells of: fail() counts it, fail_in() does not. Who knows
 * more of a failure than its text keeps that with the number. */
unsigned long trail_number(void);

#endif
