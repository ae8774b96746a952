# Pollux as others get it: each script is a test, run with this build's compiler.

function(pollux_script name)
    pollux_test(${name} TIMEOUT 120 COMMAND ${ARGN})
    set_tests_properties(${name} PROPERTIES ENVIRONMENT CC=${CMAKE_C_COMPILER})
endfunction()

set(scripts ${CMAKE_CURRENT_SOURCE_DIR}/consumer)
set(work ${CMAKE_CURRENT_BINARY_DIR}/consumer)

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
foreach(way sources add_subdirectory fetch_content)
    pollux_script(consumer.${way} ${scripts}/build.sh ${way} ${work})
endforeach()

# What the header promises: its names and no others are exported, it is valid in both
# languages, and the programs that it and the README show work.
pollux_script(consumer.exports ${scripts}/exports.sh $<TARGET_FILE:pollux_shared>)
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
