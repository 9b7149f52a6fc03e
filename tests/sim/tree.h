/* Names, file types, link counts and content of a whole tree, as one number. */
#ifndef MENDFS_TESTS_TREE_H
#define MENDFS_TESTS_TREE_H

#include "fs/vol.h"

/* Fails the test where anything cannot be read. */
u64 sim_tree(struct vol *vol);

#endif
