/* lost BEFORE AFTER [RT]: how many names and bytes of files the image BEFORE has and AFTER has not;
 * see census.h. Prints "N names, N bytes"; exit status 0 when there are none, 1 when there are, 2
 * when an image cannot be opened. */
#include "census.h"

#include "base/trail.h"

#include <inttypes.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	static struct world world;
	struct image image[2], rt;
	struct census census[2];
	u64 names, bytes;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: lost BEFORE AFTER [RT]\n");
		return 2;
	}
	world_init(&world);
	if (argc == 4 && image_map(&world, argv[3], false, &rt))
		return 2;
	for (int i = 0; i < 2; i++) {
		struct world_images images = {.data = &image[i], .rt = argc == 4 ? &rt : NULL};

		if (image_map(&world, argv[1 + i], false, &image[i]))
			return 2;
		if (census_take(&world, &images, &census[i])) {
			fprintf(stderr, "%s: %s\n", argv[1 + i], trail_text());
			return 2;
		}
		image_unmap(&image[i]);
	}
	census_lost(&census[0], &census[1], &names, &bytes);
	printf("%" PRIu64 " names, %" PRIu64 " bytes\n", names, bytes);
	census_free(&census[0]);
	census_free(&census[1]);
	if (argc == 4)
		image_unmap(&rt);
	return names || bytes;
}
