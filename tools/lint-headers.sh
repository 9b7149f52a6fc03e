#!/bin/bash
# Checks that each header compiles on its own.
set -uo pipefail
status=0
mapfile -t flags < <(pkg-config --cflags fuse3 | tr ' ' '\n' | grep .)
while read -r header; do
	include=${header#src/}
	include=${include#include/}
	case $header in include/*) std=c11 ;; *) std=gnu17 ;; esac
	if ! echo "#include \"$include\"" | gcc -std=$std -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only \
		-I src -I build/src -I include "${flags[@]}" -x c -; then
		echo "$header does not compile alone"
		status=1
	fi
done < <(find src include -name '*.h' 2>/dev/null | sort)
exit $status
