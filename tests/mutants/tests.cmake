# Whether the lists of mutants fit the sources, and whether a few are made and noticed as ever. Neither
# depends on how this build is made: one build asks.
if(CMAKE_BUILD_TYPE MATCHES "^Rel" AND NOT CMAKE_C_FLAGS MATCHES "-fsanitize"
        AND NOT PLX_OS AND NOT POLLUX_BACKENDS)
    pollux_test(mutants.check COMMAND ${PROJECT_SOURCE_DIR}/scripts/mutants --check)
    pollux_test(mutants.sample TIMEOUT 900 COMMAND ${PROJECT_SOURCE_DIR}/scripts/mutants -j 2
        change_told_before_the_table wake_failed_once_is_an_error gate_last_is_gone)
endif()
