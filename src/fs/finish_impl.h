/* What the files that finish one kind of intent share. Private to src/fs. */
#ifndef MENDFS_FS_FINISH_IMPL_H
#define MENDFS_FS_FINISH_IMPL_H

#include "format/log.h"
#include "fs/ag.h"
#include "fs/finish.h"
#include "fs/fork_modify.h"

/* Space to be freed when all is finished. */
struct late {
	struct late *next;
	u64 start, count;
};

struct finish {
	struct vol *vol;
	struct txn *txn;
	struct late *late;
};

int finish_free_later(struct finish *f, u64 start, u64 count);
/* The AG that holds [start, start + count), ready for changes of its trees. */
int finish_ag(struct finish *f, u64 start, u64 count, struct ag *out);

/* One fork of an inode. */
int finish_fork(struct finish *f, u64 ino, enum fork_id which, struct fork_edit *out);

int finish_efi(struct finish *f, const struct log_pending *p);
int finish_rui(struct finish *f, const struct log_pending *p);
int finish_cui(struct finish *f, const struct log_pending *p);
int finish_bui(struct finish *f, const struct log_pending *p);
int finish_attri(struct finish *f, const struct log_pending *p);
int finish_xmi(struct finish *f, const struct log_pending *p);

#endif
