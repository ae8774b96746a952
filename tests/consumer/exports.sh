#!/bin/sh
# exports.sh LIBRARY: the shared library exports what the header declares, and nothing else.
set -eu
header=$(dirname "$0")/../../include/pollux.h

declared=$(sed -n 's/^PLX_API .*[ *]\(plx_[a-z_]*\)(.*/\1/p' "$header" | sort)
exported=$(nm -D --defined-only "$1" | awk '$3 !~ /^_(init|fini)$/ { print $3 }' | sort) # musl's own start and end are seen

[ -n "$declared" ] && [ "$declared" = "$exported" ] && exit
printf 'declared:\n%s\nexported:\n%s\n' "$declared" "$exported"
exit 1
