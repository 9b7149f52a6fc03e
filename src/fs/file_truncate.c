/* Blocks that files give back at their end; see file_truncate.h. */
#include "fs/file_truncate.h"

#include "base/trail.h"
#include "fs/file_impl.h"

#include <errno.h>

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

int file_truncate_step(struct vol *vol, struct txn *txn, struct inum ino, u64 size, bool *more)
{
	struct file_edit f;
	int err = file_edit_begin(vol, txn, ino, &f);

	*more = false;
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
	if (err || flags & (INODE_FLAG_PREALLOC | INODE_FLAG_APPEND))
		return err;
	return drop_behind(&f, file_blocks(&f), more);
}
