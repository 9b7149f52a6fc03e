/* Other programs' repairs; see outside.h. */
#include "outside.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#define PAGE 4096u

struct sound {
	u64 pages;
	u8 **page; /* NULL: zeroes */
};

bool outside_parse(struct outside *o, char *text)
{
	char *equals = strchr(text, '=');

	if (!equals)
		return false;
	*equals = 0;
	*o = (struct outside){text, equals + 1};
	return true;
}

int outside_run(const char *command, const char *path)
{
	char line[4096];
	int status;

	snprintf(line, sizeof(line), "%s '%s'", command, path);
	fflush(stdout);
	status = system(line);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const u8 zeroes[PAGE];

struct sound *sound_keep(const struct image *image)
{
	struct sound *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->pages = image->dev.size / PAGE;
	s->page = calloc(s->pages + 1, sizeof(*s->page));
	if (!s->page)
		abort();
	for (u64 i = 0; i < s->pages; i++) {
		const u8 *at = image->bytes + i * PAGE;

		if (!memcmp(at, zeroes, PAGE))
			continue;
		s->page[i] = malloc(PAGE);
		if (!s->page[i])
			abort();
		memcpy(s->page[i], at, PAGE);
	}
	return s;
}

void sound_restore(const struct sound *sound, struct image *image)
{
	for (u64 i = 0; i < sound->pages; i++) {
		const u8 *was = sound->page[i] ? sound->page[i] : zeroes;
		u8 *at = image->bytes + i * PAGE;

		if (memcmp(at, was, PAGE) != 0)
			memcpy(at, was, PAGE);
	}
}

void sound_free(struct sound *sound)
{
	for (u64 i = 0; sound && i < sound->pages; i++)
		free(sound->page[i]);
	if (sound)
		free(sound->page);
	free(sound);
}
