# Pollux as others get it: each script is a test, run with this build's compiler.

function(pollux_script name)
    pollux_test(${name} TIMEOUT 300 COMMAND ${ARGN})
    set_tests_properties(${name} PROPERTIES ENVIRONMENT CC=${CMAKE_C_COMPILER})
endfunction()

set(scripts ${CMAKE_CURRENT_SOURCE_DIR}/consumer)
set(work ${CMAKE_CURRENT_BINARY_DIR}/consumer)

# The library as one file passes the cases, in one build of a system; under Wine it has to start.
if(TARGET amalgamation AND NOT PLX_OS AND (CMAKE_BUILD_TYPE MATCHES "^Rel" OR WIN32))
    file(GLOB files CONFIGURE_DEPENDS conform/*.c)
    add_executable(conform.amalgamation ${files} ${POLLUX_AMALGAMATION}/pollux.c)
    add_dependencies(conform.amalgamation amalgamation)
    target_include_directories(conform.amalgamation PRIVATE ${POLLUX_AMALGAMATION} ${PROJECT_SOURCE_DIR}/src)
    target_compile_definitions(conform.amalgamation PRIVATE PLX_TESTING)
    target_link_libraries(conform.amalgamation PRIVATE $<IF:$<BOOL:${WIN32}>,ws2_32,Threads::Threads>)
    pollux_test(conform.amalgamation COMMAND conform.amalgamation --check ${list})
    if(NOT WIN32)
        foreach(backend IN LISTS backends)
            pollux_test(conform.amalgamation.${backend} TIMEOUT 600
                COMMAND ${scripts}/conform.sh $<TARGET_FILE:conform.amalgamation> ${list} ${backend})
        endforeach()
    endif()
endif()

# The scripts build for this machine. For Windows, a program of this build uses the DLL.
if(WIN32)
    add_executable(consumer.dll consumer/app.c)
    target_link_libraries(consumer.dll PRIVATE pollux::shared)
    set_target_properties(consumer.dll PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${work})
    add_custom_command(TARGET consumer.dll POST_BUILD
        COMMAND ${CMAKE_COMMAND} -E copy_if_different $<TARGET_RUNTIME_DLLS:consumer.dll> ${work} VERBATIM)
    pollux_test(consumer.dll COMMAND consumer.dll)
    pollux_script(consumer.exports ${scripts}/exports.sh $<TARGET_LINKER_FILE:pollux_shared>)
    return()
endif()

# An outside program gets the library in each of the ways that there are. Folders that were
# given as absolute paths are not installed to: a test stays in its build.
if(POLLUX_INSTALL AND NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" AND NOT IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
    pollux_script(consumer.install
        ${scripts}/install.sh ${PROJECT_BINARY_DIR} ${work}/prefix)
    set_tests_properties(consumer.install PROPERTIES FIXTURES_SETUP installed)
    foreach(way find_package_static find_package_shared pkg_config_static pkg_config_shared)
        pollux_script(consumer.${way} ${scripts}/build.sh ${way} ${work})
        set_tests_properties(consumer.${way} PROPERTIES FIXTURES_REQUIRED installed)
    endforeach()
endif()
foreach(way sources amalgamation add_subdirectory fetch_content)
    pollux_script(consumer.${way} ${scripts}/build.sh ${way} ${work})
endforeach()

# What the header promises: its names and no others are exported, it is valid in both
# languages, and the programs that it and the README show work.
pollux_script(consumer.exports ${scripts}/exports.sh $<TARGET_FILE:pollux_shared>)
if(POLLUX_HARDENED AND CMAKE_BUILD_TYPE MATCHES "^Rel")
    set(programs)
    if(POLLUX_TOOLS)
        list(APPEND programs $<TARGET_FILE:plx-watch>)
    endif()
    if(POLLUX_EXAMPLES)
        list(APPEND programs $<TARGET_FILE:example.http_server>)
    endif()
    pollux_script(consumer.hardened
        ${scripts}/hardened.sh $<TARGET_FILE:pollux_static> $<TARGET_FILE:pollux_shared> ${programs})
endif()
if(PLX_OS STREQUAL "posix")
    pollux_script(consumer.imports
        ${scripts}/imports.sh ${CMAKE_NM} $<TARGET_FILE:pollux_static> ${scripts}/posix_names.txt)
endif()
foreach(compiler gcc g++ clang clang++)
    pollux_script(consumer.header.${compiler} ${scripts}/header.sh ${compiler})
endforeach()
pollux_script(consumer.example.header
    ${scripts}/example.sh include/pollux.h $<TARGET_FILE:pollux_static> ${work}/example_header)
pollux_script(consumer.example.readme
    ${scripts}/example.sh README.md $<TARGET_FILE:pollux_static> ${work}/example_readme)

# Once, with this system's own C library: the layer for C++, by its oldest standard and its newest,
# other package managers, the binding for Python, the binary interface, and whether all places have
# one version.
if(CMAKE_BUILD_TYPE MATCHES "^Rel" AND NOT PLX_OS AND NOT CMAKE_C_COMPILER MATCHES "musl")
    foreach(compiler g++ clang++)
        foreach(standard 17 23)
            pollux_script(cpp.${compiler}.${standard} ${CMAKE_CURRENT_SOURCE_DIR}/cpp/run.sh
                ${compiler} ${standard} $<TARGET_FILE:pollux_static> ${work})
        endforeach()
    endforeach()
    pollux_script(consumer.example.cpp
        ${scripts}/example.sh include/pollux.hpp $<TARGET_FILE:pollux_static> ${work}/example_cpp)
    foreach(way meson conan)
        pollux_script(consumer.${way} ${scripts}/build.sh ${way} ${work})
    endforeach()
    pollux_test(consumer.vcpkg COMMAND ${CMAKE_COMMAND}
        -D PORT=${PROJECT_SOURCE_DIR}/packaging/vcpkg/pollux -P ${scripts}/vcpkg.cmake)
    pollux_script(consumer.python ${scripts}/python.sh $<TARGET_FILE:pollux_shared> ${work})
    pollux_script(consumer.abi ${PROJECT_SOURCE_DIR}/scripts/abi $<TARGET_FILE:pollux_shared>)
    pollux_test(consumer.version COMMAND ${PROJECT_SOURCE_DIR}/scripts/version)
    pollux_test(release.refusals COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/release/refusals.sh ${work})
endif()
