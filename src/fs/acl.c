/*
 * POSIX ACLs in the namespace; see acl.h. The rules are those of POSIX.1e, as acl(5) tells them.
 */
#include "fs/acl.h"

#include "base/trail.h"
#include "fs/attr_modify.h"
#include "fs/inode.h"

#include <errno.h>

static struct acl_entry *entries(const struct acl *acl)
{
	return (struct acl_entry *)(acl->bytes + sizeof(struct be32));
}

static u32 entry_count(const struct acl *acl)
{
	return (u32)((acl->size - sizeof(struct be32)) / sizeof(struct acl_entry));
}

/* Of these bytes may be asked what entries say. */
static int check(const struct acl *acl, struct inum ino)
{
	struct be32 head;

	if (acl->size < sizeof(head) || (acl->size - sizeof(head)) % sizeof(struct acl_entry))
		return fail(-EUCLEAN, "inode %llu: an ACL of %u bytes", (unsigned long long)ino.v,
			    acl->size);
	memcpy(&head, acl->bytes, sizeof(head));
	if (be32_get(head) != entry_count(acl))
		return fail(-EUCLEAN, "inode %llu: an ACL with %u entries says %u",
			    (unsigned long long)ino.v, entry_count(acl), be32_get(head));
	return 0;
}

static s64 get(struct vol *view, const struct inode *inode, const char *name, void *to, size_t size)
{
	return attr_get(view, inode, ATTR_ROOT, name, (u32)strlen(name), to, size);
}

static int load(struct vol *view, const struct inode *inode, const char *name, struct acl *out)
{
	s64 length = inode->forkoff ? get(view, inode, name, NULL, 0) : -ENODATA;

	if (length == -ENODATA)
		return 0;
	if (length < 0)
		return (int)length;
	out->bytes = env_alloc(view->env, (size_t)length);
	if (!out->bytes)
		return fail(-ENOMEM, "an ACL: out of memory");
	length = get(view, inode, name, out->bytes, (size_t)length);
	if (length < 0)
		return (int)length;
	out->size = (u32)length;
	return check(out, inode->ino);
}

int acl_load(struct vol *vol, struct txn *txn, struct inum ino, const char *name, struct acl *out)
{
	struct vol view = vol_in(vol, txn);
	struct inode inode;
	int err = inode_get(&view, ino, &inode);

	*out = (struct acl){.env = vol->env};
	if (err)
		return err;
	err = load(&view, &inode, name, out);
	inode_put(&view, &inode);
	if (err)
		acl_drop(out);
	return err;
}

void acl_drop(struct acl *acl)
{
	env_free(acl->env, acl->bytes);
	acl->bytes = NULL;
}

/* The entry that the group's permissions of a mode stand for: the mask, where there is one. */
static struct acl_entry *group_class(const struct acl *acl)
{
	struct acl_entry *e = entries(acl), *found = NULL;

	for (u32 n = entry_count(acl); n--; e++) {
		u32 tag = be32_get(e->tag);

		if (tag == ACL_MASK)
			return e;
		if (tag == ACL_GROUP_OBJ)
			found = e;
	}
	return found;
}

/* How far the three permissions of an entry's class are to be shifted in a mode; -1: of none. */
static int shift_of(const struct acl *acl, const struct acl_entry *e)
{
	u32 tag = be32_get(e->tag);

	if (tag == ACL_USER_OBJ)
		return 6;
	if (tag == ACL_OTHER)
		return 0;
	return e == group_class(acl) ? 3 : -1;
}

bool acl_narrow(struct acl *acl, u16 *mode)
{
	struct acl_entry *e = entries(acl);
	bool more = false;

	for (u32 n = entry_count(acl); n--; e++) {
		u32 tag = be32_get(e->tag), perm = be16_get(e->perm);
		int shift = shift_of(acl, e);

		more = more || tag == ACL_USER || tag == ACL_GROUP || tag == ACL_MASK;
		if (shift < 0)
			continue;
		perm &= (u32)*mode >> shift & ACL_PERM_ALL;
		e->perm = be16_make((u16)perm);
		*mode = (u16)((*mode & ~(ACL_PERM_ALL << shift)) | perm << shift);
	}
	return more;
}

void acl_set_mode(struct acl *acl, u16 mode)
{
	struct acl_entry *e = entries(acl);

	for (u32 n = entry_count(acl); n--; e++) {
		int shift = shift_of(acl, e);

		if (shift >= 0)
			e->perm = be16_make((u16)(mode >> shift & ACL_PERM_ALL));
	}
}

int acl_give(struct vol *vol, struct txn *txn, struct inum ino, const char *name,
	     const struct acl *acl)
{
	const struct attr attr = {.flags = ATTR_ROOT,
				  .name = name,
				  .name_length = (u32)strlen(name),
				  .value = acl->bytes,
				  .value_length = acl->size};

	return attr_set(vol, txn, ino, &attr, ATTR_HOW_ANY);
}

int acl_follow_mode(struct vol *vol, struct txn *txn, struct inum ino, u16 mode)
{
	struct acl acl;
	int err = acl_load(vol, txn, ino, ACL_ACCESS_NAME, &acl);

	if (err || !acl.bytes)
		return err;
	acl_set_mode(&acl, mode);
	err = acl_give(vol, txn, ino, ACL_ACCESS_NAME, &acl);
	acl_drop(&acl);
	return err;
}
