#!/bin/sh
# hardened.sh ARCHIVE FILE...: a line for each linked FILE, and one for the objects of ARCHIVE. Fails
# where a flag of cmake/hardening.cmake was lost on the way. What the linked files say of control flow
# is no proof: the linker drops the mark if one object has none, as start files of the C library may.
set -eu
archive=$1
shift
command -v readelf >/dev/null || { echo "skip: readelf is not here"; exit 77; }

lost=0
# has WORDS COMMAND...: WORDS if the command succeeds.
has()
{
    words=$1
    shift
    if "$@"; then
        printf '  %s' "$words"
    else
        printf '  NO %s' "$words"
        lost=1
    fi
}

for file; do
    said=$(readelf -W --file-header --program-headers --dynamic --dyn-syms "$file")
    says() { printf '%s\n' "$said" | grep -Eq "$1"; }
    full_relro() { says ' GNU_RELRO ' && says '(BIND_NOW|FLAGS_1.* NOW)'; }
    printf '%-16s' "${file##*/}"
    has 'stack protector' says ' UND __stack_chk_fail'
    if says 'NEEDED.*\[libc\.so\.6\]'; then # the others do without
        has 'fortify' says ' UND __[a-z]+_chk(@|$)'
    fi
    has 'full RELRO' full_relro
    has 'no executable stack' says ' GNU_STACK .* RW '
    case $file in
    *.so*) ;;
    *) has 'PIE' says 'FLAGS_1.* PIE' ;;
    esac
    echo
done

case $(readelf -h "$archive" | sed -n 's/ *Machine: *//p' | sort -u) in
*X86-64* | *80386*) mark='IBT, SHSTK' ;;
*AArch64*) mark='BTI, PAC' ;;
*) exit $lost ;;
esac
objects=$(readelf -h "$archive" | grep -c '^ELF Header')
marked=$(readelf -n "$archive" | grep -c "feature: $mark" || :)
printf '%-16s' "${archive##*/}"
has "$mark in $marked of $objects objects" test "$marked" = "$objects"
echo
exit $lost
