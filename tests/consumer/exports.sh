#!/bin/sh
# exports.sh LIBRARY: the shared library, or a DLL by its import library, exports what the header
# declares for its system, each name under a version of cmake/pollux.map, and nothing else.
set -eu
header=$(dirname "$0")/../../include/pollux.h

declared=$(${CC:-cc} -E -P "$header" |
    sed -n 's/^__attribute__((visibility("default"))) .*[ *]\(plx_[a-z_]*\)(.*/\1/p' | sort)
case $1 in
*.dll.a) exported=$(nm --defined-only "$1" | awk '$2 == "T" { print $3 }' | sort) ;;
*) exported=$(nm -D --defined-only "$1" | sed '/ A POLLUX_/d; s/.* T \(.*\)@@POLLUX_.*/\1/' | sort) ;;
esac

[ -n "$declared" ] && [ "$declared" = "$exported" ] && exit
printf 'declared:\n%s\nexported:\n%s\n' "$declared" "$exported"
exit 1
