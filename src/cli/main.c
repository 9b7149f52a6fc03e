/* mendfs: the program. Picks the subcommand; each has a file of its own. */
#include <stdio.h>

#include "host/host.h"

int main(int argc, char **argv)
{
	struct env env;

	(void)argc;
	(void)argv;
	host_env_init(&env, 0);
	fprintf(stderr, "usage: mendfs COMMAND [OPTION...] IMAGE\n");
	return 8;
}
