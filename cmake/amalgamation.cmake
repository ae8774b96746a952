# The library as one file: cmake --build build --target amalgamation, or tools/amalgamate alone.

find_package(Python3 QUIET COMPONENTS Interpreter)
if(NOT Python3_FOUND)
    return()
endif()

set(POLLUX_AMALGAMATION ${PROJECT_BINARY_DIR}/amalgamation)
file(GLOB headers CONFIGURE_DEPENDS src/*/*.h)
add_custom_command(OUTPUT ${POLLUX_AMALGAMATION}/pollux.c ${POLLUX_AMALGAMATION}/pollux.h
    COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/amalgamate ${POLLUX_AMALGAMATION}
    DEPENDS tools/amalgamate cmake/sources.cmake include/pollux.h LICENSE ${headers} ${POLLUX_SOURCES}
    VERBATIM)
add_custom_target(amalgamation DEPENDS ${POLLUX_AMALGAMATION}/pollux.c)
