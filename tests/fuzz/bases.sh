#!/bin/bash
# Unpacks the base images of the fuzzer: bases.sh FOLDER
set -euo pipefail
fixtures=$(cd "$(dirname "$0")/../fixtures" && pwd)
mkdir -p "$1"
for b in aged-1k parent quota realtime log-efi log-orphans log-bui log-attri-pptr log-xmi; do
	[ -e "$1/$b.img" ] || xz -dc "$fixtures/$b.img.xz" >"$1/$b.img"
done
[ -e "$1/realtime.rt" ] || xz -dc "$fixtures/realtime.rt.xz" >"$1/realtime.rt"
