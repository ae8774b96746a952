/* SPDX-License-Identifier: MIT */
/*
 * For the preset coverage: what a child of fork has run is counted although it leaves by _exit,
 * at which gcov writes nothing. A child of vfork has its parent's counts, which therefore begin
 * again at zero.
 */
#include <gcov.h>

_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

_Noreturn void __wrap__exit(int status)
{
    __gcov_dump();
    __gcov_reset();
    __real__exit(status);
}
