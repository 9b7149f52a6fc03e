/*
 * See said.h.
 *
 * Inodes are found in the text: `inode 131', `directory 131', `symbolic link 131', not between
 * apostrophes, where names of files are.  Names may hold apostrophes, too; what can come of that is
 * a path that is missing, or one too many.
 */
#include "cli/said.h"

#include "scrub/paths.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX 65536

bool said_add(struct said *said, const char *line)
{
	if (said->count == LINES_MAX)
		return false;
	if (said->count == said->room) {
		u32 room = said->room ? 2 * said->room : 64;
		char **more = realloc(said->line, room * sizeof(*more));

		if (!more)
			return false;
		said->line = more;
		said->room = room;
	}
	said->line[said->count] = strdup(line);
	if (!said->line[said->count])
		return false;
	said->count++;
	return true;
}

void said_free(struct said *said)
{
	while (said->count)
		free(said->line[--said->count]);
	free(said->line);
	*said = (struct said){NULL, 0, 0};
}

/* The length of `inode 131' when `at` begins with such, and its number. */
static size_t mention(const char *at, u64 *ino)
{
	static const char *const word[] = {"inode ", "directory ", "symbolic link "};

	for (size_t i = 0; i < ARRAY_COUNT(word); i++) {
		size_t length = strlen(word[i]);
		char *end;

		if (strncmp(at, word[i], length) != 0 || at[length] < '0' || at[length] > '9')
			continue;
		errno = 0;
		*ino = strtoull(at + length, &end, 10);
		return errno ? 0 : (size_t)(end - at);
	}
	return 0;
}

/* The next one from `at` on, or NULL; it ends at *end. */
static const char *next_mention(const char *at, const char **end, u64 *ino)
{
	bool quoted = false;

	for (; *at; at++) {
		size_t length = quoted ? 0 : mention(at, ino);

		quoted ^= *at == '\'';
		*end = at + length;
		if (length)
			return at;
	}
	return NULL;
}

static void print_line(FILE *out, const char *line, const struct paths *paths)
{
	const char *end;
	u64 ino;

	while (next_mention(line, &end, &ino)) {
		const char *path = paths_get(paths, ino);

		fwrite(line, 1, (size_t)(end - line), out);
		if (path)
			fprintf(out, " (%s)", path);
		line = end;
	}
	fprintf(out, "%s\n", line);
}

int said_print(const struct said *said, struct vol *vol, FILE *out)
{
	struct paths *paths = NULL;
	u32 count = 0, room = 0;
	const char *end;
	u64 *ino, one;
	int err = 0;

	for (u32 i = 0; i < said->count; i++)
		for (const char *at = said->line[i]; next_mention(at, &end, &one); at = end)
			room++;
	ino = calloc(room + 1, sizeof(*ino));
	for (u32 i = 0; ino && i < said->count; i++)
		for (const char *at = said->line[i]; next_mention(at, &end, &one); at = end)
			ino[count++] = one;
	if (count)
		err = paths_find(vol, ino, count, PATHS_MEMORY, &paths);
	for (u32 i = 0; i < said->count; i++)
		print_line(out, said->line[i], err ? NULL : paths);
	if (!err)
		paths_free(paths);
	free(ino);
	return err;
}
