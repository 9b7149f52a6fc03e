/* Blocks that files give back at their end; see file_truncate.h. */
#include "fs/file_truncate.h"

#include "base/trail.h"
#include "fs/file_impl.h"

#include <errno.h>
#include <sys/stat.h>

/* The last blocks first, so that no step has to look for them. */
static int drop_behind(struct file_edit *f, u64 end, bool *more)
{
	struct extent e;
	u64 skip;
	int err = 0;

	*more = true;
	while (!err && file_may_go_on(f)) {
		err = fork_before(&f->fork, FILEOFF_END - 1, &e);
		if (err == -ENOENT || (!err && e.off + e.count <= end)) {
			*more = false;
			return 0;
		}
		if (err)
			break;
		skip = max_u64(e.off, end) - e.off;
		e.off += skip;
		e.start += skip;
		e.count -= skip;
		err = file_drop(f, &e);
	}
	return err;
}

/* A link that nobody can follow any more. */
static int end_link(struct vol *vol, struct txn *txn, struct inum ino, bool *has_blocks)
{
	struct txn_buf *buf;
	struct dinode *d;
	struct inode inode;
	int err = inode_edit(vol, txn, ino, &buf);

	*has_blocks = true;
	if (err)
		return err;
	inode_parse(&vol->geo, ino, buf->data, &inode);
	if (!S_ISLNK(inode.mode) || inode.nlink)
		return 0;
	*has_blocks = inode.fork[FORK_DATA].format != FORMAT_LOCAL;
	if (!*has_blocks)
		return 0;
	txn_dirty(txn, buf);
	d = (struct dinode *)buf->data;
	d->mode = be16_make((u16)((inode.mode & ~S_IFMT) | S_IFREG));
	return 0;
}

int file_truncate_step(struct vol *vol, struct txn *txn, struct inum ino, u64 size, bool *more)
{
	struct file_edit f;
	bool has_blocks = true;
	int err = size ? 0 : end_link(vol, txn, ino, &has_blocks);

	*more = false;
	txn_set_giving(txn);
	if (err || !has_blocks)
		return err;
	err = file_edit_begin(vol, txn, ino, &f);
	if (err)
		return err;
	if (size > file_size(&f))
		return fail(-EINVAL, "inode %llu: a truncation to more than its size",
			    (unsigned long long)ino.v);
	file_set_size(&f, size);
	return drop_behind(&f, file_blocks(&f), more);
}

int file_trim_step(struct vol *vol, struct txn *txn, struct inum ino, bool *more)
{
	struct file_edit f;
	int err = file_edit_begin(vol, txn, ino, &f);
	u32 flags = err ? 0 : be16_get(((const struct dinode *)f.fork.buf->data)->flags);

	*more = false;
	txn_set_giving(txn);
	if (err || flags & (INODE_FLAG_PREALLOC | INODE_FLAG_APPEND))
		return err;
	return drop_behind(&f, file_blocks(&f), more);
}
