#!/bin/sh
# exports.sh LIBRARY: the shared library exports what the header declares, and nothing else.
set -eu
header=$(dirname "$0")/../../include/pollux.h

declared=$(sed -n 's/^PLX_API .*[ *]\(plx_[a-z_]*\)(.*/\1/p' "$header" | sort)
exported=$(nm -D --defined-only "$1" | awk '{ print $3 }' | sort)

[ -n "$declared" ] && [ "$declared" = "$exported" ] && exit
printf 'declared:\n%s\nexported:\n%s\n' "$declared" "$exported"
exit 1
