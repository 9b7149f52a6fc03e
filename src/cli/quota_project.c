/*
 * mendfs quota project: a tree belongs to a project, and what is made in it as well.
 *
 * It asks the kernel for the attributes of each file, so it works on every filesystem with
 * projects.  What cannot be opened without side effects (devices, sockets, links) is left out, as
 * by xfs_quota.
 */
#include "base/trail.h"
#include "cli/quota.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct setup {
	char how; /* s, c, C */
	u32 project;
	u64 wrong, failed;
};

static void tell(struct setup *s, const char *path, const char *what)
{
	printf("%s - %s\n", path, what);
	s->wrong++;
}

static void check(struct setup *s, const char *path, const struct fsxattr *x, bool dir)
{
	if (x->fsx_projid != s->project)
		tell(s, path, "project identifier is not set");
	if (dir && !(x->fsx_xflags & FS_XFLAG_PROJINHERIT))
		tell(s, path, "project inheritance flag is not set");
}

static int change(const struct setup *s, int fd, struct fsxattr *x, bool dir)
{
	x->fsx_projid = s->how == 's' ? s->project : 0;
	if (dir && s->how == 's')
		x->fsx_xflags |= FS_XFLAG_PROJINHERIT;
	else if (dir)
		x->fsx_xflags &= ~(u32)FS_XFLAG_PROJINHERIT;
	return ioctl(fd, FS_IOC_FSSETXATTR, x);
}

static void visit(struct setup *s, const char *path, bool dir)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (dir ? O_DIRECTORY : 0)), err;
	struct fsxattr x;
	bool good = fd >= 0 && !ioctl(fd, FS_IOC_FSGETXATTR, &x);

	if (good && s->how == 'c')
		check(s, path, &x, dir);
	else if (good)
		good = !change(s, fd, &x, dir);
	err = errno;
	if (fd >= 0)
		close(fd);
	if (good)
		return;
	fprintf(stderr, "mendfs: %s: %s\n", path, strerror(err));
	s->failed++;
}

/* No other filesystem below, and no link followed. */
static int walk(struct setup *s, char *directory)
{
	char *const roots[] = {directory, NULL};
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	const FTSENT *e;

	if (!fts)
		return fail(-errno, "%s: %s", directory, strerror(errno));
	errno = 0;
	while ((e = fts_read(fts))) {
		if (e->fts_info == FTS_D || e->fts_info == FTS_F)
			visit(s, e->fts_path, e->fts_info == FTS_D);
		if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS) {
			fprintf(stderr, "mendfs: %s: %s\n", e->fts_path, strerror(e->fts_errno));
			s->failed++;
		}
	}
	fts_close(fts);
	return 0;
}

int quota_project(const struct command *self, int argc, char **argv)
{
	struct setup s = {.how = 0};
	int o;

	while ((o = getopt(argc, argv, "scC")) != -1) {
		if (o == '?')
			return cli_usage(self);
		s.how = (char)o;
	}
	if (!s.how || optind + 2 != argc)
		return cli_misuse(self, "quota project -s|-c|-C ID DIRECTORY");
	if (!quota_id_of(DQUOT_PROJECT, argv[optind], &s.project))
		return cli_misuse(self, "\"%s\": no such project", argv[optind]);
	if (walk(&s, argv[optind + 1]))
		return cli_failed();
	return (s.failed ? STATUS_FAILED : 0) | (s.wrong ? STATUS_WARNING : 0);
}
