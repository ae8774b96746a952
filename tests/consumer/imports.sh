#!/bin/sh
# imports.sh NM LIBRARY FILE: what the library takes from the C library is listed in FILE, or is
# the compiler's or the C library's own (__stack_chk_fail, __errno_location; fstat64 for fstat).
set -eu
"$1" -u "$2" | awk -v list="$3" '
    BEGIN {
        while ((getline name < list) > 0)
            if (name !~ /^#/)
                known[name] = 1
    }
    { sub(/64$/, "", $2) }
    NF == 2 && $2 !~ /^_/ && $2 !~ /^plx_/ && !($2 in known) {
        print $2 " is not in POSIX.1-2008"
        wrong = 1
    }
    END { exit wrong }'
