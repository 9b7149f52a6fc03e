/* See mutate.h: empty but in the build of one test. */
#include "base/mutate.h"

#ifdef MENDFS_MUTATIONS
struct mutate mutate = {.point = MUTATION_COUNT, .every = 1};
#endif
