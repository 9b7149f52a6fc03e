/* Uses libmendfs as any program would: prints what the test expects of a prototype image. */
#include <mendfs.h>

#include <inttypes.h>
#include <stdio.h>
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

int main(int argc, char **argv)
{
	struct mendfs *fs;
	struct mendfs_info info;
	struct mendfs_stat st;
	uint64_t ino;
	char text[2000];
	int64_t n;
	int names = 0;

	if (argc != 2)
		return 2;
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
