# What compilers and linkers have against the mistakes of C, in optimised builds; docs/security.md
# has what each is for. What is given from outside stays as it was given: a packager's flags name
# what they want, and sanitizers see more than these do. Not on Windows: mingw's linker does by itself
# what there is, and its stack protector is one DLL more.

include(CheckCCompilerFlag)
include(CheckCSourceCompiles)
include(CheckLinkerFlag)
include(CheckPIESupported)

set(optimised $<CONFIG:Release,RelWithDebInfo,MinSizeRel>)
string(TOUPPER "CMAKE_C_FLAGS_${CMAKE_BUILD_TYPE}" flags)
set(given "${CMAKE_C_FLAGS} ${${flags}} ${CMAKE_EXE_LINKER_FLAGS} ${CMAKE_SHARED_LINKER_FLAGS}")
set(POLLUX_HARDENED TRUE) # all of it, which a test then asks for
if(given MATCHES "FORTIFY_SOURCE|-protect|relro|-z,|-no-pie|-static")
    set(POLLUX_HARDENED FALSE)
endif()

foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection -mbranch-protection=standard)
    string(REGEX REPLACE "^-.|-strong|=.*" "" name ${flag})
    string(MAKE_C_IDENTIFIER POLLUX_HAS_${name} has)
    set(CMAKE_REQUIRED_FLAGS -Werror) # clang has but a warning for a flag of other machines
    check_c_compiler_flag(${flag} ${has})
    unset(CMAKE_REQUIRED_FLAGS)
    if(${has} AND NOT given MATCHES ${name})
        add_compile_options($<${optimised}:${flag}>)
    endif()
endforeach()

# Level 3 is for compilers that know sizes at run time; glibc warns where it would be level 2. Of
# other C libraries none defines this macro, and most make nothing of the flag.
foreach(level 3 2)
    set(CMAKE_REQUIRED_FLAGS "-O2 -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${level}")
    check_c_source_compiles("
        #include <string.h>
        #if !__USE_FORTIFY_LEVEL
        #error
        #endif
        int main(void) { return 0; }" POLLUX_HAS_fortify_${level})
    unset(CMAKE_REQUIRED_FLAGS)
    if(POLLUX_HAS_fortify_${level} AND NOT given MATCHES FORTIFY_SOURCE)
        add_compile_options("$<${optimised}:SHELL:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${level}>")
        break()
    endif()
endforeach()

foreach(word relro now noexecstack)
    check_linker_flag(C LINKER:-z,${word} POLLUX_HAS_${word})
    if(POLLUX_HAS_${word})
        add_link_options($<${optimised}:LINKER:-z,${word}>)
    endif()
endforeach()

if(NOT given MATCHES "-static|-no-pie")
    check_pie_supported(LANGUAGES C)
    set(CMAKE_POSITION_INDEPENDENT_CODE ON)
endif()
