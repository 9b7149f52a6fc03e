/* Which of the types that hang on inodes an inode has; see inode.h. */
#include "meta/inode.h"

#include <sys/stat.h>

static bool mapped(const struct fork *fork)
{
	return fork->format == FORMAT_EXTENTS || fork->format == FORMAT_BTREE;
}

bool inode_has_map(const struct geometry *g, const struct inode *inode, enum scrub_type item)
{
	(void)g;
	return item == SCRUB_BMBTA ? inode->forkoff && mapped(&inode->fork[FORK_ATTR])
				   : mapped(&inode->fork[FORK_DATA]);
}

bool inode_has_directory(const struct geometry *g, const struct inode *inode, enum scrub_type item)
{
	(void)g;
	(void)item;
	/* one that was cut off while it was being freed has nothing in it */
	return S_ISDIR(inode->mode) && (inode->nlink || inode->size);
}

bool inode_has_attributes(const struct geometry *g, const struct inode *inode, enum scrub_type item)
{
	const struct fork *fork = &inode->fork[FORK_ATTR];

	(void)g;
	(void)item;
	return inode->forkoff && (fork->format != FORMAT_EXTENTS || fork->extents);
}

bool inode_has_target(const struct geometry *g, const struct inode *inode, enum scrub_type item)
{
	(void)g;
	(void)item;
	return S_ISLNK(inode->mode) && (inode->nlink || inode->size);
}

bool inode_has_parent(const struct geometry *g, const struct inode *inode, enum scrub_type item)
{
	if (inode_has_directory(g, inode, item))
		return true;
	return item == SCRUB_PARENT && geometry_has(g, FEATURE_PARENT) &&
	       !inode_internal(g, inode->ino);
}
