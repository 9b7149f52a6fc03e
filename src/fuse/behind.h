/*
 * What changes behind the kernel's back: what the kernel remembers of inodes for as long as it
 * likes, since all changes come through it, must be asked for again after a repair has changed
 * them.
 *
 * The inodes that a repair changes are collected, and when it is done the kernel is told to forget
 * their attributes.  That waits for nobody and takes no lock of a directory, so it may be done
 * wherever a repair is: also by a thread whose request waits for it.
 *
 * Names are not told: that takes the lock of their directory, which a request may hold until it is
 * answered; a server that is killed then would hang with all who use the mount.  Nor sizes of
 * files: with its cache for writing, the kernel believes nobody else about them while it knows the
 * inode.
 */
#ifndef MENDFS_FUSE_BEHIND_H
#define MENDFS_FUSE_BEHIND_H

#include "fuse/request.h"

int behind_open(struct server *server);
void behind_close(struct server *server);

#endif
