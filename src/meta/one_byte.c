/* A name of which one byte has changed; see one_byte.h. */
#include "meta/one_byte.h"

bool one_byte_find(u8 *name, u32 length, bool (*right)(void *arg, const u8 *name, u32 length),
		   void *arg)
{
	u32 found = 0, where = 0;
	u8 what = 0;

	for (u32 i = 0; i < length; i++) {
		u8 old = name[i];

		for (u32 c = 1; c < 256; c++) {
			name[i] = (u8)c;
			if (c == old || !right(arg, name, length))
				continue;
			found++;
			where = i;
			what = (u8)c;
		}
		name[i] = old;
	}
	if (found == 1)
		name[where] = what;
	return found == 1;
}
