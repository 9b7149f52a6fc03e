/*
 * Whether two images are the same, byte by byte: what cmp tells, without reading what is a hole in
 *both, which is nearly all of them.
 *
 *	same-bytes A B
 *
 * Exit status 0; 1 when they differ, which is said; 2 when one cannot be read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE 65536

/* Ends the program when the file cannot be read. */
static int open_sized(const char *path, off_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	if (*size < 0) {
		perror(path);
		exit(2);
	}
	return fd;
}

/* The first place from `at` on that is no hole, or `end`. */
static off_t next_data(int fd, off_t at, off_t end)
{
	off_t next = lseek(fd, at, SEEK_DATA);

	if (next < 0 && errno != ENXIO)
		return at; /* a filesystem that knows no holes */
	return next < 0 ? end : next;
}

static size_t read_piece(int fd, off_t at, char *to)
{
	ssize_t n = pread(fd, to, PIECE, at);

	if (n <= 0) {
		perror("pread");
		exit(2);
	}
	return (size_t)n;
}

int main(int argc, char **argv)
{
	static char a[PIECE], b[PIECE];
	off_t size, other, at = 0;
	int first, second;

	if (argc != 3)
		return 2;
	first = open_sized(argv[1], &size);
	second = open_sized(argv[2], &other);
	if (size != other) {
		printf("%s has %lld bytes, %s %lld\n", argv[1], (long long)size, argv[2],
		       (long long)other);
		return 1;
	}
	while (at < size) {
		off_t here = next_data(first, at, size), there = next_data(second, at, size);
		size_t n, m;

		at = here < there ? here : there;
		if (at == size)
			break;
		n = read_piece(first, at, a);
		m = read_piece(second, at, b);
		n = n < m ? n : m;
		if (memcmp(a, b, n) != 0) {
			printf("%s and %s differ within %zu bytes from %lld\n", argv[1], argv[2], n,
			       (long long)at);
			return 1;
		}
		at += (off_t)n;
	}
	return 0;
}
