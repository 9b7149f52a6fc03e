/* The trail of an error, one buffer a thread; see trail.h. */
#include "base/trail.h"

#undef fail
#undef fail_in

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char trail[TRAIL_MAX];
static _Thread_local unsigned long number;

int fail(int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(trail, sizeof(trail), format, args);
	va_end(args);
	number++;
	return err;
}

int fail_in(int err, const char *format, ...)
{
	char place[TRAIL_MAX];
	size_t used, rest;
	va_list args;

	va_start(args, format);
	vsnprintf(place, sizeof(place), format, args);
	va_end(args);
	used = strlen(place);
	if (!trail[0]) {
		memcpy(trail, place, used + 1);
		return err;
	}
	if (used > sizeof(trail) - 3)
		used = sizeof(trail) - 3;
	rest = strlen(trail);
	if (rest > sizeof(trail) - used - 3)
		rest = sizeof(trail) - used - 3;
	memmove(trail + used + 2, trail, rest);
	memcpy(trail, place, used);
	memcpy(trail + used, ": ", 2);
	trail[used + 2 + rest] = 0;
	return err;
}

const char *trail_text(void)
{
	return trail;
}

void trail_clear(void)
{
	trail[0] = 0;
	number++;
}

unsigned long trail_number(void)
{
	return number;
}
