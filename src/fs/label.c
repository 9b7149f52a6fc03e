/* The label of the filesystem, in the superblock and its copies; see vol.h. */
#include "base/trail.h"
#include "format/super.h"
#include "fs/vol.h"

#include <errno.h>

int label_set_step(struct vol *vol, struct txn *txn, const char *label, u32 *ag, bool *more)
{
	const struct meta_type *type = vol_type(vol, META_SUPERBLOCK);
	const struct where where = {
	    .type = type->name, .ag = *ag, .ino = NO_INO, .owner = NO_OWNER};
	size_t length = strlen(label);
	struct txn_buf *buf;
	struct sb *sb;
	int err;

	*more = false;
	if (length > sizeof(sb->fname))
		return fail(-EINVAL, "a label of %zu bytes", length);
	err = txn_get(txn, type, &where, agblock_daddr(&vol->geo, *ag, 0), vol->geo.sector_size,
		      &buf);
	if (err)
		return err;
	sb = (struct sb *)buf->data;
	txn_dirty(txn, buf);
	memset(sb->fname, 0, sizeof(sb->fname));
	memcpy(sb->fname, label, length);
	*more = ++*ag < vol->geo.ag_count;
	return 0;
}
