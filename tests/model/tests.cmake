# The models, checked in all their interleavings: a line of cases.txt is a test. What they
# show does not depend on how the library is built: one build runs them.
if(NOT CMAKE_BUILD_TYPE MATCHES "^Rel" OR CMAKE_C_FLAGS MATCHES "-fsanitize")
    return()
endif()

set(folder ${CMAKE_CURRENT_SOURCE_DIR}/model)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${folder}/cases.txt)
file(STRINGS ${folder}/cases.txt lines REGEX "^[^# \t]")
foreach(line IN LISTS lines)
    separate_arguments(words UNIX_COMMAND "${line}")
    list(POP_FRONT words name model)
    pollux_test(model.${name} TIMEOUT 600 COMMAND ${folder}/run ${folder}/${model} ${words})
    set_tests_properties(model.${name} PROPERTIES LABELS model ENVIRONMENT CC=${CMAKE_C_COMPILER})
endforeach()
