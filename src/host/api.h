/* What the files of the public interface share. */
#ifndef MENDFS_HOST_API_H
#define MENDFS_HOST_API_H

#include "fs/vol.h"

struct mendfs {
	struct env env;
	struct vol *vol;
	bool no_recovery;
	struct env_lock *checking; /* one check at a time */
	struct env_lock *calling;  /* one call of the caller's function at a time */
};

#endif
