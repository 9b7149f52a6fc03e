/* Uses libmendfs as any program would: prints what the test expects of a prototype image. */
#include <mendfs.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, mendfs_error());
	return 1;
}

static int count_entry(void *arg, const struct mendfs_entry *entry)
{
	(void)entry;
	++*(int *)arg;
	return 0;
}

static void print_finding(void *arg, const struct mendfs_finding *finding)
{
	(void)arg;
	printf("finding %s\n", finding->text);
}

static void print_id(void *arg, const struct mendfs_finding *finding)
{
	(void)arg;
	printf("%s %d\n", finding->id, (int)finding->severity);
}

/* A new filesystem, and that it is not made twice. */
static int make(const char *path)
{
	const uint8_t uuid[16] = {1, 2, 3};
	struct mendfs_mkfs_options options = {.size = 64 << 20,
					      .block_size = 2048,
					      .label = "new",
					      .uuid = uuid,
					      .features_on = MENDFS_FEATURE_PARENT,
					      .features_off = MENDFS_FEATURE_RMAPBT};
	struct mendfs_info info;
	struct mendfs *fs;

	if (mendfs_mkfs(path, &options) || mendfs_open(path, NULL, &fs))
		return fail("mkfs");
	if (mendfs_info(fs, &info) || mendfs_check(fs, print_finding, NULL) != MENDFS_CLEAN)
		return fail("check of the new");
	printf("new: label %s, uuid %02x%02x%02x, %" PRIu32 " AGs of %" PRIu32 "-byte blocks\n",
	       info.label, info.uuid[0], info.uuid[1], info.uuid[2], info.ag_count,
	       info.block_size);
	mendfs_close(fs);
	if (mendfs_mkfs(path, &options) >= 0)
		return fail("a second mkfs");
	printf("again: %s\n", strstr(mendfs_error(), "(xfs)") ? "xfs" : mendfs_error());
	options.flags = MENDFS_MKFS_FORCE;
	return mendfs_mkfs(path, &options) ? fail("a forced mkfs") : 0;
}

/* What a dirty image says of its log: replayed, left out, and of a clean one. */
static int tell_log(const char *image, unsigned flags)
{
	const struct mendfs_options options = {.flags = flags};
	struct mendfs_info info;
	struct mendfs *fs;
	int worst;

	if (mendfs_open(image, &options, &fs) || mendfs_info(fs, &info))
		return fail("open for the log");
	printf("log %d, replayed %d\n", (int)info.log, info.replayed);
	worst = mendfs_check(fs, print_id, NULL);
	printf("check %d\n", worst);
	mendfs_close(fs);
	return worst < 0 ? fail("check of the log") : 0;
}

int main(int argc, char **argv)
{
	struct mendfs *fs;
	struct mendfs_info info;
	struct mendfs_stat st;
	uint64_t ino;
	char text[2000];
	int64_t n;
	int names = 0;

	if (argc == 4 && !strcmp(argv[1], "log"))
		return tell_log(argv[2], (unsigned)atoi(argv[3]));
	if (argc != 3)
		return 2;
	if (make(argv[2]))
		return 1;
	if (mendfs_open(argv[1], NULL, &fs))
		return fail("open");
	if (mendfs_info(fs, &info))
		return fail("info");
	printf("version %s\nblock size %" PRIu32 ", %" PRIu32 " AGs\n", mendfs_version(),
	       info.block_size, info.ag_count);
	if (mendfs_resolve(fs, "/dir/file-number-7", &ino) || mendfs_stat(fs, ino, &st))
		return fail("resolve");
	printf("file mode %o, size %" PRIu64 "\n", (unsigned)st.mode, st.size);
	n = mendfs_read(fs, ino, 0, text, sizeof(text));
	if (n < 0)
		return fail("read");
	printf("content %.*s", (int)n, text);
	if (mendfs_path(fs, ino, text, sizeof(text)))
		return fail("path");
	printf("path %s\n", text);
	if (mendfs_resolve(fs, "/link", &ino) || mendfs_readlink(fs, ino, text, sizeof(text)) < 0)
		return fail("readlink");
	printf("link to %s\n", text);
	if (mendfs_resolve(fs, "/dir", &ino) || mendfs_readdir(fs, ino, 0, count_entry, &names))
		return fail("readdir");
	printf("names %d\n", names);
	if (mendfs_stat(fs, ino + 1000000, &st) >= 0 || !strlen(mendfs_error()))
		return fail("an inode that does not exist");
	if (mendfs_resolve(fs, "/dir/none", &ino) >= 0)
		return fail("a name that does not exist");
	n = mendfs_check(fs, print_finding, NULL);
	if (n < 0)
		return fail("check");
	printf("check %d\n", (int)n);
	mendfs_close(fs);
	return 0;
}
