/* Images for random writing to files; see files.h. */
#include "files.h"

#include "base/trail.h"
#include "fs/inode.h"
#include "meta/types_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#define OVERLAY_MEMORY (256u << 20)

bool files_make(const char *path, u32 mib, const char *mkfs_options)
{
	static u8 stale[1u << 20];
	char command[700];
	FILE *out = fopen(path, "w");
	int status;

	memset(stale, FILES_STALE, sizeof(stale));
	for (u32 i = 0; out && i < mib; i++)
		fwrite(stale, sizeof(stale), 1, out);
	if (out)
		fclose(out);
	snprintf(command, sizeof(command),
		 "PATH=$PATH:/sbin:/usr/sbin TEST_DIR=1 TEST_DEV=1 QA_CHECK_FS=1; "
		 "export TEST_DIR TEST_DEV QA_CHECK_FS; "
		 "command -v mkfs.xfs >/dev/null || exit 77; p='%s.proto'; "
		 "printf '/dev/null\\n0 0\\nd--755 0 0\\n' >\"$p\"; for i in 0 1 2 3; do "
		 "printf 'file%%d ---644 0 0 /dev/null\\n' $i >>\"$p\"; done; "
		 "printf 'link l--777 0 0 x\\n$\\n' >>\"$p\"; "
		 "mkfs.xfs -q -K -f -p \"$p\" %s '%s' >/dev/null; s=$?; rm \"$p\"; exit $s",
		 path, mkfs_options, path);
	status = system(command);
	if (status && WEXITSTATUS(status) != 77) {
		fprintf(stderr, "mkfs.xfs fails with %s\n", mkfs_options);
		exit(1);
	}
	return !status;
}

static void find_files(struct files *f)
{
	const struct geometry *g = &f->vol->geo;
	struct inode inode;
	u32 found = 0;

	for (u64 ino = g->root_ino + 1; found < FILES_COUNT; ino++) {
		files_must(f, inode_get(f->vol, inum_of(ino), &inode));
		if (inode_ftype(inode.mode) == 1 && !inode_internal(g, inode.ino))
			f->file[found++].ino = inode.ino;
		inode_put(f->vol, &inode);
	}
}

static void open_with(struct files *f, const struct vol_options *options)
{
	files_must(f, vol_open(&f->world.env, &meta_types, options, &f->vol));
	find_files(f);
	for (u32 i = 0; i < FILES_COUNT; i++)
		f->file[i].bytes = calloc(1, FILES_MAX);
}

static void init(struct files *f, u64 seed)
{
	*f = (struct files){.seed = seed * 2654435761u + 88172645463325252u, .doing = "open"};
	world_init(&f->world);
}

void files_open(struct files *f, const char *path, u64 seed)
{
	struct vol_options options = {.memory = 0};

	init(f, seed);
	if (image_map(&f->world, path, false, &f->image))
		exit(1);
	files_must(
	    f, device_open_overlay(&f->world.env, &f->image.dev, OVERLAY_MEMORY, &options.data));
	open_with(f, &options);
}

void files_open_journal(struct files *f, const char *path, u64 seed)
{
	struct vol_options options = {.write = true};

	init(f, seed);
	files_must(f, device_open_file(&f->world.env, path, false, &options.data));
	open_with(f, &options);
}

void files_close(struct files *f)
{
	for (u32 i = 0; i < FILES_COUNT; i++)
		free(f->file[i].bytes);
	files_must(f, vol_close(f->vol));
	image_unmap(&f->image);
	if (f->world.live)
		files_must(f, fail(-ENOMEM, "%llu allocations are left",
				   (unsigned long long)f->world.live));
}

void files_flatten(struct files *f, const char *path)
{
	static u8 bytes[1u << 20];
	FILE *out = fopen(path, "r+");

	for (u64 at = 0; out && at < f->vol->data->size; at += sizeof(bytes)) {
		files_must(f, device_read(f->vol->data, daddr_of(at), bytes, sizeof(bytes)));
		fwrite(bytes, sizeof(bytes), 1, out);
	}
	if (!out || fclose(out))
		files_must(f, fail(-EIO, "%s cannot be written", path));
}
