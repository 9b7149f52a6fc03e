#!/bin/bash
# draw.sh SEED COUNT WORD...: COUNT of the words, drawn by SEED, each as likely as another, one a line and in their order.
printf '%s\n' "${@:3}" | awk -v seed="$1" -v left="$2" -v of=$(($# - 2)) 'BEGIN { srand(seed) } rand() * of < left { print; left-- } { of-- }'
