#!/bin/sh
# conform.sh CONFORM LIST BACKEND: runs every case of the list, two at a time, on one backend.
set -eu
conform=$1 backend=$3

# A case that was skipped has passed; one that takes long on purpose is not run.
export conform backend
# shellcheck disable=SC2016
sed '/^stress_/d; s/[# ].*//; /^$/d' "$2" | xargs -n 1 -P 2 sh -c '
    said=$("$conform" "$1" "$backend" 2>&1) || [ $? = 77 ] || { echo "$1: $said"; exit 1; }' conform
